"""All representations and their gradients."""

import numpy as np
from keras import ops

from tests.helpers.gradients import gradient, in_one
from zoo import layers
from zoo.data.features.representations import REPRESENTATIONS


def results():
    """Name -> array, for waveforms of which one is silent and one begins silently."""
    rng = np.random.default_rng(1)
    waves = rng.standard_normal((3, 600)).astype("float32")
    waves[0], waves[1, :300] = 0, 0
    found = {}
    for name in REPRESENTATIONS:
        chain = layers.representation_layers(layers.representation_settings(name, 1))

        def represent(x, chain=chain):
            x = layers.Level("rms")(x)
            for layer in chain:
                x = layer(x)
            return x

        y = ops.convert_to_numpy(in_one(represent)(waves))
        # Shorter than a frame: no frames.
        assert in_one(represent)(waves[:, :200]).shape == (3, y.shape[1], 0, y.shape[3]), name
        weights = rng.standard_normal(y.shape).astype("float32")
        found[f"{name} gradient"] = gradient(
            lambda x, represent=represent, weights=weights: ops.sum(
                ops.multiply(represent(x), weights)
            ),
            waves,
        )
        if name == "magnitude_phase":
            # An angle near pi may come out near -pi elsewhere; the coefficient is the same.
            y = np.stack([y[..., 0] * np.cos(y[..., 1]), y[..., 0] * np.sin(y[..., 1])])
        found[name] = y
    return {name: np.asarray(ops.convert_to_numpy(y)) for name, y in found.items()}
