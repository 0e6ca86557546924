"""Outputs and gradients of `SpectralConv2D`, however it is lowered."""

import numpy as np
from keras import ops

from tests.helpers.gradients import gradient
from zoo.layers import SpectralConv2D

CASES = {
    "banded same": {"kernel_size": (4, 8), "padding": "same", "lowering": "banded"},
    "banded valid": {"kernel_size": (3, 5), "strides": (2, 1), "lowering": "banded"},
    "spanning": {"kernel_size": (9, 3), "lowering": "spanning"},
    "ordinary": {"kernel_size": (4, 3), "padding": "same", "lowering": "none"},
}


def results():
    """Name -> array."""
    found = {}
    for name, arguments in CASES.items():
        rng = np.random.default_rng(0)
        x = rng.standard_normal((2, 9, 6, 3)).astype("float32")
        layer = SpectralConv2D(4, **arguments)
        layer.build(x.shape)
        layer.set_weights([rng.standard_normal(w.shape) for w in layer.get_weights()])

        def loss(x, layer=layer):
            return ops.sum(layer(x) ** 2) / 1e3

        found[name] = ops.convert_to_numpy(layer(x))
        found[f"{name} gradient"] = ops.convert_to_numpy(gradient(loss, x))
    return found
