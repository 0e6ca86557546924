"""A network's outputs for every frame of a recording of any length, in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from zoo.twins import Twin

if TYPE_CHECKING:
    import keras

CHUNK = 3000
"""Frames that are scored at once (30 s), beside what they depend on."""

RECURRENT_CONTEXT = 500
"""Frames on each side that a recurrent network sees beside a chunk; what lies farther away changes
its outputs by less than rounding to four digits."""

WINDOWS = 1024
"""Windows that are scored at once."""

SIZES = (3000, 1000, 300, 128)
"""Numbers of frames that networks on JAX are given, since JAX compiles anew for every other
number."""

LEAST = 1e-10
"""Smallest probability; lower ones are raised to it."""


def log_posteriors(
    model: keras.Model | Twin, x: np.ndarray, window: int | None, context: int | None
) -> np.ndarray:
    """Logarithms of the probabilities of every class at every frame of a recording.

    A long recording is scored in chunks that overlap by the frames on which an output depends, so
    that the result is that of one pass.

    Args:
        model: (N, F, T, C) -> (N, T, classes); or (N, F, window, C) -> (N, classes). Its
            `predict_on_batch` is all that is used.
        x: the recording's inputs (F, T, C), T from 1 on.
        window: frames of a window around each frame; None: the model takes whole recordings.
        context: frames on each side that an output depends on; None: all, where it is recurrent.

    Returns:
        (T, classes) float32.
    """

    def read(first: int, last: int) -> np.ndarray:
        return x[:, first:last]

    return np.concatenate(list(in_chunks(model, read, x.shape[1], window, context)))


def in_chunks(
    model: keras.Model | Twin,
    read: Callable[[int, int], np.ndarray],
    frames: int,
    window: int | None,
    context: int | None,
    chunk: int = CHUNK,
) -> Iterator[np.ndarray]:
    """What `log_posteriors` gives, in chunks (n, classes) of a recording that is read by parts.

    Args:
        model: model, as in `log_posteriors`.
        read: from a first frame to the one after the last -> inputs (F, T, C).
        frames: number of frames of the recording.
        window: window, as in `log_posteriors`.
        context: context, as in `log_posteriors`.
        chunk: most frames that are scored at once, beside what they depend on.
    """
    if window:
        left, right = window // 2, window - window // 2 - 1
    else:
        left = right = RECURRENT_CONTEXT if context is None else context
    even = _compiles_anew(model) and not window and context is not None
    parts = _evenly(frames, left, chunk) if even else _parts(frames, left, right, chunk)
    for start, end, first, last in parts:
        x = read(first, last)
        if window:
            around = (left - (start - first), right - (last - end))
            found = _of_windows(model, np.pad(x, ((0, 0), around, (0, 0))), window)
        else:
            scores = np.asarray(model.predict_on_batch(x[None]))[0]
            found = scores[start - first : end - first].astype("float32")
        yield np.log(np.maximum(found, LEAST))


def _compiles_anew(model: keras.Model | Twin) -> bool:
    """Whether a network is compiled for every other number of frames, as JAX does."""
    # A twin alone needs no Keras.
    keras = sys.modules.get("keras")
    return keras is not None and not isinstance(model, Twin) and keras.backend.backend() == "jax"


Part = tuple[int, int, int, int]
"""First frame and the one after the last, of the scored part and of the part that it is scored
from."""


def _parts(frames: int, left: int, right: int, chunk: int) -> Iterator[Part]:
    """Parts of a recording, with the frames on each side that they depend on."""
    for start in range(0, frames, chunk):
        end = min(start + chunk, frames)
        yield start, end, max(start - left, 0), min(end + right, frames)


def _evenly(frames: int, context: int, chunk: int) -> Iterator[Part]:
    """The same, scored from as many frames each: of few recordings there are other numbers."""
    size = next((n for n in SIZES if 2 * context < n <= min(frames, chunk)), frames)
    start = 0
    while start < frames:
        first = max(min(start - context, frames - size), 0)
        last = first + size
        end = frames if last == frames else last - context
        yield start, end, first, last
        start = end


def _of_windows(model: keras.Model | Twin, x: np.ndarray, window: int) -> np.ndarray:
    """Probabilities of every window of (F, T, C), T from `window` on."""
    # (F, T - window + 1, C, window), a view.
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=1)
    parts = []
    for start in range(0, views.shape[1], WINDOWS):
        batch = views[:, start : start + WINDOWS].transpose(1, 0, 3, 2)
        parts.append(model.predict_on_batch(np.ascontiguousarray(batch)))
    return np.concatenate(parts).astype("float32")
