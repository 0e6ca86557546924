"""Ending a training where it can be ended: between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras


@contextlib.contextmanager
def interrupted_between_steps(
    stop: Callable[[], object],
) -> Iterator[list[keras.callbacks.Callback]]:
    """Have Ctrl-C end `fit` after the step or epoch that is in work, and a second one at once.

    Anywhere else it may be lost in a backend's code, or find batches half gathered. Gives the
    callbacks that `fit` needs for it. Where signals are somebody else's, all stays as it is.

    Args:
        stop: called when an exception has left `fit`.
    """
    asked = False

    def note(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    def end(number: int, logs: Any = None) -> None:
        if asked:
            raise KeyboardInterrupt

    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=end, on_epoch_end=end)]
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield callbacks
    except BaseException:
        stop()
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt
