"""A run folder has one owner: opened by path or name, created, resumed, copied, freed."""

from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pytest

import zoo
from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.data.features.frontend import Frontend
from zoo.errors import RunError, UsageError
from zoo.inference import load_classifier
from zoo.runs import CONFIG, HISTORY, NETWORK, STATE, WEIGHTS, Run, weights_cards

SHIPPED = "freq-synthetic"
SETTINGS = {"epochs": 3, "seed": 0, "kernel": (8, 16), "schedule": "constant"}


def small_network(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 4, 1))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))


@pytest.fixture
def frontend():
    settings = {"representation": "real", "frame_length": 8, "hop_length": 4, "fft_length": 8}
    return Frontend(16000, 20, "none", settings, np.ones((5, 4, 1), "float32"))


def finished(path, frontend, **more):
    run = Run.create(path, SETTINGS)
    about = {"model": "small", "family": "classifier", "classes": ["a", "b", "c"], **more}
    run.record({**about, "settings": SETTINGS}, frontend)
    run.save_epoch({"loss": 2.0}, small_network().save)
    run.finish(small_network())
    return Run.open(path)


@pytest.mark.parametrize("name", sorted(weights_cards()))
def test_weights_that_ship_open_by_their_name(name):
    run = Run.open(name)
    assert run.name == name
    assert run.path == WEIGHTS / name
    assert run.model.input_shape[1:] == run.frontend.shape
    assert run.model.output_shape[-1] == len(run.classes)
    assert set(run.groups) == set(run.classes)
    assert run.model_name == weights_cards()[name]["model"] == run.model.name
    assert run.family == zoo.describe(run.model_name).family
    assert run.history["loss"]
    assert run.finished
    assert not run.is_autoencoder


def test_the_phone_classifiers_have_lee_and_hons_classes_and_groups():
    run = zoo.Run.open(SHIPPED)
    assert run.classes == CLASSES
    assert run.groups == GROUPS
    assert len(set(run.groups.values())) == 39


def test_a_path_a_name_and_a_run_open_the_same_run(tmp_path, monkeypatch):
    shutil.copytree(WEIGHTS / SHIPPED, tmp_path / "copy")
    by_path = Run.open(tmp_path / "copy")
    assert by_path.frontend.fingerprint == Run.open(SHIPPED).frontend.fingerprint
    assert Run.open(by_path) is by_path
    monkeypatch.chdir(tmp_path)
    shutil.copytree(WEIGHTS / "time-synthetic", SHIPPED)
    # What lies there comes first.
    assert Run.open(SHIPPED).model_name == "time"


