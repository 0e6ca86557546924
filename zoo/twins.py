"""Networks for ONNX Runtime, which answers before Keras and TensorFlow would have been imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.extras import installed
from zoo.machine import threads

if TYPE_CHECKING:
    import numpy as np

RUNTIME = "onnxruntime"
"""Package that runs the networks."""


class Twin:
    """A network of an .onnx file, with the methods of a Keras model that inference uses.

    Args:
        file: its path or contents; the network has one input and one output, float32.
        context: frames on each side that an output depends on; None: all, or the network takes
            inputs of one size.

    Attributes:
        context: frames on each side that an output depends on, as given.
        input_shape: as of a Keras model, None where any size will do.
        output_shape: likewise.
    """

    def __init__(self, file: Path | bytes, context: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        # Threads that wait for work by turning round take a core from whoever else needs it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )
        (given,), (answer,) = self._session.get_inputs(), self._session.get_outputs()
        self._input = given.name
        self.context = context
        self.input_shape = _shape(given.shape)
        self.output_shape = _shape(answer.shape)

    @staticmethod
    def can_run() -> bool:
        """Whether the runtime is installed."""
        return installed(RUNTIME)

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        """The network's output for inputs (N, ...)."""
        (answer,) = self._session.run(None, {self._input: x.astype("float32", copy=False)})
        return answer


def _shape(sizes: list[int | str | None]) -> tuple[int | None, ...]:
    # A size that is not known is a name.
    return tuple(size if isinstance(size, int) else None for size in sizes)
