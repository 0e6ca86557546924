"""Exports that transcribe, against the front end, the network and the decoder called one by one."""

import json
import subprocess
import sys

import numpy as np
import pytest

from export import export_savedmodel
from export.intervals import Intervals
from export.wav import MAX_TRANSCRIBE_SECONDS
from serving.servable import _may_be_endless
from tests.export.test_savedmodel import operations
from tests.helpers.runs import bad_wavs, make_transcriber, recording, speech, wav
from zoo.data.corpora.phones import CLASSES
from zoo.decoding.decoder import Decoder
from zoo.decoding.formats import Interval
from zoo.decoding.frames import merged, to_intervals
from zoo.decoding.posteriors import log_posteriors
from zoo.errors import UsageError
from zoo.inference import load_classifier
from zoo.ops.resampling import resample
from zoo.runs import Run

HOP = 160
OUTPUTS = {
    "phones",
    "starts",
    "ends",
    "scores",
    "counts",
    "alternatives",
    "alternative_scores",
}


def in_python(run, audio, rate=16000):
    """Intervals of a recording, by the parts of the zoo one after the other, and posteriors."""
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    samples = resample(mono, rate, 16000)
    scores = log_posteriors(run.model, run.frontend.recording(samples), run.window, None)
    (path,) = run.decoder.decode([scores])
    found = to_intervals(
        path.classes,
        run.classes,
        hop=HOP,
        samples=len(samples),
        sample_rate=16000,
        log_posteriors=scores,
    )
    return merged(found, run.groups), np.exp(scores)


def intervals(answer, row=0):
    """The intervals of one recording of an answer."""
    count = int(answer["counts"][row])
    columns = [np.asarray(answer[n])[row, :count] for n in ("starts", "ends", "phones", "scores")]
    return [Interval(a, b, label.decode(), s) for a, b, label, s in zip(*columns, strict=True)]


def assert_same(found, expected):
    assert [i.label for i in found] == [i.label for i in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one[:2], other[:2], atol=1e-4)
        # Posteriors of faint noise, whose deviations are small, magnify rounding.
        np.testing.assert_allclose(one.score, other.score, atol=1e-3)


@pytest.fixture(scope="module", params=["recognizer", "windows"])
def exports(request, once):
    """A run, and a function of WAV files that asks its export."""
    if request.param == "recognizer":
        folders = [request.getfixturevalue(n) for n in ("recognizer_run", "exported_recognizer")]
    else:
        run = once("windows_run", lambda folder: make_transcriber(folder, 15, "none"))
        folders = [run, once("exported_windows", lambda folder: export_savedmodel(run, folder))]
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folders[1] / "1"))

    def ask(signature, **inputs):
        return loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})

    return Run.open(folders[0]), ask


@pytest.mark.parametrize("seed", range(12))
def test_export_and_python_give_the_same_intervals(exports, seed):
    run, ask = exports
    audio = speech(0.2 + seed * 0.31, seed=seed)
    answer = ask("transcribe", wav=[wav(audio)])
    assert set(answer) == OUTPUTS
    found, (expected, _) = intervals(answer), in_python(run, audio)
    assert_same(found, expected)
    assert found[0].start == 0
    assert found[-1].end == pytest.approx(len(audio) / 16000)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 1), (16000, 2), (22050, 2)])
def test_other_rates_are_resampled_and_channels_averaged(exports, rate, channels):
    run, ask = exports
    each = [speech(1.1, rate, seed=s) for s in range(channels)]
    audio = np.stack(each, axis=1) if channels > 1 else each[0]
    found = intervals(ask("transcribe", wav=[wav(audio, rate)]))
    expected, _ = in_python(run, audio, rate)
    assert_same(found, expected)


@pytest.mark.parametrize(
    "audio",
    [
        np.round(recording(8000) * 10) / 32768,
        speech(0.02, seed=1),
        recording(1),
        recording(HOP),
        recording(HOP + 1),
        recording(399),
    ],
    ids=["faint noise", "20 ms", "one sample", "one hop", "a sample more", "less than a frame"],
)
def test_short_and_faint_recordings(exports, audio):
    run, ask = exports
    found = intervals(ask("transcribe", wav=[wav(audio)]))
    expected, _ = in_python(run, audio)
    assert_same(found, expected)


