"""Training runs: resuming, refusing, recording."""

import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import Prepared, prepare
from zoo.errors import RunError, UsageError
from zoo.evaluation.runs import evaluate
from zoo.runs import Run
from zoo.training.classifier import Settings, train_classifier
from zoo.training.fitting import random_states

NAME = "time"
"""Has dropout, and is traced in half the time of others."""
EPOCHS = 4
QUICK = Settings(epochs=EPOCHS, per_class=20, batch_size=32, seed=3)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    tree = make_tree(folder / "corpus", train=6, test=2, sentences=("SX1", "SX2", "SI1"))
    return prepare(tree, folder / "set", representation="log_magnitude")


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """A run that nothing interrupted."""
    return train_classifier(NAME, prepared, tmp_path_factory.mktemp("w") / "run", QUICK)


def weights(run):
    return zoo.load(run).get_weights()


def losses(run):
    return json.loads((run / "history.json").read_text())["loss"]


def test_it_learns_and_records_how(whole, prepared):
    history = json.loads((whole / "history.json").read_text())
    assert len(history["loss"]) == len(history["val_accuracy_39"]) == EPOCHS
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    config = json.loads((whole / "config.json").read_text())
    assert config["settings"]["seed"] == 3
    assert config["versions"]["keras"] == keras.__version__
    assert config["classes"] == list(prepared.classes)
    if keras.backend.backend() == "tensorflow":
        assert list((whole / "logs" / "train").glob("events*"))
    assert [f.name for f in (whole / "checkpoints").iterdir()] == [f"epoch-{EPOCHS:04d}.keras"]


def test_the_saved_network_is_the_trained_one(whole, prepared):
    checkpoint = keras.saving.load_model(whole / "checkpoints" / f"epoch-{EPOCHS:04d}.keras")
    x = np.asarray(prepared.features("test")[:8])
    np.testing.assert_array_equal(zoo.load(whole).predict(x), checkpoint.predict(x))
    assert not zoo.load(whole).compiled


def test_the_same_seed_gives_the_same_weights_and_another_one_others(whole, prepared, tmp_path):
    again = train_classifier(NAME, prepared, tmp_path / "again", QUICK)
    for one, other in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
    settings = Settings(epochs=1, per_class=20, batch_size=32, seed=4)
    other = train_classifier(NAME, prepared, tmp_path / "other", settings)
    assert losses(other)[0] != losses(whole)[0]


def test_epochs_added_later_equal_an_unbroken_run(whole, prepared, tmp_path):
    short = Settings(epochs=2, per_class=20, batch_size=32, seed=3)
    train_classifier(NAME, prepared, tmp_path / "run", short)
    run = train_classifier(NAME, prepared, tmp_path / "run", QUICK)
    assert losses(run) == losses(whole)
    for one, other in zip(weights(whole), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)


