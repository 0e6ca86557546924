"""Cells: computed once, taken up again after a kill, refused if their settings differ."""

import json
import os
import signal
from pathlib import Path

import pytest

from zoo.errors import RunError, UsageError
from zoo.experiments.engine.runner import Cell, Context, found_records, run_cells
from zoo.training.fitting import Diverged

COMPUTE = f"{__name__}:compute"


def compute(settings, context):
    """Square a number, note that it was done, and fail as the settings ask, once."""
    number = settings["number"]
    with open(context.work / "calls", "a") as file:
        file.write(f"{number}\n")
    fails = context.work / f"fail-{number}"
    if fails.exists():
        how = fails.read_text()
        if how != "diverge":
            fails.unlink()
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt if how == "interrupt" else Diverged("the loss became nan")
    return {"square": number**2}


@pytest.fixture
def context(tmp_path):
    (tmp_path / "work").mkdir()
    return Context(tmp_path / "data", tmp_path / "work", tmp_path / "out")


CELLS = [Cell(f"square of {n}/seed-0", {"number": n}) for n in range(4)]


def calls(context):
    return [int(line) for line in (context.work / "calls").read_text().split()]


def squares(records):
    return [record["result"]["square"] for record in records.values()]


def test_each_is_computed_once_and_says_how(context):
    records = run_cells(CELLS, COMPUTE, context, command="zoo experiment squares")
    assert list(records) == [cell.key for cell in CELLS]
    assert squares(records) == [0, 1, 4, 9]
    assert run_cells(CELLS, COMPUTE, context) == records == found_records(CELLS, context.out)
    assert calls(context) == [0, 1, 2, 3]
    record = json.loads(CELLS[2].record(context.out).read_text())
    assert record["settings"] == {"number": 2}
    assert record["command"] == "zoo experiment squares"
    assert record["versions"]["keras"]
    assert record["hardware"]["cores"] == os.cpu_count()


def test_what_was_broken_off_has_no_record_and_is_computed_again(context):
    (context.work / "fail-2").write_text("interrupt")
    with pytest.raises(KeyboardInterrupt):
        run_cells(CELLS, COMPUTE, context)
    assert list(found_records(CELLS, context.out)) == [cell.key for cell in CELLS[:2]]
    assert squares(run_cells(CELLS, COMPUTE, context)) == [0, 1, 4, 9]
    assert calls(context) == [0, 1, 2, 2, 3]


def test_a_training_that_diverged_is_a_result(context):
    (context.work / "fail-1").write_text("diverge")
    records = run_cells(CELLS, COMPUTE, context)
    assert records["square of 1/seed-0"]["diverged"] == "the loss became nan"
    assert run_cells(CELLS, COMPUTE, context) == records
    assert calls(context) == [0, 1, 2, 3]


def test_a_record_of_other_settings_is_refused(context):
    run_cells(CELLS[:1], COMPUTE, context)
    with pytest.raises(UsageError, match=r"other settings \(number 0, now 7\)"):
        run_cells([Cell(CELLS[0].key, {"number": 7})], COMPUTE, context)
    with pytest.raises(UsageError, match="--jobs must be 1 or more"):
        run_cells(CELLS, COMPUTE, context, jobs=0)


@pytest.mark.slow
def test_a_process_that_is_killed_loses_its_cell_alone(context):
    (context.work / "fail-3").write_text("kill")
    with pytest.raises(RunError, match="run the same command again"):
        run_cells(CELLS, COMPUTE, context, jobs=2)
    found = found_records(CELLS, context.out)
    assert CELLS[3].key not in found
    assert squares(run_cells(CELLS, COMPUTE, context, jobs=2)) == [0, 1, 4, 9]
    # What had a record is not computed again.
    assert all(calls(context).count(record["settings"]["number"]) == 1 for record in found.values())
    assert not list(Path(context.out / "cells").glob("*.tmp*"))
