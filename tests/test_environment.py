"""scripts/environment.py without a network: installing is replaced, the rest is real."""

import importlib.util
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
QUICKSTART = sorted(("client", "reports", "serving", "synth", "tensorflow"))


def load(root):
    spec = importlib.util.spec_from_file_location("environment", ROOT / "scripts/environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = str(root)
    module.light_torch = lambda venv, constraints: False
    return module


def pretend(module, log, seconds=0.0, fails=False):
    """Replace making and filling by something quick that leaves the same traces."""

    def create(venv, python):
        log.append("create")
        shutil.rmtree(venv, ignore_errors=True)
        os.makedirs(os.path.join(venv, "bin"))
        Path(venv, "pyvenv.cfg").touch()
        os.symlink(sys.executable, module.python_in(venv))
        module.write_stamp(venv, {"state": "making"})

    def fill(venv, python, extras, constraints):
        log.append(sorted(extras))
        time.sleep(seconds)
        if fails:
            raise module.Problem("no network")
        site = Path(venv, "lib", "python3.11", "site-packages")
        site.mkdir(parents=True, exist_ok=True)
        for name in ["numpy", *extras]:
            (site / name).mkdir(exist_ok=True)

    module.create, module.fill = create, fill
    return module


@pytest.fixture
def checkout(tmp_path):
    for name in ["pyproject.toml", "constraints.txt", "constraints-io.txt"]:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def log():
    return []


@pytest.fixture
def environment(checkout, log):
    return pretend(load(checkout), log)


def test_second_call_does_nothing(environment, checkout, log):
    venv = str(checkout / ".venv")
    environment.ensure("quickstart", venv, sys.executable)
    assert log == ["create", QUICKSTART]
    environment.ensure("quickstart", venv, sys.executable)
    assert len(log) == 2


def test_grows_and_keeps_what_it_had(environment, checkout, log):
    venv = str(checkout / ".venv")
    environment.ensure("quickstart", venv, sys.executable)
    environment.ensure("test", venv, sys.executable, torch=False)
    environment.ensure("test", venv, sys.executable, torch=True)
    environment.ensure("test", venv, sys.executable)
    assert log.count("create") == 1
    assert {*QUICKSTART, "all", "dev"} < set(log[2])
    assert set(log[3]) == {*log[2], "torch"}
    assert len(log) == 4


@pytest.mark.parametrize(
    ("change", "refills"),
    [
        (("constraints.txt", "\nmore==1\n"), True),
        (("pyproject.toml", '\n[project.urls]\na = "b"\n'), True),
        (("pyproject.toml", "\n[tool.ruff.format]\npreview = true\n"), False),
        (("constraints-io.txt", "\nmore==1\n"), False),
        (("tuning/__init__.py", ""), True),
    ],
)
def test_filled_again_when_its_inputs_change(environment, checkout, log, change, refills):
    venv = str(checkout / ".venv")
    environment.ensure("quickstart", venv, sys.executable)
    name, text = change
    (checkout / name).parent.mkdir(exist_ok=True)
    with open(checkout / name, "a") as file:
        file.write(text)
    environment.ensure("quickstart", venv, sys.executable)
    assert log == ["create", QUICKSTART, QUICKSTART][: 3 if refills else 2]


def damage_python(venv):
    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/nowhere/python")


def damage_package(venv):
    shutil.rmtree(venv / "lib/python3.11/site-packages/numpy")


def damage_stamp(venv):
    stamp = json.loads((venv / ".zoo-environment.json").read_text())
    (venv / ".zoo-environment.json").write_text(json.dumps(dict(stamp, state="making")))


def damage_place(venv):
    moved = venv.parent / "moved"
    venv.rename(moved)
    shutil.copytree(moved, venv, symlinks=True)
    stamp = json.loads((venv / ".zoo-environment.json").read_text())
    (venv / ".zoo-environment.json").write_text(json.dumps(dict(stamp, venv=str(moved))))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_python, "does not run"),
        (damage_package, "numpy is missing"),
        (damage_stamp, "half made"),
        (damage_place, "moved or copied"),
    ],
)
def test_damage_is_noticed_and_mended(environment, checkout, log, damage, message, capsys):
    venv = checkout / ".venv"
    environment.ensure("quickstart", str(venv), sys.executable)
    damage(venv)
    environment.ensure("quickstart", str(venv), sys.executable)
    assert log.count("create") == 2
    assert message in capsys.readouterr().err


