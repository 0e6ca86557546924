"""Files of the user's that are called as our packages are stand in nobody's way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo.siblings
from zoo.siblings import ALIASES, sibling

ROOT = Path(__file__).resolve().parents[1]

SCRIPT = """
import sys
import export, serving, tuning
from zoo.cli import main
code = main(sys.argv[1:])
import export as again
assert again.MINE == serving.MINE == tuning.MINE == "the user's"
sys.exit(code)
"""


@pytest.fixture
def folder(tmp_path):
    """With a file of each name, and a script that imports them and calls `zoo`."""
    for package in ALIASES.values():
        (tmp_path / f"{package}.py").write_text('MINE = "the user\'s"\n')
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


WAYS = {"module": ["-m", "zoo"], "script": ["script.py"]}


def zoo_in(folder, way, *words, **environment):
    return subprocess.run(
        [sys.executable, *WAYS[way], *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(("way", "backend"), [("module", "tensorflow"), ("script", "jax")])
def test_export_beside_a_users_own(run, folder, way, backend):
    done = zoo_in(folder, way, "export", run, folder / "out", KERAS_BACKEND=backend)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / "1" / "saved_model.pb").is_file()
    assert "wav_bytes" in done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_tuning_beside_a_users_own(small_set, folder, way):
    words = ["--data", small_set.path, "--out", folder / "study", "--only", "learning_rate"]
    words += ["--max-trials", 1, "--epochs", 1, "--per-class", 4, "--workers", 1]
    done = zoo_in(folder, way, "tune", "time", *words)
    assert done.returncode == 0, done.stderr
    assert "best of 1 trials" in done.stdout


@pytest.mark.tensorflow
@pytest.mark.parametrize("way", WAYS)
def test_serving_beside_a_users_own(exported, folder, way):
    from tests.helpers.runs import recording, wav

    (folder / "speech.wav").write_bytes(wav(recording(2000)))
    url = "http://127.0.0.1:9/v1/models/phones"
    done = zoo_in(folder, way, "predict", folder / "speech.wav", "--url", url)
    assert done.returncode == 1
    assert done.stderr.startswith("zoo predict: ")
    done = zoo_in(folder, way, "serve", "--model", f"phones={folder / 'nowhere'}", "--port", 0)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("zoo serve: ")


def test_a_package_keeps_its_name_where_nobody_else_has_it():
    assert sibling("export.versions").__name__ == "export.versions"


def test_a_package_loaded_under_another_name_is_whole(monkeypatch, tmp_path):
    (tmp_path / "export.py").touch()
    for name in [n for n in sys.modules if n.partition(".")[0] == "export"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        versions = sibling("export.versions")
        assert versions.__name__ == "zoo_export.versions"
        assert sibling("export.versions") is versions
        assert Path(versions.__file__).parent == zoo.siblings.ROOT / "export"
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == "zoo_export"]:
            monkeypatch.delitem(sys.modules, name)
