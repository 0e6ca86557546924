"""Costs of a network: parameters, multiply-adds and measured latency, and limits on them."""

from __future__ import annotations

import itertools
import math
import re
import statistics
import time

import keras
import numpy as np

LATENCY_RUNS = 15
"""Forward passes whose median is a network's latency."""

DISK_FULL = "No space left on device"
"""TensorFlow's message for a full disk, whose exception is also that for memory."""

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
