"""Numbered version folders that are never seen half-written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from zoo.errors import UsageError
from zoo.files import emptied, make_folder, os_failure, temporary_beside


def next_version(out: str | Path) -> int:
    """The lowest number above every numbered folder in `out`."""
    out = Path(out)
    numbers = [int(f.name) for f in out.iterdir() if f.name.isdecimal()] if out.is_dir() else []
    return max(numbers, default=0) + 1


def write_version(out: str | Path, version: int | None, write: Callable[[Path], None]) -> Path:
    """Fill a hidden folder in `out` by `write`, then give it its number.

    Args:
        out: base folder, made if needed.
        version: the number; None for the next free one.
        write: called with the folder to write into; if it raises, nothing stays.

    Returns:
        `out`/<version>.

    Raises:
        UsageError: `version` is not positive, or exists already.
        RunError: the folder cannot be written.
    """
    out = Path(out)
    if version is not None and version < 1:
        raise UsageError(f"the version must be 1 or more; received {version}.")
    if version is not None and (out / str(version)).exists():
        raise UsageError(
            f"{out / str(version)} exists already; choose another version, or none for the next."
        )
    make_folder(out)
    # Servers look for folders named by a number alone, so they do not see this one.
    try:
        with emptied(temporary_beside(out / "savedmodel")) as temporary:
            write(temporary)
            return _publish(temporary, out, version)
    except OSError as error:
        raise os_failure(error, f"cannot write into {out}") from error


def _publish(temporary: Path, out: Path, version: int | None) -> Path:
    while True:
        final = out / str(next_version(out) if version is None else version)
        try:
            os.rename(temporary, final)
            return final
        except OSError as error:
            # Another export took this number meanwhile.
            if version is None and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            raise
