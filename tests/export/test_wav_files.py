"""WAV files as they come: what the `wav_bytes` signature takes, and what it says of the rest."""

import functools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests.helpers.lengths import PLACEHOLDERS
from tests.helpers.runs import bad_wavs, fmt, recording, riff, wav
from zoo.data.corpora.audio import read_audio
from zoo.errors import UsageError

BAD = bad_wavs()


@pytest.fixture(scope="module")
def answer(exported):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(exported / "1"))

    def call(*files):
        return loaded.signatures["wav_bytes"](wav=tf.constant(list(files), tf.string))

    return call


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_same_answer_as_from_the_samples(answer, run, rate, channels):
    audio = recording(int(0.13 * rate), channels)
    heard = answer(wav(audio, rate))["probabilities"].numpy()[0]
    (expected,) = zoo.classify(run, audio, rate, top_k=48)
    order = np.argsort(-heard, kind="stable")
    np.testing.assert_allclose(heard[order], expected.scores, atol=1e-4)


def test_rows_of_a_batch_do_not_touch_each_other(answer):
    files = [wav(recording(n, seed=n), rate) for n, rate in ((900, 8000), (9000, 44100))]
    together = answer(*files)["probabilities"]
    alone = np.concatenate([answer(file)["probabilities"] for file in files])
    np.testing.assert_allclose(together, alone, atol=1e-6)


PCM = (recording(2000) * 32768).astype("<i2").tobytes()
EXTENSIBLE = (
    struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16000, 32000, 2, 16, 22, 16, 4)
    + struct.pack("<H", 1)
    + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
)


@pytest.mark.parametrize(
    "contents",
    [
        riff((b"fmt ", fmt() + b"\0\0"), (b"data", PCM)),
        riff((b"fmt ", EXTENSIBLE), (b"data", PCM)),
        riff((b"LIST", b"odd"), (b"fmt ", fmt()), (b"fact", b"1234"), (b"data", PCM)),
        riff((b"fmt ", fmt()), (b"data", PCM), (b"LIST", b"INFO")),
        riff((b"fmt ", fmt()), (b"data", PCM + b"x")),
        *(riff((b"fmt ", fmt()), (b"data", PCM, size)) for size in PLACEHOLDERS),
    ],
    ids=["long fmt", "extensible", "before", "after", "odd byte", *map(hex, PLACEHOLDERS)],
)
def test_headers_that_other_programs_write(answer, contents):
    plain = answer(riff((b"fmt ", fmt()), (b"data", PCM)))["probabilities"]
    np.testing.assert_allclose(answer(contents)["probabilities"], plain, atol=1e-6)


@pytest.mark.parametrize("name", BAD)
def test_each_bad_file_is_named_with_its_row(answer, name):
    import tensorflow as tf

    contents, message = BAD[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        answer(wav(recording(500)), contents)
    assert "wav[1]: " in str(caught.value)
    assert message in str(caught.value)


def test_an_empty_batch_is_refused(answer):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match="wav is empty"):
        answer()


def test_any_bytes_get_an_answer_or_a_sentence(answer):
    """Damaged headers must not read outside the file or loop for ever."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    good = wav(recording(300))
    for _ in range(150):
        damaged = bytearray(good[: rng.integers(1, len(good))])
        for position in rng.integers(0, min(48, len(damaged)), 2):
            damaged[position] = rng.integers(256)
        message = ""
        try:
            probabilities = answer(bytes(damaged))["probabilities"].numpy()
        except tf.errors.InvalidArgumentError as error:
            message = str(error)
        assert "wav[0]: " in message or np.isfinite(probabilities).all()


@given(
    st.sampled_from(PLACEHOLDERS) | st.integers(0, 5000) | st.integers(0, 2**32 - 1),
    st.sampled_from([b"", b"LIST\4\0\0\0INFO", b"id3 \2\0\0\0ab", b"\1\2\3\4"]),
    st.integers(0, 2000),
)
@settings(max_examples=60, deadline=None)
def test_an_export_and_the_reader_hear_the_same_of_any_stated_size(
    tmp_path_factory, size, after, samples
):
    import tensorflow as tf

    path = tmp_path_factory.mktemp("sizes") / "a.wav"
    path.write_bytes(riff((b"fmt ", fmt()), (b"data", PCM[: 2 * samples] + after, size)))
    try:
        expected = read_audio(path)[0]
    except UsageError as error:
        refused = "truncated" if "truncated" in str(error) else "no samples"
        with pytest.raises(tf.errors.InvalidArgumentError, match=refused):
            in_a_graph()(tf.constant([path.read_bytes()]))
        return
    np.testing.assert_array_equal(in_a_graph()(tf.constant([path.read_bytes()])), expected)


@functools.lru_cache(maxsize=1)
def in_a_graph():
    """What reads the one WAV file of a batch as exported models do."""
    import tensorflow as tf

    from export.wav import checked_recordings, read_samples

    read = tf.function(lambda wav: read_samples(checked_recordings(wav)[0])[0])
    return read.get_concrete_function(tf.TensorSpec([1], tf.string))
