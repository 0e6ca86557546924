"""Segments of a recording: in Python, by an export's own signature, and by the command."""

import dataclasses
import json

import numpy as np
import pytest

import zoo
from tests.helpers.runs import recording, speech, wav
from tests.helpers.served import Server
from zoo.cli import main
from zoo.inference import load_classifier
from zoo.runs import Run

SEGMENTS = [(0, 1500), (3000, 9000), (9000, 9001), (15500, 16000)]


@pytest.fixture(scope="module")
def asked(exported, by_recording):
    """Name of a run -> its folder, and a function that asks its export for segments."""
    import tensorflow as tf

    def ask(folder):
        loaded = tf.saved_model.load(str(folder / "1"))

        def segments(contents, starts, ends):
            return loaded.signatures["segments"](
                wav=tf.constant(contents),
                starts=tf.constant(starts, tf.float32),
                ends=tf.constant(ends, tf.float32),
            )

        return segments

    return {"set": ask(exported), "recording": ask(by_recording[1])}


def in_seconds(segments, rate):
    return np.array(segments).T / rate


def scores_of(answers, classes):
    return [[dict(zip(a.phones, a.scores, strict=True))[c] for c in classes] for a in answers]


def test_segments_are_normalised_by_all_of_the_recording(by_recording, asked):
    run, audio = Run.open(by_recording[0]), speech(1, seed=1)
    expected = run.model.predict(run.frontend.of_recording(audio, SEGMENTS), verbose=0)
    found = zoo.classify(run.path, audio, 16000, SEGMENTS, top_k=48)
    np.testing.assert_allclose(scores_of(found, run.classes), expected, atol=1e-5)
    answer = asked["recording"](wav(audio), *in_seconds(SEGMENTS, 16000))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-4)
    # By itself the same segment is heard differently.
    alone = zoo.classify(run.path, audio[3000:9000], 16000, top_k=48)
    assert np.abs(np.array(scores_of(alone, run.classes)) - expected[1]).max() > 0.01


@pytest.mark.parametrize("normalize", ["set", "recording"])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (8000, 1), (44100, 2)])
def test_export_and_python_agree(run, by_recording, asked, normalize, rate, channels):
    audio = np.stack([speech(1.2, rate, seed=s) for s in range(channels)], axis=1)
    segments = [(0, rate // 10), (rate // 3, rate // 2), (rate - 1, rate)]
    folder = run if normalize == "set" else by_recording[0]
    expected = zoo.classify(folder, audio, rate, segments)
    answer = asked[normalize](wav(audio, rate), *in_seconds(segments, rate))
    assert answer["phones"].shape == answer["scores"].shape == (3, 5)
    for number, one in enumerate(expected):
        assert tuple(p.decode() for p in answer["phones"].numpy()[number]) == one.phones
        np.testing.assert_allclose(answer["scores"][number], one.scores, atol=1e-3)


def test_an_exported_model_normalises_by_the_recording_too(by_recording):
    audio = recording(16000, channels=2)
    one, other = (zoo.classify(f, audio, 16000, SEGMENTS, top_k=48) for f in by_recording)
    assert [a.phones[0] for a in one] == [a.phones[0] for a in other]
    np.testing.assert_allclose([a.scores for a in one], [a.scores for a in other], atol=1e-4)
    classifier = load_classifier(by_recording[0])
    lone = dataclasses.replace(classifier, of_recording=None)
    assert zoo.classify(lone, audio, 16000, SEGMENTS) != zoo.classify(
        classifier, audio, 16000, SEGMENTS
    )


def test_short_recordings_are_padded_to_a_frame(by_recording, asked):
    audio = recording(100)
    expected = zoo.classify(by_recording[0], audio, 16000, [(10, 90)], top_k=5)
    answer = asked["recording"](wav(audio), *in_seconds([(10, 90)], 16000))
    np.testing.assert_allclose(answer["scores"][0], expected[0].scores, atol=1e-4)


@pytest.mark.parametrize(
    ("starts", "ends", "message"),
    [
        ([0.0, 0.5], [0.1, 0.5], "segment 1 goes from 0.500 to 0.500 s; 0 <= start < end <= 1.000"),
        ([-0.1], [0.1], "segment 0 goes from -0.100 to 0.100 s"),
        ([0.5], [1.1], "segment 0 goes from 0.500 to 1.100 s"),
        ([0.5, 0.6], [0.7], "starts and ends must have as many entries as each other"),
        ([], [], "starts is empty"),
        ([np.nan], [0.5], "starts holds values that are NaN or infinite"),
    ],
)
@pytest.mark.parametrize("normalize", ["set", "recording"])
def test_segments_that_are_not_of_the_recording_are_refused(
    asked, normalize, starts, ends, message
):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        asked[normalize](wav(recording(16000)), starts, ends)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(asked):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"wav\[0\]: .*RIFF and WAVE"):
        asked["set"](b"this is not audio", [0.0], [0.1])


def test_predict_asks_a_run_and_a_server_for_the_same(by_recording, tmp_path, capsys):
    run, folder = by_recording
    (tmp_path / "a.wav").write_bytes(wav(speech(1.5, seed=3)))
    (tmp_path / "a.phn").write_text("0 4000 h#\n4000 6000 aa\n6000 24000 s\n")
    files = [str(tmp_path / "a.wav"), "--phn", str(tmp_path / "a.phn"), "--json"]
    assert main(["predict", *files, "--model", str(run)]) == 0
    local = json.loads(capsys.readouterr().out)["segments"]
    expected = zoo.classify(run, speech(1.5, seed=3), 16000, [(4000, 6000)])[0]
    assert tuple(local[1]["phones"]) == expected.phones
    with Server("serving", "--model_name=phones", f"--model_base_path={folder}") as server:
        assert main(["predict", *files, "--url", f"{server.url}/v1/models/phones"]) == 0
    remote = json.loads(capsys.readouterr().out)["segments"]
    for one, other in zip(local, remote, strict=True):
        assert one["phones"] == other["phones"]
        np.testing.assert_allclose(one["scores"], other["scores"], atol=1e-3)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2)])
