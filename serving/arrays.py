"""Arrays in the requests of a client and in their answers, in the column format.

Numbers have as many digits as it takes to read back the same float32.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from zoo.errors import UsageError

_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": "object",
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature.

    Attributes:
        inputs: name -> NumPy type; object for strings.
        outputs: name -> NumPy type.
        shapes: input or output -> shape, None for an unknown dimension; None for an unknown rank.
    """

    inputs: Mapping[str, np.dtype]
    outputs: Mapping[str, np.dtype]
    shapes: Mapping[str, tuple[int | None, ...] | None]


def carried(definition: Any) -> bool:
    """Whether JSON can carry a signature's tensors; that of the initialiser, for one, has none."""
    infos = [*definition["inputs"].values(), *definition["outputs"].values()]
    return all(info["dtype"] in _DTYPES for info in infos)


def signature_of(definition: Any) -> Signature:
    """A signature as the metadata have it."""

    def types(infos: Any) -> dict[str, np.dtype]:
        return {name: np.dtype(_DTYPES[info["dtype"]]) for name, info in infos.items()}

    infos = {**definition["inputs"], **definition["outputs"]}
    return Signature(
        types(definition["inputs"]),
        types(definition["outputs"]),
        {name: _shape(info["tensor_shape"]) for name, info in infos.items()},
    )


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape["unknown_rank"]:
        return None
    sizes = (int(dim["size"]) for dim in shape["dim"])
    return tuple(size if size >= 0 else None for size in sizes)


def column(value: Any, dtype: np.dtype) -> Any:
    """An input in a request: an array of numbers, or nested lists of strings.

    Raises:
        UsageError: it is no array of that type.
    """
    if dtype.kind == "O":
        array = np.asarray(value, object)
        flat = [_text(item) for item in array.ravel()]
        return _nested(flat, array.shape)
    try:
        array = np.asarray(value)
    except ValueError:
        raise UsageError(
            f"an array of {dtype} is expected; received rows of different lengths."
        ) from None
    if not np.can_cast(array.dtype, dtype, "same_kind") and not (
        array.dtype.kind in "iu" and dtype.kind in "iu"
    ):
        raise UsageError(f"an array of {dtype} is expected; received one of {array.dtype}.")
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype)
    rounded = dtype.kind == "f"
    fits = np.isfinite(converted) | ~np.isfinite(array) if rounded else converted == array
    if not fits.all():
        raise UsageError(
            f"an array of {dtype} is expected; received {array[~fits].flat[0]}, which is beyond it."
        )
    return converted


def received(value: Any, dtype: np.dtype) -> np.ndarray:
    """An output's values; strings as str, or as bytes where the server sends them as binary."""
    array = np.asarray(value, dtype)
    if dtype.kind == "O":
        for index, item in np.ndenumerate(array):
            if isinstance(item, dict):
                array[index] = base64.b64decode(item["b64"])
    return array


def _text(item: Any) -> Any:
    if isinstance(item, bytes):
        return {"b64": base64.b64encode(item).decode()}
    if isinstance(item, str):
        try:
            item.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{item!r} is not valid Unicode.") from None
        return item
    raise UsageError(f"text or bytes are expected; received {type(item).__name__}.")


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    nested = np.empty(len(flat), object)
    nested[:] = flat
    return nested.reshape(shape).tolist()


def json_body(document: Any) -> bytes:
    """A request's body."""
    columns = document["inputs"].values()
    arrays = [c for c in columns if isinstance(c, np.ndarray) and c.dtype.kind == "f"]
    if all(np.isfinite(array).all() for array in arrays):
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    # Standard JSON has no NaN; what Python writes is what TensorFlow Serving reads.
    return json.dumps(document, default=lambda array: array.tolist()).encode()
