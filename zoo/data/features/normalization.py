"""Normalisation by recording: every bin's mean and standard deviation over time are removed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

NORMALIZATIONS = ("set", "recording")
"""Kinds of normalisation: by the training set's mean, or by every recording's mean and
deviation."""

POOLED_FRAMES = 10
"""Weight, in frames, of the deviation of all bins together beside a bin's own. So 50 ms hardly
determine the deviation of a single bin, while seconds do."""

LEAST_SHARE = 0.1
"""Smallest deviation of a bin as a share of that of all bins together, so that an empty bin is not
amplified to noise."""

LEAST = 1e-5
"""Smallest deviation, in units of the representation, so that silence becomes zeros."""


class Statistics(NamedTuple):
    """Statistics of the frames of one recording.

    Attributes:
        mean: mean of every bin and channel, (F, 1, C).
        deviation: likewise, `LEAST` or more.
    """

    mean: Any
    deviation: Any


def statistics(x: Any, ops: Any = np) -> Statistics:
    """Means and deviations of representations (..., F, T, C) over time, T from 1 on.

    With n frames, a bin's variance v and the mean p of all bins' variances in its channel, the
    deviation is the root of (n v + 10 p) / (n + 10), at least a tenth of the root of p, at least
    1e-5.

    Args:
        x: floats.
        ops: NumPy, or `keras.ops`.
    """
    # About the first frame, so that nothing but zeros is left of silence in single precision.
    first = x[..., :1, :]
    mean = first + ops.mean(x - first, axis=-2, keepdims=True)
    variance = ops.mean(ops.square(x - mean), axis=-2, keepdims=True)
    frames = ops.shape(x)[-2]
    if not isinstance(frames, int):
        frames = ops.cast(frames, variance.dtype)
    return Statistics(mean, _deviation(variance, frames, ops))


def _deviation(variance: Any, frames: Any, ops: Any = np) -> Any:
    pooled = ops.mean(variance, axis=-3, keepdims=True)
    variance = (frames * variance + POOLED_FRAMES * pooled) / (frames + POOLED_FRAMES)
    variance = ops.maximum(variance, LEAST_SHARE**2 * pooled)
    return ops.maximum(ops.sqrt(variance), LEAST)


class Running:
    """Statistics of a recording that comes in pieces, in double precision.

    Example:
        >>> running = Running()
        >>> x = np.random.default_rng(0).normal(size=(3, 50, 1))
        >>> running.add(x[:, :20])
        >>> running.add(x[:, 20:])
        >>> np.allclose(running.statistics.deviation, statistics(x).deviation)
        True
    """

    def __init__(self) -> None:
        self.frames = 0
        self._mean: Any = 0.0
        self._spread: Any = 0.0

    def add(self, x: np.ndarray) -> None:
        """Add the next frames, (F, T, C)."""
        frames = x.shape[1]
        if not frames:
            return
        mean = x.mean(axis=1, keepdims=True, dtype="float64")
        spread = np.square(x - mean).sum(axis=1, keepdims=True, dtype="float64")
        # Sums about a mean are joined by the distance of the means.
        both, apart = self.frames + frames, mean - self._mean
        self._spread = self._spread + spread + np.square(apart) * (self.frames * frames / both)
        self._mean = self._mean + apart * (frames / both)
        self.frames = both

    @property
    def statistics(self) -> Statistics:
        """Statistics of all frames so far, float32; there must be at least one."""
        deviation = _deviation(self._spread / self.frames, self.frames)
        return Statistics(self._mean.astype("float32"), deviation.astype("float32"))


def statistics_of(x: np.ndarray) -> Statistics:
    """`statistics` of one recording's (F, T, C), computed in double precision, float32."""
    running = Running()
    running.add(x)
    return running.statistics
