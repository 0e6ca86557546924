"""One training step of every model, compiled by XLA."""

import inspect

import keras
import numpy as np

import zoo
from tests.helpers import examples
from zoo.registry import describe


def without_dropout(name):
    options = inspect.signature(describe(name).load_builder()).parameters
    keras.utils.set_random_seed(0)
    return zoo.build(name, **({"dropout": 0} if "dropout" in options else {}))


def changes(name, jit_compile):
    """Path of a trainable variable -> what a step adds to it; and the loss."""
    model = without_dropout(name)
    x = examples.inputs(name, 4)
    read = keras.ops.convert_to_numpy
    before = [read(v).copy() for v in model.trainable_variables]
    target = np.random.default_rng(0).normal(size=read(model(x)).shape).astype("float32")
    # A rate that shows small gradients above the rounding of the weights.
    model.compile(keras.optimizers.SGD(100.0), "mse", jit_compile=jit_compile)
    loss = model.train_on_batch(x, target)
    added = {
        v.path: read(v) - old for old, v in zip(before, model.trainable_variables, strict=True)
    }
    assert len(added) == len(before), "two variables have one path"
    return {**added, "loss": np.asarray(loss)}


def results():
    """Model and path -> array."""
    return {
        f"{name}:{path}": array
        for name in zoo.list_models()
        for path, array in changes(name, jit_compile=True).items()
    }
