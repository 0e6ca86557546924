"""The part of `keras.ops` that formulas here use, for NumPy's arrays, without Keras.

Functions that both have alike are NumPy's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def cast(x: Any, dtype: str) -> np.ndarray:
    """An array of another type."""
    return np.asarray(x).astype(dtype, copy=False)


def convert_to_tensor(x: Any, dtype: str | None = None) -> np.ndarray:
    """An array."""
    return np.asarray(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """An array."""
    return np.asarray(x)


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]], start: Any, count: int, reverse: bool = False
) -> tuple[Any, Any]:
    """As `zoo.ops.scanning.scan`."""
    carry, kept = start, []
    for number in reversed(range(count)) if reverse else range(count):
        carry, values = step(carry, number)
        kept.append(values)
    if reverse:
        kept.reverse()
    if isinstance(start, tuple):
        return carry, tuple(np.stack(column) for column in zip(*kept, strict=True))
    return carry, np.stack(kept)


def __getattr__(name: str) -> Any:
    return getattr(np, name)
