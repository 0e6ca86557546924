"""A short gradient run on the backend that KERAS_BACKEND names, into an .npz."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from networks import network, spectrograms

from zoo.inversion import reconstruct


def main(path: str) -> None:
    model = network()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) / 4 for w in model.get_weights()])
    start = spectrograms(3, seed=9)
    results = {}
    for layer, optimizer in (("L6", "bold"), ("fc2", "adam"), ("L3", "lbfgs")):
        found = reconstruct(
            model, layer, spectrograms(3), start=start, optimizer=optimizer, steps=7, seed=0
        )
        results[f"{layer} {optimizer}"] = found.reconstruction
        results[f"{layer} {optimizer} errors"] = found.history
    found = reconstruct(model, "L3", spectrograms(3), "annealing", steps=30, seed=0)
    results["annealing"] = found.reconstruction
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1])
