"""Every model gives the same answer on TensorFlow, JAX and PyTorch from the same weights."""

from pathlib import Path

import numpy as np
import pytest
from backends import OTHER_BACKENDS, probe

import zoo

SCRIPT = Path(__file__).with_name("models_probe.py")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return probe(SCRIPT, "tensorflow", tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_backend_agrees_with_tensorflow(backend, expected, tmp_path):
    results = probe(SCRIPT, backend, tmp_path)
    assert sorted(results) == sorted(expected) == zoo.list_models()
    for name, result in results.items():
        assert expected[name].std() > 1e-4, f"{name} answers the same for everything"
        np.testing.assert_allclose(result, expected[name], atol=1e-4, rtol=1e-4, err_msg=name)
