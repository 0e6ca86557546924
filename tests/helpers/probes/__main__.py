"""`python -m tests.helpers.probes FOLDER PART...` writes FOLDER/PART.npz."""

import importlib
import os
import sys

import keras
import numpy as np

folder, *parts = sys.argv[1:]
assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
for part in parts:
    results = importlib.import_module(f"tests.helpers.probes.{part}").results()
    np.savez(os.path.join(folder, f"{part}.npz"), **results)
