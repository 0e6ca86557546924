"""Bigrams: how often one class follows another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Bigram:
    """Probabilities of the next class given the one before it, from counts.

    Equal labels in a row count as one, so that labels of every frame give the same counts as those
    of every phone. No class follows itself, since frames could not tell that from one that lasts
    longer.

    Attributes:
        follows: (C, C), how often a class (row) was followed by another (column).
        begins: (C,), how many sequences began with a class.
        smoothing: added to every count of another class.
    """

    follows: np.ndarray
    begins: np.ndarray
    smoothing: float = 1.0

    def __post_init__(self) -> None:
        follows, begins = np.asarray(self.follows), np.asarray(self.begins)
        if not len(begins) or begins.ndim != 1 or follows.shape != (len(begins),) * 2:
            raise UsageError(
                "follows must be (C, C) and begins (C,), C from 1 on; received "
                f"{follows.shape} and {begins.shape}."
            )
        if not (follows.min() >= 0 and begins.min() >= 0 and 0 < self.smoothing < np.inf):
            raise UsageError("counts must be 0 or more and the smoothing above 0.")
        object.__setattr__(self, "follows", follows.astype("int64"))
        object.__setattr__(self, "begins", begins.astype("int64"))

    @classmethod
    def count(
        cls, sequences: Iterable[Sequence[int] | np.ndarray], classes: int, smoothing: float = 1.0
    ) -> Bigram:
        """Count sequences of class indices, silence included.

        Args:
            sequences: sequences of phones, or of frames; -1 (unlabelled) breaks a sequence.
            classes: number of classes.
            smoothing: added to every count of another class.

        Raises:
            UsageError: an index outside -1 to classes - 1.
        """
        follows, begins = np.zeros((classes, classes), "int64"), np.zeros(classes, "int64")
        for sequence in sequences:
            labels = np.asarray(sequence, "int64").reshape(-1)
            if len(labels) and not -1 <= labels.min() <= labels.max() < classes:
                raise UsageError(
                    f"labels must be -1 to {classes - 1}; received {labels.min()} to "
                    f"{labels.max()}."
                )
            labels = labels[np.flatnonzero(np.diff(labels, prepend=-2))]
            before, after = labels[:-1], labels[1:]
            known = (before >= 0) & (after >= 0)
            np.add.at(follows, (before[known], after[known]), 1)
            if len(labels) and labels[0] >= 0:
                begins[labels[0]] += 1
        return cls(follows, begins, smoothing)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.begins)

    def log_probabilities(self) -> np.ndarray:
        """(C, C), logarithm of the probability of a column's class after a row's; minus infinity on
        the diagonal."""
        counts = self.follows + self.smoothing
        np.fill_diagonal(counts, 0)
        totals = counts.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            # A single class is followed by nothing.
            return np.log(counts / np.where(totals > 0, totals, 1))

    def log_initial(self) -> np.ndarray:
        """(C,), logarithm of the probability of beginning with a class."""
        counts = self.begins + self.smoothing
        return np.log(counts / counts.sum())

    def as_dict(self) -> dict[str, Any]:
        """The counts, as JSON has them."""
        return {
            "follows": self.follows.tolist(),
            "begins": self.begins.tolist(),
            "smoothing": self.smoothing,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Bigram:
        """What `as_dict` gave.

        Raises:
            UsageError: it is not of that form.
        """
        try:
            return cls(
                np.asarray(record["follows"], "int64"),
                np.asarray(record["begins"], "int64"),
                float(record["smoothing"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"the bigram's counts are damaged ({error!r}).") from None
