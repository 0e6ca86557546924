"""Networks that several prepared sets train."""

import dataclasses
import json

import numpy as np
import pytest

import zoo
from tests.helpers.trees import two_trees
from zoo.cli import main
from zoo.data import prepare
from zoo.data.sets.joined import Joined
from zoo.errors import UsageError
from zoo.evaluation.runs import evaluate
from zoo.runs import Run
from zoo.training.autoencoder import train_autoencoder
from zoo.training.classifier import train_classifier
from zoo.training.settings import AutoencoderSettings, Settings

SMALL = {"filters": (4,), "block_filters": 8, "dilations": (1, 2)}
QUICK = Settings(epochs=2, per_class=6, batch_size=16, seed=3)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return two_trees(tmp_path_factory.mktemp("corpora"), train=(3, 2))


@pytest.fixture(scope="module")
def sets(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    options = {"representation": "log_magnitude", "normalize": "recording", "length": 2400}
    return [prepare(c, folder / c.name, mean="none", **options) for c in corpora]


@pytest.fixture(scope="module")
def recordings(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    return [
        prepare(corpus, folder / corpus.name, examples="frames", dev_speakers=1)
        for corpus in corpora
    ]


def weights(run):
    return zoo.load(run).get_weights()


def test_a_run_that_resumes_ends_as_one_that_was_not_interrupted(sets, tmp_path):
    shares = {"data_weights": [3, 1]}
    whole = train_classifier("freq_fullpad", sets, tmp_path / "whole", QUICK, **shares)
    first = dataclasses.replace(QUICK, epochs=1)
    out = train_classifier("freq_fullpad", sets, tmp_path / "halves", first, **shares)
    out = train_classifier("freq_fullpad", sets, out, QUICK, **shares)
    for one, other in zip(weights(whole), weights(out), strict=True):
        np.testing.assert_array_equal(one, other)
    config = json.loads((whole / "config.json").read_text())
    assert config["settings"]["data_weights"] == [3, 1]
    assert len(config["data"]["sets"]) == 2
    with pytest.raises(UsageError, match="data_weights"):
        train_classifier("freq_fullpad", sets, out, QUICK, data_weights=[1, 1])
    for one in sets:
        scores = evaluate(whole, one).scores
        assert scores["label_set"] == "timit"
        assert scores["examples"] == len(one.labels("test"))
    alone = train_classifier("freq_fullpad", sets[0], tmp_path / "alone", first)
    assert "data_weights" not in json.loads((alone / "config.json").read_text())["settings"]


@pytest.mark.parametrize("sampling", ["natural", "balanced", "weighted"])
def test_recognizers_learn_from_recordings_of_several_sets(recordings, sampling, tmp_path):
    settings = dataclasses.replace(QUICK, epochs=1, sampling=sampling, window=40, per_class=80)
    out = train_classifier(
        "tdnn", recordings, tmp_path / "run", settings, data_weights=[1, 2], overrides=SMALL
    )
    run = Run.open(out)
    assert np.isfinite(run.history["val_loss"]).all()
    labels = np.concatenate([one.labels("train") for one in recordings])
    counts = np.bincount(labels[labels >= 0], minlength=48) + 1.0
    np.testing.assert_allclose(run.decoder.priors, counts / counts.sum())


def test_windows_and_autoencoders_learn_from_several_sets_too(recordings, sets, tmp_path):
    first = dataclasses.replace(QUICK, epochs=1, window=9)
    joined = Joined(recordings, [1, 2])
    out = train_classifier("freq_fullpad", joined, tmp_path / "windows", first)
    assert Run.open(out).window == 9
    settings = AutoencoderSettings(epochs=1, per_class=4, sampling="natural")
    out = train_autoencoder("freq_fullpad_ae", sets, tmp_path / "ae", settings, data_weights=[1, 2])
    assert np.isfinite(Run.open(out).history["loss"]).all()


def test_the_command_takes_several_sets_and_the_model_on_either_side(sets, tmp_path, capsys):
    paths = [str(one.path) for one in sets]
    options = ["--epochs", "1", "--per-class", "4"]
    out = str(tmp_path / "run")
    words = ["--data", *paths, "--data-weights", "2", "1", "--out", out, *options]
    assert main(["train", "freq_fullpad", *words]) == 0
    words = ["--data", *paths, "freq_fullpad", "--data-weights", "2", "1", "--out", out, *options]
    assert main(["train", *words]) == 0
    assert main(["train", "--data", paths[0], "freq_fullpad", "--out", out, *options]) == 2
    assert "another" in capsys.readouterr().err
    words = ["--data", paths[0], "--data-weights", "2", "--out", out, *options]
    assert main(["train", "freq_fullpad", *words]) == 2
    assert "--data-weights requires several sets" in capsys.readouterr().err
    assert main(["evaluate", out, "--data", paths[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label_set"] == "timit"
