"""Exported models against a front end written out in NumPy, and how they get to their folder."""

import errno
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from export import export_savedmodel
from export.process import in_tensorflow
from export.versions import write_version
from tests.helpers.runs import LENGTH, make_run, recording, wav
from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.errors import RunError, UsageError
from zoo.files import temporary_beside

ROOT = Path(__file__).parents[2]

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


def operations(version):
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    return {node.op for function in functions for node in function.node_def}


def test_graph_holds_core_operations_only(exported, exported_autoencoder):
    # Operations of tf.raw_ops are those that TensorFlow itself, and so its server, is built with.
    import tensorflow as tf

    used = operations(exported / "1") | operations(exported_autoencoder / "1")
    assert "Conv2D" in used
    assert not {name for name in used if not hasattr(tf.raw_ops, name)}
    assert not used & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaCallModule", "XlaLaunch"}


def test_labels_and_card_travel_with_the_model(exported):
    extra = exported / "1/assets"
    assert json.loads((extra / "labels.json").read_text()) == {
        "classes": list(CLASSES),
        "groups": {c: GROUPS[c] for c in CLASSES},
    }
    card = json.loads((extra / "card.json").read_text())
    assert (card["model"], card["sample_rate"], card["length"]) == ("freq_fullpad", 16000, LENGTH)
    assert "freq_fullpad" in (extra / "card.md").read_text()


def write(folder):
    (folder / "written").touch()


def test_next_free_number_is_taken(tmp_path):
    names = [write_version(tmp_path, number, write).name for number in (None, None, 7, None)]
    assert names == ["1", "2", "7", "8"]
    assert sorted(f.name for f in tmp_path.iterdir()) == ["1", "2", "7", "8"]
    assert (tmp_path / "8/written").is_file()


def test_what_a_killed_export_left_is_in_nobodys_way(tmp_path):
    # In a container the next export has the same process number.
    left = temporary_beside(tmp_path / "savedmodel")
    left.mkdir()
    (left / "half").touch()
    version = write_version(tmp_path, None, write)
    assert [f.name for f in version.iterdir()] == ["written"]
    assert [f.name for f in tmp_path.iterdir()] == ["1"]


def test_existing_version_is_not_overwritten(tmp_path):
    write_version(tmp_path, 3, write)
    with pytest.raises(UsageError, match="3 exists already; choose another version"):
        write_version(tmp_path, 3, write)
    with pytest.raises(UsageError, match="must be 1 or more; received 0"):
        write_version(tmp_path, 0, write)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_failing_export_leaves_nothing(run, tmp_path, monkeypatch, failure):
    def fail(*args, **kwargs):
        raise failure

    monkeypatch.setattr("export.warmup.write_warmup", fail)
    expected = RunError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        export_savedmodel(run, tmp_path)
    if expected is RunError:
        assert "the disk is full" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_lengths_centre_each_row_for_itself(signatures):
    import tensorflow as tf

    lengths = [2000, 1, 2553, 0, 3001]
    rows = np.stack([recording(3001, seed=s) for s in range(5)])
    together = signatures["waveform_lengths"](
        waveform=tf.constant(rows), lengths=tf.constant(lengths)
    )
    for row, length, probabilities in zip(rows, lengths, together["probabilities"], strict=True):
        alone = signatures["waveform"](waveform=tf.constant(row[None, : length or len(row)]))
        np.testing.assert_allclose(probabilities, alone["probabilities"][0], atol=1e-6)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1], "lengths must have one entry for each row of waveform"),
        ([1, 101], "lengths must be 1 to the samples of a row"),
        ([1, -1], "lengths must be 1 to the samples of a row"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(signatures, lengths, message):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures["waveform_lengths"](waveform=tf.ones([2, 100]), lengths=tf.constant(lengths))


def test_a_waveform_longer_than_a_minute_is_refused(signatures):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"more than 960000 samples \(60 s\)"):
        signatures["waveform"](waveform=tf.zeros([1, 960_001]))


def test_encode_gives_the_innermost_map(run, signatures):
    import tensorflow as tf

    raw = np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")
    code = signatures["encode"](spectrogram=tf.constant(raw))["code"].numpy()
    encoder = zoo.load_encoder("freq_fullpad", weights=run)
    centred = (raw - np.load(run / "mean.npy")).astype("float32")
    assert code.shape == (2, *encoder.output_shape[1:])
    np.testing.assert_allclose(code, encoder.predict(centred, verbose=0), atol=1e-4)


def example(**features):
    import tensorflow as tf

    made = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            made.features.feature[name].bytes_list.value.append(value)
        else:
            made.features.feature[name].float_list.value.extend(value)
    return made.SerializeToString()


