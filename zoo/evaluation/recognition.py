"""How well a transcript agrees with a reference: phones, frames and boundaries.

Errors over the 39 groups are counted by `zoo.decoding.edits`; times are compared here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.data.corpora.phones import CLASSES, GROUPS, group_index
from zoo.decoding.edits import SILENCE, Edits, phone_errors
from zoo.errors import UsageError

TOLERANCES = (0.010, 0.020, 0.050)
"""Tolerances for boundaries, in seconds."""

_ROUNDING = 1e-6
"""Seconds that times may differ by from being kept as floating-point numbers."""

Timed = Sequence[Any]
"""Intervals of a recording, in order, that begin with (start, end, label, ...), in seconds."""


class Boundaries(NamedTuple):
    """How many boundaries were found.

    Attributes:
        hits: boundaries of the transcript that belong to one of the reference.
        found: number of boundaries of the transcript.
        wanted: number of boundaries of the reference.
    """

    hits: int
    found: int
    wanted: int

    @property
    def precision(self) -> float | None:
        """Share of the found boundaries that are right; None if none was found."""
        return self.hits / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """Share of the reference's boundaries that were found; None for a reference without any."""
        return self.hits / self.wanted if self.wanted else None

    @property
    def f_score(self) -> float | None:
        """Harmonic mean of precision and recall; None if there is no boundary at all."""
        both = self.found + self.wanted
        return 2 * self.hits / both if both else None

    @property
    def r_value(self) -> float | None:
        """R-value, 1 if exactly the reference's boundaries are found; None without a reference
        boundary.

        With the recall HR and the over-segmentation OS = found / wanted - 1,
        R = 1 - (|r1| + |r2|) / 2, r1 = sqrt((1 - HR)^2 + OS^2), r2 = (HR - 1 - OS) / sqrt(2).
        Unlike the F-score it does not reward boundaries put everywhere.

        Reference: O. Räsänen, U. Laine, T. Altosaar, "An improved speech segmentation quality
        measure: the R-value", Interspeech 2009.
        """
        if self.recall is None:
            return None
        miss, over = 1 - self.recall, self.found / self.wanted - 1
        return 1 - (math.hypot(miss, over) + abs(miss + over) / math.sqrt(2)) / 2


def boundaries(
    intervals: Timed, groups: Mapping[str, str] | None = None, silence: str | None = SILENCE
) -> list[float]:
    """Times in seconds at which one phone ends and another begins.

    The recording's own beginning and end do not count. Where a gap lies between two phones, both
    its sides are boundaries.

    Args:
        intervals: intervals of one recording.
        groups: label -> scored group; between two silences next to one another is no boundary.
            None: between any two intervals is one.
        silence: the group of silences; None: there is none.
    """
    found: list[float] = []
    for before, after in itertools.pairwise(intervals):
        if after[0] - before[1] > _ROUNDING:
            found += [before[1], after[0]]
        elif groups is None or not groups[before[2]] == groups[after[2]] == silence:
            found.append(after[0])
    return found


def matched_boundaries(
    reference: Sequence[float], found: Sequence[float], tolerance: float
) -> Boundaries:
    """Match boundaries of a transcript to those of a reference, whatever phones they separate.

    Each boundary is matched to at most one of the other side, at most `tolerance` away. Of all ways
    to match them, one with the most pairs is taken.

    Args:
        reference: times in seconds, ascending.
        found: intervals of the transcript, likewise.
        tolerance: in seconds.
    """
    hits = place = 0
    for time in reference:
        # In order of time the earliest one within reach is never needed more by a later one.
        while place < len(found) and found[place] < time - tolerance - _ROUNDING:
            place += 1
        if place < len(found) and found[place] <= time + tolerance + _ROUNDING:
            hits += 1
            place += 1
    return Boundaries(hits, len(found), len(reference))


def aligned_errors(reference: Timed, aligned: Timed) -> np.ndarray:
    """How far each boundary of an alignment lies from that of the same pair of phones, in seconds.

    Args:
        reference: intervals of one recording.
        aligned: the same phones with other times.

    Returns:
        (phones - 1,), the alignment's less the reference's; below 0 where it comes too early.

    Raises:
        UsageError: other phones.
    """
    labels = [[interval[2] for interval in side] for side in (reference, aligned)]
    if labels[0] != labels[1]:
        raise UsageError("an alignment has the phones of its reference; these differ.")
    times = [np.array([interval[0] for interval in side[1:]]) for side in (reference, aligned)]
    return times[1] - times[0]


