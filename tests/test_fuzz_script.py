"""The script that feeds damaged files to the readers finds what it is there to find."""

import importlib.util
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from zoo.errors import UsageError


@pytest.fixture(scope="module")
def fuzz():
    path = Path(__file__).parents[1] / "scripts" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def faulty(path):
    contents = path.read_bytes()
    if contents == b"slow":
        time.sleep(5)
    if contents == b"wrong":
        return {}["nothing"]
    raise UsageError({b"lines": "one\ntwo", b"disk": "cannot read it"}.get(contents, "refused."))


def test_wrong_errors_hangs_and_sentences_are_found(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "PATIENCE", 0.3)
    inputs = st.sampled_from([b"slow", b"wrong", b"lines", b"disk", b"good", b"better"])
    target = fuzz.file_target(st.tuples(st.just("a.txt"), inputs), faulty)
    monkeypatch.setattr(fuzz, "targets", lambda: {"texts": target})
    monkeypatch.setattr(fuzz, "ROUND", 40)
    assert fuzz.main(["--minutes", "0.001", "--keep", str(tmp_path)]) == 1
    kept = {(folder / "a.txt").read_bytes() for folder in tmp_path.iterdir()}
    assert kept == {b"slow", b"wrong", b"lines", b"disk"}


def test_readers_have_no_findings(fuzz, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "ROUND", 10)
    assert fuzz.main(["--minutes", "0.001", "--keep", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "90 inputs with seed 0;" in told
    assert all(f"{name}: 10 inputs" in told for name in fuzz.targets())
