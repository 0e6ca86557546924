"""Exports with Keras on TensorFlow, in a separate process if Keras has another backend here.

`jax.experimental.jax2tf` would wrap a network into one XLA operation, which LiteRT and ONNX refuse;
the same network built by Keras on TensorFlow has operations that all of them know.
"""

from __future__ import annotations

import functools
import tempfile
from typing import Any

from zoo.errors import RunError, UsageError
from zoo.processes import call
from zoo.siblings import sibling
from zoo.startup import start_backend


def is_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow here."""
    import keras

    return keras.backend.backend() == "tensorflow"


def in_tensorflow(function: str, **arguments: Any) -> Any:
    """Call a function in a process of its own, with Keras on TensorFlow.

    Args:
        function: `"module:name"`.
        **arguments: by name.

    Returns:
        What it returned.

    Raises:
        UsageError, RunError: as it raised them; RunError for anything else that it raised.
    """
    with tempfile.TemporaryFile() as said:
        try:
            return call(
                functools.partial(_called, function),
                arguments,
                "the export with Keras on TensorFlow",
                environment={"KERAS_BACKEND": "tensorflow"},
                output=said,
            )
        except (UsageError, RunError):
            raise
        except Exception as error:
            raise RunError(f"the export with Keras on TensorFlow failed: {error}") from error


def _called(function: str, arguments: dict[str, Any]) -> Any:
    start_backend()
    module, _, name = function.partition(":")
    return getattr(sibling(module), name)(**arguments)
