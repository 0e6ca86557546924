"""Reading WAV files inside a graph, with core operations only.

TensorFlow's own DecodeWav refuses WAVE_FORMAT_EXTENSIBLE headers and streamed files, and gives no
sample rate that a batch could be resampled by; its errors speak of bytes, not of files.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.data.corpora.containers import AFTER_SAMPLES, is_placeholder
from zoo.given_audio import MAX_CHANNELS
from zoo.ops.resampling import MAX_RATE, resample_to_length

MAX_SECONDS = 60
"""Longest WAV file that is taken as one segment."""

MAX_TRANSCRIBE_SECONDS = 600
"""Longest WAV file that is taken as a recording, to be transcribed or cut into segments."""

MIN_RATE = 1_000
"""Lowest sample rate of a WAV file, in Hz; less is a damaged header."""

MAX_CHUNKS = 256
"""Chunks that are looked through for the samples."""

_EXTENSIBLE = 0xFFFE
_FORMATS = {2: "ADPCM", 3: "floating-point", 6: "A-law", 7: "mu-law", 17: "ADPCM", 85: "MP3"}


def _number(text: bytes) -> int:
    return int.from_bytes(text, "little")


def _header(contents):
    """Fields of a WAV file's header, int64 scalars; zero where the file is too short for them."""
    size = tf.cast(tf.strings.length(contents), tf.int64)

    def read(position, width):
        # Beyond the end there are zeros; the caller decides whether that is an error.
        text = tf.strings.substr(contents, tf.clip_by_value(position, 0, size), width)
        octets = tf.io.decode_raw(tf.strings.join([text, b"\0" * width]), tf.uint8)
        weights = tf.constant([256**i for i in range(width)], tf.int64)
        return tf.reduce_sum(tf.cast(octets[:width], tf.int64) * weights)

    def step(position, fmt, fmt_size, data, data_size):
        name, length = read(position, 4), read(position + 4, 4)
        is_fmt = tf.logical_and(name == _number(b"fmt "), fmt < 0)
        is_data = name == _number(b"data")
        return (
            position + 8 + length + length % 2,
            tf.where(is_fmt, position + 8, fmt),
            tf.where(is_fmt, length, fmt_size),
            tf.where(is_data, position + 8, data),
            tf.where(is_data, length, data_size),
        )

    def more(position, fmt, fmt_size, data, data_size):
        return (position + 8 <= size) & (data < 0)

    start = [tf.constant(v, tf.int64) for v in (12, -1, 0, -1, 0)]
    _, fmt, fmt_size, data, data_size = tf.while_loop(
        more, step, start, maximum_iterations=MAX_CHUNKS
    )
    tag = read(fmt, 2)
    # The first two bytes of an extensible header's sub-format are the plain tag.
    extensible = (tag == _EXTENSIBLE) & (fmt_size >= 40)
    after = read(data, 4)
    empty = (data_size == 0) & tf.reduce_any([after == _number(name) for name in AFTER_SAMPLES])
    unknown = (data >= 0) & is_placeholder(data_size) & ~empty
    return {
        "size": size,
        "riff": (read(tf.constant(0, tf.int64), 4) == _number(b"RIFF"))
        & (read(tf.constant(8, tf.int64), 4) == _number(b"WAVE")),
        "fmt": fmt,
        "fmt_size": fmt_size,
        "data": data,
        "data_size": tf.where(unknown, size - data, data_size),
        "tag": tf.where(extensible, read(fmt + 24, 2), tag),
        "channels": read(fmt + 2, 2),
        "rate": read(fmt + 4, 4),
        "block": read(fmt + 12, 2),
        "bits": read(fmt + 14, 2),
    }


