"""How many errors turn one sequence of labels into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import UsageError

SILENCE = "sil"
"""The group of all silences of TIMIT's classes."""


def silence_of(groups: Mapping[str, str]) -> str | None:
    """The group of silences, None where no class belongs to it.

    Args:
        groups: class -> group.
    """
    return SILENCE if SILENCE in groups.values() else None


class Edits(NamedTuple):
    """Errors of a recognised sequence, or the sum over several.

    Attributes:
        substitutions: labels taken for others.
        deletions: labels of the reference that were not found.
        insertions: labels found where the reference has none.
        length: labels of the reference.
    """

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def errors(self) -> int:
        """Levenshtein distance."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors for each label of the reference, above 1 if there are more; None without any."""
        return self.errors / self.length if self.length else None


def edits(reference: Sequence[Any], hypothesis: Sequence[Any]) -> Edits:
    """Levenshtein distance, with its errors by kind.

    Several alignments may have the least number of errors. Of these, one with the most
    substitutions is counted, that is, with the fewest deletions and insertions.

    Args:
        reference: labels that can be compared and hashed.
        hypothesis: likewise.
    """
    if not len(reference) or not len(hypothesis):
        return Edits(0, len(reference), len(hypothesis), len(reference))
    last, unit = 0, len(reference) + len(hypothesis) + 1
    for row, _ in _rows(reference, hypothesis, unit):
        last = int(row[-1])
    errors, indels = divmod(last, unit)
    surplus = len(hypothesis) - len(reference)
    insertions = (indels + surplus) // 2
    return Edits(errors - indels, insertions - surplus, insertions, len(reference))


def _rows(
    reference: Sequence[Any], hypothesis: Sequence[Any], unit: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """After each label of the reference: the cost of the best alignment with every beginning of
    the hypothesis, and how it ends, one of `_PAIR`, `_DELETION` and `_INSERTION`.

    An error costs `unit`, a deletion or insertion 1 more: the least sum has the fewest errors and,
    of those, the fewest deletions and insertions, which it also counts.
    """
    numbers: dict[Any, int] = {}
    wanted = [numbers.setdefault(label, len(numbers)) for label in reference]
    found = np.array([numbers.setdefault(label, len(numbers)) for label in hypothesis])
    steps = np.arange(len(found) + 1) * (unit + 1)
    row = steps
    for label in wanted:
        deleted = row + unit + 1
        new = deleted.copy()
        np.minimum(new[1:], row[:-1] + unit * (found != label), out=new[1:])
        # Insertions run along the row: the least of all that lie before, plus the way from there.
        row = np.minimum.accumulate(new - steps) + steps
        ends = np.where(row < new, _INSERTION, np.where(new < deleted, _PAIR, _DELETION))
        yield row, ends.astype("uint8")


_PAIR, _DELETION, _INSERTION = range(3)


def aligned(
    reference: Sequence[Any], hypothesis: Sequence[Any]
) -> list[tuple[int | None, int | None]]:
    """Pairs of labels of a reference and a hypothesis, by one of `edits`' alignments.

    Args:
        reference: labels that can be compared and hashed.
        hypothesis: likewise.

    Returns:
        Places in both, in order: of a label that was found or taken for another in both, of a
        deletion (place, None), of an insertion (None, place).
    """
    i, j = len(reference), len(hypothesis)
    ends = [ends for _, ends in _rows(reference, hypothesis, i + j + 1)] if i and j else []
    pairs: list[tuple[int | None, int | None]] = []
    while i or j:
        end = ends[i - 1][j] if i and j else _DELETION if i else _INSERTION
        i, j = i - (end != _INSERTION), j - (end != _DELETION)
        pairs.append((None if end == _INSERTION else i, None if end == _DELETION else j))
    return pairs[::-1]


def folded(
    labels: Iterable[str], groups: Mapping[str, str], silence: str | None = SILENCE
) -> list[str]:
    """The scored groups of labels, silences next to one another as one.

    Args:
        labels: labels of one recording, in order.
        groups: label -> group.
        silence: the group that is merged; None: nothing is.

    Raises:
        UsageError: a label that has no group.
    """
    return list(_merged(_groups(labels, groups), silence))


def _groups(labels: Iterable[str], groups: Mapping[str, str]) -> Iterator[str]:
    for label in labels:
        if label not in groups:
            raise UsageError(f"{label!r} has no scored group.")
        yield groups[label]


def _merged(labels: Iterable[str], silence: str | None) -> Iterator[str]:
    last = None
    for label in labels:
        if label != silence or last != silence:
            yield label
        last = label


def phone_errors(
    references: Sequence[Iterable[str]],
    hypotheses: Sequence[Iterable[str]],
    groups: Mapping[str, str],
    silence: str | None = SILENCE,
) -> tuple[Edits, Edits]:
    """Errors over the scored groups: without silences, and with them.

    Labels are folded to their groups, then silences next to one another merged; for the first
    count all silences are left out of both sides.

    Args:
        references: labels of each recording.
        hypotheses: recognised labels of each recording.
        groups: label -> group, as `Prepared.groups`.
        silence: the group of silences; None: there are none, and both counts are the same.

    Raises:
        UsageError: a label that has no group, or not one hypothesis for each reference.
    """
    if len(references) != len(hypotheses):
        raise UsageError(
            "there must be one hypothesis for each reference; received "
            f"{len(hypotheses)} for {len(references)}."
        )
    without, with_them = Edits(0, 0, 0, 0), Edits(0, 0, 0, 0)
    for pair in zip(references, hypotheses, strict=True):
        all_labels = [folded(labels, groups, silence) for labels in pair]
        spoken = [[label for label in labels if label != silence] for labels in all_labels]
        with_them = _sum(with_them, edits(*all_labels))
        without = _sum(without, edits(*spoken))
    return without, with_them


def _sum(one: Edits, other: Edits) -> Edits:
    return Edits(*(a + b for a, b in zip(one, other, strict=True)))
