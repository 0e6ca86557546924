"""Inputs for every model of the zoo, two lengths where the length is free."""

from __future__ import annotations

import numpy as np

import zoo

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
