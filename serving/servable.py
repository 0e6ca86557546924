"""One version of one model: a SavedModel in memory, its signatures and their calls."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving.codec import TensorSpec
from serving.errors import ServingError, invalid
from zoo.errors import RunError

DEFAULT_SIGNATURE = "serving_default"

# Node names and call stacks around the sentence that an operation said.
_ASSERTION = re.compile(r"assertion failed: \[(.*?)\](?: \[[^\n]*\])*\s*(?:\n|\[\[|$)", re.DOTALL)
_NOISE = re.compile(
    r"\s*\[\[(?:\{\{[^}]*\}\})+\]\]|\s*\[Op:[^\]]*\]|\{\{function_node [^}]*\}\}\s*"
    r"|^Graph execution error:\s*|^Detected at node .*?<stack traces unavailable>\s*",
    re.DOTALL | re.MULTILINE,
)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A callable of a SavedModel.

    Attributes:
        inputs: name -> what is expected.
        outputs: name -> what is given.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class Servable:
    """A SavedModel, loaded.

    Args:
        path: its folder, the one with `saved_model.pb`.

    Raises:
        RunError: it cannot be loaded.
    """

    def __init__(self, path: str | Path) -> None:
        import tensorflow as tf
        from tensorflow.core.protobuf import saved_model_pb2

        self.path = Path(path)
        try:
            proto = saved_model_pb2.SavedModel.FromString(
                (self.path / "saved_model.pb").read_bytes()
            )
            graphs = [g for g in proto.meta_graphs if "serve" in g.meta_info_def.tags]
            if not graphs:
                raise RunError(f"{path} cannot be served: none of its graphs has the tag 'serve'.")
            tags = None if len(proto.meta_graphs) == 1 else list(graphs[0].meta_info_def.tags)
            self._loaded = tf.saved_model.load(str(self.path), tags=tags)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise RunError(f"{path} cannot be loaded as a SavedModel: {reason}") from error
        except Exception as error:
            # A damaged protocol buffer raises an error of the protobuf implementation in use.
            if "DecodeError" not in type(error).__name__:
                raise
            raise RunError(f"{path} holds a damaged saved_model.pb.") from error
        self._signature_defs = dict(graphs[0].signature_def)
        self._functions = dict(self._loaded.signatures)
        self.signatures = {
            name: Signature(_specs(definition.inputs), _specs(definition.outputs))
            for name, definition in self._signature_defs.items()
            if name in self._functions
        }

    def signature(self, name: str | None) -> tuple[str, Signature]:
        """The signature `name` (None or empty: the default one) and its full name.

        Raises:
            ServingError: there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            valid = ", ".join(sorted(self.signatures)) or "none"
            raise invalid(
                f'Serving signature name: "{name}" not found in signature def; there are: {valid}.'
            )
        return name, self.signatures[name]

    def predict(
        self, signature: str | None, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Call a signature with arrays of its inputs' types.

        Raises:
            ServingError: there is no such signature, or the model refuses the inputs.
        """
        import tensorflow as tf

        name, definition = self.signature(signature)
        dtypes = {key: info.dtype for key, info in self._signature_defs[name].inputs.items()}
        try:
            tensors = {
                key: tf.constant(value, tf.as_dtype(dtypes[key])) for key, value in inputs.items()
            }
            result = self._functions[name](**tensors)
        except tf.errors.OpError as error:
            raise _refusal(error, definition) from error
        outputs = {key: tensor.numpy() for key, tensor in result.items()}
        return {
            key: np.array(value, object) if isinstance(value, bytes) else np.asarray(value)
            for key, value in sorted(outputs.items())
        }

    def signature_defs(self) -> dict[str, Any]:
        """Signature name -> definition, as TensorFlow Serving's metadata shows it."""
        return {name: _definition(d) for name, d in sorted(self._signature_defs.items())}


def _specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    import tensorflow as tf

    specs = {}
    for name in sorted(infos):
        shape = infos[name].tensor_shape
        dims = (
            None if shape.unknown_rank else tuple(None if d.size < 0 else d.size for d in shape.dim)
        )
        dtype = np.dtype(tf.as_dtype(infos[name].dtype).as_numpy_dtype)
        specs[name] = TensorSpec(name, dtype, dims)
    return specs


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


def _refusal(error: Any, definition: Signature) -> ServingError:
    from tensorflow.core.protobuf import error_codes_pb2

    code = error_codes_pb2.Code.Name(error.error_code)
    said = _ASSERTION.search(error.message)
    if said:
        return ServingError(code, said.group(1).strip())
    expected = "; ".join(str(spec) for spec in definition.inputs.values())
    message = _NOISE.sub("", error.message).strip()
    return ServingError(code, f"{message} (the signature's inputs are {expected})")