def test_a_batch_gets_what_each_recording_gets_alone(exports):
    _, ask = exports
    files = [wav(speech(s, seed=9)) for s in (0.02, 2.7, 1.0)]
    together = ask("transcribe", wav=files)
    counts = together["counts"].numpy().tolist()
    assert max(counts) == together["phones"].shape[1] > min(counts)
    for row, file in enumerate(files):
        alone = ask("transcribe", wav=[file])
        assert intervals(together, row) == intervals(alone)
        for name, padding in {"phones": b"", "alternatives": b"", "ends": 0, "scores": 0}.items():
            rest = together[name].numpy()[row, counts[row] :]
            assert (rest == padding).all()


def test_alternatives_are_the_classes_of_the_highest_mean_posterior(exports):
    run, ask = exports
    audio = speech(2, seed=3)
    answer = ask("transcribe", wav=[wav(audio)])
    expected, posteriors = in_python(run, audio)
    for number, interval in enumerate(expected):
        frames = slice(round(interval.start * 100), int(np.ceil(interval.end * 100 - 1e-6)))
        means = posteriors[frames].mean(axis=0)
        best = np.argsort(-means)[:5]
        names = [name.decode() for name in answer["alternatives"].numpy()[0, number]]
        assert names == [CLASSES[i] for i in best]
        np.testing.assert_allclose(answer["alternative_scores"][0, number], means[best], atol=1e-5)


def test_nothing_at_all_is_silence(exports):
    _, ask = exports
    answer = ask("transcribe", wav=[wav(np.zeros(7001, "float32"))])
    assert intervals(answer) == [Interval(0.0, np.float32(7001 / 16000), "sil", 1.0)]
    np.testing.assert_array_equal(answer["alternative_scores"][0, 0], [1, 0, 0, 0, 0])


@pytest.mark.parametrize("seed", range(20))
def test_intervals_of_a_path_are_those_of_the_zoo(seed):
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    classes, groups = ("cl", "aa", "sil", "b"), {"cl": "sil", "aa": "aa", "b": "b"}
    frames = int(rng.integers(1, 60))
    path = np.repeat(rng.integers(0, 4, frames), rng.integers(1, 4, frames))
    samples = len(path) * HOP - int(rng.integers(0, HOP))
    posteriors = rng.dirichlet(np.ones(4), len(path)).astype("float32")
    found = Intervals.of_path(
        tf.constant(path, tf.int32),
        posteriors,
        samples,
        classes=classes,
        groups=groups,
        hop=HOP,
        sample_rate=16000,
        duration=tf.constant(samples / 16000, tf.float64),
        alternatives=3,
    )
    rows = to_intervals(
        path,
        classes,
        hop=HOP,
        samples=samples,
        sample_rate=16000,
        log_posteriors=np.log(posteriors),
    )
    expected = merged(rows, groups)
    columns = (found.starts, found.ends, found.phones, found.scores)
    rows = [column.numpy().tolist() for column in columns]
    assert_same([Interval(a, b, c.decode(), d) for a, b, c, d in zip(*rows, strict=True)], expected)
    assert found.alternatives.shape == (len(expected), 3)


def test_frames_are_those_of_the_network(exports):
    run, ask = exports
    rows = np.stack([speech(1.003, seed=s) for s in range(2)])
    found = ask("frames", waveform=rows)["probabilities"].numpy()
    assert found.shape == (2, 101, 48)
    for row, probabilities in zip(rows, found, strict=True):
        np.testing.assert_allclose(probabilities, in_python(run, row)[1], atol=1e-4)


