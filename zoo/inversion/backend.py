"""Gradients on each of Keras' backends; `keras.ops` has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.ops.compilation import compiled

Values = Callable[[Any], Any]
"""Function of a batch (N, ...) that gives one number for each of its examples, (N,), which depends
on that example alone."""


def with_gradient(function: Values) -> Callable[[Any], tuple[Any, Any]]:
    """The function's values and, like its argument, the gradient of each example's value.

    Usable inside `zoo.ops.compilation.compiled`.

    Raises:
        NotImplementedError: there are no gradients on this backend.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def tensorflow(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                values = function(x)
            # The examples' values do not mix: the gradient of their sum holds each one's own.
            return values, tape.gradient(values, x)

        return tensorflow
    if backend == "jax":
        import jax

        def summed(x):
            values = function(x)
            return ops.sum(values), values

        def of_jax(x):
            (_, values), gradient = jax.value_and_grad(summed, has_aux=True)(x)
            return values, gradient

        return of_jax
    if backend == "torch":
        import torch

        def of_torch(x):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                values = function(x)
                (gradient,) = torch.autograd.grad(values.sum(), x)
            return values.detach(), gradient

        return of_torch
    raise NotImplementedError(f"no gradients on Keras' backend {backend}.")


def outputs(network: keras.Model, inputs: np.ndarray, batch: int = 256) -> np.ndarray:
    """What a network gives for inputs (N, ...), computed `batch` at a time."""
    call = compiled(lambda x: network(x, training=False))
    parts = [
        ops.convert_to_numpy(call(ops.convert_to_tensor(inputs[i : i + batch])))
        for i in range(0, len(inputs), batch)
    ]
    return np.concatenate(parts)
