"""Twins of weights that ship: their answers are the network's, and no Keras is imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.runs import recording, speech
from zoo import startup
from zoo.files import sha256, write_json
from zoo.runs import CARD, CLASSIFIER, RECOGNIZER, TWIN, WEIGHTS, Run, weights_cards
from zoo.transcription import load_recognizer
from zoo.twins import Twin

pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[1]
TWINS = sorted(name for name, card in weights_cards().items() if "twin" in card)
HEAVY = ("tensorflow", "keras", "jax", "torch", "matplotlib", "sklearn", "scipy.signal", "h5py")
WORKER = f"""
import sys
from zoo.cli import main
code = main(sys.argv[1:])
print("heavy:", *[name for name in {HEAVY!r} if name in sys.modules])
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def _no_backend_chosen(monkeypatch, tmp_path):
    monkeypatch.delenv(startup.VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "no_settings"))


@pytest.fixture
def weights(tmp_path):
    """A copy of the weights that transcribe unless told otherwise."""
    return Path(shutil.copytree(WEIGHTS / RECOGNIZER, tmp_path / "weights"))


@pytest.fixture
def wav(tmp_path):
    """Three seconds of something like speech."""
    path = tmp_path / "sentence.wav"
    soundfile.write(path, speech(3), 16000)
    return path


@pytest.fixture(scope="session")
def marked_weights(once):
    """Weights that classify segments in their surroundings, with a card and a twin."""
    pytest.importorskip("tf2onnx")
    from export.twins import add_twin
    from tests.helpers.runs import make_run
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import Frontend

    settings = representation_settings("log_mel")
    mean = np.zeros((40, 38, 2), "float32")
    frontend = Frontend(16000, 5754, "file", settings, mean, normalize="recording", context=1600)

    def make(folder):
        make_run(folder, "file", "tdnn_segments", frontend)
        write_json(folder / CARD, {"sha256": sha256(folder / "model.keras")})
        add_twin(Run(folder))

    return once("marked_weights", make)


def zoo_command(*words, **environment):
    """What the command prints, and which of the heavy packages it imported."""
    env = {name: value for name, value in os.environ.items() if name != startup.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, words)],
        env={**env, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, _, heavy = done.stdout.rpartition("heavy:")
    return said, heavy.split()


def test_what_commands_take_by_default_has_a_twin():
    assert {CLASSIFIER, RECOGNIZER} <= set(TWINS)


def test_twins_are_small():
    assert sum((WEIGHTS / name / TWIN).stat().st_size for name in TWINS) < 2.5e6


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_belongs_to_its_network_and_was_compared_with_it(name):
    told = weights_cards()[name]["twin"]
    assert Run.open(name).twin is not None
    assert told["sha256"] == sha256(WEIGHTS / name / TWIN)
    assert told["difference"] <= 1e-5


def test_recordings_are_transcribed_alike(wav, monkeypatch):
    quick = load_recognizer()
    assert isinstance(quick.model, Twin)
    monkeypatch.setenv(startup.VARIABLE, zoo.startup.configured_backend())
    slow = load_recognizer()
    assert not isinstance(slow.model, Twin)
    assert quick.context == slow.context
    found, expected = quick.transcribe_file(wav).intervals, slow.transcribe_file(wav).intervals
    assert [i[:3] for i in found] == [i[:3] for i in expected]
    assert len({i.label for i in found}) > 3
    np.testing.assert_allclose([i.score for i in found], [i.score for i in expected], atol=1e-4)


@pytest.mark.tensorflow
@pytest.mark.parametrize("rate", [16000, 22050])
@pytest.mark.parametrize("segments", [None, [(0, 900), (3000, 5000)]])
def test_segments_are_classified_alike(marked_weights, rate, segments, monkeypatch):
    audio = recording(9000)
    found = zoo.classify(marked_weights, audio, rate, segments)
    monkeypatch.setenv(startup.VARIABLE, "tensorflow")
    expected = zoo.classify(marked_weights, audio, rate, segments)
    assert [a.phones for a in found] == [a.phones for a in expected]
    np.testing.assert_allclose([a.scores for a in found], [a.scores for a in expected], atol=1e-4)


def test_zoo_transcribe_imports_no_keras(wav):
    said, heavy = zoo_command("transcribe", wav)
    assert said.splitlines()[-1].split()[1] == "3.000"
    assert heavy == []


@pytest.mark.parametrize("words", [["--start", 0.1, "--end", 0.2], ["--phn", "segments.phn"], []])
@pytest.mark.tensorflow
def test_zoo_predict_imports_no_keras(marked_weights, words, wav, tmp_path):
    (tmp_path / "segments.phn").write_text("1600 3200 aa\n4800 5600 iy\n")
    words = [tmp_path / word if word == "segments.phn" else word for word in words]
    if not words:
        soundfile.write(wav, speech(0.5, 22050), 22050)
    said, heavy = zoo_command("predict", wav, "--model", marked_weights, *words)
    assert "0." in said
    assert heavy == []


def test_zoo_align_imports_no_keras(wav, tmp_path):
    wav.with_suffix(".lab").write_text("hh ah l ow")
    said, heavy = zoo_command("align", tmp_path, "--phones", "--out", tmp_path / "out")
    assert "1 written" in said
    assert not {"tensorflow", "keras", "jax", "torch"} & set(heavy)


def test_it_answers_where_no_keras_is_installed(wav):
    hidden = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r}))\n"
    code = f"{hidden}from zoo.cli import main; sys.exit(main(['transcribe', {str(wav)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3


