"""Checks of the audio that callers give, and its mix to one channel."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from zoo.errors import UsageError

MAX_CHANNELS = 64
"""Most channels that a recording may have; more is most likely (channels, samples)."""

MAX_AMPLITUDE = 1e15
"""Of a sample, where full scale is 1: its square and their sums are finite in float32."""


def checked_rate(sample_rate: Any) -> int:
    """A sample rate in Hz.

    Raises:
        UsageError: it is not a whole number, or out of range.
    """
    from zoo.ops.resampling import MAX_RATE

    integral = isinstance(sample_rate, numbers.Integral) or (
        isinstance(sample_rate, numbers.Real) and float(sample_rate).is_integer()
    )
    if not integral or not 1 <= sample_rate <= MAX_RATE:
        raise UsageError(
            f"sample_rate must be a whole number of Hz, 1 to {MAX_RATE}; received {sample_rate!r}."
        )
    return int(sample_rate)


def checked_audio(audio: Any) -> np.ndarray:
    """Samples (n,) or (n, channels), n from 1 on: float32 or float64 of full scale 1, or int16.

    Half and extended precision and the other byte order are converted.

    Raises:
        UsageError: they are something else, or not finite.
    """
    try:
        audio = np.asarray(audio)
    except ValueError:
        raise UsageError("audio must be an array; received rows of different lengths.") from None
    if not audio.dtype.isnative:
        audio = audio.astype(audio.dtype.newbyteorder("="))
    if audio.dtype == np.float16:
        audio = audio.astype("float32")
    elif audio.dtype == np.longdouble:
        audio = audio.astype("float64")
    if audio.dtype != np.int16 and audio.dtype.kind != "f":
        raise UsageError(
            f"audio must be floats with full scale 1, or int16; received {audio.dtype}."
        )
    if audio.ndim not in (1, 2):
        raise UsageError(
            f"audio must be (samples,) or (samples, channels); received shape {audio.shape}."
        )
    if not audio.size:
        raise UsageError(f"audio holds no samples; received shape {audio.shape}.")
    if audio.ndim == 2 and audio.shape[1] > MAX_CHANNELS:
        raise UsageError(
            f"audio has {audio.shape[1]} channels, {MAX_CHANNELS} are allowed; "
            "transpose it if its shape is (channels, samples)."
        )
    if not np.isfinite(audio).all():
        raise UsageError("audio holds samples that are NaN or infinite.")
    if audio.dtype.kind == "f" and np.abs(audio).max() > MAX_AMPLITUDE:
        raise UsageError(f"audio holds samples beyond {MAX_AMPLITUDE:g}; full scale 1 is expected.")
    return audio


def to_mono(audio: np.ndarray) -> np.ndarray:
    """The mean of all channels, float32 (n,)."""
    if audio.dtype == np.int16:
        audio = audio.astype("float32") / 32768
    audio = audio.astype("float32")
    return audio if audio.ndim == 1 else audio.mean(axis=1)
