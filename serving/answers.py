"""Answers as TensorFlow Serving's JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from .errors import invalid
from .tensors import is_floating, type_name

BYTES_SUFFIX = "_bytes"
"""Strings in outputs of such names are binary and are sent as {"b64": ...}."""


def encode_outputs(outputs: Mapping[str, np.ndarray], row: bool) -> bytes:
    """A predict answer, in the format of its request.

    A single output stands for itself, several are keyed by their names.

    Raises:
        ServingError: outputs that do not share their first dimension in the row format, a type
            that JSON cannot carry, or a string that is not UTF-8 and not named `*_bytes`.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if row:
        _check_rows(outputs)
    finite = all(_finite(array) for array in outputs.values())
    values = {name: _to_json(array, name, finite) for name, array in outputs.items()}
    if len(values) == 1:
        body = next(iter(values.values()))
    elif row:
        rows = zip(*values.values(), strict=True)
        body = [dict(zip(values, items, strict=True)) for items in rows]
    else:
        body = values
    document = {"predictions" if row else "outputs": body}
    if finite:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    # JSON proper has no NaN and Infinity; TensorFlow Serving and Python write them all the same.
    return json.dumps(document).encode()


def _check_rows(outputs: Mapping[str, np.ndarray]) -> None:
    size: int | None = None
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(
                f"Tensor name: {name} has no shape information: it is a scalar, so the answer has "
                "no row format; send 'inputs' instead of 'instances'."
            )
        if size not in (None, len(array)):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}; "
                "send 'inputs' instead of 'instances'."
            )
        size = len(array)


def _finite(array: np.ndarray) -> bool:
    if not is_floating(array.dtype):
        return True
    return bool(np.isfinite(array).all())


def _to_json(array: np.ndarray, name: str, finite: bool) -> Any:
    if array.dtype.kind == "O":
        convert = _b64 if name.endswith(BYTES_SUFFIX) else _text
        flat = np.empty(array.size, object)
        flat[:] = [convert(item, name) for item in array.ravel()]
        return flat.reshape(array.shape).tolist()
    if is_floating(array.dtype):
        if array.dtype.itemsize < 4:
            array = array.astype(np.float32)
        if not finite and array.dtype == np.float32:
            # The shortest decimal that reads back as the same float32: 0.1, not 0.10000000149.
            array = array.astype(np.str_).astype(np.float64)
    elif array.dtype.kind not in "iub":
        raise invalid(
            f"Failed to write JSON value for tensor type: {type_name(array.dtype)} of the output "
            f"{name!r}."
        )
    if finite and array.ndim and array.size:
        return np.ascontiguousarray(array)
    if finite and array.size:
        return array[()]
    return array.tolist()


def _b64(item: bytes, name: str) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode()}


def _text(item: bytes, name: str) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError:
        raise invalid(
            f"output {name!r} holds bytes that are not UTF-8 and cannot be sent as JSON; outputs "
            f"named *{BYTES_SUFFIX} are sent as base64."
        ) from None


def encode_results(results: Iterable[Any]) -> bytes:
    """A :classify or :regress answer.

    Args:
        results: one regression value, or one list of (label, score), for each example.

    Raises:
        ServingError: a label is not UTF-8.
    """
    values = [_result(result) for result in results]
    return json.dumps({"results": values}, ensure_ascii=False).encode()


def _result(result: float | Sequence[tuple[bytes, np.float32]]) -> Any:
    if isinstance(result, (float, np.floating)):
        return _short(result)
    return [[_text(label, "classes"), _short(score)] for label, score in result]


def _short(value: Any) -> float:
    # As for tensors: 0.1, not 0.10000000149.
    return float(str(np.float32(value)))
