"""Recordings with damaged or misleading headers."""

import io
import time

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.corpora.audio import audio_size, read_audio
from zoo.data.corpora.sphere import sphere_bytes
from zoo.errors import UsageError

SAMPLES = np.random.default_rng(0).integers(-3000, 3000, 800).astype("int16")
SPHERE = sphere_bytes(SAMPLES, 16000)


def riff():
    buffer = io.BytesIO()
    soundfile.write(buffer, SAMPLES, 16000, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


RIFF = riff()


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=300),
    st.sampled_from([8000, 11025, 16000, 44100]),
)
def test_a_sphere_file_is_read_back(tmp_path_factory, samples, rate):
    path = tmp_path_factory.mktemp("sph") / "a.WAV"
    path.write_bytes(sphere_bytes(np.array(samples, "int16"), rate))
    read, found = read_audio(path)
    np.testing.assert_array_equal(read * 32768, samples)
    assert found == rate
    assert audio_size(path) == (len(samples), rate)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_are_those_of_libsndfile(tmp_path, container, subtype, channels):
    edges = np.array([-(2**15), -1, 0, 1, 2**15 - 1] * channels, "int16")
    samples = np.concatenate([SAMPLES, edges])[: 800 // channels * channels]
    samples = np.roll(samples, 5).reshape(-1, channels).squeeze()
    path = tmp_path / "recording"
    soundfile.write(path, samples, 16000, subtype=subtype, format=container)
    found, rate = read_audio(path)
    assert (found.dtype, rate) == (np.float32, 16000)
    np.testing.assert_array_equal(found, soundfile.read(path, dtype="float32")[0])


def accepted(path):
    """Whether `path` was read; a refusal must be one clear line."""
    begin = time.perf_counter()
    try:
        samples, rate = read_audio(path)
    except UsageError as refusal:
        assert str(path) in str(refusal)
        assert "\n" not in str(refusal)
        samples = None
    else:
        assert np.isfinite(samples).all()
        assert len(samples)
        assert rate > 0
    assert time.perf_counter() - begin < 5
    return samples is not None


def test_samples_are_found_behind_any_other_chunk(tmp_path):
    """As broadcast files have them, with pictures and logs before the samples."""
    path = tmp_path / "a.wav"
    start = RIFF.index(b"data")
    notes = b"junk" + (100_000).to_bytes(4, "little") + bytes(100_000)
    whole = bytearray(RIFF[:start] + notes + RIFF[start:])
    whole[4:8] = (len(whole) - 8).to_bytes(4, "little")
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_audio(path)[0] * 32768, SAMPLES)
    path.write_bytes(whole[:-100])
    with pytest.raises(UsageError, match="is truncated"):
        read_audio(path)
    path.write_bytes(RIFF[:12] + bytes(2**24))
    assert not accepted(path)


fields = st.sampled_from(
    ["sample_count", "sample_rate", "channel_count", "sample_n_bytes", "sample_byte_format"]
)
values = st.one_of(
    st.integers(-10, 2**70).map(lambda n: f"-i {n}"),
    st.sampled_from(
        ["-s2 10", "-s2 01", "-s99 x", "-i", "", "-r 1e9", "-i 1e3", "-i 9" + "9" * 50]
    ),
    st.text(st.characters(codec="ascii"), max_size=10),
)


@given(st.dictionaries(fields, values, max_size=3))
@settings(max_examples=150)
def test_any_sphere_header_is_read_or_refused(tmp_path_factory, changed):
    lines = []
    for line in SPHERE[:1024].decode().rstrip().splitlines():
        name = line.split(" ")[0]
        lines.append(f"{name} {changed[name]}" if name in changed else line)
    header = ("\n".join(lines) + "\n").encode().ljust(1024)[:1024]
    path = tmp_path_factory.mktemp("sph") / "a.WAV"
    path.write_bytes(header + SPHERE[1024:])
    accepted(path)


@given(
    st.sampled_from([SPHERE, RIFF]),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 2700),
)
@settings(max_examples=300)
def test_any_changed_byte_is_read_or_refused(tmp_path_factory, contents, changes, size):
    damaged = bytearray(contents)
    for place, byte in changes:
        damaged[place] = byte
    path = tmp_path_factory.mktemp("any") / "a.WAV"
    path.write_bytes(bytes(damaged[: size + 1]))
    accepted(path)


@given(st.integers(0, 1599))
@settings(max_examples=30)
def test_a_cut_recording_is_never_read(tmp_path_factory, size):
    for contents in (SPHERE, RIFF):
        path = tmp_path_factory.mktemp("cut") / "a.WAV"
        path.write_bytes(contents[: len(contents) - 1600 + size])
        assert not accepted(path)
