"""The progress bar that every long command shows on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

LOG_SECONDS = 30
"""Between two lines where stderr is a file or a pipe, so that logs stay readable."""


def progress_bar(total: int, unit: str, text: str | None = None, *, shown: bool = True) -> tqdm:
    """A bar over `total` units, redrawn in a terminal and written now and then elsewhere."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else LOG_SECONDS
    return tqdm(
        total=total, desc=text, unit=unit, ncols=100, mininterval=interval, disable=not shown
    )
