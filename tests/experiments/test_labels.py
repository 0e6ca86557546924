"""Accuracy against labels, at a budget of seconds."""

import json
import re
from collections import Counter

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import prepare
from zoo.data.sets.samplers import label_subset
from zoo.evaluation.runs import predict
from zoo.evaluation.scores import classification_scores
from zoo.evaluation.statistics import mean_interval
from zoo.experiments.comparisons.pretraining import started
from zoo.experiments.comparisons.refitting import Refit
from zoo.experiments.engine.runner import Context
from zoo.training.classifier import Settings

MODEL = "time"
BUDGET = ["--epochs", "1", "--per-class", "10", "--seeds", "2"]
PRETRAINING = ["--pretrain-epochs", "1", "--pretrain-per-class", "5"]


def words(small_set, out, *more):
    data = ["--data", str(small_set.path), "--out", str(out), "--model", MODEL]
    return ["experiment", "labels", *data, *BUDGET, *more]


def results(out):
    return json.loads((out / "results.json").read_text())


def test_recipes_are_compared_over_speakers_seeds_and_labels(small_set, tmp_path, capsys):
    pretrain = ["--pretrain", str(small_set.path), *PRETRAINING, "--dropout", "0.2"]
    asked = words(small_set, tmp_path, *pretrain, "--labels", "2,all")
    asked += ["--recipes", "random,supervised", "--only", "*/2/*"]
    assert main(asked) == 0
    text = capsys.readouterr().out
    found = results(tmp_path)
    run = {c["key"]: c["result"] for c in found["cells"] if "result" in c}
    assert set(run) == {f"{r}/2/seed-{s}" for r in ("random", "supervised") for s in (0, 1)}
    people = {str(s) for split in ("train", "test") for s in small_set.segments(split).speaker}
    for recipe in ("random", "supervised"):
        means = []
        for seed in (0, 1):
            cell = run[f"{recipe}/2/seed-{seed}"][f"{recipe}/2"]
            assert set(cell["speakers"]) == people
            each = [s["balanced_accuracy_39"] for s in cell["speakers"].values()]
            assert cell["balanced_accuracy_39"] == pytest.approx(np.mean(each))
            means.append(np.mean(each))
        assert found["intervals"][recipe]["2"] == pytest.approx(mean_interval(means))
    verdicts = [claim["verdict"] for claim in found["claims"]]
    assert verdicts[1] == "not run"
    assert f"**{verdicts[0]}**" in text
    assert "| random initialisation | " in text
    assert (tmp_path / "results.svg").read_text().rstrip().endswith("</svg>")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    assert main(asked) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_every_number_of_labels_but_the_last_has_a_claim_of_its_own(small_set, tmp_path):
    asked = words(small_set, tmp_path, "--labels", "1,2,all", "--seeds", "1", "--only", "*/1/*")
    assert main(asked) == 0
    claims = [(claim["claim"], claim["verdict"]) for claim in results(tmp_path)["claims"]]
    assert claims == [
        ("Pretraining pays at 1 labels a class", "not run"),
        ("Pretraining pays at 2 labels a class", "not run"),
        ("It is not worse at all labels", "not run"),
    ]
    labels = np.concatenate([small_set.labels(split) for split in ("train", "test")])
    counts = Counter(labels.tolist()).values()
    stated = f"All labels are {min(counts)} to {max(counts)} a class"
    assert stated in (tmp_path / "results.md").read_text()


