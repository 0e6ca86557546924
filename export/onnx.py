"""Conversion to ONNX, with operations of the standard only, and ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import RunError

OPSET = 17
"""Version of the operations; ONNX Runtime 1.12 and later know it."""


def convert(function: Any) -> bytes:
    """An .onnx file's contents.

    Args:
        function: a tf.function of one named input with named outputs, all of them numbers.

    Raises:
        RunError: it has an operation that the standard has not.
    """
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        function,
        input_signature=function.input_signature,
        opset=OPSET,
        custom_op_handlers={"SelectV2": (_select, [])},
    )
    foreign = sorted({n.op_type for n in model.graph.node if n.domain not in ("", "ai.onnx")})
    if foreign:
        raise RunError(f"ONNX has no operation for {', '.join(foreign)} of this network.")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"ONNX cannot take this network: {reason}") from error
    return model.SerializeToString()


def _select(graph: Any, node: Any, name: str, args: Any) -> None:
    """A selection as ONNX has it; tf2onnx multiplies by 0 and 1, which spreads NaN and infinity."""
    node.type = "Where"


class ONNX:
    """An .onnx file in ONNX Runtime, on one thread of the processor.

    Args:
        content: the file's contents.
        name: name of its input.
    """

    def __init__(self, content: bytes, name: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._name = name
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """(N, ...) float32 -> output name -> float32 array."""
        values = self._session.run(self._outputs, {self._name: x})
        return dict(zip(self._outputs, values, strict=True))
