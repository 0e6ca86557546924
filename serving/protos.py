"""Tensors as TensorProto and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import invalid
from .tensors import is_bfloat16

MAX_ELEMENTS = 2**28
"""Most elements of one tensor: a short message can announce any number of equal ones."""

# Kind or name of a NumPy type -> TensorProto's field of its values.
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "uint64": "uint64_val",
    "uint32": "uint32_val",
    "bool": "bool_val",
    "object": "string_val",
}


def _field(dtype: np.dtype) -> str:
    if dtype.name == "float16" or is_bfloat16(dtype):
        return "half_val"
    if dtype.kind == "c":
        return "scomplex_val" if dtype.itemsize == 8 else "dcomplex_val"
    return _FIELDS.get(dtype.name, "int_val")


def to_array(proto: Any, name: str) -> np.ndarray:
    """The array that a TensorProto holds; strings as an object array of bytes.

    Raises:
        ServingError: its type or shape is none, or its bytes are too few or too many.
    """
    import tensorflow as tf

    try:
        dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    except (TypeError, KeyError):
        raise invalid(f"tensor parsing error: {name} has no known type.") from None
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    count = math.prod(shape)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0 or count > MAX_ELEMENTS:
        raise invalid(f"tensor parsing error: {name} has a shape that no tensor can have.")
    if proto.tensor_content and dtype.kind != "O":
        if len(proto.tensor_content) != count * dtype.itemsize:
            raise invalid(
                f"tensor parsing error: {name} has {len(proto.tensor_content)} bytes; its shape "
                f"{list(shape)} and type need {count * dtype.itemsize}."
            )
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape)
    values = _values(proto, dtype)[:count]
    if len(values) < count:
        # As TensorFlow reads it: the last value stands for all that follow, none for zeros.
        last = values[-1] if len(values) else b"" if dtype.kind == "O" else dtype.type(0)
        values = np.concatenate([values, np.full(count - len(values), last, dtype)])
    return values.reshape(shape)


def _values(proto: Any, dtype: np.dtype) -> np.ndarray:
    field = _field(dtype)
    values = getattr(proto, field)
    if field == "string_val":
        array = np.empty(len(values), object)
        array[:] = list(values)
        return array
    if field == "half_val":
        return np.array([v & 0xFFFF for v in values], np.uint16).view(dtype)
    if dtype.kind == "c":
        part = np.dtype("float32" if dtype.itemsize == 8 else "float64")
        return np.array(values[: len(values) // 2 * 2], part).view(dtype)
    return np.array(values, np.int64 if field == "int_val" else dtype).astype(dtype)


def fill(proto: Any, array: np.ndarray, as_content: bool = False) -> None:
    """Write an array into an empty TensorProto.

    Args:
        proto: the message.
        array: any type; strings as an object array of bytes.
        as_content: pack the numbers as bytes (`tensor_content`), not one by one.
    """
    import tensorflow as tf

    string = array.dtype.kind == "O"
    proto.dtype = (tf.string if string else tf.as_dtype(array.dtype)).as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if as_content and not string:
        proto.tensor_content = array.tobytes()
        return
    flat = array.ravel()
    field = _field(array.dtype)
    if field == "half_val":
        flat = flat.view(np.uint16)
    elif array.dtype.kind == "c":
        flat = flat.view("float32" if array.dtype.itemsize == 8 else "float64")
    getattr(proto, field).extend(flat.tolist())
