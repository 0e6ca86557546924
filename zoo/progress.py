"""The progress bar that every long command shows on stderr."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from zoo.interrupts import safe_point

if TYPE_CHECKING:
    from tqdm import tqdm

LOG_SECONDS = 30
"""Seconds between two lines if stderr is a file or a pipe, so that logs stay readable."""


def progress_bar(total: int, unit: str, text: str | None = None, *, shown: bool = True) -> tqdm:
    """A bar over `total` units, redrawn in a terminal and written now and then elsewhere.

    Every update is a point at which Ctrl-C takes effect, shown or not.
    """
    interval = 0.1 if sys.stderr.isatty() else LOG_SECONDS
    return _bar()(
        total=total, desc=text, unit=unit, ncols=100, mininterval=interval, disable=not shown
    )


@functools.cache
def _bar() -> type[tqdm]:
    from tqdm import tqdm

    class Bar(tqdm):
        def update(self, n: Any = 1) -> Any:
            safe_point()
            return super().update(n)

    return Bar
