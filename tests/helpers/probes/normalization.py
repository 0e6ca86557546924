"""The layer of normalisation by recording, beside what NumPy makes of the same recordings."""

import keras
import numpy as np
from keras import ops

from zoo.data.features.normalization import statistics_of
from zoo.layers import RecordingNormalization


def inputs():
    """Name -> recordings (N, F, T, C): as they are, one frame, silent, loud, far from zero."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 7, 33, 2)).astype("float32") * np.arange(1, 8)[None, :, None, None]
    return {
        "plain": x.astype("float32"),
        "one frame": x[:, :, :1].astype("float32"),
        "five frames": x[:, :, :5].astype("float32"),
        "silence": np.full((1, 40, 3001, 1), np.log(1e-4), "float32"),
        "loud": (1e3 * x).astype("float32"),
        "far": (x - 50).astype("float32"),
    }


def results():
    """Name -> what the layer makes of it, in a model whose T is not known."""
    found = {}
    for name, x in inputs().items():
        given = keras.Input((x.shape[1], None, x.shape[3]))
        model = keras.Model(given, RecordingNormalization()(given))
        found[name] = ops.convert_to_numpy(model(x))
    return found


def normalised(x, found):
    """Recordings of these statistics, normalised by NumPy."""
    return (x - found.mean) / found.deviation


def compare(results):
    """Check what a backend made of the inputs against NumPy."""
    for name, x in inputs().items():
        expected = np.stack([normalised(one, statistics_of(one)) for one in x])
        np.testing.assert_allclose(
            results[name], expected, rtol=1e-4, atol=1e-3 if name == "loud" else 1e-4, err_msg=name
        )
