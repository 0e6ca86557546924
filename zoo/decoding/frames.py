"""From a label for every frame to intervals of a recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.decoding.edits import SILENCE
from zoo.decoding.formats import Interval
from zoo.errors import UsageError

_BLOCK = 2**16
"""Frames whose scores are looked at together."""


def to_intervals(
    path: np.ndarray,
    classes: Sequence[str],
    *,
    hop: int,
    samples: int,
    sample_rate: int,
    centre: float | None = None,
    log_posteriors: Any = None,
) -> tuple[Interval, ...]:
    """Runs of equal labels as intervals without gaps, from 0 to the recording's end.

    The border of two phones lies midway between the centres of the frames on its sides, rounded to
    a sample. Frames that begin after the recording's end are left out; the last label lasts to it.

    Args:
        path: (T,), class index of every frame; -1 for none, which leaves a gap.
        classes: their names.
        hop: samples from one frame to the next.
        samples: number of samples of the recording.
        sample_rate: sample rate in Hz.
        centre: sample at the centre of frame 0; None: half a hop.
        log_posteriors: (T, C), an array or what is read by slices like one; an interval's score is
            the mean posterior of its label over its frames. None: no scores.

    Raises:
        UsageError: no frame, no sample, or a label that is not among the classes.
    """
    path = np.asarray(path)
    if path.ndim != 1 or not len(path) or hop < 1 or samples < 1 or sample_rate < 1:
        raise UsageError(
            "a path must be (T,), T from 1 on, and hop, samples and sample_rate 1 or more; "
            f"received {path.shape}, {hop}, {samples} and {sample_rate}."
        )
    if not -1 <= path.min() <= path.max() < len(classes):
        raise UsageError(
            f"labels must be -1 to {len(classes) - 1}; received {path.min()} to {path.max()}."
        )
    first = hop / 2 if centre is None else centre
    starts = np.flatnonzero(np.diff(path, prepend=-2))
    # Before frame i, midway to the one in front of it; the first label begins with the recording.
    borders = np.rint(first + (starts - 0.5) * hop).astype("int64").clip(0, samples)
    borders = np.append(borders, samples)
    borders[0] = 0
    means = None
    if log_posteriors is not None:
        lengths = np.diff(starts, append=len(path))
        means = np.add.reduceat(_own_posteriors(path, log_posteriors), starts) / lengths
    found = []
    for number, frame in enumerate(starts):
        start, end = int(borders[number]), int(borders[number + 1])
        if path[frame] < 0 or start >= end:
            continue
        score = None if means is None else float(means[number].clip(0, 1))
        found.append(Interval(start / sample_rate, end / sample_rate, classes[path[frame]], score))
    return tuple(found)


def _own_posteriors(path: np.ndarray, log_posteriors: Any) -> np.ndarray:
    """The posterior of every frame's own label, (T,)."""
    inside = np.maximum(path, 0)[:, None]
    parts = []
    for start in range(0, len(path), _BLOCK):
        part = np.asarray(log_posteriors[start : start + _BLOCK], "float64")
        own = np.take_along_axis(part, inside[start : start + _BLOCK], axis=1)
        parts.append(np.exp(own[:, 0]))
    return np.concatenate(parts)


def merged(
    intervals: Iterable[Interval],
    groups: Mapping[str, str] | None = None,
    silence: str = SILENCE,
) -> tuple[Interval, ...]:
    """Merge adjacent silences into one interval with the group's name and their mean score.

    Args:
        intervals: intervals in the order of their times.
        groups: label -> group, to tell which labels are silences; None: `silence` alone is.
        silence: name of the group.
    """
    found: list[Interval] = []
    for interval in intervals:
        group = groups.get(interval.label, interval.label) if groups else interval.label
        if group == silence:
            interval = interval._replace(label=silence)
            if found and found[-1].label == silence and found[-1].end == interval.start:
                interval = _joined(found.pop(), interval)
        found.append(interval)
    return tuple(found)


def _joined(one: Interval, other: Interval) -> Interval:
    score = None
    if one.score is not None and other.score is not None:
        lengths = (one.end - one.start, other.end - other.start)
        score = float(np.average([one.score, other.score], weights=lengths).clip(0, 1))
    return Interval(one.start, other.end, one.label, score)
