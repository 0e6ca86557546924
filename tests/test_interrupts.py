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
    with pytest.raises(KeyboardInterrupt), heeded():
        press()
        raise AssertionError("not reached")


def test_one_that_was_lost_is_raised_at_the_next_safe_point(lose):
    reached = []
    with pytest.raises(KeyboardInterrupt), heeded():
        lose()
        reached.append("the line after")
        safe_point()
        reached.append("what follows a safe point")
    assert reached == ["the line after"]


def test_one_that_was_lost_in_the_collectors_callback_is_raised(monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: said.append(found.exc_type))

    def callback(phase, info):
        if phase == "stop" and not said:
            press()

    with pytest.raises(KeyboardInterrupt), heeded():
        gc.callbacks.append(callback)
        try:
            gc.collect()
        finally:
            gc.callbacks.remove(callback)
        assert said == [KeyboardInterrupt]
        safe_point()
        raise AssertionError("not reached")


def test_progress_is_a_safe_point_shown_or_not(lose):
    for shown in (False, True):
        with pytest.raises(KeyboardInterrupt), heeded():
            bar = progress_bar(3, "thing", shown=shown)
            bar.update()
            lose()
            bar.update()


def test_one_that_nobody_raised_is_raised_at_the_end(lose):
    with pytest.raises(KeyboardInterrupt), heeded():
        lose()


def test_one_that_became_another_exception_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt) as caught, heeded():
        try:
            press()
        except KeyboardInterrupt:
            raise ImportError("no module named jax") from None
    assert isinstance(caught.value.__cause__, ImportError)
    with pytest.raises(ImportError), heeded():
        raise ImportError("not interrupted")


def test_while_held_it_waits_and_a_second_one_does_not():
    reached = []
    with pytest.raises(KeyboardInterrupt), held():
        press()
        reached.append(1)
    assert reached == [1]
    with pytest.raises(KeyboardInterrupt), held():
        press()
        press()
        reached.append(2)
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
    print("result", moment, pressed, code, "interrupted; the same command" in said.getvalue())
assert main(words) == 0
"""


def interrupted(words, folder, moments):
    """(whether the key was pressed before the end, exit code, whether it was said) of each."""
    found = subprocess.run(
        [sys.executable, "-c", AGAIN_AND_AGAIN, str(folder), str(moments), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=590,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert found.returncode == 0, found.stderr[-3000:]
    lines = [line.split() for line in found.stdout.splitlines() if line.startswith("result")]
    return [(pressed == "True", int(code), said == "True") for _, _, pressed, code, said in lines]


@pytest.mark.parametrize(
    "moments", [pytest.param(4, id="few"), pytest.param(MOMENTS, marks=pytest.mark.slow)]
)
def test_a_search_ends_at_every_moment_and_resumes(tmp_path, moments):
    from zoo.data import prepare

    tree = make_tree(tmp_path / "corpus", train=4, test=1, sentences=("SX1",))
    prepare(tree, tmp_path / "set", representation="log_magnitude")
    study = tmp_path / "study"
    words = ["tune", "freq_fullpad", "--data", tmp_path / "set", "--out", study]
    words += ["--epochs", 1, "--per-class", 1, "--only", "units,dropout", "--max-params", 90000]
    words += ["--max-trials", 3]
    found = interrupted(words, study, moments)
    assert len(found) == moments
    assert found.count((True, 1, True)) >= moments - 1, found
    # Where it was done before, nothing was to be interrupted.
    assert all(result in ((True, 1, True), (False, 0, False)) for result in found), found
