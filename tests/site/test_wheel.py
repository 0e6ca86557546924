"""The package as others install it: the wheel in an empty environment, away from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.scripts import load
from tests.site.test_site import SAID

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("mkdocs")
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parents[2]
PARTS = ("zoo", "tuning", "export", "serving")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools would keep what it copies, and put it into the next wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / "source" / part, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder]
    subprocess.run([*pip, folder / "source"], check=True)
    (found,) = folder.glob("phone_zoo-*.whl")
    return found


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """A function that runs a command of the environment, in a folder far from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    constraints = ["-c", ROOT / "constraints.txt"]
    pip = [programs / "python", "-m", "pip", "install", "-q", *constraints]
    subprocess.run([*pip, f"{wheel}[all]", "nbclient", "ipykernel"], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {
        "PATH": os.pathsep.join([str(programs), environment["PATH"]]),
        "ZOO_PRESETS": str(folder / "presets"),
    }

    def run(*words):
        command = [programs / words[0], *words[1:]]
        return subprocess.run(
            command, cwd=folder, env=environment, check=True, capture_output=True, text=True
        ).stdout

    yield run
    # It is of gigabytes.
    shutil.rmtree(folder)


def test_the_wheel_is_small_and_typed(wheel):
    assert wheel.stat().st_size < 10_000_000
    names = zipfile.ZipFile(wheel).namelist()
    assert "zoo/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "docs"))]


def test_the_quickstart_runs(run):
    where = run("python", "-c", "import serving, zoo; print(zoo.__file__, serving.__file__)")
    assert str(ROOT) not in where
    said = run("zoo", "quickstart", "--speakers", "8", "--epochs", "1", "--out", "quick")
    assert "phone error rate" in said


@pytest.mark.parametrize("name", SAID)
def test_a_tutorial_runs(run, name, tmp_path):
    pages = load("tutorial_pages")
    file = tmp_path / f"{name}.ipynb"
    nbformat.write(pages.read(name), file)
    run("jupyter", "execute", "--inplace", f"--timeout={pages.SECONDS}", str(file))
    cells = [cell for cell in nbformat.read(file, 4).cells if cell.cell_type == "code"]
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    for phrase in SAID[name]:
        assert phrase in printed