def test_a_fold_learns_from_the_others_alone(small_set, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(Refit, "fit", lambda self, x, y, *rest: shown.append((x, y, rest)))
    asked = words(small_set, tmp_path, "--labels", "3", "--seeds", "1")
    assert main(asked) == 0
    raw = {s: small_set.features(s)[:] + small_set.mean for s in ("train", "test")}
    x = np.concatenate([raw["train"], raw["test"]])
    y = np.concatenate([small_set.labels("train"), small_set.labels("test")])
    speakers = np.concatenate([small_set.segments(s).speaker for s in ("train", "test")])
    assert len(shown) == len(np.unique(speakers))
    for speaker, (inputs, labels, (per_class, epochs, seed, augment)) in zip(
        np.unique(speakers), shown, strict=True
    ):
        others = np.flatnonzero(speakers != speaker)
        chosen = others[label_subset(y[others], 3, 0)]
        np.testing.assert_array_equal(labels, y[chosen])
        np.testing.assert_allclose(inputs, x[chosen] - x[others].mean(axis=0), atol=1e-4)
        # As many examples of a class as in an epoch of 10.
        assert (per_class, epochs, seed, augment) == (3, 4, 0, None)


def test_many_speakers_are_left_out_by_folds(small_set, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(Refit, "fit", lambda self, x, y, *rest: shown.append(len(y)))
    asked = words(small_set, tmp_path, "--labels", "all", "--seeds", "1", "--folds", "2")
    assert main(asked) == 0
    labels = sum(len(small_set.labels(split)) for split in ("train", "test"))
    assert len(shown) == 2
    assert sum(shown) == labels
    (cell,) = (tmp_path / "cells").glob("*.json")
    held_out = [f.split() for f in json.loads(cell.read_text())["result"]["random/all"]["speakers"]]
    speakers = {str(s) for split in ("train", "test") for s in small_set.segments(split).speaker}
    assert sorted(name for fold in held_out for name in fold) == sorted(speakers)


def test_the_speakers_of_a_split_are_left_out_together(small_set, tmp_path, capsys):
    asked = words(small_set, tmp_path, "--labels", "all", "--seeds", "1", "--held-out", "test")
    assert main(asked) == 0
    (cell,) = (tmp_path / "cells").glob("*.json")
    record = json.loads(cell.read_text())
    ((names, scores),) = record["result"]["random/all"]["speakers"].items()
    assert names.split() == sorted({str(s) for s in small_set.segments("test").speaker})
    # The same training on the other part alone.
    raw = {s: small_set.features(s)[:] + small_set.mean for s in ("train", "test")}
    mean = raw["train"].mean(axis=0)
    context = Context(small_set.path, tmp_path / "runs", tmp_path)
    refit = Refit(started(record["settings"], context, small_set), Settings())
    refit.fit(raw["train"] - mean, small_set.labels("train"), 10, 1, 0)
    answers = predict(refit.model, raw["test"] - mean)
    of_part = classification_scores(
        small_set.labels("test"), answers, 0, small_set.classes, small_set.groups
    )
    assert scores == {name: pytest.approx(of_part[name]) for name in scores}
    assert main([*asked, "--folds", "2"]) == 2
    assert "--folds and --held-out exclude each other" in capsys.readouterr().err
    assert main([*asked[:-1], "tset"]) == 2
    assert "no split 'tset'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("augment", "message"),
    [("pich", "did you mean pitch|pitch"), ("mixup", "every example has one class")],
)
def test_augmentations_of_no_use_are_refused_before_training(
    small_set, tmp_path, capsys, augment, message
):
    assert main(words(small_set, tmp_path / "out", "--augment", augment)) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out" / "cells").exists()


def test_labelled_examples_are_augmented_around_the_mean_of_their_fold(small_set, tmp_path):
    asked = words(small_set, tmp_path, "--labels", "2", "--seeds", "1", "--augment", "shift=3")
    assert main(asked) == 0
    (cell,) = results(tmp_path)["cells"]
    assert cell["settings"]["augment"] == "shift=3"
    assert "augmented (shift=3)" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize("text", ["adam", "adam:fast", "sgd:0.1", "adam:0", "adam:nan"])
def test_a_fine_tuning_that_is_none_is_refused(small_set, tmp_path, capsys, text):
    asked = words(small_set, tmp_path, "--pretrain", str(small_set.path), "--fine-tuning", text)
    assert main(asked) == 2
    assert f"such as adam:0.001; received '{text}'" in capsys.readouterr().err
    # Whichever recipes there are.
    assert main([*words(small_set, tmp_path), "--fine-tuning", text]) == 2


def test_pretraining_has_a_rate_of_its_own(small_set, tmp_path):
    asked = words(small_set, tmp_path, "--pretrain", str(small_set.path), *PRETRAINING)
    asked += ["--optimizer", "adam", "--learning-rate", "0.001", "--recipes", "supervised"]
    assert main([*asked, "--labels", "2", "--seeds", "1"]) == 0
    (run,) = (tmp_path / "runs").glob(f"{MODEL}-*")
    used = json.loads((run / "config.json").read_text())["settings"]
    assert (used["optimizer"], used["learning_rate"]) == ("adagrad", 0.01)
    (cell,) = results(tmp_path)["cells"]
    assert (cell["settings"]["optimizer"], cell["settings"]["learning_rate"]) == ("adam", 0.001)
    assert "by adagrad at 0.01 but where" in (tmp_path / "results.md").read_text()


def test_pretrained_networks_are_fine_tuned_as_suits_them(small_set, tmp_path):
    asked = words(small_set, tmp_path, "--pretrain", str(small_set.path), *PRETRAINING)
    asked += ["--fine-tuning", "adam:0.0005", "--recipes", "random,supervised", "--labels", "2"]
    assert main([*asked, "--seeds", "1", "--probe-first"]) == 0
    used = {c["settings"]["recipe"]: c["settings"] for c in results(tmp_path)["cells"]}
    learning = {r: (s["optimizer"], s["learning_rate"]) for r, s in used.items()}
    assert learning == {"random": ("adagrad", 0.01), "supervised": ("adam", 0.0005)}
    assert {r: s.get("probe_first", False) for r, s in used.items()} == {
        "random": False,
        "supervised": True,
    }
    assert "after pretraining adam:0.0005" in (tmp_path / "results.md").read_text()


@pytest.mark.parametrize("recipe", ["masked", "switches", "supervised"])
def test_a_recipe_starts_from_what_was_pretrained(recipe, small_set, tmp_path):
    settings = {
        **{"recipe": recipe, "model": "freq_fullpad", "dropout": None, "seed": 3},
        **{"pretrain_learning_rate": 0.01, "pretrain_epochs": 1, "pretrain_per_class": 2},
    }
    context = Context(small_set.path, tmp_path / "runs", tmp_path, small_set.path)
    model = started(settings, context, small_set)
    (run,) = (tmp_path / "runs").glob("freq_*")
    trained, fresh = zoo.load(run), started({**settings, "recipe": "random"}, context, small_set)
    for number in range(1, 5):
        kernel = model.get_layer(f"conv{number}").kernel.numpy()
        np.testing.assert_array_equal(kernel, trained.get_layer(f"conv{number}").kernel.numpy())
        assert (kernel != fresh.get_layer(f"conv{number}").kernel.numpy()).any()
    last = model.get_layer("fc3").kernel.numpy()
    source = trained if recipe == "supervised" else fresh
    np.testing.assert_array_equal(last, source.get_layer("fc3").kernel.numpy())
    used = json.loads((run / "config.json").read_text())["settings"]
    if recipe == "masked":
        assert used["masked"] == 0.5
        assert used["overrides"] == {"unpooling": "blind"}
    elif recipe == "switches":
        assert used["overrides"] == {"unpooling": "switch"}


@pytest.fixture(scope="module")
def with_recordings(tmp_path_factory):
    """Segments with their surroundings, and the recordings that they are from."""
    folder = tmp_path_factory.mktemp("recordings")
    corpus = make_tree(folder / "corpus", train=5, test=1)
    alike = {"representation": "log_mel", "level": "file", "normalize": "recording"}
    segments = prepare(corpus, folder / "segments", context=0.05, hop=10, too_long="crop", **alike)
    return segments, prepare(corpus, folder / "recordings", examples="frames", **alike)


def test_acoustic_units_of_recordings_pretrain_the_encoder_of_segments(with_recordings, tmp_path):
    segments, recordings = with_recordings
    settings = {
        **{"recipe": "acoustic_units", "model": "tdnn_segments", "dropout": None, "seed": 3},
        **{"pretrain_learning_rate": 0.01, "pretrain_epochs": 1, "pretrain_per_class": 2},
    }
    context = Context(segments.path, tmp_path / "runs", tmp_path, recordings.path)
    model = started(settings, context, segments)
    (run,) = (tmp_path / "runs").glob("tdnn-*")
    trained, fresh = zoo.load(run), started({**settings, "recipe": "random"}, context, segments)
    assert trained.output_shape[-1] == 500
    for name in ("conv1", "embed", "block4_dense"):
        kernel = model.get_layer(name).kernel.numpy()
        np.testing.assert_array_equal(kernel, trained.get_layer(name).kernel.numpy())
        assert (kernel != fresh.get_layer(name).kernel.numpy()).any()


def test_recipes_follow_from_what_there_is_to_pretrain_on(with_recordings, tmp_path, capsys):
    segments, recordings = with_recordings
    asked = ["experiment", "labels", "--data", str(segments.path), "--out", str(tmp_path / "out")]
    asked += ["--seeds", "1", "--labels", "1", "--folds", "2", "--only", "random/*"]
    asked += ["--epochs", "1", "--per-class", "1"]
    frames = [*asked, "--model", "tdnn_segments", "--pretrain", str(recordings.path)]
    assert main(frames) == 0
    assert set(results(tmp_path / "out")["intervals"]) == {"random", "acoustic_units"}
    assert main([*frames, "--recipes", "supervised"]) == 2
    assert "recordings does not hold segments" in capsys.readouterr().err
    of_segments = [*asked, "--model", "tdnn_segments", "--pretrain", str(segments.path)]
    assert main([*of_segments, "--recipes", "acoustic_units"]) == 2
    assert "segments does not hold whole recordings" in capsys.readouterr().err
    other = [*asked, "--model", "freq_best", "--pretrain", str(recordings.path)]
    assert main([*other, "--recipes", "acoustic_units"]) == 2
    assert "freq_best has no recognizer in zoo list" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(optimizer="adam", schedule="cosine", learning_rate=0.001)]
)
def test_the_same_seed_gives_the_same_training(small_set, settings):
    keras.utils.set_random_seed(0)
    model = zoo.build(MODEL, input_shape=small_set.shape)
    first = model.get_weights()
    refit = Refit(model, settings)
    x, y = small_set.features("train")[:60], small_set.labels("train")[:60]
    outcomes = []
    for seed in (0, 1, 0):
        refit.fit(x, y, 3, 2, seed)
        outcomes.append(model.get_weights())
    assert any((a != b).any() for a, b in zip(outcomes[0], outcomes[1], strict=True))
    for a, b in zip(outcomes[0], outcomes[2], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(outcomes[0], first, strict=True))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--labels", "10,few"], "--labels takes whole numbers, 1 or more, or all; received 'few'"),
        (["--recipes", "msked"], "unknown recipe 'msked'. Did you mean 'masked'"),
        (["--recipes", "supervised"], "the recipe supervised cannot be followed: it needs"),
        (
            ["--model", "freq_fullpad_ae"],
            "takes a classifier, which freq_fullpad_ae is not",
        ),
        (["--seeds", "0"], "--seeds must be 1 or more"),
    ],
)
def test_wrong_use_is_one_clear_line(more, message, small_set, tmp_path, capsys):
    assert main(words(small_set, tmp_path / "out", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unlike_set_to_pretrain_on_is_refused(small_set, tmp_path, capsys):
    tree = make_tree(tmp_path / "corpus", train=2, test=1, sentences=("SX1",))
    other = prepare(tree, tmp_path / "set", representation="mfcc")
    asked = words(small_set, tmp_path / "out", "--pretrain", str(other.path))
    assert main(asked) == 2
    assert "is not prepared like" in capsys.readouterr().err
    best = ["--pretrain", str(small_set.path), "--model", "freq_best", "--recipes", "masked"]
    assert main([*words(small_set, tmp_path / "out"), *best]) == 2
    assert "freq_best has no autoencoder" in capsys.readouterr().err
