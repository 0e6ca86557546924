"""Decoding recordings inside `tf.data`, by tensorflow-io: WAV, FLAC, Ogg Vorbis and MP3.

For an input pipeline that must stay one TensorFlow graph, and for files behind a file system that
TensorFlow reads (tensorflow-io adds `s3://`, `http://` and others). Everything else in the zoo
decodes with soundfile and needs none of this.

tensorflow-io's last release requires TensorFlow 2.16, so this module needs a separate environment
(the extra `io`).

Example:
    >>> from zoo.data.corpora import tfio
    >>> for path, samples in tfio.audio_dataset("recordings/*.flac", sample_rate=16000):
    ...     print(path.numpy(), samples.shape)
    b'recordings/one.flac' (16000,)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from zoo.errors import UsageError
from zoo.extras import installed, require

TENSORFLOW = "2.16"
PYTHONS = "3.11 and 3.12"

# Enough for any fixed header read here; a shorter recording is padded with zeros up to it.
_HEAD = 64
# Encoders leave less than this between an ID3 tag and the first frame.
_MP3_SEARCH = 8192
_MP3_RATES = [44100, 48000, 32000]


def decode_audio(path_or_bytes: Any, sample_rate: int = 16000) -> Any:
    """Decode one recording to mono samples, in graph or eager mode.

    Channels are averaged. Samples lie in [-1, 1], the same as soundfile's. Where the file's rate is
    another, the whole recording is resampled by Fourier transform, without delay; soxr, which the
    rest of the zoo uses, cannot run in a graph.

    Args:
        path_or_bytes: scalar string tensor (or str, bytes): a path, or a file's content. The two
            are told apart by the format's first bytes, which no path starts with.
        sample_rate: rate of the result in Hz.

    Returns:
        float32 tensor of shape (samples,).

    Raises:
        UsageError: tensorflow-io is missing or cannot work with this TensorFlow.
        tf.errors.InvalidArgumentError: not WAV (8 to 32 bits), FLAC, Ogg Vorbis or MP3.
        tf.errors.NotFoundError: no such file.
    """
    tf, io = _load()
    _check_rate(sample_rate)
    given = tf.convert_to_tensor(path_or_bytes, tf.string)
    if given.shape.rank != 0:
        raise UsageError(
            f"decode_audio takes one path or one file's bytes, a scalar string; received a tensor "
            f"of shape {given.shape}: map it over a tf.data.Dataset instead."
        )
    content = tf.cond(
        tf.reduce_any(list(_formats(tf, _bytes(tf, given, 0, _HEAD)).values())),
        lambda: given,
        lambda: tf.io.read_file(given),
    )
    head = _bytes(tf, content, 0, _HEAD)
    formats = _formats(tf, head)
    # The message must not carry a file's whole content where bytes were given.
    refused = "neither WAV, FLAC, Ogg Vorbis nor MP3:"
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_any(list(formats.values())), [refused, _name(tf, given)])]
    ):
        content = tf.identity(content)

    samples, rate = tf.case(
        [
            (formats["wav"], lambda: _wav(tf, io, content)),
            (formats["flac"], lambda: _flac(tf, io, content, head)),
            (formats["ogg"], lambda: _ogg(tf, io, content, head)),
        ],
        default=lambda: _mp3(tf, io, content),
    )
    mono = tf.reduce_mean(samples, axis=1)
    resampled = tf.cond(
        tf.equal(rate, sample_rate),
        lambda: mono,
        lambda: _resample(tf, mono, rate, tf.constant(sample_rate, tf.int64)),
    )
    return tf.ensure_shape(resampled, [None])


def audio_dataset(pattern_or_paths: Any, sample_rate: int = 16000) -> Any:
    """A `tf.data.Dataset` of (path, samples), decoded in the graph, several files at a time.

    Args:
        pattern_or_paths: a glob pattern, one path, or several paths; the order is kept (a pattern
            gives sorted paths).
        sample_rate: rate of the samples in Hz.

    Returns:
        Dataset of (string scalar, float32 tensor of shape (samples,)).

    Raises:
        UsageError: nothing matches, or tensorflow-io is missing.
    """
    tf, _ = _load()
    _check_rate(sample_rate)
    if isinstance(pattern_or_paths, str | os.PathLike):
        pattern = os.fspath(pattern_or_paths)
        paths = sorted(tf.io.gfile.glob(pattern))
        if not paths:
            raise UsageError(f"No recording matches {pattern!r}; give a path or a glob pattern.")
    elif isinstance(pattern_or_paths, Iterable):
        paths = [os.fspath(path) for path in pattern_or_paths]
        if not paths:
            raise UsageError("audio_dataset received an empty list of paths.")
    else:
        raise UsageError(
            f"audio_dataset takes a pattern or paths; received {type(pattern_or_paths).__name__}."
        )
    return tf.data.Dataset.from_tensor_slices(paths).map(
        lambda path: (path, decode_audio(path, sample_rate)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _check_rate(sample_rate: int) -> None:
    if not isinstance(sample_rate, int) or sample_rate <= 0:
        raise UsageError(f"sample_rate is a positive whole number of Hz; received {sample_rate!r}.")


def _load() -> tuple[Any, Any]:
    """TensorFlow and tensorflow-io, or a UsageError that says what would work."""
    require("io", "zoo.data.tfio", ("tensorflow",))
    import tensorflow as tf

    python = ".".join(map(str, sys.version_info[:2]))
    here = f"TensorFlow {tf.__version__} on Python {python}"
    needs = (
        f"tensorflow-io, whose last release works with TensorFlow {TENSORFLOW} on Python {PYTHONS}"
    )
    way_out = "pip install 'phone-zoo[io]' in an environment of its own (`make test-io` makes one)"
    # Checked first: beside another TensorFlow its import succeeds and the first operation fails.
    if not tf.__version__.startswith(f"{TENSORFLOW}."):
        raise UsageError(f"zoo.data.corpora.tfio needs {needs}; here is {here}: {way_out}.")
    if not installed("tensorflow_io"):
        raise UsageError(
            f"zoo.data.corpora.tfio needs {needs}; it is not installed ({here}): {way_out}."
        )
    import tensorflow_io as io

    return tf, io


def _name(tf: Any, given: Any) -> Any:
    return tf.strings.substr(given, 0, tf.minimum(tf.strings.length(given), 200))


def _bytes(tf: Any, content: Any, start: Any, count: int) -> Any:
    """`count` bytes from `start` as int64, zeros past the end."""
    length = tf.strings.length(content)
    # substr refuses a start past the end of an empty or short string
    part = tf.strings.substr(content, tf.minimum(tf.cast(start, tf.int32), length), count)
    values = tf.cast(tf.io.decode_raw(part, tf.uint8), tf.int64)
    return tf.pad(values, [[0, count - tf.shape(values)[0]]])


def _starts(tf: Any, values: Any, text: bytes, at: int = 0) -> Any:
    return tf.reduce_all(tf.equal(values[at : at + len(text)], list(text)))


def _little(tf: Any, values: Any) -> Any:
    """The little-endian number that these bytes spell."""
    weights = [256**power for power in range(int(values.shape[0]))]
    return tf.reduce_sum(values * tf.constant(weights, tf.int64))


def _formats(tf: Any, head: Any) -> dict[str, Any]:
    """Which format the first bytes announce; every test holds a byte that no path contains."""
    id3 = _starts(tf, head, b"ID3") & (head[3] >= 2) & (head[3] <= 4)
    return {
        # four bytes of size lie between the two words, at least one of them unprintable
        "wav": _starts(tf, head, b"RIFF") & _starts(tf, head, b"WAVE", 8),
        "flac": _starts(tf, head, b"fLaC") & (head[4] % 128 == 0),
        "ogg": _starts(tf, head, b"OggS\0"),
        "mp3": id3 | (tf.equal(head[0], 0xFF) & (head[1] >= 0xE0)),
    }


def _resample(tf: Any, samples: Any, rate: Any, target: Any) -> Any:
    """`samples` at the rate `target`.

    tensorflow-io's own resampler delays its output by 32 samples or more, by a fraction of a sample
    at some rates, and loses as many at the end, which would shift every labelled segment.
    """
    _, divisor = tf.while_loop(
        lambda a, _: a > 0, lambda a, b: (b % a, a), [rate, target]
    )  # Euclid's greatest common divisor
    down, up = rate // divisor, target // divisor
    length = tf.size(samples, tf.int64)
    # Silence after the end keeps the transform's wrap-around off the samples, and rounds the length
    # so that both lengths are whole numbers.
    blocks = (length + 1024) // down + 1
    size_in, size_out = blocks * down, blocks * up
    spectrum = tf.signal.rfft(tf.pad(samples, [[0, size_in - length]]))
    kept = tf.minimum(size_in, size_out) // 2 + 1
    # A cosine over the top twentieth of the band: a hard edge would ring for hundreds of samples.
    place = tf.cast(tf.range(kept), tf.float32) / tf.cast(kept, tf.float32)
    taper = 0.5 + 0.5 * tf.cos(3.14159265 * tf.clip_by_value((place - 0.95) / 0.05, 0.0, 1.0))
    spectrum = spectrum[:kept] * tf.cast(taper, tf.complex64)
    spectrum = tf.pad(spectrum, [[0, size_out // 2 + 1 - kept]])
    gain = tf.cast(up, tf.float32) / tf.cast(down, tf.float32)
    result = tf.signal.irfft(spectrum, [tf.cast(size_out, tf.int32)]) * gain
    return result[: (length * up + down // 2) // down]


def _wav(tf: Any, io: Any, content: Any) -> tuple[Any, Any]:
    length = tf.cast(tf.strings.length(content), tf.int64)

    def seeking(at: Any) -> Any:
        return ~_starts(tf, _bytes(tf, content, at, 4), b"fmt ") & (at + 8 < length)

    def following(at: Any) -> Any:
        size = _little(tf, tf.ensure_shape(_bytes(tf, content, at + 4, 4), [4]))
        return [at + 8 + size + size % 2]  # chunks are padded to an even length

    # Recorders put other chunks (JUNK, bext) before the one that describes the samples.
    (at,) = tf.while_loop(seeking, following, [tf.constant(12, tf.int64)])
    fmt = tf.ensure_shape(_bytes(tf, content, at + 8, 40), [40])
    rate, bits = _little(tf, fmt[4:8]), _little(tf, fmt[14:16])
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.reduce_any(tf.equal(bits, [8, 16, 24, 32])) & (rate > 0),
                ["WAV of 8, 16, 24 or 32 bits expected; bits, rate:", bits, rate],
            )
        ]
    ):
        bits = tf.identity(bits)

    kind = tf.where(tf.equal(_little(tf, fmt[0:2]), 0xFFFE), fmt[24], fmt[0])

    def decode(dtype: Any) -> Any:
        return tf.cast(io.audio.decode_wav(content, dtype=dtype), tf.float32)

    def decode_integers() -> Any:
        # The decoder hands 32-bit integers over as floats of the same bits.
        words = tf.bitcast(io.audio.decode_wav(content, dtype=tf.float32), tf.int32)
        return tf.cast(words, tf.float32) / 2.0**31

    samples = tf.case(
        [
            (tf.equal(bits, 8), lambda: (decode(tf.uint8) - 128.0) / 2.0**7),
            (tf.equal(bits, 16), lambda: decode(tf.int16) / 2.0**15),
            # 24 bits arrive in the upper bytes of 32
            (tf.equal(bits, 24), lambda: decode(tf.int32) / 2.0**31),
            (tf.equal(kind, 1), decode_integers),
        ],
        default=lambda: decode(tf.float32),
    )
    return samples, rate


def _flac(tf: Any, io: Any, content: Any, head: Any) -> tuple[Any, Any]:
    # STREAMINFO: 20 bits of rate, 3 of channels, 5 of bits per sample less one
    rate = head[18] * 4096 + head[19] * 16 + head[20] // 16
    bits = (head[20] % 2) * 16 + head[21] // 16 + 1

    def decode(dtype: Any) -> Any:
        return tf.cast(io.audio.decode_flac(content, dtype=dtype), tf.float32)

    samples = tf.case(
        [
            (tf.equal(bits, 8), lambda: (decode(tf.uint8) - 128.0) / 2.0**7),
            (tf.equal(bits, 16), lambda: decode(tf.int16) / 2.0**15),
        ],
        default=lambda: decode(tf.int32) / 2.0**31,
    )
    return samples, rate


def _ogg(tf: Any, io: Any, content: Any, head: Any) -> tuple[Any, Any]:
    packet = _bytes(tf, content, 27 + head[26], 16)  # after the page's segment table
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                _starts(tf, packet, b"\x01vorbis"),
                ["the Ogg file's first stream is not Vorbis (Opus and FLAC in Ogg are not read)"],
            )
        ]
    ):
        rate = _little(tf, tf.ensure_shape(packet, [16])[12:16])
        return io.audio.decode_vorbis(tf.identity(content)), rate


def _mp3(tf: Any, io: Any, content: Any) -> tuple[Any, Any]:
    head = _bytes(tf, content, 0, _HEAD)
    # An ID3 tag's size has seven bits a byte, and leaves out its own ten bytes.
    size = tf.reduce_sum(head[6:10] * tf.constant([2**21, 2**14, 2**7, 1], tf.int64))
    start = tf.where(_starts(tf, head, b"ID3"), size + 10, tf.zeros_like(size))
    window = _bytes(tf, content, start, _MP3_SEARCH)
    first, second, third = window[:-2], window[1:-1], window[2:]
    version, layer, bitrate = second // 8 % 4, second // 2 % 4, third // 16
    frames = (
        tf.equal(first, 0xFF)
        & (second >= 0xE0)
        & (version != 1)
        & tf.equal(layer, 1)
        & (bitrate > 0)
        & (bitrate < 15)
        & (third // 4 % 4 < 3)
    )
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_any(frames), ["no MP3 frame after the file's tag"])]
    ):
        at = tf.argmax(tf.cast(frames, tf.int32))
    rate = tf.gather(tf.constant(_MP3_RATES, tf.int64), third[at] // 4 % 4)
    # MPEG-1 has the table's rates, MPEG-2 half and MPEG-2.5 a quarter of them
    halvings = tf.gather(tf.constant([4, 1, 2, 1], tf.int64), version[at])
    return io.audio.decode_mp3(content), rate // halvings
