"""`python -m tests.helpers.probes FOLDER PART...` writes FOLDER/PART.npz."""

import importlib
import os
import sys

import numpy as np

from zoo.startup import start_backend


def main(folder, *parts):
    """Write what these parts compute."""
    start_backend()
    import keras

    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
    for part in parts:
        results = importlib.import_module(f"tests.helpers.probes.{part}").results()
        np.savez(os.path.join(folder, f"{part}.npz"), **results)


main(*sys.argv[1:])
