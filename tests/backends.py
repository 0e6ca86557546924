"""Running a script of the tests under another Keras backend, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent

OTHER_BACKENDS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("jax", "torch")]
"""Those that are compared with TensorFlow, each test marked with what it needs."""


def probe(script: Path, backend: str, folder: Path) -> dict[str, np.ndarray]:
    """The arrays that `script` writes into the .npz file named by its argument."""
    path = folder / f"{backend}.npz"
    search = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, script, path],
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(search)},
        check=True,
    )
    return dict(np.load(path))
