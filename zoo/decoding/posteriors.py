"""What a network says of every frame of a recording, of any length, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

CHUNK = 3000
"""Frames that are scored at once (30 s), beside what they depend on."""

RECURRENT_CONTEXT = 500
"""Frames on each side that a recurrent network hears beside a chunk; what lies farther away
changes what it says by less than rounding to four digits."""

WINDOWS = 1024
"""Windows that are scored at once."""

LEAST = 1e-10
"""Probability below which a class counts as having this one."""


def log_posteriors(
    model: keras.Model, x: np.ndarray, window: int | None, context: int | None
) -> np.ndarray:
    """Logarithms of the probabilities of every class at every frame of a recording.

    A long recording is scored in chunks that overlap by what a frame depends on, which gives what
    one pass would give.

    Args:
        model: (N, F, T, C) -> (N, T, classes); or (N, F, window, C) -> (N, classes).
        x: the recording's inputs (F, T, C), T from 1 on.
        window: frames of a window around each frame; None: the model takes whole recordings.
        context: frames on each side that an output depends on; None: all, where it is recurrent.

    Returns:
        (T, classes) float32.
    """
    parts = _of_windows(model, x, window) if window else _of_chunks(model, x, context)
    found = np.concatenate(list(parts))
    return np.log(np.maximum(found, LEAST, out=found), out=found)


def _of_chunks(model: keras.Model, x: np.ndarray, context: int | None) -> Iterator[np.ndarray]:
    around = RECURRENT_CONTEXT if context is None else context
    frames = x.shape[1]
    for start in range(0, frames, CHUNK):
        end = min(start + CHUNK, frames)
        first, last = max(start - around, 0), min(end + around, frames)
        y = np.asarray(model.predict_on_batch(x[None, :, first:last]))[0]
        yield y[start - first : end - first].astype("float32")


def _of_windows(model: keras.Model, x: np.ndarray, window: int) -> Iterator[np.ndarray]:
    left = window // 2
    padded = np.pad(x, ((0, 0), (left, window - left - 1), (0, 0)))
    # (F, T, C, window), a view of the padded recording.
    views = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)
    for start in range(0, x.shape[1], WINDOWS):
        batch = views[:, start : start + WINDOWS].transpose(1, 0, 3, 2)
        yield np.asarray(model.predict_on_batch(np.ascontiguousarray(batch))).astype("float32")
