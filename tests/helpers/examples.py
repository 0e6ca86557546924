"""Inputs and weights for every model of the zoo; inputs of two lengths where the length is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import zoo

if TYPE_CHECKING:
    import keras

SPECTRUM_SIZES = (37, 52)
WAVEFORM_SIZES = (400, 650)


def shapes(name: str) -> list[tuple[int, ...]]:
    """Shapes of one example."""
    shape = zoo.describe(name).input_shape
    if None not in shape:
        return [shape]
    sizes = WAVEFORM_SIZES if len(shape) == 2 else SPECTRUM_SIZES
    return [tuple(n if size is None else size for size in shape) for n in sizes]


def inputs(name: str, count: int = 2, which: int = 0) -> np.ndarray:
    """Noise of `count` examples."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(count, *shapes(name)[which])).astype("float32")


def set_weights(model: keras.Model) -> None:
    """Give a model random weights of the size of trained ones.

    Variances are positive, and values neither vanish nor grow.
    """
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            w
            if w.ndim == 0
            else 0.5 + rng.random(w.shape)
            if "variance" in v.path or "gamma" in v.path
            else rng.normal(size=w.shape) / np.sqrt(max(np.prod(w.shape[:-1]), 1))
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
