"""Exported models against a front end written out in NumPy, and how they get to their folder."""

import errno
import functools
import json
import subprocess
import sys

import numpy as np
import pytest
from runs import LENGTH, make_run, recording

from export import export_savedmodel
from zoo.data.phones import CLASSES, GROUPS
from zoo.errors import RunError, UsageError

OUTPUTS = {"probabilities", "phones", "scores"}


def reference_representation(samples, level):
    """Placed, levelled, framed and transformed with nothing but NumPy: (201, 16, 1)."""
    x = np.zeros(LENGTH)
    missing = LENGTH - len(samples)
    if missing >= 0:
        x[missing // 2 : missing // 2 + len(samples)] = samples
    else:
        x[:] = samples[-missing // 2 : -missing // 2 + LENGTH]
    if level != "none" and np.abs(x).max() > 0:
        x = x / np.abs(x).max()
    frames = [x[start : start + 267] * np.hamming(267) for start in range(0, LENGTH - 266, 147)]
    return np.stack([np.fft.rfft(frame, 400).real for frame in frames], axis=1)[..., None]


def reference_probabilities(run, representation):
    import zoo

    mean = np.load(run / "mean.npy")
    return zoo.load(run).predict((representation - mean).astype("float32"), verbose=0)


@pytest.fixture(scope="module")
def signatures(exported):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exported / "1"))
    return {name: functools.partial(_call, loaded, name) for name in loaded.signatures}


def _call(loaded, name, **inputs):
    # A signature alone does not keep the variables alive.
    return loaded.signatures[name](**inputs)


@pytest.mark.parametrize("samples", [1, 300, 2553, 2554, 2555, 2556, 9001])
def test_waveform_goes_through_the_front_end_of_the_run(run, signatures, samples):
    import tensorflow as tf

    audio = np.stack([recording(samples, seed=s) for s in range(3)])
    answer = signatures["waveform"](waveform=tf.constant(audio))
    expected = reference_probabilities(
        run, np.stack([reference_representation(a, "segment") for a in audio])
    )
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


@pytest.mark.parametrize("level", ["none", "file"])
def test_level_of_the_front_end_is_the_models(tmp_path, level):
    import tensorflow as tf

    run = make_run(tmp_path / "run", level)
    path = export_savedmodel(run, tmp_path / "out")
    audio = np.stack([recording(2000)])
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["waveform"](waveform=tf.constant(audio))
    expected = reference_probabilities(run, reference_representation(audio[0], level)[None])
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_default_signature_takes_the_representation_and_subtracts_the_mean(run, signatures):
    import tensorflow as tf

    raw = np.random.default_rng(0).normal(size=(4, 201, 16, 1)).astype("float32")
    answer = signatures["serving_default"](spectrogram=tf.constant(raw))
    np.testing.assert_allclose(
        answer["probabilities"], reference_probabilities(run, raw), atol=1e-5
    )


def test_answers_name_the_best_five_classes(signatures):
    import tensorflow as tf

    for name, (key, value) in {
        "waveform": ("waveform", tf.constant(recording(2000)[None])),
        "serving_default": ("spectrogram", tf.zeros([1, 201, 16, 1])),
    }.items():
        answer = signatures[name](**{key: value})
        assert set(answer) == OUTPUTS
        probabilities = answer["probabilities"].numpy()[0]
        best = np.argsort(-probabilities)[:5]
        assert [p.decode() for p in answer["phones"].numpy()[0]] == [CLASSES[i] for i in best]
        np.testing.assert_array_equal(answer["scores"][0], probabilities[best])


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((0, 100)), "waveform is empty"),
        (np.zeros((1, 0)), "waveform is empty"),
        (np.full((1, 100), np.nan), "waveform holds values that are NaN or infinite"),
    ],
)
def test_waveforms_that_are_none_are_refused(signatures, waveform, message):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures["waveform"](waveform=tf.constant(waveform, tf.float32))


def test_loads_with_tensorflow_alone_and_answers_the_same(exported, signatures, tmp_path):
    import tensorflow as tf

    audio = np.stack([recording(2000, seed=s) for s in range(3)])
    np.save(tmp_path / "audio.npy", audio)
    program = """
import sys, numpy, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
answer = model.signatures["waveform"](waveform=tf.constant(numpy.load(sys.argv[2])))
numpy.save(sys.argv[3], answer["probabilities"].numpy())
assert not [m for m in sys.modules if m.split(".")[0] in ("zoo", "export", "serving")]
"""
    arguments = [exported / "1", tmp_path / "audio.npy", tmp_path / "answer.npy"]
    subprocess.run(
        [sys.executable, "-I", "-c", program, *map(str, arguments)], check=True, timeout=120
    )
    here = signatures["waveform"](waveform=tf.constant(audio))["probabilities"]
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), here, atol=1e-6)


def test_graph_holds_nothing_that_needs_python(exported):
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((exported / "1/saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    operations = {node.op for function in functions for node in function.node_def}
    assert "Conv2D" in operations
    assert not operations & {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def test_labels_and_card_travel_with_the_model(exported):
    extra = exported / "1/assets.extra"
    assert json.loads((extra / "labels.json").read_text()) == {
        "classes": list(CLASSES),
        "groups": {c: GROUPS[c] for c in CLASSES},
    }
    card = json.loads((extra / "card.json").read_text())
    assert (card["model"], card["sample_rate"], card["length"]) == ("freq_fullpad", 16000, LENGTH)
    assert "freq_fullpad" in (extra / "card.md").read_text()


class TestVersions:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        """Versions are the same whatever is written; a real model takes seconds."""
        import tensorflow as tf

        def save(module, folder, signatures):
            tf.io.gfile.makedirs(f"{folder}/variables")

        monkeypatch.setattr(tf.saved_model, "save", save)

    def test_next_free_number_is_taken(self, run, tmp_path):
        names = [export_savedmodel(run, tmp_path).name for _ in range(2)]
        names.append(export_savedmodel(run, tmp_path, version=7).name)
        names.append(export_savedmodel(run, tmp_path).name)
        assert names == ["1", "2", "7", "8"]
        assert sorted(f.name for f in tmp_path.iterdir()) == ["1", "2", "7", "8"]

    def test_existing_version_is_not_overwritten(self, run, tmp_path):
        export_savedmodel(run, tmp_path, version=3)
        with pytest.raises(UsageError, match="3 exists already; choose another version"):
            export_savedmodel(run, tmp_path, version=3)
        with pytest.raises(UsageError, match="must be 1 or more; received 0"):
            export_savedmodel(run, tmp_path, version=0)

    @pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
    def test_failing_export_leaves_nothing(self, run, tmp_path, monkeypatch, failure):
        def fail(*args):
            raise failure

        monkeypatch.setattr("export.card.write_json", fail)
        expected = RunError if isinstance(failure, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            export_savedmodel(run, tmp_path)
        if expected is RunError:
            assert "the disk is full" in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no frontend\.json"):
        export_savedmodel(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="is no run folder"):
        export_savedmodel(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_prints_path_and_signatures(run, tmp_path, capsys):
    from zoo.cli import main

    assert main(["export", str(run), str(tmp_path / "out"), "--version", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(tmp_path / "out" / "5")
    text = "\n".join(lines)
    for expected in ("spectrogram: float [-1,201,16,1]", "wav: string [-1]", "phones: string"):
        assert expected in text
    assert main(["export", str(tmp_path), str(tmp_path / "out")]) == 2
