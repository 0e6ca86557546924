"""Outputs of every model on the backend that KERAS_BACKEND names, into an .npz.

Run as a program, once for each backend: Keras cannot change its backend in a running process.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import examples
import keras
import numpy as np

import zoo


def main(path: str) -> None:
    results = {}
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
        results[name] = keras.ops.convert_to_numpy(model(examples.inputs(name)))
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1])