def test_classify_takes_examples_with_samples_or_files(run, exported, signatures):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    short, long, file = recording(700), recording(3000, seed=1), recording(4000, seed=2)
    answer = signatures["classify"](
        inputs=tf.constant(
            [example(waveform=short), example(wav=wav(file)), example(waveform=long)]
        )
    )
    for i, audio in enumerate((short, file, long)):
        (expected,) = zoo.classify(run, audio, 16000, top_k=48)
        assert tuple(c.decode() for c in answer["classes"][i].numpy()[:5]) == expected.phones[:5]
        np.testing.assert_allclose(answer["scores"][i], expected.scores, atol=1e-4)
    proto = saved_model_pb2.SavedModel.FromString((exported / "1/saved_model.pb").read_bytes())
    definition = proto.meta_graphs[0].signature_def["classify"]
    assert definition.method_name == "tensorflow/serving/classify"
    assert set(definition.inputs) == {"inputs"}


def test_examples_without_samples_or_with_both_are_refused(signatures):
    import tensorflow as tf

    for bad in (example(), example(waveform=[0.5], wav=wav(recording(10)))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must have one of the features"):
            signatures["classify"](inputs=tf.constant([bad]))


def test_autoencoder_gives_back_what_it_heard(autoencoder_run, exported_autoencoder):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exported_autoencoder / "1"))
    assert "classify" not in loaded.signatures
    audio = np.stack([recording(2000, seed=s) for s in range(2)])
    heard = np.stack([reference_representation(a, "segment") for a in audio]).astype("float32")
    mean = np.load(autoencoder_run / "mean.npy")
    model = zoo.load(autoencoder_run)
    expected = model.predict((heard - mean).astype("float32"), verbose=0) + mean
    answer = loaded.signatures["waveform"](waveform=tf.constant(audio))
    np.testing.assert_allclose(answer["spectrogram"], heard, atol=1e-4)
    np.testing.assert_allclose(answer["reconstruction"], expected, atol=1e-3)
    distance = np.sqrt(np.sum((expected - heard) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(answer["distance"], distance, rtol=1e-4)
    again = loaded.signatures["reconstruct"](spectrogram=tf.constant(heard))
    np.testing.assert_allclose(again["reconstruction"], expected, atol=1e-3)
    encoder = zoo.load_encoder("freq_fullpad_ae", weights=autoencoder_run)
    code = loaded.signatures["encode"](spectrogram=tf.constant(heard))["code"]
    np.testing.assert_allclose(code, encoder.predict(heard - mean, verbose=0), atol=1e-3)


def test_warm_up_requests_are_ones_that_the_model_answers(exported, signatures):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2 as logs

    path = exported / "1/assets.extra/tf_serving_warmup_requests"
    records = [logs.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(path))]
    asked = set()
    for record in records:
        if record.HasField("classify_log"):
            request = record.classify_log.request
            asked.add(request.model_spec.signature_name)
            inputs = {
                "inputs": [e.SerializeToString() for e in request.input.example_list.examples]
            }
        else:
            request = record.predict_log.request
            asked.add(request.model_spec.signature_name)
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        assert all(len(value) == 1 for value in answer.values())
    assert asked == {"serving_default", "waveform", "waveform_lengths", "wav_bytes", "classify"}


def test_batching_parameters_are_written_beside_the_versions(run, tmp_path):
    export_savedmodel(run, tmp_path, batching=True)
    text = (tmp_path / "batching_parameters.txt").read_text()
    values = dict(re.findall(r"^(\w+) \{ value: (\d+) \}$", text, re.MULTILINE))
    assert set(values) == {
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "num_batch_threads",
    }
    assert "pad_variable_length_inputs: false" in text


@pytest.mark.jax
@pytest.mark.slow
def test_a_run_of_another_backend_is_exported_in_a_process_on_tensorflow(run, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "zoo", "export", run, tmp_path / "out"],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert "XlaCallModule" not in operations(tmp_path / "out/1")
    audio = recording(2000)
    (expected,) = zoo.classify(run, audio, 16000, top_k=48)
    (answer,) = zoo.classify(tmp_path / "out", audio, 16000, top_k=48)
    np.testing.assert_allclose(answer.scores, expected.scores, atol=1e-5)


def test_what_is_wrong_is_said_across_the_process_on_tensorflow(tmp_path):
    with pytest.raises(UsageError, match=r"holds no model\.keras: it is not a run folder"):
        in_tensorflow("export.savedmodel:export_savedmodel", run=tmp_path, out=tmp_path / "out")
    with pytest.raises(RunError, match=r"on TensorFlow failed: .*no attribute 'nothing'"):
        in_tensorflow("export.savedmodel:nothing")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no model\.keras: it is not a run folder"):
        export_savedmodel(tmp_path, tmp_path / "out")
    with pytest.raises(UsageError, match="does not exist; a run folder"):
        export_savedmodel(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_prints_path_and_signatures(run, tmp_path, capsys):
    from zoo.cli import main

    assert main(["export", str(run), str(tmp_path / "out"), "--version", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(tmp_path / "out" / "5")
    assert lines[-1] == f"next: zoo serve --model out={tmp_path / 'out'}"
    text = "\n".join(lines)
    for expected in ("spectrogram: float [-1,201,16,1]", "wav: string [-1]", "phones: string"):
        assert expected in text
    assert main(["export", str(tmp_path), str(tmp_path / "out")]) == 2
