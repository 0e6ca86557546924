"""Descriptions of tensors in signatures."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Description of one tensor in a signature.

    Attributes:
        name: the key under which requests and answers hold it.
        dtype: NumPy's type; object for strings.
        shape: None for an unknown dimension; None in place of the tuple for an unknown rank.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}: {type_name(self.dtype)}, any shape"
        dims = ",".join("-1" if d is None else str(d) for d in self.shape)
        return f"{self.name}: {type_name(self.dtype)} [{dims}]"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of `shape` is what the signature describes."""
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(want in (None, got) for got, want in zip(shape, self.shape, strict=True))
        )


def is_bfloat16(dtype: np.dtype) -> bool:
    """Whether `dtype` is the extension type that NumPy does not count as a float."""
    # The name is made anew each time; the kind is at hand.
    return dtype.kind == "V" and dtype.name == "bfloat16"


def is_floating(dtype: np.dtype) -> bool:
    """Whether numbers of `dtype` have a fraction, bfloat16 included."""
    return dtype.kind == "f" or is_bfloat16(dtype)


def to_floating(numbers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers of double precision in a floating type, infinite or zero where it ends."""
    with np.errstate(over="ignore", under="ignore"):
        return numbers.astype(dtype)


def type_name(dtype: np.dtype) -> str:
    """TensorFlow's name of a type."""
    names = {"object": "string", "float32": "float", "float64": "double", "float16": "half"}
    return names.get(dtype.name, dtype.name)
