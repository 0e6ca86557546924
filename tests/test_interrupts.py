"""Ctrl-C ends the work wherever it comes, also where Python loses the exception."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.trees import make_tree
from zoo.interrupts import heeded, held, safe_point
from zoo.progress import progress_bar

MOMENTS = 20


@pytest.fixture(autouse=True)
def default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press():
    signal.raise_signal(signal.SIGINT)


class Lost:
    """Something whose finalizer is interrupted, as the garbage collector's callbacks are."""

    def __del__(self):
        press()


@pytest.fixture
def lose(monkeypatch):
    """What loses an interrupt, and notes that Python said so."""
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: said.append(found.exc_type))

    def function():
        thing = Lost()
        del thing
        assert said.pop() is KeyboardInterrupt

    return function


def test_an_interrupt_is_raised_where_it_comes():
    reached = []

    def work():
        press()
        reached.append("the line after")

    with pytest.raises(KeyboardInterrupt), heeded():
        work()
    assert not reached


def test_one_that_was_lost_is_raised_at_the_next_safe_point(lose):
    reached = []

    def work():
        lose()
        reached.append("the line after")
        safe_point()
        reached.append("what follows a safe point")

    with pytest.raises(KeyboardInterrupt), heeded():
        work()
    assert reached == ["the line after"]


def test_one_that_was_lost_in_the_collectors_callback_is_raised(monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: said.append(found.exc_type))

    def callback(phase, info):
        if phase == "stop" and not said:
            press()

    def work():
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        assert said == [KeyboardInterrupt]
        safe_point()
        said.append("what follows a safe point")

    with pytest.raises(KeyboardInterrupt), heeded():
        work()
    assert said == [KeyboardInterrupt]


def test_progress_is_a_safe_point_shown_or_not(lose):
    def work(shown):
        bar = progress_bar(3, "thing", shown=shown)
        bar.update()
        lose()
        bar.update()
        raise AssertionError("not reached")

    for shown in (False, True):
        with pytest.raises(KeyboardInterrupt) as caught, heeded():
            work(shown)
        assert caught.value.__cause__ is None


def test_one_that_nobody_raised_is_raised_at_the_end(lose):
    with pytest.raises(KeyboardInterrupt), heeded():
        lose()


def test_one_that_became_another_exception_is_an_interrupt():
    def work():
        try:
            press()
        except KeyboardInterrupt:
            raise ImportError("no module named jax") from None

    with pytest.raises(KeyboardInterrupt) as caught, heeded():
        work()
    assert isinstance(caught.value.__cause__, ImportError)
    with pytest.raises(ImportError), heeded():
        raise ImportError("not interrupted")


def test_while_held_it_waits_and_a_second_one_does_not():
    reached = []

    def work(times):
        for _ in range(times):
            press()
        reached.append(times)

    for times in (1, 2):
        with pytest.raises(KeyboardInterrupt), held():
            work(times)
    assert reached == [1]


def test_blocks_within_blocks_are_one_and_leave_nothing_behind(lose):
    with pytest.raises(KeyboardInterrupt), heeded(), held(), heeded():
        lose()
    safe_point()
    with heeded():
        safe_point()


def test_somebody_elses_handler_stays():
    noted = []
    signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    with heeded(), held():
        press()
        safe_point()
    assert noted == [signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Interrupts the same command again and again, each time a little later; says how many did not end
# it. One process: what takes longest is to import TensorFlow.
AGAIN_AND_AGAIN = """
import contextlib, io, os, shutil, signal, sys, threading, time
from zoo.cli import main
from zoo.startup import start_backend

folder, moments, *words = sys.argv[1:]
start_backend()

def seconds():
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    assert main(words) == 0
    return time.monotonic() - begin

seconds()
whole = seconds()
for moment in range(int(moments)):
    shutil.rmtree(folder, ignore_errors=True)
    timer = threading.Timer(
        whole * (moment + 0.5) / int(moments) * 0.8, os.kill, (os.getpid(), signal.SIGINT)
    )
    said = io.StringIO()
    timer.start()
    with contextlib.redirect_stderr(said):
        code = main(words)
    pressed = not timer.is_alive()
    timer.cancel()
    print("result", pressed, code, "interrupted; the same command" in said.getvalue())
assert main(words) == 0
"""


def run_python(code, *words):
    """What a process prints that heeds Ctrl-C as one that a terminal starts."""
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=590,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


# Cells that take a moment each, most of which goes into forgetting the network of the one before.
CELLS = """
import os, shutil, signal, sys, threading, time
from pathlib import Path
from zoo.startup import start_backend
start_backend()
import keras
from zoo.experiments.engine.runner import Cell, Context, run_cells

folder, moments = Path(sys.argv[1]), int(sys.argv[2])
context = Context(folder / "data", folder / "work", folder / "out")
cells = [Cell(str(n), {"number": n}) for n in range(3)]

def compute(settings, context):
    layers = [keras.layers.Dense(4) for _ in range(20)]
    keras.Sequential([keras.Input((4,)), *layers])
    return {"number": settings["number"]}

sys.modules["cells"] = sys.modules["__main__"]

def seconds():
    begin = time.monotonic()
    run_cells(cells, "cells:compute", context)
    return time.monotonic() - begin

seconds()
shutil.rmtree(context.out)
whole = seconds()
for moment in range(moments):
    shutil.rmtree(context.out)
    after = 0.8 * whole * (moment + 0.5) / moments
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    try:
        seconds()
    except KeyboardInterrupt:
        print("interrupted", len(list(context.out.glob("cells/*.json"))) < len(cells))
    else:
        print("whole", timer.is_alive())
        timer.cancel()
assert len(run_cells(cells, "cells:compute", context)) == len(cells)
"""


@pytest.mark.parametrize("moments", [6, pytest.param(MOMENTS, marks=pytest.mark.slow)])
def test_an_experiment_ends_at_every_moment_and_resumes(tmp_path, moments):
    (tmp_path / "work").mkdir()
    found = run_python(CELLS, tmp_path, moments).split("\n")[:-1]
    assert len(found) == moments
    assert found.count("interrupted True") >= moments // 2, found
    # Where it was done before, nothing was to be interrupted; nothing ever ends as if it were.
    assert set(found) <= {"interrupted True", "interrupted False", "whole True"}


@pytest.mark.slow
def test_a_search_ends_at_every_moment_and_resumes(tmp_path):
    from zoo.data import prepare

    tree = make_tree(tmp_path / "corpus", train=4, test=1, sentences=("SX1",))
    prepare(tree, tmp_path / "set", representation="log_magnitude")
    study = tmp_path / "study"
    words = ["tune", "freq_fullpad", "--data", tmp_path / "set", "--out", study]
    words += ["--epochs", 1, "--per-class", 1, "--only", "units,dropout", "--max-params", 90000]
    words += ["--max-trials", 3]
    said = run_python(AGAIN_AND_AGAIN, study, MOMENTS, *words)
    found = [line.split()[1:] for line in said.splitlines() if line.startswith("result")]
    assert len(found) == MOMENTS
    assert found.count(["True", "1", "True"]) >= MOMENTS // 2, found
    # Where it was done before, nothing was to be interrupted.
    assert all(one in (["True", "1", "True"], ["False", "0", "False"]) for one in found), found
