"""Arrays read directly from a JSON text, without a Python object for each number.

A waveform in JSON is some thousand numbers, and making, checking and freeing an object for each of
them takes longer than the model. Other requests are left to `serving.codec`, which also reports
errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import simdjson

from .tensors import TensorSpec, is_floating, to_floating

MAX_LISTS = 4096
"""Most lists that are checked one by one for equal lengths."""

# By the kind of mistake: RuntimeError stands for whole numbers of more than 64 bits, among others.
_REFUSALS = (TypeError, ValueError, RuntimeError)


class NumberDocument:
    """A predict request's body whose inputs seem to be lists of numbers.

    Args:
        document: the parsed body.
        body: its text.
    """

    def __init__(self, document: simdjson.Object, body: bytes) -> None:
        self._document = document
        self._body = body
        self.signature = str(document.get("signature_name", "")) or None
        self.row = "instances" in document

    @classmethod
    def read(cls, body: bytes) -> NumberDocument | None:
        """The document, None where it is something else or holds a key twice."""
        try:
            # Arrays outlive the call that parsed them, so each document has a parser of its own.
            document = simdjson.Parser().parse(body)
        except _REFUSALS:
            return None
        if not isinstance(document, simdjson.Object):
            return None
        keys = list(document.keys())
        if len(set(keys)) != len(keys) or ("instances" in keys) == ("inputs" in keys):
            return None
        if "signature_name" in keys and not isinstance(document["signature_name"], str):
            return None
        return cls(document, body)

    def arrays(self, specs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray] | None:
        """Arrays for a signature's inputs; None if one of them is not an array of numbers.

        Args:
            specs: specifications of the inputs; those of floating types are read here.
        """
        if not all(is_floating(spec.dtype) for spec in specs.values()):
            return None
        columns = self._columns(specs)
        if columns is None:
            return None
        lists = 0
        decoded = {}
        for name, array in columns.items():
            shape = _shape(array)
            values = None if shape is None else _values(array, shape, specs[name])
            if shape is None or values is None:
                return None
            lists += sum(math.prod(shape[:depth]) for depth in range(len(shape)))
            decoded[name] = values
        # Lists among the numbers were flattened with them; then there are more than counted.
        brackets = np.count_nonzero(np.frombuffer(self._body, np.uint8) == ord("["))
        return decoded if lists == brackets else None

    def _columns(self, specs: Mapping[str, TensorSpec]) -> dict[str, simdjson.Array] | None:
        payload = self._document["instances" if self.row else "inputs"]
        columns: Any = {next(iter(specs)): payload} if len(specs) == 1 else None
        if isinstance(payload, simdjson.Object):
            keys = list(payload.keys())
            if self.row or sorted(keys) != sorted(specs):
                return None
            columns = {name: payload[name] for name in specs}
        if columns is None or not all(isinstance(c, simdjson.Array) for c in columns.values()):
            return None
        return columns


def _shape(array: simdjson.Array) -> tuple[int, ...] | None:
    """Lengths of the lists at each level, None where they differ, or one is empty."""
    level: list[Any] = [array]
    shape: tuple[int, ...] = ()
    while True:
        width = len(level[0])
        if not width or any(len(one) != width for one in level):
            return None
        shape = (*shape, width)
        if not isinstance(level[0][0], simdjson.Array):
            return shape
        if len(level) * width > MAX_LISTS:
            return None
        level = [inner for one in level for inner in one]
        if not all(isinstance(inner, simdjson.Array) for inner in level):
            return None


def _values(array: simdjson.Array, shape: tuple[int, ...], spec: TensorSpec) -> np.ndarray | None:
    """The numbers in `spec`'s type, None if one is none."""
    try:
        wide = np.frombuffer(array.as_buffer(of_type="d"), np.float64)
    except _REFUSALS:
        return None
    if wide.size != math.prod(shape):
        return None
    return to_floating(wide, spec.dtype).reshape(shape)
