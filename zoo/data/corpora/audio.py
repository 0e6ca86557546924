"""Reading recordings, strictly: what a header promises must be in the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from zoo.errors import UsageError

SAMPLE_RATE = 16000
"""Rate in Hz of TIMIT, and of prepared sets unless another is asked for."""

MAX_SECONDS = 3600.0
"""Longest recording that is read, so that a wrong header cannot ask for all of the memory."""

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


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a recording (NIST SPHERE, WAV, FLAC, OGG, MP3: whatever libsndfile reads).

    Returns:
        Samples in [-1, 1), float32, (n,) or (n, channels), and the sample rate in Hz.

    Raises:
        UsageError: no such file, not audio, truncated, without samples, or over `MAX_SECONDS`.
    """
    import soundfile

    path = Path(path)
    try:
        with open(path, "rb") as file:
            promised = _promised_bytes(file, path)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}.") from None
    if promised is not None and size < promised:
        raise UsageError(
            f"{path} is truncated: its header promises {promised} bytes, there are {size}."
        )
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > MAX_SECONDS * file.samplerate:
                raise UsageError(
                    f"{path} lasts {file.frames / file.samplerate:.0f} s; recordings of up to "
                    f"{MAX_SECONDS:.0f} s are read: split it."
                )
            # Some three times faster than libsndfile's own conversion, and the same numbers.
            whole = file.subtype == "PCM_16"
            samples = file.read(dtype="int16" if whole else "float32")
            rate = file.samplerate
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        reason = str(error).split(": ", 1)[-1].rstrip(".")
        raise UsageError(f"{path} is not a recording that libsndfile reads ({reason}).") from None
    if not len(samples):
        raise UsageError(f"{path} holds no samples; a recording was expected.")
    if whole:
        return samples * np.float32(1 / 32768), rate
    if not np.isfinite(samples).all():
        raise UsageError(f"{path} holds samples that are not finite numbers.")
    return samples, rate


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
