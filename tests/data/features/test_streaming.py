"""Recordings that come in pieces give what they give as a whole."""

import numpy as np
import pytest

from tests.helpers.runs import recording, wav
from zoo.data.corpora.audio import AudioFile, read_audio, resample, resample_blocks
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import LEVELS, Frontend, level_file
from zoo.data.features.normalization import NORMALIZATIONS
from zoo.data.features.streaming import Loudness, Samples, frames_of_pieces, segments_of
from zoo.errors import UsageError

NO_MEAN = np.zeros((1, 1, 1), "float32")


def pieces(samples, length):
    return [samples[i : i + length] for i in range(0, len(samples), length)]


class Pieces(Samples):
    """A recording in pieces of a length; counts how often all of it is read."""

    def __init__(self, samples, length):
        super().__init__(samples)
        self.parts, self.passes = pieces(samples, length), 0

    def pieces(self):
        self.passes += 1
        yield from self.parts


def front_end(name="log_mel", deltas=0, level="none", **arguments):
    arguments = {"hop_length": 160, "frame_length": 400, **arguments}
    settings = representation_settings(name, deltas, **arguments)
    return Frontend(16000, None, level, settings, NO_MEAN, normalize="recording", whole=True)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 37, 5000, 100_003])
@pytest.mark.parametrize("length", [1000, 4096, 200_000])
def test_resampled_blocks_are_the_resampled_whole(rate, samples, length):
    x = recording(samples)
    blocks = list(resample_blocks(pieces(x, length), rate, 16000))
    np.testing.assert_array_equal(np.concatenate(blocks), resample(x, rate, 16000))


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 320, 1600, 16_001, 48_000])
@pytest.mark.parametrize("length", [7, 1000, 100_000])
@pytest.mark.parametrize("frames", [1, 13, 5000])
def test_frames_are_those_of_one_pass(samples, length, frames):
    if length == 7 and samples > 1600:
        length = 701
    frontend, x = front_end(), recording(samples)
    blocks = list(frames_of_pieces(frontend, pieces(x, length), frames))
    assert all(block.shape[1] == frames for block in blocks[:-1])
    expected = frontend.frames_of(x)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("deltas", [1, 2])
@pytest.mark.parametrize("samples", [1, 500, 16_001])
@pytest.mark.parametrize("frames", [1, 3, 20])
def test_slopes_are_those_of_one_pass(deltas, samples, frames):
    frontend, x = front_end(deltas=deltas), recording(samples)
    blocks = list(frames_of_pieces(frontend, pieces(x, 1000), frames))
    expected = frontend.frames_of(x)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "mfcc"},
        {"name": "magnitude_phase"},
        {"name": "log_mel", "hop_length": 147, "frame_length": 267},
        {"name": "frames", "hop_length": 160, "frame_length": 161},
    ],
)
def test_every_framing_is_that_of_one_pass(arguments):
    frontend, x = front_end(**arguments), recording(9999)
    blocks = list(frames_of_pieces(frontend, pieces(x, 1234), 11))
    expected = frontend.frames_of(x)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("samples", [100, 400, 401, 5000, 40_003])
@pytest.mark.parametrize(("length", "frames"), [(1000, 7), (100_000, 4096)])
@pytest.mark.parametrize("whole", [False, True])
def test_segments_are_those_of_one_pass(level, samples, length, frames, whole):
    settings = representation_settings("log_mel", 1, hop_length=160, frame_length=400)
    mean = np.full((1, 1, 1), 0.5, "float32")
    frontend = Frontend(16000, 2000, level, settings, mean, normalize="recording", whole=whole)
    x = recording(samples)
    segments = [(0, samples), (samples // 3, samples // 2 + 1), (samples - 1, samples)]
    found = list(segments_of(frontend, Pieces(x, length), segments, frames=frames, count=2))
    assert [len(batch) for batch in found] == [2, 1]
    expected = frontend.of_recording(x, segments)
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_surroundings_are_those_of_one_pass(level, normalize):
    settings = representation_settings("log_mel", 1, hop_length=160, frame_length=400)
    mean = np.full((1, 1, 1), 0.5, "float32")
    frontend = Frontend(16000, 3600, level, settings, mean, normalize=normalize, context=800)
    x = recording(9000)
    segments = [(0, 10), (700, 1900), (5000, 9000)]
    (found,) = segments_of(frontend, Pieces(x, 500), segments)
    np.testing.assert_allclose(found, frontend.of_recording(x, segments), atol=1e-4)


@pytest.mark.parametrize(
    ("level", "normalize", "passes"),
    [
        ("none", "set", 0),
        ("segment-rms", "set", 0),
        ("segment", "recording", 1),
        ("file", "set", 1),
        ("file-rms", "recording", 2),
    ],
)
def test_all_of_a_recording_is_read_only_for_its_level_and_statistics(level, normalize, passes):
    settings = representation_settings("log_mel", 1, hop_length=160, frame_length=400)
    mean = np.zeros((1, 1, 1), "float32")
    frontend = Frontend(16000, 3600, level, settings, mean, normalize=normalize, context=800)
    source = Pieces(recording(9000), 500)
    list(segments_of(frontend, source, [(700, 1900)]))
    assert source.passes == passes


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("lead", [0, 700])
def test_levels_are_those_of_the_whole_file(level, lead):
    x = np.concatenate([np.zeros(lead, "float32"), recording(3000) / 7, np.zeros(300, "float32")])
    heard = Loudness()
    list(heard.listening(pieces(x, 256)))
    levelled = np.concatenate([heard.levelled(piece, level) for piece in pieces(x, 256)])
    np.testing.assert_allclose(levelled, level_file(x, level), rtol=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_silence_has_no_level(level):
    heard = Loudness()
    heard.add(np.zeros(100, "float32"))
    assert heard.first is None
    np.testing.assert_array_equal(heard.levelled(np.zeros(5, "float32"), level), np.zeros(5))


def test_a_reader_that_stops_early_leaves_no_thread_at_work():
    import threading

    before = threading.active_count()
    blocks = frames_of_pieces(front_end(), pieces(recording(160_000), 16_000), 10)
    next(blocks)
    blocks.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_in_blocks_is_the_file_read_at_once(tmp_path, kind, channels):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(wav(recording(30_000, channels), kind=kind, subtype=None))
    file = AudioFile(path)
    blocks = list(file.blocks(4096))
    samples, rate = read_audio(path)
    # Decoders of MP3 round otherwise when they begin a block.
    np.testing.assert_allclose(np.concatenate(blocks), samples, rtol=0, atol=1e-6)
    assert (file.rate, file.channels, file.frames) == (rate, channels, len(samples))
    assert all(len(block) == 4096 for block in blocks[:-1])


def test_a_block_that_is_not_finite_is_refused(tmp_path):
    x = recording(30_000)
    x[20_000] = np.inf
    (tmp_path / "a.wav").write_bytes(wav(x, subtype="FLOAT"))
    blocks = AudioFile(tmp_path / "a.wav").blocks(4096)
    next(blocks)
    with pytest.raises(UsageError, match="holds samples that are not finite"):
        list(blocks)
