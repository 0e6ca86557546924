"""The denoiser against NumPy's convolution, its causality and its shifts."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def reference(model, x):
    """(N, samples, F0): every layer as a sum of `numpy.convolve`."""
    for layer in model.layers[1:]:
        (kernel,) = (numpy(w).astype("float64") for w in layer.weights)
        h = kernel[::-1]  # (K, F, G), h[k] weighs the sample k steps ago
        out = np.zeros((*x.shape[:2], h.shape[2]))
        for n in range(x.shape[0]):
            for g in range(h.shape[2]):
                for f in range(h.shape[1]):
                    out[n, :, g] += np.convolve(x[n, :, f], h[:, f, g])[: x.shape[1]]
        x = np.tanh(out)
    return x


@pytest.mark.parametrize(
    ("taps", "features"),
    [((40, 40), (1, 5, 1)), ((3,), (1, 1)), ((1, 4, 7), (2, 3, 5, 2))],
)
def test_is_convolution_and_tanh(taps, features):
    model = zoo.build("denoiser", taps=taps, features=features)
    x = np.random.default_rng(0).normal(size=(2, 90, features[0])).astype("float32")
    np.testing.assert_allclose(numpy(model(x)), reference(model, x), atol=1e-5)


def test_parameters_are_the_filters_alone():
    model = zoo.build("denoiser")
    assert [tuple(w.shape) for w in model.weights] == [(40, 1, 5), (40, 5, 1)]


def test_a_shifted_input_shifts_the_output():
    model = zoo.build("denoiser")
    x = np.random.default_rng(1).normal(size=(1, 200, 1)).astype("float32")
    shifted = np.pad(x, ((0, 0), (13, 0), (0, 0)))
    y, moved = numpy(model(x)), numpy(model(shifted))
    assert (moved[:, :13] == 0).all()
    np.testing.assert_allclose(moved[:, 13:], y, atol=1e-6)


def test_the_future_does_not_count():
    model = zoo.build("denoiser")
    x = np.random.default_rng(1).normal(size=(1, 200, 1)).astype("float32")
    other = x.copy()
    other[:, 120:] += 1
    y, changed = numpy(model(x)), numpy(model(other))
    np.testing.assert_allclose(changed[:, :120], y[:, :120], atol=1e-6)
    assert (changed[:, 120:] != y[:, 120:]).any()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"taps": (40,)}, "features must be a sequence of 2 whole numbers"),
        ({"taps": (40, 0)}, "taps must be a sequence of whole numbers"),
        ({"input_shape": (100, 2)}, r"must be features\[0\], 1; received \(100, 2\)"),
    ],
)
def test_wrong_values_are_told(overrides, message):
    with pytest.raises(UsageError, match=message):
        zoo.build("denoiser", **overrides)