def test_segments_are_heard_with_their_surroundings(surrounded, rate, channels):
    import tensorflow as tf

    folder, export = surrounded
    run, audio = Run.open(folder), speech(1, rate=rate, seed=1)
    audio = audio if channels == 1 else np.stack([audio] * channels, axis=1)
    segments = [(round(a * rate / 16000), round(b * rate / 16000)) for a, b in SEGMENTS]
    found = zoo.classify(folder, audio, rate, segments, top_k=48)
    scores = np.array(scores_of(found, run.classes))
    if rate == 16000:
        inputs = run.frontend.of_recording(audio, segments)
        np.testing.assert_allclose(scores, run.model.predict(inputs, verbose=0), atol=1e-5)
    exported = tf.saved_model.load(str(export / "1"))
    starts, ends = in_seconds(segments, rate).astype("float32")
    answer = exported.signatures["segments"](
        wav=tf.constant(wav(audio, rate)), starts=tf.constant(starts), ends=tf.constant(ends)
    )
    np.testing.assert_allclose(answer["probabilities"], scores, atol=2e-3)
    again = zoo.classify(export, audio, rate, segments, top_k=48)
    np.testing.assert_allclose(scores_of(again, run.classes), scores, atol=1e-4)
    # What lies beside a segment is part of the answer.
    start, end = segments[1]
    alone = zoo.classify(folder, audio[start:end], rate, top_k=48)
    assert np.abs(np.array(scores_of(alone, run.classes)) - scores[1]).max() > 0.01


def test_a_lone_segment_is_marked_by_what_is_heard(surrounded):
    import tensorflow as tf

    folder, export = surrounded
    run, audio = Run.open(folder), speech(0.1, seed=3)
    expected = run.model.predict(run.frontend.examples([audio]), verbose=0)
    exported = tf.saved_model.load(str(export / "1"))
    answer = exported.signatures["waveform"](waveform=tf.constant(audio[None]))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-4)
    answer = exported.signatures["wav_bytes"](wav=tf.constant([wav(audio)]))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-3)
