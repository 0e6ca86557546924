"""Outputs of every model."""

import keras

import zoo
from tests.helpers import examples
from tests.helpers.gradients import in_one


def results():
    """Name -> array."""
    found = {}
    for name in zoo.list_models():
        model = zoo.build(name)
        examples.set_weights(model)
        found[name] = keras.ops.convert_to_numpy(in_one(model)(examples.inputs(name)))
    return found