def test_nothing_of_the_users_is_removed(environment, checkout, log):
    mine = checkout / "mine"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    with pytest.raises(environment.Problem, match="not a virtual environment"):
        environment.ensure("quickstart", str(mine), sys.executable)
    assert (mine / "thesis.txt").exists()
    assert log == []


def test_an_environment_of_the_users_is_added_to(environment, checkout, log):
    venv = checkout / ".venv"
    environment.create(str(venv), sys.executable)
    (venv / ".zoo-environment.json").unlink()
    (venv / "mine.txt").touch()
    log.clear()
    pretend(environment, log, fails=True)
    with pytest.raises(environment.Problem, match="no network"):
        environment.ensure("quickstart", str(venv), sys.executable)
    pretend(environment, log)
    environment.ensure("quickstart", str(venv), sys.executable)
    assert log == [QUICKSTART, QUICKSTART]
    assert (venv / "mine.txt").exists()


def test_a_failure_leaves_what_worked(environment, checkout, log):
    venv = str(checkout / ".venv")
    environment.ensure("quickstart", venv, sys.executable)
    pretend(environment, log, fails=True)
    with pytest.raises(environment.Problem, match="no network"):
        environment.ensure("test", venv, sys.executable, torch=False)
    log.clear()
    environment.ensure("quickstart", venv, sys.executable)
    assert log == []


def one_of_two(checkout, results):
    log = []
    module = pretend(load(checkout), log, seconds=0.5)
    module.ensure("quickstart", str(checkout / ".venv"), sys.executable)
    results.put(log)


def test_two_at_once_fill_it_once(checkout):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    both = [context.Process(target=one_of_two, args=(checkout, results)) for _ in range(2)]
    for process in both:
        process.start()
    logs = [results.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert sorted(logs, key=len) == [[], ["create", QUICKSTART]]


def stand_in(folder, name, version):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def test_takes_another_python_where_the_given_one_will_not_do(environment, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    old = stand_in(tmp_path, "python3", "3 9")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    with pytest.raises(
        environment.Problem, match=r"needs Python 3\.11, 3\.12 or 3\.13 .* is Python"
    ):
        environment.find_python(old, (3, 13))
    newer = stand_in(tmp_path / "bin", "python3.13", "3 13")
    assert environment.find_python(old, (3, 13)) == newer
    with pytest.raises(environment.Problem, match=r"needs Python 3\.11 or 3\.12 here"):
        environment.find_python(newer, (3, 12))


def test_script_runs_from_the_command_line():
    script = str(ROOT / "scripts/environment.py")
    found = subprocess.run(
        [sys.executable, script, "test", "--find"], capture_output=True, text=True
    )
    assert found.returncode == 0
    wrong = subprocess.run([sys.executable, script, "everything"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "everything" in wrong.stderr


def test_every_purpose_names_extras_and_files_that_exist():
    module = load(ROOT)
    project = (ROOT / "pyproject.toml").read_text()
    for extras, constraints, _ in module.PURPOSES.values():
        assert (ROOT / constraints).exists()
        for extra in extras:
            assert f"\n{extra} = [" in project


def test_constraints_are_exact_and_name_no_index():
    for name in ["constraints.txt", "constraints-io.txt", "constraints-beam.txt"]:
        for line in (ROOT / name).read_text().splitlines():
            if not line.startswith("#"):
                assert "==" in line
                assert "://" not in line
                assert not line.startswith("-")
