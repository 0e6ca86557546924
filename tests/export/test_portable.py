"""Exports for LiteRT and ONNX Runtime, run there by their documented calls."""

import base64
import contextlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest

import zoo
from export import portable
from tests.helpers.runs import LENGTH, make_run, make_transcriber, recording, speech, wav
from tests.helpers.served import Server
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data.corpora.corpus import open_corpus
from zoo.data.corpora.phones import CLASSES
from zoo.data.sets.preparation import prepare
from zoo.runs import Run
from zoo.siblings import sibling


def litert(path, name, x):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    return interpreter.get_signature_runner()(**{name: x})


def onnx(path, name, x):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: x}), strict=True))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    corpus = open_corpus(make_tree(folder / "corpus"))
    return prepare(corpus, folder / "set", representation="log_magnitude", too_long="crop")


@pytest.fixture(scope="module")
def prepared_run(prepared, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "run", frontend=prepared.frontend)


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory):
    """Format -> folder that `zoo export` wrote, and what it printed."""
    made = {}
    for kind in ("litert", "onnx"):
        out, said = tmp_path_factory.mktemp(kind) / "out", io.StringIO()
        with contextlib.redirect_stdout(said):
            assert main(["export", str(run), str(out), "--format", kind]) == 0
        made[kind] = out, said.getvalue()
    return made


@pytest.mark.parametrize(("kind", "ending"), [("litert", "_float32.tflite"), ("onnx", ".onnx")])
def test_classifier_answers_as_keras_does_in_every_runtime(run, exports, kind, ending):
    out, said = exports[kind]
    ask = litert if kind == "litert" else onnx

    audio = np.stack([recording(LENGTH, seed=s) for s in range(3)])
    answers = zoo.classify(
        run, audio.ravel(), 16000, [(i * LENGTH, (i + 1) * LENGTH) for i in range(3)], 48
    )
    expected = [[dict(zip(a.phones, a.scores, strict=True))[c] for c in CLASSES] for a in answers]
    found = ask(out / f"waveform{ending}", "waveform", audio)
    assert set(found) == {"probabilities"}
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-4)

    raw = np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")
    found = ask(out / f"spectrogram{ending}", "spectrogram", raw)["probabilities"]
    expected = zoo.load(run).predict(raw - np.load(run / "mean.npy"), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)

    names = {f"spectrogram{ending}", f"waveform{ending}", "card.json", "card.md", "labels.json"}
    assert {f.name for f in out.iterdir()} == names
    assert json.loads((out / "labels.json").read_text())["classes"] == list(CLASSES)
    head, *lines = said.splitlines()
    assert head.split()[:3] == ["file", "KiB", "max"]
    for line in lines:
        name, size, *_ = line.split()
        assert int(size) == round((out / name).stat().st_size / 1024)
        assert line.endswith("32 of noise")


def in_another_process(version, contents, folder):
    """Probabilities of a WAV file by the SavedModel where nothing but TensorFlow is to be found."""
    program = """
import sys, numpy, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
wav = tf.constant([open(sys.argv[2], "rb").read()])
numpy.save(sys.argv[3], model.signatures["wav_bytes"](wav=wav)["probabilities"].numpy())
assert not [m for m in sys.modules if m.split(".")[0] in ("zoo", "export", "serving")]
"""
    (folder / "phone.wav").write_bytes(contents)
    files = [version, folder / "phone.wav", folder / "answer.npy"]
    command = [sys.executable, "-I", "-c", program, *map(str, files)]
    subprocess.run(command, check=True, timeout=120, cwd=folder)
    return np.load(folder / "answer.npy")


