"""JSON of TensorFlow Serving's REST interface to NumPy arrays and back.

Strings are object arrays of bytes; every other type is NumPy's own (or an extension type such as
bfloat16). Nothing here knows TensorFlow.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import ServingError, invalid

BYTES_SUFFIX = "_bytes"
"""Strings in outputs of such names are binary and are sent as {"b64": ...}."""

_ALLOWED: dict[str, tuple[set[type], str]] = {
    "f": ({int, float}, "number"),
    "i": ({int}, "whole number"),
    "u": ({int}, "whole number"),
    "b": ({bool}, "boolean"),
    "O": ({str, dict}, "string"),
}
_JSON_NAMES = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    dict: "object",
    list: "list",
}


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """What a signature says of one tensor.

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
            return f"{self.name}: {_type_name(self.dtype)}, any shape"
        dims = ",".join("-1" if d is None else str(d) for d in self.shape)
        return f"{self.name}: {_type_name(self.dtype)} [{dims}]"


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A predict request's body, not yet turned into arrays.

    Attributes:
        signature: name, or None for the default one.
        row: True for the row format ("instances"), False for the column format ("inputs").
        payload: the value of that key.
    """

    signature: str | None
    row: bool
    payload: Any


def parse_request(body: bytes) -> PredictRequest:
    """Read a predict request.

    Raises:
        ServingError: not JSON, not an object, or not exactly one of "instances" and "inputs".
    """
    try:
        document = json.loads(body)
    except RecursionError:
        raise invalid("JSON Parse error: the document is nested too deeply.") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise invalid(
            f'the request is a JSON {_json_name(document)}, an object {{"instances": [...]}} or '
            '{"inputs": ...} is expected.'
        )
    signature = document.get("signature_name")
    if "signature_name" in document and not isinstance(signature, str):
        raise invalid(f"'signature_name' key must be a string value; received {_brief(signature)}.")
    if "instances" in document and "inputs" in document:
        raise invalid("expecting only one of 'inputs' or 'instances' keys to exist, not both.")
    if "instances" in document:
        rows = document["instances"]
        if not isinstance(rows, list):
            raise invalid(f"Expecting 'instances' to be a list; received {_brief(rows)}.")
        if not rows:
            raise invalid("No values in 'instances' list; one row or more is expected.")
        return PredictRequest(signature or None, True, rows)
    if "inputs" in document:
        return PredictRequest(signature or None, False, document["inputs"])
    found = ", ".join(map(repr, list(document)[:5])) or "none"
    raise invalid(f"Missing 'inputs' or 'instances' key; the request's keys are: {found}.")


def decode_inputs(
    request: PredictRequest, specs: Mapping[str, TensorSpec]
) -> dict[str, np.ndarray]:
    """Arrays for a signature's inputs from a request in either format.

    Raises:
        ServingError: a key, type, shape or value is not what `specs` say.
    """
    if request.row:
        columns = _columns_of_rows(request.payload, specs)
    else:
        columns = _columns(request.payload, specs)
    return {
        name: decode_tensor(columns[name], spec, f"input {name!r}") for name, spec in specs.items()
    }


def _columns(payload: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if not isinstance(payload, dict) or _is_b64(payload):
        if len(specs) != 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as the signature has "
                f"{_listed(specs)}."
            )
        return {next(iter(specs)): payload}
    _check_names(payload, specs, "inputs")
    return payload


def _columns_of_rows(rows: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    named = isinstance(rows[0], dict) and not _is_b64(rows[0])
    if not named and len(specs) != 1:
        raise invalid(
            "instances is a plain list, but expecting a list of objects as the signature has "
            f"{_listed(specs)}."
        )
    for number, row in enumerate(rows):
        if (isinstance(row, dict) and not _is_b64(row)) != named:
            raise invalid(
                f"instances[{number}] is {'a plain value' if named else 'an object'} and "
                f"instances[0] is not; all rows must have one form."
            )
        if named:
            _check_names(row, specs, f"instances[{number}]")
    if not named:
        return {next(iter(specs)): rows}
    return {name: [row[name] for row in rows] for name in specs}


def _check_names(given: Mapping[str, Any], specs: Mapping[str, TensorSpec], where: str) -> None:
    if set(given) != set(specs):
        names = ", ".join(map(repr, sorted(given))) or "no keys"
        raise invalid(f"{where} has {names}; the signature has {_listed(specs)}.")


def _listed(specs: Mapping[str, TensorSpec]) -> str:
    if not specs:
        return "no inputs"
    return f"the input{'s' * (len(specs) > 1)} " + "; ".join(str(spec) for spec in specs.values())


def decode_tensor(value: Any, spec: TensorSpec, where: str) -> np.ndarray:
    """A nested list (or a scalar) of JSON values as an array of `spec`'s type and shape.

    Args:
        value: as `json.loads` gives it.
        spec: type and shape to expect.
        where: what to call the value in error messages.

    Raises:
        ServingError: ragged lists, a wrong type or shape, or a value out of the type's range.
    """
    items, shape = _flatten(value, where)
    array = _to_array(items, shape, spec, where).reshape(shape)
    if spec.shape is None:
        return array
    if not array.size and array.ndim < len(spec.shape):
        # An empty list cannot show the dimensions inside it.
        array = array.reshape(shape + tuple(d or 0 for d in spec.shape[array.ndim :]))
    fits = array.ndim == len(spec.shape) and all(
        want in (None, got) for got, want in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        raise invalid(f"{where} has the shape {_dims(array.shape)}; expected is {spec}.")
    return array


def _flatten(value: Any, where: str) -> tuple[list[Any], tuple[int, ...]]:
    items: list[Any] = [value]
    shape: tuple[int, ...] = ()
    while items and isinstance(items[0], list):
        # One level at a time: no recursion, however deep a client nests.
        width = len(items[0])
        for number, item in enumerate(items):
            if not isinstance(item, list) or len(item) != width:
                got = f"{len(item)} elements" if isinstance(item, list) else _brief(item)
                place = _index(number, shape)
                raise invalid(
                    f"{where}{place} has {got} where its neighbours have {width} elements; "
                    "the lists must form a rectangular tensor."
                )
        shape = (*shape, width)
        items = list(itertools.chain.from_iterable(items))
    return items, shape


def _to_array(items: list[Any], shape: tuple[int, ...], spec: TensorSpec, where: str) -> np.ndarray:
    dtype = spec.dtype
    kind = "f" if _is_bfloat16(dtype) else dtype.kind
    if kind not in _ALLOWED:
        raise ServingError(
            "UNIMPLEMENTED", f"{where} is of type {_type_name(dtype)}, which JSON cannot carry."
        )
    allowed, expected = _ALLOWED[kind]
    if not set(map(type, items)) <= allowed:
        number = next(i for i, item in enumerate(items) if type(item) not in allowed)
        raise invalid(
            f"{where}{_index(number, shape)} is {_brief(items[number])}, not of expected type "
            f"{_type_name(dtype)} ({expected}); expected is {spec}."
        )
    if kind == "O":
        strings = np.empty(len(items), object)
        strings[:] = [_to_bytes(item, where, i, shape) for i, item in enumerate(items)]
        return strings
    if kind in "iu" and items:
        limits = np.iinfo(dtype)
        if min(items) < limits.min or max(items) > limits.max:
            raise invalid(f"{where} holds a value out of the range of {_type_name(dtype)}.")
    if kind == "f":
        return _to_floats(items, dtype, where)
    return np.array(items, dtype)


def _to_floats(items: list[Any], dtype: np.dtype, where: str) -> np.ndarray:
    try:
        wide = np.array(items, np.float64)
    except OverflowError:
        wide = np.array([np.finfo(np.float64).max])
        dtype = np.dtype(np.float16)
    with np.errstate(over="ignore"):
        array = wide.astype(dtype)
    if not np.array_equal(np.isfinite(wide), np.isfinite(array.astype(np.float64))):
        raise invalid(f"{where} holds a number out of the range of its type.")
    return array


def _to_bytes(item: Any, where: str, number: int, shape: tuple[int, ...]) -> bytes:
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError:
            raise invalid(f"{where}{_index(number, shape)} is not valid Unicode.") from None
    if not _is_b64(item):
        raise invalid(
            f"{where}{_index(number, shape)} is {_brief(item)}; a string, or binary data as "
            '{"b64": "<base64>"}, is expected.'
        )
    text = item["b64"]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(
            f"{where}{_index(number, shape)}: Unable to base64 decode its 'b64' value."
        ) from None


def encode_outputs(outputs: Mapping[str, np.ndarray], row: bool) -> bytes:
    """A predict answer as JSON, in the format of its request.

    A single output stands for itself, several are keyed by their names.

    Raises:
        ServingError: outputs that do not share their first dimension in the row format, a type
            that JSON cannot carry, or a string that is not UTF-8 and not named `*_bytes`.
    """
    if row:
        for name, array in outputs.items():
            if not array.ndim:
                raise invalid(
                    f"Tensor name: {name} has no batch dimension, so the answer has no row "
                    "format; send 'inputs' instead of 'instances'."
                )
        sizes = {name: len(array) for name, array in outputs.items()}
        if len(set(sizes.values())) > 1:
            raise invalid(
                f"Tensors have inconsistent batch sizes: {sizes}; send 'inputs' instead of "
                "'instances'."
            )
    values = {name: _to_json(array, name) for name, array in outputs.items()}
    if len(values) == 1:
        body = next(iter(values.values()))
    elif row:
        rows = zip(*values.values(), strict=True)
        body = [dict(zip(values, items, strict=True)) for items in rows]
    else:
        body = values
    return json.dumps({"predictions" if row else "outputs": body}).encode()


def _to_json(array: np.ndarray, name: str) -> Any:
    if array.dtype.kind == "O":
        convert = _b64 if name.endswith(BYTES_SUFFIX) else _text
        flat = np.empty(array.size, object)
        flat[:] = [convert(item, name) for item in array.ravel()]
        return flat.reshape(array.shape).tolist()
    if array.dtype.kind == "f" or _is_bfloat16(array.dtype):
        if array.dtype.itemsize < 4:
            array = array.astype(np.float32)
        if array.dtype == np.float32:
            # The shortest decimal that reads back as the same float32: 0.1, not 0.10000000149.
            array = array.astype(np.str_).astype(np.float64)
        return array.tolist()
    if array.dtype.kind in "iub":
        return array.tolist()
    raise ServingError(
        "UNIMPLEMENTED",
        f"output {name!r} is of type {_type_name(array.dtype)}, which JSON cannot carry.",
    )


def _b64(item: bytes, name: str) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode()}


def _text(item: bytes, name: str) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError:
        raise ServingError(
            "INTERNAL",
            f"output {name!r} holds bytes that are not UTF-8; outputs named *{BYTES_SUFFIX} "
            "are sent as base64.",
        ) from None


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_bfloat16(dtype: np.dtype) -> bool:
    return dtype.name == "bfloat16"


def _type_name(dtype: np.dtype) -> str:
    names = {"object": "string", "float32": "float", "float64": "double", "float16": "half"}
    return names.get(dtype.name, dtype.name)


def _json_name(value: Any) -> str:
    return _JSON_NAMES[type(value)]


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return f"the {_json_name(value)} {text if len(text) <= 40 else text[:37] + '...'}"


def _dims(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _index(number: int, shape: tuple[int, ...]) -> str:
    """Position of the flat element `number`, " at [i][j]..."; empty for a scalar."""
    if not shape:
        return ""
    return " at " + "".join(f"[{i}]" for i in np.unravel_index(number, shape))