def test_the_report_of_weights_that_ship_is_not_written_into_the_package(tmp_path, frontend):
    assert str(Run.open(SHIPPED).report) == f"{SHIPPED}.html"
    run = finished(tmp_path / "run", frontend)
    assert run.report.parent == run.path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, r"nothing does not exist; a run folder.*ship was expected"),
        (lambda p: p.write_text("x"), "is a file; a run folder is required"),
        (lambda p: p.mkdir(), f"holds no {NETWORK}: it is not a run folder"),
        (lambda p: (p.mkdir(), small_network().save(p / NETWORK)), f"holds no {CONFIG}"),
        (
            lambda p: (p.mkdir(), (p / CONFIG).write_text('{"format": 99}')),
            r"later version of the zoo \(format 99; this one reads up to 1\)",
        ),
        (lambda p: (p.mkdir(), (p / CONFIG).write_text("{")), "is not valid JSON"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence(make, message, tmp_path):
    make(tmp_path / "nothing")
    with pytest.raises(UsageError, match=message):
        Run.open(tmp_path / "nothing")


def test_a_name_that_is_nearly_right_is_suggested():
    with pytest.raises(UsageError, match="freq-synthetic"):
        Run.open("freq-synthetik")


@pytest.mark.parametrize("family", ["autoencoder", "inversion"])
def test_runs_of_both_families_that_reconstruct_are_no_classifiers(family, tmp_path, frontend):
    run = finished(tmp_path / "run", frontend, family=family)
    assert run.is_autoencoder
    with pytest.raises(UsageError, match="holds small, which is not a phone classifier"):
        load_classifier(run.path)


def test_an_interrupted_run_resumes_at_its_last_whole_epoch(tmp_path, frontend):
    run = Run.create(tmp_path / "run", SETTINGS)
    run.record({"model": "small", "settings": SETTINGS}, frontend)
    run.save_epoch({"loss": 3.0, "seconds": 1.0}, small_network().save)
    run.save_epoch({"loss": 2.0, "seconds": 1.5}, small_network().save)
    again = Run.create(tmp_path / "run", {**SETTINGS, "epochs": 9})
    assert (again.epoch, again.history) == (2, {"loss": [3.0, 2.0], "seconds": [1.0, 1.5]})
    assert not again.finished
    assert again.load_checkpoint().count_params() == 63
    # One checkpoint stays, that of the last epoch.
    assert list(again.checkpoint.parent.iterdir()) == [again.checkpoint]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, r"other settings \(seed 0, now 1\)"),
        ({"kernel": (8, 8)}, r"other settings \(kernel \[8, 16\], now \[8, 8\]\)"),
        ({"epochs": 1}, "holds a run of 2 epochs already, more than 1"),
        ({"later_option": "on"}, "later_option None, now 'on'"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(changed, message, tmp_path, frontend):
    run = Run.create(tmp_path / "run", SETTINGS)
    run.record({"model": "small", "settings": SETTINGS}, frontend)
    for _ in range(2):
        run.save_epoch({"loss": 1.0}, small_network().save)
    with pytest.raises(UsageError, match=message):
        Run.create(tmp_path / "run", {**SETTINGS, **changed})


def test_options_that_an_older_run_does_not_know_count_as_implied(tmp_path, frontend):
    older = {key: value for key, value in SETTINGS.items() if key != "schedule"}
    run = Run.create(tmp_path / "run", older)
    run.record({"model": "small", "settings": older}, frontend)
    implied = {"schedule": "constant"}
    assert Run.create(tmp_path / "run", {**SETTINGS, "later": None}, implied).epoch == 0
    with pytest.raises(UsageError, match="schedule 'constant', now 'cosine'"):
        Run.create(tmp_path / "run", {**SETTINGS, "schedule": "cosine"}, implied)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        Run.create(tmp_path, SETTINGS)
    assert [f.name for f in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_that_was_killed_before_its_configuration_was_written_begins_again(
    tmp_path, frontend
):
    Run.create(tmp_path / "run", SETTINGS)
    frontend.save(tmp_path / "run")
    assert Run.create(tmp_path / "run", {**SETTINGS, "seed": 5}).epoch == 0


def test_a_copy_has_what_a_finished_run_is_used_by_and_another_name(tmp_path, frontend):
    run = finished(tmp_path / "run", frontend)
    (tmp_path / "copy").mkdir()
    run.copy(tmp_path / "copy", "renamed")
    copy = Run.open(tmp_path / "copy")
    assert copy.model_name == "renamed"
    assert copy.classes == ("a", "b", "c")
    assert copy.frontend.fingerprint == frontend.fingerprint
    assert copy.history == {"loss": [2.0]}
    x = np.ones((2, 5, 4, 1), "float32")
    np.testing.assert_array_equal(copy.model.predict(x, verbose=0), run.model.predict(x, verbose=0))
    assert not (copy.path / STATE).exists()


def test_a_freed_run_keeps_its_curves_and_no_network(tmp_path, frontend):
    run = finished(tmp_path / "run", frontend)
    run.save_stage(1, small_network())
    run.free()
    assert not list(run.path.rglob("*.keras"))
    assert not run.finished
    assert json.loads((run.path / HISTORY).read_text()) == {"loss": [2.0]}
    with pytest.raises(UsageError, match=r"has not finished .* zoo train command resumes it"):
        _ = Run.open(run.path).model


def test_stages_are_kept_apart_from_the_network(tmp_path, frontend):
    run = finished(tmp_path / "run", frontend)
    run.save_stage(1, small_network(seed=1))
    weights = small_network(seed=1).get_weights()
    for ours, theirs in zip(run.stage(1).get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(UsageError, match="units-2"):
        run.stage(2)


def test_a_damaged_checkpoint_is_named(tmp_path, frontend):
    run = Run.create(tmp_path / "run", SETTINGS)
    run.record({"model": "small", "settings": SETTINGS}, frontend)
    run.save_epoch({"loss": 1.0}, lambda path: path.write_bytes(b"no network"))
    with pytest.raises(RunError, match=r"epoch-0001\.keras cannot be read; remove"):
        run.load_checkpoint()
