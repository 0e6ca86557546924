"""Segments with their surroundings: where a window begins, and which frames are the segment's."""

from __future__ import annotations

from typing import Any

import numpy as np


def first_sample(start: int, end: int, length: int) -> int:
    """The sample of a recording with which the window of `length` around a segment begins.

    Segments lie in the middle, as `zoo.data.features.frontend.place` puts them; of an odd
    difference the extra sample is at the end. Negative where the window begins before the
    recording.
    """
    missing = length - (end - start)
    return start + max(-missing, 0) // 2 - max(missing, 0) // 2


def marks(starts: Any, ends: Any, frames: int, frame_length: int, hop: int, ops: Any = np) -> Any:
    """The share of each frame's hop that a segment covers, 0 to 1.

    A frame stands for the hop around its centre, so that the marks of a segment add up to its
    duration in hops, as far as it lies within the frames.

    Args:
        starts, ends: starts and ends of segments within their windows, in samples (N,).
        frames: number of frames of a window.
        frame_length: samples of a frame; frame i begins with sample i * hop.
        hop: samples from one frame to the next.
        ops: NumPy, or `keras.ops`.

    Returns:
        (N, frames) float32.

    Example:
        >>> marks(np.array([4]), np.array([10]), frames=4, frame_length=4, hop=4)
        array([[0. , 1. , 0.5, 0. ]], dtype=float32)
    """
    first = (np.arange(frames) * hop + (frame_length - hop) / 2).astype("float32")
    starts, ends = (
        np.asarray(x, "float32") if ops is np else ops.cast(x, "float32") for x in (starts, ends)
    )
    covered = ops.minimum(ends[:, None], first + hop) - ops.maximum(starts[:, None], first)
    return ops.clip(covered / hop, 0.0, 1.0)


def heard(waveforms: Any, ops: Any = np) -> tuple[Any, Any]:
    """Start and end of each waveform without the zeros at its ends.

    Args:
        waveforms: (N, samples).
        ops: NumPy, or `keras.ops`.

    Returns:
        Its first sample, and the one after its last, (N,); 0 and `samples` of silence.
    """
    sounding = ops.not_equal(waveforms, 0)
    if ops is not np:
        sounding = ops.cast(sounding, "int32")
    samples = waveforms.shape[-1]
    first = ops.argmax(sounding, axis=-1)
    last = samples - ops.argmax(ops.flip(sounding, axis=-1), axis=-1)
    return first, last
