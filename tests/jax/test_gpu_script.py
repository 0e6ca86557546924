"""`scripts/gpu.py` from a bare machine to its page, on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = "machine,unpooling,networks,feeding,precision,riemens_table2"


def measure(folder, *words):
    command = [sys.executable, "scripts/gpu.py", "--work", folder / "work", "--out", folder / "out"]
    return subprocess.run(
        list(map(str, [*command, *words])),
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With the results of a rehearsal, beside a card that says that it is half busy."""
    folder = tmp_path_factory.mktemp("gpu")
    card = folder / "nvidia-smi"
    card.write_text("#!/bin/sh\necho '50, 1234'\n")
    card.chmod(0o755)
    done = measure(folder, "--rehearse", "--minutes", 30, "--only", PARTS)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def found(folder, part):
    return json.loads((folder / "out" / f"{part}.json").read_text())


def test_every_part_is_measured_and_on_the_page(folder):
    page = (folder / "out" / "README.md").read_text()
    assert {row["name"] for row in found(folder, "networks")["found"]["rows"]} == {
        "time",
        "inversion_unit1",
    }
    assert found(folder, "networks")["card"] == {"percent_busy": 50.0, "mib": 1234.0}
    assert [row["precision"] for row in found(folder, "precision")["found"]] == [
        "float32",
        "bfloat16",
    ]
    assert all(0 <= row["waiting"] < 1 for row in found(folder, "feeding")["found"])
    assert "the card 50 % busy, 1234 MiB" in page
    assert "its figures mean nothing" in page
    assert page.count("Not measured yet.") == 5
    assert "| time |" in page


def test_what_is_measured_is_not_measured_again(folder):
    before = {file: file.stat().st_mtime_ns for file in (folder / "out").glob("*.json")}
    done = measure(folder, "--rehearse", "--only", PARTS)
    assert done.returncode == 0
    assert "..." not in done.stdout
    assert {file: file.stat().st_mtime_ns for file in (folder / "out").glob("*.json")} == before


def test_a_part_that_the_time_does_not_suffice_for_is_left_for_the_next_run(folder):
    done = measure(folder, "--rehearse", "--minutes", 0.02, "--only", "tuning,riemens_table3")
    assert done.returncode == 0
    assert "tuning ... the minutes are over: run the same again to resume" in done.stdout
    assert not (folder / "out" / "tuning.json").exists()


def test_without_a_gpu_it_says_so(tmp_path):
    done = measure(tmp_path, "--only", "machine,tests")
    assert done.returncode == 2
    assert "JAX sees no GPU; --rehearse runs everything on the CPU" in done.stdout


def test_a_folder_without_wheels_is_refused(tmp_path):
    done = measure(tmp_path, "--wheels", tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path} holds no wheels\n"
