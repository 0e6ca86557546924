"""Ending a training between two steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from zoo.interrupts import held, safe_point


class _SafePoints(keras.callbacks.Callback):
    """Between steps of training and of validation, and between epochs."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        safe_point()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        safe_point()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        safe_point()


@contextlib.contextmanager
def interrupted_between_steps(
    stop: Callable[[], object],
) -> Iterator[list[keras.callbacks.Callback]]:
    """Make Ctrl-C end `fit` after the step or epoch in progress, and a second Ctrl-C at once.

    Anywhere else it may be lost in a backend's code, or leave batches half gathered. Gives the
    callbacks that `fit` needs for this. Nothing changes if other code handles signals.

    Args:
        stop: called when an exception has left `fit`.
    """
    with held():
        try:
            yield [_SafePoints()]
        except BaseException:
            stop()
            raise
