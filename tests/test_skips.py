"""In continuous integration a test that is skipped has failed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

CASES = """
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("no browser")

@pytest.mark.skipif(True, reason="no browser")
def test_is_marked():
    pass

@pytest.mark.gpu
def test_needs_a_gpu():
    pytest.skip("no GPU")

@pytest.mark.xfail
def test_fails_as_expected():
    raise ValueError
"""


@pytest.fixture
def folder(tmp_path):
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such')\n")
    return tmp_path


def outcomes(folder, **environment):
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", folder],
        cwd=folder,
        env={**env, "PYTHONPATH": str(HERE.parent), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last)}, done.stdout


def test_elsewhere_they_are_skipped(folder):
    found, _ = outcomes(folder)
    assert (found["passed"], found["skipped"], found["xfailed"]) == (1, 4, 1)


def test_in_continuous_integration_they_fail_but_for_a_gpu(folder):
    (folder / "test_module.py").unlink()
    found, said = outcomes(folder, CI="true")
    # What skips before it starts is an error to pytest.
    assert found == {"passed": 1, "failed": 1, "error": 1, "skipped": 1, "xfailed": 1}
    assert "no browser: with CI=true no test may be skipped" in said


def test_a_file_that_is_left_out_fails_too(folder):
    found, said = outcomes(folder, CI="true")
    assert "could not import 'no_such'" in said
    assert next(number for word, number in found.items() if word.startswith("error")) == 1
