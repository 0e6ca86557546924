"""Compilation of functions of tensors on each of Keras' backends; `keras.ops` has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


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
