"""Ctrl-C: recorded when it arrives, and raised at a point where the work can stop.

Python raises `KeyboardInterrupt` at any point. Inside a callback of the garbage collector or a
finalizer it is printed and lost, and compiled code may turn it into another error. Here the signal
is recorded first, so that a lost exception is raised again at the next safe point: after a step of
a training, a trial, a cell, or a step of a progress bar.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_handling = False
_noted = 0
_holding = 0


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _note(number: int, frame: Any) -> None:
    global _noted
    _noted += 1
    if not _holding or _noted > 1:
        raise KeyboardInterrupt


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Record every Ctrl-C in the block; the outermost block raises it at its end, if not before.

    Nothing changes if other code, or a block around this one, handles signals.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, whatever became of the exception.
    """
    global _handling, _noted
    if (
        _handling
        or not _in_main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    _handling, _noted = True, 0
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    except Exception as error:
        if _noted:
            raise KeyboardInterrupt from error
        raise
    finally:
        # A server, for example, leaves a handler of its own.
        if signal.getsignal(signal.SIGINT) is _note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _handling, asked, _noted = False, _noted, 0
    if asked:
        raise KeyboardInterrupt


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Have the first Ctrl-C wait for a safe point in the block or its end; a second one does not.

    Raises:
        KeyboardInterrupt: at the end of the block.
    """
    global _holding
    if not _in_main_thread():
        yield
        return
    with heeded():
        _holding += 1
        try:
            yield
        finally:
            _holding -= 1
        safe_point()


def safe_point() -> None:
    """Raise a recorded Ctrl-C that did not end the work.

    Raises:
        KeyboardInterrupt: there was one.
    """
    if _noted and _in_main_thread():
        raise KeyboardInterrupt