def over_the_network(base, contents):
    """Probabilities of a WAV file over REST, and over gRPC by the official stub."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    flags = ["--model_name=phones", f"--model_base_path={base}", "--rest_api_port=0"]
    with Server("serving", *flags) as server:
        instances = [{"wav": {"b64": base64.b64encode(contents).decode()}}]
        body = {"signature_name": "wav_bytes", "instances": instances}
        (row,) = server.predict("phones", body).json()["predictions"]
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "phones", "wav_bytes"
        request.inputs["wav"].CopyFrom(tf.make_tensor_proto([contents]))
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answer = stub.Predict(request, timeout=60).outputs["probabilities"]
    return [row["probabilities"]], tf.make_ndarray(answer)


def test_one_wav_gets_the_same_answer_everywhere(run, exported, exports, tmp_path):
    audio = recording(2001)
    contents = wav(audio)
    ((phones, scores),) = [(a.phones, a.scores) for a in zoo.classify(run, audio, 16000, None, 48)]
    keras = [[dict(zip(phones, scores, strict=True))[c] for c in CLASSES]]
    rest, over_grpc = over_the_network(exported, contents)
    # LiteRT and ONNX have no files: theirs is the waveform, centred in the network's length.
    before = (LENGTH - len(audio)) // 2
    placed = np.pad(audio, (before, LENGTH - len(audio) - before))[None]
    answers = {
        "SavedModel": in_another_process(exported / "1", contents, tmp_path),
        "REST": rest,
        "gRPC": over_grpc,
        "LiteRT": litert(exports["litert"][0] / "waveform_float32.tflite", "waveform", placed),
        "ONNX": onnx(exports["onnx"][0] / "waveform.onnx", "waveform", placed),
    }
    assert max(keras[0]) > 0.1  # far from the 1/48 that a network that hears nothing says
    for name, answer in answers.items():
        if isinstance(answer, dict):
            answer = answer["probabilities"]
        np.testing.assert_allclose(answer, keras, atol=1e-4, err_msg=name)


def test_autoencoder_gives_back_what_keras_does(autoencoder_run, tmp_path):
    (report, _) = portable.export_portable(autoencoder_run, tmp_path, "litert")
    assert report.difference < 1e-4
    raw = np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")
    mean = np.load(autoencoder_run / "mean.npy")
    expected = zoo.load(autoencoder_run).predict(raw - mean, verbose=0) + mean
    found = litert(tmp_path / "spectrogram_float32.tflite", "spectrogram", raw)
    assert set(found) == {"reconstruction", "distance"}
    np.testing.assert_allclose(found["reconstruction"], expected, atol=1e-3)
    distance = np.sqrt(np.sum((expected - raw) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(found["distance"], distance, rtol=1e-4)


def test_fewer_bits_make_smaller_files_that_agree(prepared, prepared_run, tmp_path):
    kinds = ["float32", "float16", "dynamic", "int8"]
    report = portable.export_portable(prepared_run, tmp_path, "litert", kinds, prepared.path)
    sizes = {m.kind: m.size for m in report if m.file.startswith("spectrogram")}
    assert sizes["float32"] > 1.7 * sizes["float16"]
    assert sizes["float16"] > 1.5 * sizes["int8"]
    examples = len(prepared.labels("test"))
    for m in report:
        assert m.examples == (
            f"{examples} of test" if m.file.startswith("spectrogram") else "32 of noise"
        )
        assert (m.accuracy_difference is None) == m.file.startswith("waveform")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(
        str(tmp_path / "spectrogram_int8.tflite")
    )
    runner = interpreter.get_signature_runner()
    (given,) = runner.get_input_details().values()
    (returned,) = runner.get_output_details().values()
    assert given["dtype"] is np.int8
    assert returned["dtype"] is np.int8
    # By hand, from the documented meaning of scale and zero point.
    features = np.asarray(prepared.features("test"))
    scale, zero = given["quantization"]
    x = np.clip(np.round((features + prepared.mean) / scale + zero), -128, 127).astype(np.int8)
    scale, zero = returned["quantization"]
    found = scale * (runner(spectrogram=x)["probabilities"].astype(float) - zero)
    expected = zoo.load(prepared_run).predict(features, verbose=0)
    assert np.mean(found.argmax(1) == expected.argmax(1)) >= portable.MIN_AGREEMENT["int8"]


@pytest.mark.parametrize(("kind", "ending"), [("litert", "_float32.tflite"), ("onnx", ".onnx")])
def test_a_recognizer_takes_recordings_of_any_length(tmp_path, kind, ending):
    # Loops are what formats find hardest.
    run = make_transcriber(tmp_path / "run", recurrent=True)
    (report,) = portable.export_portable(run, tmp_path / "out", kind)
    assert (report.file, report.examples) == (f"spectrogram{ending}", "4 recordings of noise")
    names = {report.file, "card.json", "card.md", "labels.json", "viterbi.json"}
    assert {f.name for f in (tmp_path / "out").iterdir()} == names
    ask, run = litert if kind == "litert" else onnx, Run.open(run)
    for seconds in (0.02, 1.3):
        x = run.frontend.recording(speech(seconds))[None]
        found = ask(tmp_path / "out" / report.file, "spectrogram", x + run.frontend.mean)
        expected = run.model.predict(x, verbose=0)
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-4)


def test_a_classifier_of_windows_takes_windows(tmp_path):
    run = Run.open(make_transcriber(tmp_path / "run", window=15))
    (report,) = portable.export_portable(run.path, tmp_path / "out", "onnx")
    assert report.examples == "32 windows of noise"
    x = np.random.default_rng(0).normal(size=(3, 40, 15, 1)).astype("float32")
    found = onnx(tmp_path / "out/spectrogram.onnx", "spectrogram", x + run.frontend.mean)
    np.testing.assert_allclose(found["probabilities"], run.model.predict(x, verbose=0), atol=1e-4)


@pytest.mark.parametrize("window", [None, 15])
def test_transcribing_networks_are_compared_on_their_own_set(tmp_path, window):
    tree = make_tree(tmp_path / "corpus", train=2, test=2, sentences=("SX1",))
    options = {"examples": "frames", "normalize": "recording", "representation": "log_mel"}
    prepared = prepare(open_corpus(tree), tmp_path / "set", **options)
    run = make_transcriber(tmp_path / "run", window, frontend=prepared.frontend)
    kinds = ["float32", "int8"] if window else ["float32", "dynamic"]
    report = portable.export_portable(run, tmp_path / "out", "litert", kinds, prepared.path)
    assert [m.kind for m in report] == kinds
    for measured in report:
        assert measured.examples.endswith("of test" if window else "recordings of test")
        assert measured.accuracy_difference is not None


def test_out_of_tolerance_nothing_is_left(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sibling("export.portable"), "MAX_DIFFERENCE", 0.0)
    assert main(["export", str(run), str(tmp_path / "out"), "--format", "onnx"]) == 1
    said = capsys.readouterr().err
    assert "spectrogram.onnx differs from Keras by" in said
    assert "at most 0 is allowed" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"difference": np.nan}, "differs from Keras by nan"),
        ({"difference": 2e-4}, r"differs from Keras by 0\.0002, at most 0\.0001"),
        ({"kind": "int8", "agreement": 0.84}, r"agrees with Keras to 84\.0%, at least 85%"),
        ({"kind": "int8", "agreement": np.nan}, "agrees with Keras to nan"),
        ({"kind": "int8", "accuracy_difference": -0.04}, r"loses 4\.0% of accuracy, at most 3%"),
    ],
)
def test_tolerances(values, message):
    good = {
        "file": "f",
        "size": 1,
        "kind": "float32",
        "examples": "",
        "difference": 1e-5,
        "agreement": 0.9,
        "accuracy_difference": -0.02,
        "latency": 1.0,
    }
    assert portable.Measured(**good).failure is None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(portable.Measured(**good | values).failure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "litert", "--quantize", "int8"], "name a prepared set with --data"),
        (["--format", "onnx", "--quantize", "int8"], "--quantize goes with --format litert"),
        (["--data", "somewhere"], "--data goes with --format litert or onnx"),
        (["--format", "onnx", "--version", "2"], "--version, --batching and --dictionary go with"),
        (["--format", "onnx", "--data", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run, tmp_path, capsys, options, message):
    assert main(["export", str(run), str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_front_ends_data_is_refused(run, prepared, tmp_path, capsys):
    command = ["export", str(run), str(tmp_path / "out"), "--format", "onnx"]
    assert main([*command, "--data", str(prepared.path)]) == 2
    assert "was prepared with another front end" in capsys.readouterr().err
