"""The two kinds of failure that the command line tells apart, and a helper for near misses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Invalid input (a name, an option, a file's content); exit code 2.

    The message is one sentence that says what is wrong, where, and what would be right.
    """

    exit_code = 2


class RunError(RuntimeError):
    """The work itself failed (full disk, busy port, missing permission); exit code 1."""

    exit_code = 1


class StorageError(RunError):
    """The operating system refused to read or write a file."""


class FileWarning(UserWarning):
    """A file is read although something about it is doubtful; the message names it."""


def nearest(name: str, valid: Iterable[str], kind: str = "name") -> str:
    """A sentence that names the valid entries closest to `name`, or all if none is close."""
    choices = sorted(valid)
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(c) for c in close)}?"
    kinds = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"Valid {kinds}: {', '.join(choices)}." if choices else f"There are no {kinds}."
