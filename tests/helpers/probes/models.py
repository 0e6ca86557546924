"""Outputs of every model."""

import keras
import numpy as np

import zoo
from tests.helpers import examples
from tests.helpers.gradients import in_one


def results():
    """Name -> array."""
    found = {}
    for name in zoo.list_models():
        model = zoo.build(name)
        rng = np.random.default_rng(0)
        # Positive and of the size of trained ones, so that variances are variances and the values
        # neither vanish nor grow.
        model.set_weights(
            [
                w
                if w.ndim == 0
                else 0.5 + rng.random(w.shape)
                if "variance" in v.path or "gamma" in v.path
                else rng.normal(size=w.shape) / np.sqrt(max(np.prod(w.shape[:-1]), 1))
                for v, w in zip(model.weights, model.get_weights(), strict=True)
            ]
        )
        found[name] = keras.ops.convert_to_numpy(in_one(model)(examples.inputs(name)))
    return found
