"""What commands import before they have anything to compute: start-up is most of their time."""

import subprocess
import sys
from pathlib import Path

import pytest

SET = Path(__file__).parents[1] / "fixtures" / "earlier" / "segments"
NETWORKS = {"tensorflow", "keras", "jax", "torch"}
NUMBERS = {"numpy", "scipy", "h5py", "matplotlib", "sklearn"}
WORKER = """
import sys
from zoo.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules)
"""


def imported(words):
    """Packages that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *words], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("words", ["--help", "--version", "list tdnn*", "transcribe --help"])
def test_what_says_no_numbers_imports_no_numpy(words):
    assert not imported(words.split()) & (NETWORKS | NUMBERS)


@pytest.mark.parametrize("words", ["prepare --help", "train --help", f"data check {SET}"])
def test_what_asks_no_network_imports_no_keras(words):
    assert not imported(words.split()) & (NETWORKS | NUMBERS - {"numpy"})
