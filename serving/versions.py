"""Versions of a model on disk, and the choice of those to serve."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from pathlib import Path

_MAX_VERSION = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """Which of a model's versions to serve.

    Attributes:
        latest: this many of the highest; None for all of them.
        specific: these and no others, where given.
    """

    latest: int | None = 1
    specific: frozenset[int] | None = None

    def choose(self, versions: Iterable[int]) -> set[int]:
        """The versions to serve, of those on disk."""
        if self.specific is not None:
            return set(versions) & self.specific
        ordered = sorted(versions, reverse=True)
        return set(ordered if self.latest is None else ordered[: self.latest])


def versions_on_disk(base: str | Path) -> dict[int, Path]:
    """Version -> folder of every complete SavedModel under `base`.

    A folder without `saved_model.pb` is still being written and left out. Where `base` itself is a
    SavedModel, it is the only version: its name if that is a number, else 1.

    Raises:
        OSError: `base` is no folder that can be read.
    """
    base = Path(base)
    if _complete(base):
        name = base.resolve().name
        return {(int(name) if _is_version(name) else 1): base}
    with os.scandir(base) as entries:
        names = sorted(entry.name for entry in entries if _is_version(entry.name))
    return {int(name): base / name for name in names if _complete(base / name)}


def _is_version(name: str) -> bool:
    return re.fullmatch("[0-9]{1,19}", name) is not None and int(name) <= _MAX_VERSION


def _complete(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a version's files: changes when any of them is written."""
    found = []
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                status = os.stat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            found.append((os.path.join(root, name), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))
