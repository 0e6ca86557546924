"""Predict requests in TensorFlow Serving's JSON to NumPy arrays.

Strings are object arrays of bytes; every other type is NumPy's own (or an extension type such as
bfloat16). Nothing here knows TensorFlow.

Reference: TensorFlow Serving, g3doc/api_rest.md and util/json_tensor.cc, whose error messages the
ones here begin with.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .errors import ServingError, invalid
from .json_text import parse_json
from .numbers import NumberDocument
from .tensors import TensorSpec, is_floating, to_floating, type_name

MAX_RANK = 32
"""Most dimensions of a tensor in JSON."""

_ALLOWED: dict[str, tuple[set[type], str]] = {
    "f": ({int, float}, "number"),
    "i": ({int}, "whole number"),
    "u": ({int}, "whole number"),
    "b": ({bool}, "boolean"),
    "O": ({str, dict}, "string"),
}
# Type names as TensorFlow Serving's messages have them.
_JSON_NAMES = {
    type(None): "Null",
    int: "Number",
    float: "Number",
    str: "String",
    dict: "Object",
    list: "Array",
}


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A predict request's body, not yet turned into arrays.

    Attributes:
        signature: name, or None for the default one.
        row: True for the row format ("instances"), False for the column format ("inputs").
        read: gives the whole JSON object.
        numbers: the same, where its inputs may be nothing but numbers.
    """

    signature: str | None
    row: bool
    read: Callable[[], Mapping[str, Any]]
    numbers: NumberDocument | None = None


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object, with NaN, Infinity and -Infinity taken as numbers.

    Raises:
        ServingError: not JSON, or not an object.
    """
    document = parse_json(body)
    if not isinstance(document, dict):
        raise invalid(
            f"JSON Value: {brief(document)} Is not object; the request must be a JSON object such "
            'as {"instances": [...]}.'
        )
    return document


def signature_name(document: Mapping[str, Any]) -> str | None:
    """The signature that a request names; None for the default one.

    Raises:
        ServingError: the name is no string.
    """
    name = document.get("signature_name")
    if "signature_name" in document and not isinstance(name, str):
        raise invalid(
            f"JSON Value: {brief(name)} not formatted correctly. 'signature_name' key must be a "
            "string value."
        )
    return name or None


def parse_request(body: bytes) -> PredictRequest:
    """Read a predict request as far as it can be understood without the model's signature.

    Raises:
        ServingError: not a JSON object, or a signature name that is no string.
    """
    numbers = NumberDocument.read(body)
    if numbers is not None:
        return PredictRequest(numbers.signature, numbers.row, lambda: parse_object(body), numbers)
    document = parse_object(body)
    return PredictRequest(signature_name(document), "instances" in document, lambda: document)


def decode_inputs(
    request: PredictRequest, specs: Mapping[str, TensorSpec]
) -> dict[str, np.ndarray]:
    """Arrays for a signature's inputs from a request in either format.

    Shapes are left to the model, as TensorFlow Serving does: many models take more than their
    signatures say.

    Raises:
        ServingError: a key, type or value is not what `specs` say, or lists are ragged.
    """
    if not specs:
        raise invalid(
            f"Failed to get input map for signature: {request.signature or 'DEFAULT'}; it has no "
            "inputs."
        )
    arrays = request.numbers.arrays(specs) if request.numbers is not None else None
    if arrays is not None:
        return arrays
    columns = _select(request.read(), specs)
    return {
        name: decode_tensor(columns[name], spec, f"input {name!r}") for name, spec in specs.items()
    }


def _select(document: Mapping[str, Any], specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if "instances" in document:
        rows = document["instances"]
        if "inputs" in document:
            raise invalid(
                "JSON Value: Not formatted correctly expecting only one of 'inputs' or "
                "'instances' keys to exist"
            )
        if not isinstance(rows, list):
            raise invalid(
                f"JSON Value: {brief(rows)} Excepting 'instances' to be an list/array; it holds "
                "one element for each example."
            )
        if not rows:
            raise invalid("JSON Value: No values in 'instances' array; one or more are expected.")
        return _columns_of_rows(rows, specs)
    if "inputs" in document:
        return _columns(document["inputs"], specs)
    found = ", ".join(map(repr, list(document)[:5])) or "none"
    raise invalid(f"Missing 'inputs' or 'instances' key; the request's keys are: {found[:200]}.")


def _columns(payload: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if not isinstance(payload, dict) or is_b64(payload):
        if len(specs) != 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                f"required as per tensorinfo_map; the signature has {_listed(specs)}."
            )
        return {next(iter(specs)): payload}
    for name in specs:
        if name not in payload:
            raise invalid(
                f"Missing named input: {name} in 'inputs' object; the signature has "
                f"{_listed(specs)}."
            )
    return payload


def _columns_of_rows(rows: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    named = isinstance(rows[0], dict) and not is_b64(rows[0])
    if not named and len(specs) != 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            f"required as per tensorinfo_map; the signature has {_listed(specs)}."
        )
    for number, row in enumerate(rows):
        if (isinstance(row, dict) and not is_b64(row)) != named:
            wanted, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(
                f"Expecting {wanted} but got {got} at item {number} of input list; all of "
                "'instances' must have one form."
            )
        if named and row.keys() != specs.keys():
            names = ", ".join(map(repr, sorted(row))) or "no keys"
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: keys must "
                f"be equal to: {','.join(specs)}; received {names[:200]}, the signature has "
                f"{_listed(specs)}."
            )
    if not named:
        return {next(iter(specs)): rows}
    return {name: [row[name] for row in rows] for name in specs}


def _listed(specs: Mapping[str, TensorSpec]) -> str:
    return f"the input{'s' * (len(specs) > 1)} " + "; ".join(str(spec) for spec in specs.values())


def decode_tensor(value: Any, spec: TensorSpec, where: str) -> np.ndarray:
    """A nested list (or a scalar) of JSON values as an array of `spec`'s type.

    Args:
        value: as JSON gives it.
        spec: type to expect; its shape completes an empty list's.
        where: what to call the value in error messages.

    Raises:
        ServingError: ragged lists, a wrong type, or a value out of the type's range.
    """
    items, shape = _flatten(value, where)
    array = _to_array(items, shape, spec, where).reshape(shape)
    if spec.shape and not array.size and array.ndim < len(spec.shape):
        # An empty list cannot show the dimensions inside it.
        array = array.reshape(shape + tuple(d or 0 for d in spec.shape[array.ndim :]))
    return array


def _flatten(value: Any, where: str) -> tuple[list[Any], tuple[int, ...]]:
    items: list[Any] = [value]
    shape: tuple[int, ...] = ()
    while items and isinstance(items[0], list):
        # One level at a time: no recursion, however deep a client nests.
        width = len(items[0])
        for number, item in enumerate(items):
            if not isinstance(item, list) or len(item) != width:
                raise _ragged(item, number, shape, width, where)
        if len(shape) == MAX_RANK:
            raise invalid(f"{where} is nested more than {MAX_RANK} lists deep.")
        shape = (*shape, width)
        items = list(itertools.chain.from_iterable(items))
    return items, shape


def _ragged(item: Any, number: int, shape: tuple[int, ...], width: int, where: str) -> ServingError:
    place = f"{where}{_index(number, shape)}"
    if isinstance(item, list):
        return invalid(
            f"Encountered list at unexpected size: {len(item)} at level: {len(shape)} expected "
            f"size: {width}; {place} must have {width} elements as its neighbours have."
        )
    return invalid(
        f"JSON Value: {brief(item)} found at incorrect level: {len(shape) + 1} in the JSON DOM; "
        f"{place} must be a list of {width} elements as its neighbours are."
    )


def _to_array(items: list[Any], shape: tuple[int, ...], spec: TensorSpec, where: str) -> np.ndarray:
    dtype = spec.dtype
    kind = "f" if is_floating(dtype) else dtype.kind
    if kind not in _ALLOWED:
        raise ServingError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value to type: {type_name(dtype)}; {where} cannot be sent as "
            "JSON.",
        )
    allowed, expected = _ALLOWED[kind]
    found = list(map(type, items))
    # Counting is several times faster than making a set, and long waveforms are nothing but floats.
    types: set[type] = {float} if found and found.count(float) == len(found) else set(found)
    if not types <= allowed:
        number = next(i for i, item in enumerate(items) if type(item) not in allowed)
        raise _wrong_type(items[number], spec, expected, f"{where}{_index(number, shape)}")
    if kind == "O":
        strings = np.empty(len(items), object)
        strings[:] = [_to_bytes(item, where, i, shape) for i, item in enumerate(items)]
        return strings
    if kind in "iu" and items:
        limits = np.iinfo(dtype)
        for item in (min(items), max(items)):
            if not limits.min <= item <= limits.max:
                raise _wrong_type(item, spec, f"{limits.min} to {limits.max}", where)
    if kind == "f":
        return to_floating(np.array(items, np.float64), dtype)
    return np.array(items, dtype)


def _wrong_type(item: Any, spec: TensorSpec, expected: str, where: str) -> ServingError:
    return invalid(
        f"JSON Value: {brief(item)} Type: {_json_name(item)} is not of expected type: "
        f"{type_name(spec.dtype)} ({expected}) in {where}; expected is {spec}."
    )


def _to_bytes(item: Any, where: str, number: int, shape: tuple[int, ...]) -> bytes:
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError:
            raise invalid(f"{where}{_index(number, shape)} is not valid Unicode.") from None
    if not is_b64(item):
        raise invalid(
            f"JSON Value: {brief(item)} not formatted correctly for base64 data in "
            f"{where}{_index(number, shape)}; a string, or binary data as "
            '{"b64": "<base64>"}, is expected.'
        )
    return decode_base64(item["b64"], f"{where}{_index(number, shape)}")


def decode_base64(text: str, where: str) -> bytes:
    """Bytes of base64; its padding is optional, space between its characters is passed over.

    Raises:
        ServingError: `text` is something else.
    """
    try:
        with contextlib.suppress(ValueError):
            return _unpadded(text)
        return _unpadded("".join(text.split()))
    except ValueError:
        raise invalid(f"Unable to base64 decode; the 'b64' value of {where} is wrong.") from None


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def is_b64(value: Any) -> bool:
    """Whether a JSON value stands for binary data: an object with the only key "b64"."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _json_name(value: Any) -> str:
    return str(value) if isinstance(value, bool) else _JSON_NAMES[type(value)]


def brief(value: Any) -> str:
    """A JSON value in at most 40 characters, for error messages."""
    if isinstance(value, (dict, list)) and len(value) > 20:
        # Serialising all of a large request only to cut it would cost more than answering it.
        return "[...]" if isinstance(value, list) else "{...}"
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):
        text = "[...]"
    return text if len(text) <= 40 else text[:37] + "..."


def _index(number: int, shape: tuple[int, ...]) -> str:
    """Position of the flat element `number`, " at [i][j]..."; empty for a scalar."""
    if not shape:
        return ""
    return " at " + "".join(f"[{i}]" for i in np.unravel_index(number, shape))
