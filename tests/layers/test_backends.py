"""The layers compute the same on TensorFlow, JAX and PyTorch, gradients included."""

from pathlib import Path

import numpy as np
import pytest
from backends import OTHER_BACKENDS, probe

SCRIPT = Path(__file__).with_name("backend_probe.py")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return probe(SCRIPT, "tensorflow", tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_backend_agrees_with_tensorflow(backend, expected, tmp_path):
    results = probe(SCRIPT, backend, tmp_path)
    assert str(results.pop("backend")) == backend
    assert results.keys() == expected.keys() - {"backend"}
    for name, result in results.items():
        np.testing.assert_allclose(result, expected[name], atol=1e-4, rtol=1e-4, err_msg=name)