def alignment_scores(
    references: Sequence[Timed], alignments: Sequence[Timed]
) -> dict[str, float | int | None]:
    """Share of boundaries between known phones that lie within 10, 20 and 50 ms, and their median.

    Returns:
        `boundaries`, `10ms`, `20ms`, `50ms` as fractions of 1, `median` in seconds; None without
        any boundary.

    Raises:
        UsageError: an alignment has other phones than its reference.
    """
    pairs = zip(references, alignments, strict=True)
    errors = np.abs(np.concatenate([np.zeros(0), *(aligned_errors(*pair) for pair in pairs)]))
    scores: dict[str, float | int | None] = {"boundaries": len(errors)}
    for tolerance in TOLERANCES:
        within = errors <= tolerance + _ROUNDING
        scores[_milliseconds(tolerance)] = float(within.mean()) if len(errors) else None
    scores["median"] = float(np.median(errors)) if len(errors) else None
    return scores


def frame_accuracy(
    labels: Iterable[np.ndarray],
    predictions: Iterable[np.ndarray],
    classes: Sequence[str] = CLASSES,
    groups: Mapping[str, str] = GROUPS,
) -> float | None:
    """Share of the labelled frames whose predicted class has the right group.

    Args:
        labels: class indices of each recording's frames (T,); -1 where nobody labelled, which is
            not counted.
        predictions: class indices (T,), -1 for none, which is wrong.
        classes: names of the classes, as `Prepared.classes`.
        groups: class -> scored group, as `Prepared.groups`.

    Returns:
        None where no frame is labelled.
    """
    # Index -1, at the end, is no group.
    of_class = np.array([*group_index(classes, groups), -1])
    hits = frames = 0
    for wanted, found in zip(labels, predictions, strict=True):
        wanted, found = np.asarray(wanted), np.asarray(found)
        known = wanted >= 0
        hits += int((of_class[wanted[known]] == of_class[found[known]]).sum())
        frames += int(known.sum())
    return hits / frames if frames else None


def recognition_scores(
    references: Sequence[Timed],
    transcripts: Sequence[Timed],
    groups: Mapping[str, str] = GROUPS,
    silence: str | None = SILENCE,
) -> dict[str, Any]:
    """All measures of transcripts that need no network, rates as fractions of 1.

    Args:
        references: intervals of each recording, labelled by classes.
        transcripts: recognised intervals of each recording.
        groups: class -> scored group.
        silence: the group of silences; None: there is none.

    Returns:
        `recordings`; `phones`, of the references without silence; `phone_error_rate`, Levenshtein
        distance over the groups, divided by `phones`, silences left out; the `substitutions`,
        `deletions` and `insertions` that it is the sum of, as counts; the same five
        `..._with_silence`, where adjacent silences count as one phone; and `boundaries`, for
        `10ms`, `20ms` and `50ms` the `precision`, `recall`, `f_score` and `r_value` of boundaries
        within that time, whatever phones they part. A rate of nothing is None.

    Raises:
        UsageError: a label without a group, or not one transcript for each reference.
    """
    wanted, found = (
        [[interval[2] for interval in side] for side in sides]
        for sides in (references, transcripts)
    )
    without, with_silence = phone_errors(wanted, found, groups, silence)
    pairs = [
        (boundaries(reference, groups, silence), boundaries(transcript, groups, silence))
        for reference, transcript in zip(references, transcripts, strict=True)
    ]
    scores = {}
    for tolerance in TOLERANCES:
        counts = [matched_boundaries(*pair, tolerance=tolerance) for pair in pairs]
        total = Boundaries(*(sum(column) for column in zip((0, 0, 0), *counts, strict=True)))
        scores[_milliseconds(tolerance)] = {
            "precision": total.precision,
            "recall": total.recall,
            "f_score": total.f_score,
            "r_value": total.r_value,
        }
    return {
        "recordings": len(references),
        **error_counts(without),
        **{f"{name}_with_silence": value for name, value in error_counts(with_silence).items()},
        "boundaries": scores,
    }


def error_counts(counts: Edits) -> dict[str, Any]:
    """Errors by kind and their rate, under the names that scores use."""
    return {
        "phones": counts.length,
        "phone_error_rate": counts.rate,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }


def _milliseconds(tolerance: float) -> str:
    return f"{round(1000 * tolerance)}ms"