def test_the_default_signature_takes_the_normalised_representation(exports):
    run, ask = exports
    x = run.frontend.recording(speech(1, seed=1))
    if run.window:
        x = x[:, : run.window]
    answer = ask("serving_default", spectrogram=x[None] + run.frontend.mean)
    expected = run.model.predict(x[None], verbose=0)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    assert set(answer) == {"probabilities"} | ({"phones", "scores"} if run.window else set())


BAD = {name: case for name, case in bad_wavs().items() if name != "too long"}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_wav_file_is_refused_by_its_row(exports, name):
    import tensorflow as tf

    contents, message = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        exports[1]("transcribe", wav=[wav(recording(100)), contents])
    assert "wav[1]: " in str(caught.value)
    assert message in str(caught.value)


def test_recordings_beyond_the_limit_are_refused(exports):
    import tensorflow as tf

    _, ask = exports
    samples = MAX_TRANSCRIBE_SECONDS * 1000 + 1
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"wav\[0\]: the file lasts more than 600 s; send it"
    ):
        ask("transcribe", wav=[wav(np.zeros(samples, "float32"), 1000)])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"more than 9600000 samples \(600 s"):
        ask("frames", waveform=np.zeros((1, 16 * samples), "float32"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="wav is empty; one row or more"):
        ask("transcribe", wav=np.array([], object).astype("bytes"))


def test_graph_holds_core_operations_only_and_loops_with_bounds(exported_recognizer):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    used = operations(exported_recognizer / "1")
    assert not {name for name in used if not hasattr(tf.raw_ops, name)}
    assert not used & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaCallModule", "XlaLaunch"}
    content = (exported_recognizer / "1/saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    outputs = graph.signature_def["transcribe"].outputs.values()
    assert not _may_be_endless(graph.graph_def, [output.name for output in outputs])


def test_loads_with_tensorflow_alone(exported_recognizer, recognizer_run, tmp_path):
    program = """
import sys, json, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
answer = model.signatures["transcribe"](wav=tf.constant([open(sys.argv[2], "rb").read()]))
print(json.dumps([p.decode() for p in answer["phones"].numpy()[0]]))
assert not [m for m in sys.modules if m.split(".")[0] in ("zoo", "export", "serving")]
"""
    audio = speech(1, seed=2)
    (tmp_path / "speech.wav").write_bytes(wav(audio))
    arguments = [exported_recognizer / "1", tmp_path / "speech.wav"]
    command = [sys.executable, "-I", "-c", program, *map(str, arguments)]
    said = subprocess.run(command, check=True, timeout=120, stdout=subprocess.PIPE).stdout
    expected, _ = in_python(Run.open(recognizer_run), audio)
    assert json.loads(said) == [i.label for i in expected]


def test_decoder_and_limits_travel_with_the_model(recognizer_run, exported_recognizer):
    assets = exported_recognizer / "1/assets"
    run = Run.open(recognizer_run)
    decoder = Decoder.from_dict(json.loads((assets / "viterbi.json").read_text()))
    assert decoder.as_dict() == run.decoder.as_dict()
    assert json.loads((assets / "labels.json").read_text())["groups"] == run.groups
    card = json.loads((assets / "card.json").read_text())
    assert (card["hop"], card["max_seconds"], card["window"]) == (HOP, 600, None)
    assert card["decoder"]["min_duration"] == 2
    assert "- `transcribe`: `wav` (N,) strings" in (assets / "card.md").read_text()


def test_warm_up_requests_are_ones_that_the_model_answers(exported_recognizer):
    from serving.servable import Servable
    from serving.warmup import warm_up

    assert warm_up(Servable(exported_recognizer / "1")) == 4


def test_a_run_without_a_decoder_is_refused(tmp_path):
    run = make_transcriber(tmp_path / "run")
    (run / "viterbi.json").unlink()
    with pytest.raises(UsageError, match="has no decoder, so its frames cannot be turned into"):
        export_savedmodel(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_transcribes_is_no_classifier_of_segments(recognizer_run, exported_recognizer):
    for place in (recognizer_run, exported_recognizer):
        with pytest.raises(UsageError, match="transcribes recordings; use zoo transcribe"):
            load_classifier(place)
