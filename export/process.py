"""Exports run with Keras on TensorFlow: where Keras has another backend, in a process beside it.

`jax.experimental.jax2tf` would wrap a network into one XLA operation, which LiteRT and ONNX refuse;
the same network built by Keras on TensorFlow has operations that all of them know.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from zoo.errors import RunError, UsageError

_ERRORS = {error.__name__: error for error in (UsageError, RunError)}


def is_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow here."""
    import keras

    return keras.backend.backend() == "tensorflow"


def in_tensorflow(function: str, arguments: dict[str, Any]) -> Any:
    """Call a function in a process of its own, with Keras on TensorFlow.

    Args:
        function: `"module:name"`.
        arguments: by name, as JSON can carry them.

    Returns:
        What it returned, as JSON can carry it; a path as text.

    Raises:
        UsageError, RunError: as it raised them.
    """
    # The child finds this package wherever this process found it.
    search = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(filter(None, search)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "export.process", function],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env=environment,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise RunError(f"the export with Keras on TensorFlow failed: {last}")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise _ERRORS[answer["error"]](answer["message"])
    return answer["result"]


def _main(function: str) -> None:
    module, _, name = function.partition(":")
    arguments = json.load(sys.stdin)
    try:
        answer = {"result": getattr(importlib.import_module(module), name)(**arguments)}
    except (UsageError, RunError) as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer, default=str))


if __name__ == "__main__":
    from zoo.startup import start_backend

    start_backend()
    _main(sys.argv[1])
