"""TensorFlow, JAX and PyTorch compute the same, gradients included."""

import numpy as np
import pytest

import zoo
from tests.helpers.probes import (
    decoding,
    inversion,
    layers,
    models,
    normalization,
    probe,
    representations,
    spectral_conv,
)

pytestmark = pytest.mark.tensorflow

PARTS = {
    "layers": layers,
    "spectral_conv": spectral_conv,
    "representations": representations,
    "models": models,
    "decoding": decoding,
    "inversion": inversion,
}
TOLERANCE = {
    "layers": 1e-4,
    "spectral_conv": 1e-4,
    "models": 1e-4,
    "decoding": 1e-4,
    "inversion": 2e-3,
}


@pytest.fixture(scope="module")
def expected():
    """Part -> its results on TensorFlow."""
    return {part: module.results() for part, module in PARTS.items()}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("jax", marks=pytest.mark.jax),
        pytest.param("torch", marks=pytest.mark.torch),
    ],
)
def computed(request, tmp_path_factory):
    """Part -> its results on another backend."""
    backend = request.param
    return probe(backend, tmp_path_factory.mktemp(backend), *PARTS, "normalization")


@pytest.mark.parametrize("part", PARTS)
def test_a_backend_agrees_with_tensorflow(part, computed, expected):
    assert computed[part].keys() == expected[part].keys()
    for name, array in expected[part].items():
        if part == "representations":
            assert np.isfinite(computed[part][name]).all(), name
            bounds = {"rtol": 0, "atol": 1e-3 * np.abs(array).max()}
        else:
            bounds = {"rtol": TOLERANCE[part], "atol": TOLERANCE[part]}
        np.testing.assert_allclose(computed[part][name], array, err_msg=name, **bounds)


def test_recordings_are_normalised_as_numpy_does(computed):
    normalization.compare(computed["normalization"])


def test_every_model_is_compared(expected):
    assert sorted(expected["models"]) == zoo.list_models()
    for name, output in expected["models"].items():
        assert output.std() > 1e-4, f"{name} answers the same for everything"
