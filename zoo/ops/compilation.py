"""Compilation of functions of tensors on each of Keras' backends; `keras.ops` has none."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

ALIGNMENT = 64
"""Bytes; TensorFlow ends the process where a tensor's memory starts elsewhere."""

_fusing = contextvars.ContextVar("fusing", default=False)


@contextlib.contextmanager
def fusing() -> Iterator[None]:
    """Let TensorFlow's graphs that are traced in the block compile what is `fused` by XLA.

    Not everywhere, since such a graph cannot be exported, and is compiled for every size of batch.
    """
    token = _fusing.set(True)
    try:
        yield
    finally:
        _fusing.reset(token)


def fused(function: Callable[..., Any], *tensors: Any) -> Any:
    """The function of tensors, many small operations, as one where the block is `fusing`."""
    if keras.backend.backend() != "tensorflow" or not _fusing.get():
        return function(*tensors)
    import tensorflow as tf

    if tf.executing_eagerly() or any(isinstance(x, keras.KerasTensor) for x in tensors):
        return function(*tensors)
    return tf.function(function, autograph=False, jit_compile=True)(*tensors)


def compiled(function: Callable[..., Any], xla: bool = False) -> Callable[..., Any]:
    """The function of tensors, compiled where the backend compiles.

    The compiled function may keep the weights' values of its first call.

    Args:
        function: takes tensors, gives tensors.
        xla: compile by XLA on TensorFlow too, which takes longer than tracing alone and makes
            loops of many small operations up to ten times faster.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Traced by hand, since TensorFlow warns of every function that a loop makes anew.
        traced = tf.function(function, autograph=False, jit_compile=xla or None)
        by_shape: dict[Any, Any] = {}

        def concrete(*arguments):
            shapes = tuple(tuple(x.shape) for x in tf.nest.flatten(arguments))
            if shapes not in by_shape:
                by_shape[shapes] = traced.get_concrete_function(*arguments)
            return by_shape[shapes](*arguments)

        return concrete
    if backend == "jax":
        import jax

        return jax.jit(function)
    import torch

    def without_graph(*arguments):
        with torch.no_grad():
            return function(*arguments)

    return without_graph


def answering(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """What `model.predict_on_batch` does, without the half to whole millisecond that it adds.

    A network's call on a few examples takes as long or less. The function is traced once, on JAX
    for every size of a batch; it follows weights that change.

    Args:
        model: model with one input and one output.

    Returns:
        A function of inputs (N, ...) that gives outputs (N, ...).
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _Graph(model)
    if backend == "jax":
        import jax

        @jax.jit
        def stateless(trainable, other, x):
            return model.stateless_call(trainable, other, x, training=False)[0]

        def asked(x):
            weights = (model.trainable_variables, model.non_trainable_variables)
            values = ([variable.value for variable in group] for group in weights)
            return np.asarray(stateless(*values, x))

        return asked
    import torch

    def without_graph(x):
        with torch.no_grad():
            return keras.ops.convert_to_numpy(model(x, training=False))

    return without_graph


class _Graph:
    """A model as one graph of TensorFlow, which is called without a search for one that fits."""

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf

        (given,) = model.inputs
        # The graph holds no weights: that is left to the model.
        self._model = model
        self._dtype = np.dtype(given.dtype)
        self._call = tf.function(
            lambda x: model(x, training=False),
            input_signature=[tf.TensorSpec(given.shape, given.dtype)],
            autograph=False,
        ).get_concrete_function()
        self._lent = tf.experimental.dlpack.from_dlpack

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self._call(self._lent(_aligned(x, self._dtype).__dlpack__())).numpy()


def _aligned(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A copy that TensorFlow takes for a tensor's memory; of any other it makes two."""
    x = np.asarray(x)
    size = x.size * dtype.itemsize
    room = np.empty(size + ALIGNMENT, "uint8")
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + size].view(dtype).reshape(x.shape)
    np.copyto(copy, x)
    return copy
