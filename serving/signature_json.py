"""Signatures as TensorFlow Serving's metadata shows them in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def signature_defs(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Signature name -> definition, of SignatureDef messages."""
    return {name: _definition(d) for name, d in sorted(definitions.items())}


def _definition(definition: Any) -> dict[str, Any]:
    return {
        "inputs": {name: _info(info) for name, info in sorted(definition.inputs.items())},
        "outputs": {name: _info(info) for name, info in sorted(definition.outputs.items())},
        "method_name": definition.method_name,
        "defaults": {},
    }


def _info(info: Any) -> dict[str, Any]:
    from tensorflow.core.framework import types_pb2

    shape = info.tensor_shape
    return {
        "dtype": types_pb2.DataType.Name(info.dtype),
        # Protocol buffers write 64-bit integers as JSON strings.
        "tensor_shape": {
            "dim": [{"size": str(d.size), "name": d.name} for d in shape.dim],
            "unknown_rank": shape.unknown_rank,
        },
        "name": info.name,
    }
