"""A short run of each way of reconstruction."""

import numpy as np

from tests.helpers.networks import network, spectrograms
from zoo.inversion import reconstruct


def results():
    """Name -> array."""
    model = network()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) / 4 for w in model.get_weights()])
    start = spectrograms(3, seed=9)
    found = {}
    for layer, optimizer in (("L6", "bold"), ("fc2", "adam"), ("L3", "lbfgs")):
        descent = reconstruct(
            model, layer, spectrograms(3), start=start, optimizer=optimizer, steps=7, seed=0
        )
        found[f"{layer} {optimizer}"] = descent.reconstruction
        found[f"{layer} {optimizer} errors"] = descent.history
    annealing = reconstruct(model, "L3", spectrograms(3), "annealing", steps=30, seed=0)
    return {**found, "annealing": annealing.reconstruction}
