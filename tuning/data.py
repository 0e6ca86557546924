"""Examples for training and validation in a search, never from the test split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.corpora.speakers import held_out
from zoo.data.corpora.utterances import Segment
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.storage import WindowedExamples, WindowedLabels
from zoo.errors import UsageError

HELD_OUT = 0.15
"""Share of the training speakers held out for validation if a prepared set has no `dev` split."""

_COUNTED = {"segments": "segments", "frames": "examples", "pairs": "examples"}

REHEARSED = 64
"""Examples of each part that the rehearsal takes."""


class _Rows:
    """Some of a split's examples, read when they are indexed."""

    def __init__(self, examples: Any, rows: np.ndarray) -> None:
        self._examples, self._rows = examples, rows
        self.dtype = examples.dtype
        self.shape = (len(rows), *examples.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return self._examples[self._rows[index]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


class Parts(Prepared):
    """A prepared set whose splits are some examples of another's.

    Args:
        prepared: the other one.
        rows: split -> (the other's split, sorted indices into it).
    """

    def __init__(self, prepared: Prepared, rows: Mapping[str, tuple[str, np.ndarray]]) -> None:
        super().__init__(prepared.path)
        self.source, self.rows = prepared, dict(rows)
        for source, chosen in rows.values():
            if not len(chosen):
                raise UsageError(f"the split {source!r} of {prepared.path} holds no examples.")
        self.manifest["splits"] = {
            split: {**prepared.manifest["splits"][source], _COUNTED[self.kind]: len(chosen)}
            for split, (source, chosen) in rows.items()
        }

    def features(self, split: str) -> Any:
        """As `Prepared.features`."""
        source, rows = self.rows[split]
        return _Rows(self.source.features(source), rows)

    def labels(self, split: str) -> np.ndarray:
        """As `Prepared.labels`."""
        source, rows = self.rows[split]
        if self.kind == "frames":
            return np.concatenate(self.frame_labels(split))
        return self.source.labels(source)[rows]

    def segments(self, split: str) -> np.recarray:
        """As `Prepared.segments`."""
        source, rows = self.rows[split]
        return self.source.segments(source)[rows]

    def frame_labels(self, split: str) -> list[np.ndarray]:
        """As `Prepared.frame_labels`."""
        source, rows = self.rows[split]
        labels = self.source.frame_labels(source)
        return [labels[row] for row in rows]

    def phones(self, split: str) -> list[list[Segment]]:
        """As `Prepared.phones`."""
        source, rows = self.rows[split]
        phones = self.source.phones(source)
        return [phones[row] for row in rows]

    def windows(
        self, split: str, frames: int, *, labelled: bool = True, recordings: Any = None
    ) -> tuple[WindowedExamples, WindowedLabels]:
        """As `Prepared.windows`."""
        source, rows = self.rows[split]
        chosen = rows if recordings is None else rows[recordings]
        return self.source.windows(source, frames, labelled=labelled, recordings=chosen)


def training_and_validation(prepared: Prepared, seed: int) -> Parts:
    """The splits `train` and `dev`: the set's own `dev`, or else held-out training speakers.

    Raises:
        UsageError: there is nothing to train on, or too few speakers to hold some out.
    """
    if "train" not in prepared.splits:
        raise UsageError(f"{prepared.path} has no training part; prepare a corpus with one.")
    if "dev" in prepared.splits:
        every = {split: np.arange(len(prepared.features(split))) for split in ("train", "dev")}
        return Parts(prepared, {split: (split, rows) for split, rows in every.items()})
    speakers = np.asarray(prepared.segments("train").speaker)
    validation = np.isin(speakers, held_out(speakers.tolist(), seed, HELD_OUT))
    return Parts(
        prepared,
        {
            "train": ("train", np.flatnonzero(~validation)),
            "dev": ("train", np.flatnonzero(validation)),
        },
    )


def a_few(parts: Parts) -> Parts:
    """At most `REHEARSED` examples of each part, spread over it."""
    rows = {}
    for split, (source, chosen) in parts.rows.items():
        picked = np.linspace(0, len(chosen) - 1, min(REHEARSED, len(chosen))).astype(int)
        rows[split] = (source, chosen[picked])
    return Parts(parts.source, rows)
