"""TensorFlow, JAX and PyTorch find the same inputs."""

from pathlib import Path

import numpy as np
import pytest
from backends import OTHER_BACKENDS, probe

SCRIPT = Path(__file__).with_name("inversion_probe.py")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return probe(SCRIPT, "tensorflow", tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_backend_agrees_with_tensorflow(backend, expected, tmp_path):
    results = probe(SCRIPT, backend, tmp_path)
    assert sorted(results) == sorted(expected)
    for name, values in results.items():
        np.testing.assert_allclose(values, expected[name], rtol=2e-3, atol=2e-3, err_msg=name)
