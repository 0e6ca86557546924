"""NumPy's numbers and arrays as Python's own, which is what options, shapes and records hold."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """`value` with NumPy's scalars as numbers and its arrays as tuples, also within containers.

    Everything else stays as it is. NumPy is not imported.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        # Numbers of extended precision have no counterpart in Python.
        exact = value.astype("float64") if value.dtype.char == "g" else value
        return _tuples(exact.tolist())
    if type(value) in (list, tuple):
        return type(value)(plain(entry) for entry in value)
    if type(value) is dict:
        return {plain(key): plain(entry) for key, entry in value.items()}
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value
