"""Segments that are prepared with what surrounds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests.helpers.runs import recording
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import Prepared, prepare
from zoo.data.corpora.audio import read_audio
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import Frontend, place
from zoo.data.features.surroundings import first_sample, heard, marks
from zoo.data.sets.augmentation import Augmenter
from zoo.files import make_folder
from zoo.runs import Run
from zoo.training.pretrained import Pretrained

CONTEXT = 0.1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=2, test=1, sentences=("SX1",))


@pytest.fixture(scope="module", params=["set", "recording"])
def surrounded(request, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("set") / request.param
    options = {"representation": "log_mel", "normalize": request.param, "too_long": "crop"}
    return prepare(corpus, out, context=CONTEXT, **options)


@settings(deadline=None)
@given(
    start=st.integers(0, 200),
    duration=st.integers(1, 120),
    length=st.integers(1, 100),
)
def test_windows_have_their_segment_where_it_is_placed_alone(start, duration, length):
    x = np.arange(1, 400, dtype="float32")
    first = first_sample(start, start + duration, length)
    window = np.array([x[i] if 0 <= i < len(x) else 0 for i in range(first, first + length)])
    alone = place(x[start : start + duration], length)
    np.testing.assert_array_equal(window[alone > 0], alone[alone > 0])


@settings(deadline=None)
@given(
    start=st.integers(-30, 60),
    duration=st.integers(1, 80),
    frame=st.integers(2, 12),
    hop=st.integers(1, 10),
)
def test_marks_are_the_share_of_samples_of_each_hop(start, duration, frame, hop):
    found = marks(np.array([start]), np.array([start + duration]), 9, 2 * frame, 2 * hop)[0]
    for i, share in enumerate(found):
        begin = 2 * hop * i + frame - hop  # the hop around the centre of the frame
        inside = sum(start <= sample < start + duration for sample in range(begin, begin + 2 * hop))
        assert share == pytest.approx(inside / (2 * hop), abs=1e-6)


def test_what_is_heard_lies_between_the_zeros():
    x = np.zeros((3, 10), "float32")
    x[0, 2:5], x[1, 0], x[1, 9] = 1, 1, -1
    first, last = heard(x)
    np.testing.assert_array_equal(first, [2, 0, 0])
    np.testing.assert_array_equal(last, [5, 10, 10])


def test_an_example_is_a_window_of_its_recording_and_marks(surrounded, corpus):
    frontend = surrounded.frontend
    assert frontend.context == round(CONTEXT * 16000)
    assert surrounded.shape[-1] == 2
    rows, x = surrounded.segments("train"), surrounded.features("train")
    path = next(p for p in corpus.rglob("*.WAV") if p.parent.name == rows[0].speaker.upper())
    samples, _ = read_audio(path)
    own = [n for n, row in enumerate(rows) if row.speaker == rows[0].speaker]
    samples = samples / np.abs(samples).max()
    whole = frontend.frames_of(samples)
    for n in own[:6]:
        start, end = int(rows[n].start), int(rows[n].end)
        first = start - (frontend.length - (end - start)) // 2
        window = np.zeros(frontend.length, "float32")
        for i in range(frontend.length):
            if 0 <= first + i < len(samples):
                window[i] = samples[first + i]
        expected = frontend.analysed(window[None])[0]
        if frontend.by_recording:
            found = frontend.statistics(whole)
            expected = (expected - found.mean) / found.deviation
        np.testing.assert_allclose(x[n][..., :1] + surrounded.mean[..., :1], expected, atol=1e-3)
        covered = x[n][..., 1].sum(axis=1) * frontend.hop
        np.testing.assert_allclose(covered, min(end - start, frontend.length), atol=frontend.hop)
    assert (surrounded.mean[..., 1] == 0).all()


def test_python_makes_the_same_inputs_of_a_recording(surrounded, corpus):
    rows, x = surrounded.segments("train"), surrounded.features("train")
    path = next(p for p in corpus.rglob("*.WAV") if p.parent.name == rows[0].speaker.upper())
    samples, _ = read_audio(path)
    own = np.flatnonzero(rows.speaker == rows[0].speaker)
    segments = [(int(rows[n].start), int(rows[n].end)) for n in own]
    found = surrounded.frontend.of_recording(samples, segments)
    np.testing.assert_allclose(found, x[own], atol=1e-4)


def test_surroundings_do_not_change_which_segments_are_kept(surrounded, corpus, tmp_path):
    alone = prepare(corpus, tmp_path / "alone", representation="log_mel", too_long="crop")
    assert (
        surrounded.manifest["splits"]["train"]["per_class"]
        == (alone.manifest["splits"]["train"]["per_class"])
    )
    assert surrounded.frontend.length == alone.frontend.length + 2 * surrounded.frontend.context


def test_other_sets_are_prepared_like_it(surrounded, corpus, tmp_path):
    like = prepare(corpus, tmp_path / "like", like=surrounded.path, too_long="crop")
    assert like.frontend.fingerprint == surrounded.frontend.fingerprint
    np.testing.assert_array_equal(like.features("test")[:], surrounded.features("test")[:])


def test_sets_without_surroundings_are_recorded_as_before(corpus, tmp_path):
    alone = prepare(corpus, tmp_path / "alone")
    assert "context" not in alone.manifest["settings"]
    assert "context" not in alone.frontend.settings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--length", "any"], "--context requires segments of one length, made of frames"),
        (["--representation", "waveform"], "--context requires segments"),
        (["--examples", "frames"], "leave --context out"),
        (["--context", "9"], "0 to 5"),
    ],
)
def test_what_does_not_go_with_surroundings_is_refused(corpus, tmp_path, capsys, words, message):
    out = tmp_path / "out"
    assert main(["prepare", str(corpus), str(out), "--context", "0.1", *words]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_augmentation_moves_marks_with_speech_and_masks_none(surrounded):
    frontend = surrounded.frontend
    shape = (64, *surrounded.shape)
    x = np.zeros(shape, "float32")
    x[:, :, 10:20, :] = 1
    for text in ("shift=4", "tempo=0.3"):
        changed, _ = Augmenter(text, frontend, 48)(
            x - frontend.mean, np.zeros(64, int), epoch=0, batch=0
        )
        changed = changed + frontend.mean
        np.testing.assert_allclose(changed[..., 0], changed[..., 1], atol=1e-5)
        assert not np.array_equal(changed, x)
    masked, _ = Augmenter("mask=0.9,pitch=0.2", frontend, 48)(x, np.zeros(64, int), 0, 0)
    np.testing.assert_array_equal(masked[..., 1], x[..., 1])


@settings(deadline=None)
@given(factor=st.floats(0.01, 1), frames=st.integers(2, 30))
def test_tempo_stretches_about_the_middle(factor, frames):
    from zoo.data.sets.augmentation import tempo

    ramp = np.arange(frames, dtype="float32")[None, None, :, None]
    found = tempo(ramp, factor, np.random.default_rng(3))[0, 0, :, 0]
    stretch = np.exp(np.random.default_rng(3).uniform(-1, 1, 1) * np.log1p(factor))[0]
    middle = (frames - 1) / 2
    expected = np.clip(middle + (np.arange(frames) - middle) / stretch, 0, frames - 1)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_lone_segments_are_marked_where_they_are_heard():
    settings = representation_settings("log_mel", 0)
    shape = (40, 30, 2)
    frontend = Frontend(
        16000, 147 * 30 + 120, "file", settings, np.zeros(shape, "float32"), context=1000
    )
    assert frontend.shape == shape
    x = frontend.examples([recording(1470), recording(2940)])
    assert x.shape == (2, *shape)
    np.testing.assert_allclose(x[..., 1].sum(axis=2)[:, 0], [10, 20], atol=0.1)


def test_a_set_can_be_read_again(surrounded):
    again = Prepared(surrounded.path)
    assert again.frontend.context == surrounded.frontend.context
    assert again.verify() == []


def test_segments_with_a_hop_have_the_frames_of_recordings_and_start_from_their_encoders(
    corpus, tmp_path
):
    options = {"representation": "log_mel", "normalize": "recording", "hop": 5}
    recordings = prepare(corpus, tmp_path / "recordings", examples="frames", **options)
    segments = prepare(
        corpus, tmp_path / "segments", length=2000, too_long="crop", context=CONTEXT, **options
    )
    assert segments.frontend.representation == recordings.frontend.representation
    # 2000 samples and 0.1 s on either side; frames of 25 ms, 5 ms apart.
    assert segments.shape == (40, 1 + (2000 + 2 * 1600 - 400) // 80, 2)
    alike = prepare(corpus, tmp_path / "alike", like=segments.path, too_long="crop")
    assert alike.frontend.fingerprint == segments.frontend.fingerprint

    recognizer = zoo.build("tdnn", input_shape=recordings.shape)
    run = Run(make_folder(tmp_path / "run"))
    run.history = {"loss": [1.0]}
    run.record({"model": "tdnn", "classes": list(recordings.classes)}, recordings.frontend)
    run.finish(recognizer)
    network = zoo.build("tdnn_segments", input_shape=segments.shape, mark=True)
    copied = Pretrained.of(str(run.path), "tdnn_segments", segments).into(network)
    assert copied
    for layer in copied:
        for ours, theirs in zip(
            network.get_layer(layer).weights, recognizer.get_layer(layer).weights, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