def test_killed_at_random_moments_it_ends_with_the_same_weights(whole, prepared, tmp_path):
    words = [
        *("train", NAME, "--data", str(prepared.path), "--out", str(tmp_path / "run")),
        *("--epochs", str(EPOCHS), "--per-class", "20", "--batch-size", "32", "--seed", "3"),
    ]
    command = [sys.executable, "-m", "zoo", *words]
    rng, kills = random.Random(1), 0
    for _ in range(3):
        before = sorted((tmp_path / "run" / "checkpoints").glob("epoch*"))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        checkpoints = tmp_path / "run" / "checkpoints"
        while process.poll() is None and sorted(checkpoints.glob("epoch*")) == before:
            time.sleep(0.01)
        # From here on an epoch is being saved, recorded or computed, or all of them are done.
        time.sleep(rng.uniform(0, 0.6))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        assert process.wait() in (0, -signal.SIGKILL)
    assert kills
    assert main(words) == 0
    assert losses(tmp_path / "run") == losses(whole)
    for one, other in zip(weights(whole), weights(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("missing", [("model.keras",), ("history.json", "model.keras")])
def test_broken_off_after_the_last_epoch_it_writes_what_is_missing(
    missing, whole, prepared, tmp_path
):
    run = shutil.copytree(whole, tmp_path / "run")
    for name in missing:
        (run / name).unlink()
    assert train_classifier(NAME, prepared, run, QUICK) == run
    assert losses(run) == losses(whole)
    for one, other in zip(weights(whole), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_run_is_reused_and_other_settings_are_refused(whole, prepared):
    before = (whole / "model.keras").stat().st_mtime_ns
    assert train_classifier(NAME, prepared, whole, QUICK) == whole
    assert (whole / "model.keras").stat().st_mtime_ns == before
    other = Settings(epochs=EPOCHS, per_class=20, batch_size=32, seed=3, learning_rate=0.5)
    with pytest.raises(UsageError, match=r"learning_rate 0\.01, now 0\.5"):
        train_classifier(NAME, prepared, whole, other)


def test_adam_along_a_cosine_goes_on_where_it_was_broken_off(prepared, tmp_path, monkeypatch):
    settings = Settings(
        epochs=3,
        per_class=5,
        batch_size=32,
        optimizer="adam",
        learning_rate=0.01,
        schedule="cosine",
    )
    whole = train_classifier(NAME, prepared, tmp_path / "whole", settings)
    history = json.loads((whole / "history.json").read_text())
    falling = 0.01 * np.cos(np.pi * np.arange(3) / 6) ** 2
    np.testing.assert_allclose(history["learning_rate"], falling, rtol=1e-6)

    class Killed(BaseException):
        """As sudden as a kill."""

    save = Run.save_epoch

    def save_one(run, values, write):
        if run.epoch == 1:
            raise Killed
        save(run, values, write)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_epoch", save_one)
        with pytest.raises(Killed):
            train_classifier(NAME, prepared, tmp_path / "run", settings)
    run = train_classifier(NAME, prepared, tmp_path / "run", settings)
    for one, other in zip(weights(whole), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)
    longer = dataclasses.replace(settings, epochs=4)
    with pytest.raises(UsageError, match="epochs 3, now 4"):
        train_classifier(NAME, prepared, run, longer)


def test_a_loss_that_is_not_a_number_stops_with_advice(prepared, tmp_path):
    settings = Settings(epochs=2, per_class=20, batch_size=32, learning_rate=1e30)
    with pytest.raises(RunError, match="try a smaller --learning-rate"):
        train_classifier(NAME, prepared, tmp_path / "run", settings)


@pytest.mark.tensorflow
def test_the_step_is_traced_once(prepared, tmp_path, monkeypatch):
    traced, step = [], keras.Model.train_step
    monkeypatch.setattr(
        keras.Model, "train_step", lambda *arguments: traced.append(1) or step(*arguments)
    )
    train_classifier(NAME, prepared, tmp_path / "run", dataclasses.replace(QUICK, epochs=2))
    assert traced == [1]


def test_few_labels_are_few_labels(prepared, tmp_path):
    settings = Settings(epochs=6, per_class=16, batch_size=32, labels_per_class=1)
    run = train_classifier(NAME, prepared, tmp_path / "run", settings)
    # One example of each class is learnt by heart and says little of the others.
    assert losses(run)[-1] < 1.0
    assert evaluate(run, prepared).scores["accuracy_39"] < 0.95


def test_a_network_starts_with_all_weights_of_another_run(whole, prepared, tmp_path):
    still = dataclasses.replace(QUICK, epochs=1, learning_rate=1e-9, weights=str(whole))
    run = train_classifier(NAME, prepared, tmp_path / "run", still)
    for one, other in zip(weights(run), weights(whole), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    asked = json.loads((run / "config.json").read_text())["settings"]["weights"]
    assert asked == hashlib.sha256((whole / "model.keras").read_bytes()).hexdigest()
    with pytest.raises(UsageError, match="do not fit freq for this set"):
        train_classifier("freq", prepared, tmp_path / "other", still)
    both = dataclasses.replace(still, encoder=str(whole))
    with pytest.raises(UsageError, match="exclude each other"):
        train_classifier(NAME, prepared, tmp_path / "both", both)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("freq_fulpad", Settings(), "Did you mean 'freq_fullpad'"),
        ("freq_fullpad", Settings(epochs=0), "epochs must be 1 or more"),
        ("freq_fullpad", Settings(learning_rate=-1.0), "learning_rate must be above 0"),
        ("freq_fullpad", Settings(validation="devv"), "no split 'devv' to validate on. Did you"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(
    prepared, tmp_path, name, settings, message
):
    with pytest.raises(UsageError, match=message):
        train_classifier(name, prepared, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_a_wrong_override_names_the_right_one(prepared, tmp_path):
    with pytest.raises(UsageError, match=r"no option 'dropot'\. Did you mean 'dropout'"):
        train_classifier(NAME, prepared, tmp_path / "run", QUICK, overrides={"dropot": 0.1})


def test_dropout_draws_from_the_seed_and_the_epoch():
    model = zoo.build("freq_fullpad")
    states = random_states(model)
    assert len(states) == 1
    assert model.count_params() == sum(int(np.prod(w.shape)) for w in model.weights)


def test_evaluation_refuses_a_set_of_another_representation(whole, prepared, tmp_path):
    tree = make_tree(tmp_path / "corpus")
    other = prepare(tree, tmp_path / "set", representation="magnitude")
    with pytest.raises(
        UsageError, match=r"has representation 'magnitude', but .* trained on .* 'log_magnitude'"
    ):
        evaluate(whole, other)
    like = prepare(tree, tmp_path / "like", like=whole)
    assert evaluate(whole, like).scores["examples"] == len(like.labels("test"))


def test_a_set_with_another_mean_is_recentred(whole, prepared, tmp_path):
    length = prepared.manifest["length"]
    other = prepare(
        make_tree(tmp_path / "corpus", seed=8),
        tmp_path / "set",
        representation="log_magnitude",
        length=length,
    )
    like = prepare(tmp_path / "corpus", tmp_path / "like", like=whole)
    assert not np.array_equal(other.mean, like.mean)
    one, two = evaluate(whole, other), evaluate(whole, like)
    np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-4)


def test_prepared_sets_without_what_is_asked_for_say_so(prepared):
    with pytest.raises(UsageError, match=r"has no split 'tset'\. Did you mean 'test'"):
        Prepared(prepared.path).features("tset")
