"""What parts of the zoo compute, to be compared between Keras' backends.

Each module has `results()`, name -> array, from inputs that are the same everywhere. Keras cannot
change its backend in a running process, so `probe` asks another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]


def probe(backend: str, folder: Path, *parts: str) -> dict[str, dict[str, np.ndarray]]:
    """Part -> the results of the module of that name on `backend`, by way of files in `folder`."""
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.probes", folder, *parts],
        # XLA compiles for longer than these small arrays take.
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        cwd=ROOT,
        check=True,
    )
    return {part: dict(np.load(folder / f"{part}.npz")) for part in parts}
