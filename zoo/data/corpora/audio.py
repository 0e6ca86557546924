"""Reading recordings, strictly: what a header promises must be in the file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.errors import UsageError

SAMPLE_RATE = 16000
"""Rate in Hz of TIMIT, and of prepared sets unless another is asked for."""

MAX_SECONDS = 3600.0
"""Longest recording that is read, so that a wrong header cannot ask for all of the memory."""

LONGEST_SECONDS = 24 * MAX_SECONDS
"""Longest recording that is transcribed, of which few blocks are in memory at a time."""

_MAX_CHUNKS = 1000
"""Of a RIFF file, looked at for the one with the samples."""


def _promised_bytes(file: BinaryIO, path: Path) -> int | None:
    """Size that a SPHERE or RIFF file has at the least, by its own header; None if unknown."""
    head = file.read(1024)
    if not head:
        raise UsageError(f"{path} is empty; a recording was expected.")
    if head.startswith(b"NIST_1A\n"):
        fields = {}
        for line in head[16:].split(b"end_head")[0].splitlines():
            words = line.split(None, 2)
            if len(words) == 3:
                fields[words[0]] = words[2].strip()
        coding = fields.get(b"sample_coding", b"pcm")
        if coding != b"pcm":
            raise UsageError(
                f"{path} is compressed ({coding.decode('ascii', 'replace')}); "
                "unpack it to plain PCM first, for example with NIST's w_decode."
            )
        try:
            size = int(fields[b"sample_count"]) * int(fields.get(b"sample_n_bytes", b"2"))
            return int(head[8:16]) + size * int(fields.get(b"channel_count", b"1"))
        except (KeyError, ValueError):
            raise UsageError(
                f"{path} has a SPHERE header without a valid sample_count; "
                "the file is damaged or was cut short."
            ) from None
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        position = 12
        for _ in range(_MAX_CHUNKS):
            file.seek(position)
            chunk = file.read(8)
            size = int.from_bytes(chunk[4:], "little")
            if len(chunk) < 8:
                break
            if chunk[:4] == b"data":
                # Streamed files carry a placeholder in place of the size.
                return None if size in (0, 0xFFFFFFFF) else position + 8 + size
            position += 8 + size + size % 2
    return None


class AudioFile:
    """A recording that is read in blocks: NIST SPHERE, WAV, FLAC, OGG, MP3, what libsndfile reads.

    Args:
        path: of the file.
        longest: seconds that it may last, so that a wrong header cannot ask for all of the memory.

    Attributes:
        path: of the file.
        frames: samples of each channel, as the header has it.
        rate: in Hz.
        channels: how many.

    Raises:
        UsageError: no such file, not audio, truncated, without samples, or too long.
    """

    def __init__(self, path: str | Path, longest: float = MAX_SECONDS) -> None:
        self.path = Path(path)
        self._longest = longest
        with _opened(self.path, longest) as file:
            self.frames, self.rate, self.channels = file.frames, file.samplerate, file.channels

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Its samples in a row, float32 in [-1, 1), (n,) or (n, channels).

        Args:
            frames: most samples of a block.

        Raises:
            UsageError: the file is damaged, holds no samples or some that are not finite.
        """
        with _opened(self.path, self._longest) as file:
            yield from _blocks(file, self.path, frames)


@contextlib.contextmanager
def _opened(path: Path, longest: float) -> Iterator[Any]:
    import soundfile

    try:
        with open(path, "rb") as raw:
            promised = _promised_bytes(raw, path)
            size = os.fstat(raw.fileno()).st_size
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from None
    if promised is not None and size < promised:
        raise UsageError(
            f"{path} is truncated: its header promises {promised} bytes, there are {size}."
        )
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > longest * file.samplerate:
                raise UsageError(
                    f"{path} lasts {file.frames / file.samplerate:.0f} s; recordings of up to "
                    f"{longest:.0f} s are read: split it."
                )
            yield file
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        reason = str(error).split(": ", 1)[-1].rstrip(".")
        raise UsageError(f"{path} is not a recording that libsndfile reads ({reason}).") from None


def _blocks(file: Any, path: Path, frames: int) -> Iterator[np.ndarray]:
    """The samples of an open file from where it stands, up to `frames` at a time; -1: all."""
    # Some three times faster than libsndfile's own conversion, and the same numbers.
    whole = file.subtype == "PCM_16"
    heard = False
    while len(samples := file.read(frames, dtype="int16" if whole else "float32")):
        heard = True
        if whole:
            samples = samples * np.float32(1 / 32768)
        elif not np.isfinite(samples).all():
            raise UsageError(f"{path} holds samples that are not finite numbers.")
        yield samples
    if not heard:
        raise UsageError(f"{path} holds no samples; a recording was expected.")


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a recording (NIST SPHERE, WAV, FLAC, OGG, MP3: whatever libsndfile reads).

    Returns:
        Samples in [-1, 1), float32, (n,) or (n, channels), and the sample rate in Hz.

    Raises:
        UsageError: no such file, not audio, truncated, without samples, or over `MAX_SECONDS`.
    """
    path = Path(path)
    # Opened once: a corpus has thousands of files that are read whole.
    with _opened(path, MAX_SECONDS) as file:
        (samples,) = _blocks(file, path, -1)
        return samples, file.samplerate


def read_excerpt(
    path: str | Path, start: float, seconds: float, channel: int | None = None
) -> tuple[np.ndarray, int]:
    """Read a part of one channel of a recording, however long that is.

    Args:
        path: of the file.
        start: of the part, in seconds.
        seconds: that it lasts, or to the recording's end.
        channel: which one of several, from 1 on; None: the first.

    Returns:
        Samples in [-1, 1), float32, (n,), and the sample rate in Hz.

    Raises:
        UsageError: no such file, not audio, truncated, or nothing left there.
    """
    path = Path(path)
    with _opened(path, LONGEST_SECONDS) as file:
        rate = file.samplerate
        file.seek(min(round(start * rate), file.frames))
        samples = next(_blocks(file, path, round(seconds * rate)))
        return samples if samples.ndim == 1 else samples[:, (channel or 1) - 1], rate


def audio_size(path: str | Path) -> tuple[int, int]:
    """Samples and rate in Hz that a recording's header promises; nothing else is read.

    Raises:
        UsageError: the file is no recording.
    """
    import soundfile

    try:
        info = soundfile.info(path)
    except (soundfile.SoundFileError, RuntimeError, TypeError):
        read_audio(path)
        raise
    return info.frames, info.samplerate


def resample(samples: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample mono float32 `samples` (n,) from `rate` to `target_rate` Hz (soxr, high quality)."""
    if rate == target_rate:
        return samples
    import soxr

    return soxr.resample(samples, rate, target_rate, quality="HQ")


def resample_blocks(
    blocks: Iterable[np.ndarray], rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """What `resample` gives for all of a recording, of which blocks (n,) come one after another."""
    if rate == target_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, "float32"), last=True)
