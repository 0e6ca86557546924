"""What a network costs: parameters, multiply-adds, measured latency, and limits on them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import statistics
import time

import keras
import numpy as np

from zoo.errors import UsageError

LATENCY_RUNS = 15
"""Forward passes whose median is a network's latency."""

DISK_FULL = "No space left on device"
"""What TensorFlow says of a full disk, by the same exception as of memory."""

OUT_OF_MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|ResourceExhausted|OutOfMemory|out of memory|\bOOM\b"
)

UNKNOWN_AXIS = 16
"""Length that an axis of any length is measured at."""


def multiply_adds(model: keras.Model) -> int:
    """Multiplications by a weight, each with its addition, in one example's forward pass.

    Convolutions, dense and recurrent layers count, as often as they are called; pooling,
    activations, normalisation and biases do not.
    """
    total = 0
    # Keras tells in no public way how often a model calls a layer.
    for call in itertools.chain(*model._nodes_by_depth.values()):
        layer = call.operation
        kernels = [w for w in getattr(layer, "weights", ()) if w.name.endswith("kernel")]
        if not kernels:
            continue
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            places = call.input_tensors[0].shape[1:2]
        elif "Transpose" in type(layer).__name__ or call.arguments.kwargs.get("reverse"):
            # A transposed convolution applies its kernel at every input, the others at every
            # output.
            places = call.input_tensors[0].shape[1:-1]
        else:
            places = call.outputs[0].shape[1:-1]
        times = math.prod(UNKNOWN_AXIS if n is None else n for n in places)
        total += times * sum(math.prod(kernel.shape) for kernel in kernels)
    return total


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception of any backend says that memory ran out."""
    if DISK_FULL in str(error):
        return False
    return isinstance(error, MemoryError) or bool(
        OUT_OF_MEMORY.search(f"{type(error).__name__} {error}")
    )


def latency_ms(model: keras.Model, runs: int = LATENCY_RUNS) -> float:
    """Median milliseconds of `predict_on_batch` of one example on this machine, compiled before."""
    example = np.zeros([1, *(UNKNOWN_AXIS if n is None else n for n in model.input_shape[1:])])
    example = example.astype("float32")
    for _ in range(2):
        model.predict_on_batch(example)
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        model.predict_on_batch(example)
        taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Limits that a network must keep to be trained at all; None: no limit.

    Attributes:
        max_params: parameters, trained or not.
        max_multiply_adds: of one example's forward pass.
        max_latency_ms: measured on the machine that draws the trials.
    """

    max_params: int | None = None
    max_multiply_adds: int | None = None
    max_latency_ms: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0:
                option = "--" + field.name.replace("_", "-")
                raise UsageError(f"{option} must be above 0; received {value}.")

    def exceeded(self, model: keras.Model) -> str | None:
        """The first limit that `model` breaks, in words, or None."""
        if self.max_params is not None and model.count_params() > self.max_params:
            return f"{model.count_params():,} parameters, more than {self.max_params:,}"
        if self.max_multiply_adds is not None:
            count = multiply_adds(model)
            if count > self.max_multiply_adds:
                return f"{count:,} multiply-adds, more than {self.max_multiply_adds:,}"
        if self.max_latency_ms is not None:
            taken = latency_ms(model)
            if taken > self.max_latency_ms:
                return f"{taken:.1f} ms an example, more than {self.max_latency_ms:g}"
        return None


NO_BUDGET = Budget()
