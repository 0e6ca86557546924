"""Every model gives the same answer on TensorFlow, JAX and PyTorch from the same weights."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo

TESTS = Path(__file__).parents[1]


def probe(backend, folder):
    path = folder / f"{backend}.npz"
    search = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, Path(__file__).with_name("models_probe.py"), path],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(search)},
        check=True,
    )
    return dict(np.load(path))


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return probe("tensorflow", tmp_path_factory.mktemp("tensorflow"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_backend_agrees_with_tensorflow(backend, expected, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    results = probe(backend, tmp_path)
    assert sorted(results) == sorted(expected) == zoo.list_models()
    for name, result in results.items():
        assert expected[name].std() > 1e-4, f"{name} answers the same for everything"
        np.testing.assert_allclose(result, expected[name], atol=1e-4, rtol=1e-4, err_msg=name)
