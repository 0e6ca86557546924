"""Conversion to LiteRT, with built-in operations only, and its runtime."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import RunError


def convert(
    module: Any, function: Any, kind: str, calibration: list[np.ndarray] | None = None
) -> bytes:
    """A .tflite file's contents.

    Args:
        module: what holds the function's variables.
        function: a tf.function of one named input with named outputs, all of them numbers.
        kind: `"float32"`; `"float16"` (weights); `"dynamic"` (8-bit weights); or `"int8"` (8-bit
            weights, activations, inputs and outputs).
        calibration: for int8, inputs (1, ...) whose range activations are scaled to.

    Raises:
        RunError: it has an operation that LiteRT has not.
    """
    import tensorflow as tf

    # Without the module, inputs and outputs would lose their names.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], module
    )
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        if calibration is None:
            raise ValueError("int8 takes inputs to calibrate with.")
        converter.representative_dataset = lambda: ([x] for x in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        return converter.convert()
    except Exception as error:
        # The converter's own error has no public name.
        if (
            not isinstance(error, ValueError | RuntimeError)
            and "Convert" not in type(error).__name__
        ):
            raise
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"LiteRT cannot take this network as {kind}: {reason}") from error


class LiteRT:
    """A .tflite file in LiteRT's interpreter, on one thread, with no delegate of TensorFlow's.

    Args:
        content: the file's contents.
        name: name of its input.
    """

    def __init__(self, content: bytes, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._name = name
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._run = self._interpreter.get_signature_runner()

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """(N, ...) float32 -> output name -> float32 array."""
        given = self._run.get_input_details()[self._name]
        answer = self._run(**{self._name: _quantized(x, given)})
        details = self._run.get_output_details()
        return {name: _real(value, details[name]) for name, value in answer.items()}


def _quantized(x: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return x.astype(dtype)
    scale, zero = detail["quantization"]
    limits = np.iinfo(dtype)
    return np.round(x / scale + zero).clip(limits.min, limits.max).astype(dtype)


def _real(x: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if x.dtype.kind == "f":
        return x.astype("float32")
    scale, zero = detail["quantization"]
    return ((x.astype("float32") - zero) * scale).astype("float32")