def _problem(header, longest: int, instead: str):
    """What is wrong with a WAV file, a string scalar; empty if nothing is.

    Args:
        header: header of the file.
        longest: seconds that it may last.
        instead: what to send in place of a longer one.
    """
    expected = "; a RIFF/WAVE file of 16-bit PCM is expected"
    frames = header["data_size"] // tf.maximum(header["block"], 1)

    def text(*parts):
        return tf.strings.join(
            [p if isinstance(p, str) else tf.strings.as_string(p) for p in parts]
        )

    begun = header["fmt"] + tf.minimum(header["fmt_size"], 16)
    ends_early = (header["size"] < 36) & ((header["fmt"] < 0) | (begun > header["size"]))
    kind = text("samples in format ", header["tag"])
    for tag, name in _FORMATS.items():
        kind = tf.where(header["tag"] == tag, f"{name} samples", kind)
    checks = [
        (header["size"] == 0, text("the file is empty", expected)),
        (~header["riff"], text("the file does not begin with RIFF and WAVE", expected)),
        (ends_early, text("the file is truncated: it ends within its header", expected)),
        (header["fmt"] < 0, text("the file has no fmt chunk before its samples", expected)),
        (header["fmt_size"] < 16, text("the fmt chunk is too short", expected)),
        (header["tag"] != 1, text("the file holds ", kind, expected)),
        (header["bits"] != 16, text("the file holds ", header["bits"], "-bit samples", expected)),
        (
            (header["channels"] < 1) | (header["channels"] > MAX_CHANNELS),
            text(
                "the header says ", header["channels"], f" channels; 1 to {MAX_CHANNELS} are read"
            ),
        ),
        (
            header["block"] != 2 * header["channels"],
            text("the header contradicts itself", expected),
        ),
        (
            (header["rate"] < MIN_RATE) | (header["rate"] > MAX_RATE),
            text("the sample rate is ", header["rate"], f" Hz; {MIN_RATE} to {MAX_RATE} is read"),
        ),
        (header["data"] < 0, text("the file is truncated: it has no data chunk", expected)),
        (
            header["data"] + header["data_size"] > header["size"],
            text(
                "the file is truncated: its header promises ",
                header["data_size"],
                " bytes of samples, there are ",
                header["size"] - header["data"],
            ),
        ),
        (frames < 1, text("the file holds no samples", expected)),
        (
            frames > longest * header["rate"],
            text("the file lasts more than ", f"{longest} s; send {instead}"),
        ),
    ]
    wrong = tf.stack([condition for condition, _ in checks] + [tf.constant(True)])
    messages = tf.stack([message for _, message in checks] + [tf.constant("")])
    return messages[tf.argmax(tf.cast(wrong, tf.int32))]


def read_samples(contents):
    """All samples (n,) float32 of one of `checked_recordings`, channels averaged; their rate."""
    return _samples(contents, _header(contents))


def _samples(contents, header):
    samples = header["data_size"] // header["block"] * header["block"]
    octets = tf.strings.substr(contents, header["data"], samples)
    pcm = tf.cast(tf.io.decode_raw(octets, tf.int16, little_endian=True), tf.float32) / 32768.0
    mono = tf.reduce_mean(tf.reshape(pcm, [-1, tf.cast(header["channels"], tf.int32)]), axis=1)
    return mono, tf.cast(header["rate"], tf.int32)


def _decode(contents, sample_rate: int, length: int):
    """One file's contents -> its waveform (length,) at `sample_rate`, and what is wrong with it."""
    header = _header(contents)
    problem = _problem(header, MAX_SECONDS, "one segment of speech")

    def good():
        mono, rate = _samples(contents, header)
        return tf.ensure_shape(resample_to_length(mono, rate, sample_rate, length), [length])

    return tf.cond(tf.equal(problem, ""), good, lambda: tf.zeros([length])), problem


def decode_wavs(wav, sample_rate: int, length: int):
    """Contents of WAV files (N,) -> waveforms (N, length) float32 at `sample_rate`.

    Files are 16-bit PCM (plain or extensible header), of any rate from `MIN_RATE` to
    `zoo.ops.resampling.MAX_RATE` and up to `zoo.given_audio.MAX_CHANNELS` channels, which are
    averaged; further chunks are skipped, and a streamed file's placeholder size is understood.

    Raises:
        InvalidArgumentError (when the graph runs): a file is anything else; the message names
            the row and says what is wrong.
    """
    waveforms, problems = tf.map_fn(
        lambda contents: _decode(contents, sample_rate, length),
        wav,
        fn_output_signature=(tf.TensorSpec([length], tf.float32), tf.TensorSpec([], tf.string)),
    )
    return _refusing(waveforms, problems)


def checked_recordings(wav):
    """Contents of WAV files (N,), each of a recording of up to `MAX_TRANSCRIBE_SECONDS`.

    Raises:
        InvalidArgumentError (when the graph runs): as in `decode_wavs`.
    """
    problems = tf.map_fn(
        lambda contents: _problem(_header(contents), MAX_TRANSCRIBE_SECONDS, "it in parts"),
        wav,
        fn_output_signature=tf.TensorSpec([], tf.string),
    )
    return _refusing(wav, problems)


def _refusing(x, problems):
    """`x` where none of `problems` (N,), one a file, is there; else an error with the first."""
    # An empty batch has no row to name, hence the sentinel.
    problems = tf.concat([problems, [""]], axis=0)
    row = tf.argmax(tf.cast(problems != "", tf.int32))
    message = tf.strings.join(["wav[", tf.strings.as_string(row), "]: ", problems[row]])
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_all(tf.equal(problems, "")), [message])]
    ):
        return tf.identity(x)
