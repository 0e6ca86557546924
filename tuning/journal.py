"""A study's ledger: one line for every decision of its search, from which the search is rebuilt."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.files import os_failure


class Journal:
    """Lines of JSON that are only appended, each written to disk before the search continues.

    A kill can cut the last line short; opening the file drops such a line.

    Args:
        path: file of the journal, created if it does not exist.

    Attributes:
        events: what it holds, oldest first.

    Raises:
        UsageError: a line before the last is not JSON.
        RunError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.events: list[dict[str, Any]] = []
        contents = self.path.read_bytes() if self.path.exists() else b""
        lines = contents.splitlines(keepends=True)
        whole = len(lines) - bool(lines and not lines[-1].endswith(b"\n"))
        for number, line in enumerate(lines[:whole], 1):
            try:
                self.events.append(json.loads(line))
            except ValueError:
                raise UsageError(
                    f"line {number} of {self.path} is not JSON; remove {self.path.parent} to "
                    "start afresh."
                ) from None
        try:
            self._file = open(self.path, "ab")  # noqa: SIM115, kept open as long as the search runs
            self._file.truncate(sum(map(len, lines[:whole])))
        except OSError as error:
            raise os_failure(error, f"cannot write {self.path}") from error

    def append(self, event: dict[str, Any]) -> None:
        """Write one event.

        Raises:
            RunError: it cannot be written; the file stays as it was.
        """
        size = os.fstat(self._file.fileno()).st_size
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        try:
            # Past the buffer, so that a failed write leaves nothing behind to be written later.
            while line:
                line = line[os.write(self._file.fileno(), line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), size)
            raise os_failure(error, f"cannot write {self.path}") from error
        self.events.append(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