def test_a_backend_that_was_asked_for_is_used(monkeypatch, tmp_path):
    assert Run.open(RECOGNIZER).twin is not None
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "tensorflow"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # Keras writes such a file by itself.
    assert Run.open(RECOGNIZER).twin is not None
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert Run.open(RECOGNIZER).twin is None
    monkeypatch.setenv(startup.VARIABLE, "tensorflow")
    assert Run.open(RECOGNIZER).twin is None


def test_a_backend_that_the_zoo_chose_for_want_of_another_was_not_asked_for(monkeypatch):
    monkeypatch.setattr(startup, "installed", lambda name: name == "torch")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(startup, "_stopgap", None)
    # So that it is taken away again.
    monkeypatch.setenv(startup.VARIABLE, "")
    startup.choose_backend()
    assert os.environ[startup.VARIABLE] == "torch"
    assert not startup.backend_asked_for()


def test_without_its_runtime_a_twin_is_not_used(monkeypatch):
    monkeypatch.setattr("zoo.twins.installed", lambda name: False)
    assert Run.open(RECOGNIZER).twin is None


def test_a_damaged_twin_is_not_used(weights):
    data = bytearray((weights / TWIN).read_bytes())
    data[len(data) // 2] ^= 1
    (weights / TWIN).write_bytes(bytes(data))
    assert Run.open(weights).twin is None


def test_a_twin_of_another_network_is_not_used(weights):
    other = WEIGHTS / "freq_best-synthetic" / "model.keras"
    shutil.copy(other, weights / "model.keras")
    assert Run.open(weights).twin is None
    card = json.loads((weights / CARD).read_text())
    write_json(weights / CARD, {**card, "sha256": sha256(other)} | {"twin": None})
    assert Run.open(weights).twin is None


def test_weights_without_a_twin_are_asked_themselves(weights):
    (weights / TWIN).unlink()
    run = Run.open(weights)
    assert run.twin is None
    assert run.applied is run.model


def test_a_copy_of_weights_has_no_twin(weights, tmp_path):
    (tmp_path / "copy").mkdir()
    Run.open(weights).copy(tmp_path / "copy")
    assert not (tmp_path / "copy" / TWIN).exists()
    assert Run.open(tmp_path / "copy").twin is None
