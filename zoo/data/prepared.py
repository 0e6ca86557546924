"""Reading a prepared set."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.frontend import Frontend
from zoo.data.phones import CLASSES, GROUPS
from zoo.errors import UsageError, nearest
from zoo.files import read_json

MANIFEST = "manifest.json"


def classes_and_groups(record: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Classes and class -> scored group by a manifest or a run's configuration.

    Those that name no classes are TIMIT's 48.
    """
    classes = tuple(record.get("classes", CLASSES))
    default = GROUPS if classes == CLASSES else {c: c for c in classes}
    return classes, dict(record.get("groups", default))


class Prepared:
    """A folder that `zoo prepare` wrote: centred network inputs with labels, memory-mapped.

    Args:
        path: the folder.

    Attributes:
        manifest: settings, counts and content hashes.
        classes: names of the classes that labels index.
        groups: class -> scored group.

    Raises:
        UsageError: `path` is no prepared set, or its preparation has not ended.

    Example:
        >>> p = Prepared("timit-real")
        >>> p.features("test").shape, p.labels("test").shape
        ((50754, 201, 16, 1), (50754,))
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise UsageError(f"{path} is not a folder; a prepared set was expected (zoo prepare).")
        if not (self.path / MANIFEST).is_file():
            raise UsageError(
                f"{path} is no finished prepared set: it has no {MANIFEST}. Run zoo prepare "
                "(again: it goes on where it stopped)."
            )
        self.manifest: dict[str, Any] = read_json(self.path / MANIFEST)
        self.classes, self.groups = classes_and_groups(self.manifest)

    @functools.cached_property
    def frontend(self) -> Frontend:
        """What turned waveforms into these features."""
        return Frontend.load(self.path)

    @property
    def mean(self) -> np.ndarray:
        """What was subtracted from every example, (F, T, C) float32."""
        return self.frontend.mean

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, T, C) of one example."""
        return tuple(self.manifest["shape"])

    @property
    def splits(self) -> list[str]:
        """Names of the splits; `core` and TIMIT's `dev` are parts of `test`."""
        return list(self.manifest["splits"])

    def excluded(self, split: str) -> int:
        """Segments of `split` that were left out because they were too long."""
        return self._record(split)["excluded_too_long"]

    def features(self, split: str) -> np.ndarray:
        """Centred inputs (N, F, T, C) float32, memory-mapped, read-only."""
        return self._load(split, "features")

    def labels(self, split: str) -> np.ndarray:
        """Indices into `classes`, (N,) int64."""
        return np.asarray(self._load(split, "labels"))

    def segments(self, split: str) -> np.recarray:
        """Rows of utterance, speaker, start, end (samples at 16 kHz), label; features' order."""
        return self._load(split, "segments").view(np.recarray)

    def _record(self, split: str) -> dict[str, Any]:
        splits = self.manifest["splits"]
        if split not in splits:
            raise UsageError(
                f"{self.path} has no split {split!r}. " + nearest(split, splits, "split")
            )
        return splits[split]

    def _load(self, split: str, what: str) -> np.ndarray:
        record = self._record(split)
        path = self.path / record["stored_in"] / f"{what}.npy"
        try:
            array = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{path} cannot be read ({error}); remove {self.path} and run zoo prepare again."
            ) from None
        return array[record["first"] : record["first"] + record["segments"]]
