"""From a corpus to a tuned network on JAX, with no TensorFlow installed."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.helpers.alignments import make_spoken, words_of_corpus
from tests.helpers.trees import make_tree
from zoo.decoding import Transcript


def zoo(*words):
    """Run the command as someone does who has chosen no backend."""
    env = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, words)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a corpus in `corpus`; the tests build on each other's folders beside it."""
    folder = tmp_path_factory.mktemp("jax")
    make_tree(folder / "corpus", train=4, test=2, sentences=("SX1", "SI1"))
    return folder


@pytest.fixture(scope="module")
def prepared(folder):
    done = zoo("prepare", folder / "corpus", folder / "set", "--representation", "log_mel")
    assert done.returncode == 0, done.stderr
    return folder / "set"


@pytest.fixture(scope="module")
def trained(folder, prepared):
    words = ["--data", prepared, "--out", folder / "run", "--epochs", 1, "--per-class", 4]
    done = zoo("train", "time", *words)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_tensorflow_cannot_be_imported():
    assert importlib.util.find_spec("tensorflow") is None
    assert importlib.util.find_spec("torch") is None


def test_a_network_is_trained_and_scored(trained, prepared):
    assert json.loads((trained / "config.json").read_text())["settings"]["backend"] == "jax"
    done = zoo("evaluate", trained, "--data", prepared, "--json")
    assert done.returncode == 0, done.stderr
    assert "balanced_accuracy_39" in json.loads(done.stdout)


def test_a_decoder_that_starts_as_its_encoders_transpose_is_trained(folder, prepared):
    words = ["train", "freq_fullpad_ae", "--data", prepared, "--units", 1, "--per-class", 4]
    done = zoo(*words, "--out", folder / "whole", "--epochs", 0)
    assert done.returncode == 0, done.stderr
    begun = ["--encoder", folder / "whole", "--decoder", "transpose_init"]
    done = zoo(*words, "--out", folder / "begun", "--epochs", 1, *begun)
    assert done.returncode == 0, done.stderr


def test_two_processes_train_together(folder, prepared):
    words = ["--data", prepared, "--out", folder / "together", "--epochs", 1, "--per-class", 4]
    done = zoo("train", "time", *words, "--distribute", 2)
    assert done.returncode == 0, done.stderr
    assert (folder / "together" / "model.keras").is_file()


def test_a_better_network_is_searched_for(folder, prepared):
    words = ["--data", prepared, "--out", folder / "study", "--only", "learning_rate"]
    done = zoo("tune", "time", *words, "--max-trials", 2, "--epochs", 1, "--per-class", 4)
    assert done.returncode == 0, done.stderr
    assert "best of 2 trials" in done.stdout
    assert (folder / "study" / "report.html").is_file()


def test_a_report_is_written(trained, prepared):
    done = zoo("report", trained, "--data", prepared)
    assert done.returncode == 0, done.stderr
    assert (trained / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["export", "run", "out"], "serving"),
        (["export", "run", "out", "--format", "litert"], "litert"),
        (["serve", "--model", "phones=out"], "serving"),
        (["quickstart"], "serving"),
    ],
)
def test_what_needs_tensorflow_says_what_to_install(words, extra):
    done = zoo(*words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"which is not installed: pip install 'phone-zoo[{extra}]'\n")


def test_a_backend_that_is_chosen_and_missing_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "show", "time"],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "zoo show: KERAS_BACKEND is tensorflow, which is not installed: pip install "
        "'phone-zoo[tensorflow]', or set KERAS_BACKEND to jax\n"
    )


def test_words_of_recordings_are_aligned_by_the_network_that_ships(folder):
    make_spoken(folder / "spoken")
    done = zoo("align", folder / "spoken" / "speech", "--out", folder / "aligned")
    assert done.returncode == 0, done.stderr
    errors = []
    for file in sorted((folder / "aligned").rglob("*.TextGrid")):
        words = Transcript.load(file).tiers["words"]
        true = words_of_corpus(folder / "spoken", file.parent.name, file.stem)
        if len(words) == len(true):
            errors += [abs(word.end - end) for word, (_, end, _) in zip(words, true, strict=True)]
    assert len(errors) > 40
    assert sum(error < 0.05 for error in errors) > 0.9 * len(errors)
