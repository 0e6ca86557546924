"""JSON texts as TensorFlow Serving's parser takes them, which is more than JSON allows.

NaN and infinities are numbers, whole numbers beyond 64 bits are decimals, and unused parts of a
document may be nested to any depth.

Reference: TensorFlow Serving, util/json_tensor.cc, whose error messages the ones here begin with;
its parser is RapidJSON with kParseNanAndInfFlag.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from .errors import invalid

MAX_DEEP = 2**18
"""Characters of a document that is nested deeper than Python's parser goes, some hundred lists."""

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING_OR_NAME = re.compile(r'"(?:[^"\\]|\\.)*"|-NaN\b|(-?)Inf\b', re.DOTALL)


def parse_json(body: bytes) -> Any:
    """The value that a JSON text stands for.

    Raises:
        ServingError: it is no JSON.
    """
    if not body.strip():
        raise invalid("JSON Parse error: The document is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses NaN, Infinity, lone surrogates and depth; what is wrong otherwise is said
        # here.
        return _parse_lenient(body)


def _parse_lenient(body: bytes) -> Any:
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        # Only words that Python does not know are spelt out.
        if "Inf" in text or "-NaN" in text:
            text = _STRING_OR_NAME.sub(_spelt_out, text)
        try:
            return _DECODER.decode(text)
        except RecursionError:
            return _parse_deep(text)
    except json.JSONDecodeError as error:
        raise invalid(
            f"JSON Parse error: Invalid value. at offset: {error.pos} ({error.msg})"
        ) from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: Invalid value. ({error})") from None


def _spelt_out(found: re.Match[str]) -> str:
    text = found[0]
    if text.startswith('"'):
        return text
    return "NaN" if text == "-NaN" else f"{found[1]}Infinity"


def _decimal(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise invalid(f"JSON Parse error: Number too big to be stored in double: {text[:40]}")
    return number


def _whole(text: str) -> int | float:
    # More digits than any whole number of 64 bits has; as a decimal they are no whole number.
    number = int(text) if len(text) <= 20 else None
    return number if number is not None and -(2**63) <= number < 2**64 else _decimal(text)


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_int=_whole)


def _parse_deep(text: str) -> Any:
    """What the decoder gives, without a call for each level of nesting."""
    if len(text) > MAX_DEEP:
        raise invalid("JSON Parse error: the document is nested too deeply.")
    # The lists and objects that are open, and the keys whose values they wait for.
    holders: list[Any] = []
    keys: list[str] = []
    at = _after_space(text, 0)
    while True:
        if text[at : at + 1] in ("[", "{"):
            holder: Any = [] if text[at] == "[" else {}
            at = _after_space(text, at + 1)
            if text[at : at + 1] != _closing(holder):
                holders.append(holder)
                if isinstance(holder, dict):
                    at = _read_key(text, at, keys)
                continue
            value, at = holder, at + 1
        else:
            value, at = _DECODER.raw_decode(text, at)
        # Whatever ends with this value ends here.
        while True:
            at = _after_space(text, at)
            if not holders:
                if at != len(text):
                    raise json.JSONDecodeError("Extra data", text, at)
                return value
            holder = holders[-1]
            if isinstance(holder, dict):
                holder[keys.pop()] = value
            else:
                holder.append(value)
            if text[at : at + 1] == ",":
                at = _after_space(text, at + 1)
                if isinstance(holder, dict):
                    at = _read_key(text, at, keys)
                break
            if text[at : at + 1] != _closing(holder):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            value, at = holders.pop(), at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _closing(holder: Any) -> str:
    return "}" if isinstance(holder, dict) else "]"


def _read_key(text: str, at: int, keys: list[str]) -> int:
    """Put the key at `at` to the others; where its value starts."""
    if text[at : at + 1] != '"':
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    key, at = _DECODER.raw_decode(text, at)
    at = _after_space(text, at)
    if text[at : at + 1] != ":":
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    keys.append(key)
    return _after_space(text, at + 1)
