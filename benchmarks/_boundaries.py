"""How far boundaries lie from those of labels, which several scripts compare."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.data.corpora.phones import GROUPS, LABEL_TO_CLASS
from zoo.data.corpora.synthetic.labels import CLOSURES
from zoo.decoding.edits import SILENCE

WITHIN = (10, 20, 50)
"""In milliseconds."""

_KINDS = {
    "vowel": "iy ih eh ae ah uw uh aa ey ay oy aw ow er",
    "liquid": "l r w y",
    "nasal": "m n ng",
    "fricative": "v f dh th z s sh hh",
    "affricate": "jh ch",
    "stop": "b p d dx t g k q",
    "silence": SILENCE,
}
KINDS = {group: kind for kind, groups in _KINDS.items() for group in groups.split()}
"""Group of English phones -> its kind."""


class Stretch(NamedTuple):
    """A phone or word, in seconds."""

    start: float
    end: float
    label: str


class Boundary(NamedTuple):
    """How many seconds too late one was found, and the labels before and after it."""

    late: float
    before: str
    after: str


def grouped(phones: Iterable[Stretch]) -> list[Stretch]:
    """English phones as their groups, closures joined with their releases.

    A closure without its stop's release is the stop itself; neighbouring silences are one.

    Args:
        phones: in TIMIT's labels, its classes or ARPABET, with or without stress.
    """
    joined: list[Stretch] = []
    for phone in phones:
        label = phone.label.lower().rstrip("012")
        label = SILENCE if label in ("", "spn") else label
        last = joined[-1] if joined else None
        closed = CLOSURES.get(label)
        if last and closed and last.label in (closed, LABEL_TO_CLASS[closed]):
            joined[-1] = Stretch(last.start, phone.end, label)
        else:
            joined.append(Stretch(phone.start, phone.end, label))
    stops = {closure: stop for stop, closure in CLOSURES.items() if stop not in ("ch", "jh")}
    found: list[Stretch] = []
    for phone in joined:
        label = stops.get(phone.label, phone.label)
        label = GROUPS.get(LABEL_TO_CLASS.get(label, label), label)
        if found and label == found[-1].label == SILENCE:
            found[-1] = found[-1]._replace(end=phone.end)
        else:
            found.append(Stretch(phone.start, phone.end, label))
    return found


def matched(truth: Sequence[str], found: Sequence[str]) -> list[tuple[int, int]]:
    """Places of the labels that are the same in both, aligned with the fewest edits."""
    cost = np.empty((len(truth) + 1, len(found) + 1), "int64")
    cost[0], cost[:, 0] = np.arange(len(found) + 1), np.arange(len(truth) + 1)
    for row, wanted in enumerate(truth, 1):
        for column, label in enumerate(found, 1):
            cost[row, column] = min(
                cost[row - 1, column - 1] + (wanted != label),
                cost[row - 1, column] + 1,
                cost[row, column - 1] + 1,
            )
    pairs = []
    row, column = len(truth), len(found)
    while row and column:
        same = truth[row - 1] == found[column - 1]
        if cost[row, column] == cost[row - 1, column - 1] + (not same):
            row, column = row - 1, column - 1
            if same:
                pairs.append((row, column))
        elif cost[row, column] == cost[row - 1, column] + 1:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def phone_boundaries(truth: Sequence[Stretch], found: Sequence[Stretch]) -> list[Boundary]:
    """Of the boundaries between two phones of `truth`, those whose phones were found as well."""
    pairs = matched([p.label for p in truth], [p.label for p in found])
    return [
        Boundary(found[there].start - truth[here].start, truth[before].label, truth[here].label)
        for (before, beside), (here, there) in itertools.pairwise(pairs)
        if here == before + 1 and there == beside + 1
    ]


def word_edges(truth: Sequence[Stretch], found: Sequence[Stretch]) -> list[Boundary]:
    """The start and end of every word, of which there are as many.

    An edge that two words share counts for both.
    """
    edges = []
    for wanted, word in zip(truth, found, strict=True):
        edges.append(Boundary(word.start - wanted.start, "", wanted.label))
        edges.append(Boundary(word.end - wanted.end, wanted.label, ""))
    return edges


def accuracy(boundaries: Sequence[Boundary], shift: float = 0.0) -> dict[str, Any]:
    """Shares that lie within some milliseconds, and the medians of the distance and of its sign.

    Args:
        boundaries: to judge.
        shift: seconds by which all are moved first.
    """
    late = np.array([b.late for b in boundaries]) + shift
    if not len(late):
        return {"boundaries": 0}
    return {
        "boundaries": len(late),
        # Rounding of times to samples or milliseconds must not decide.
        **{f"within_{n}_ms": round(float(np.mean(abs(late) <= n / 1e3 + 1e-6)), 4) for n in WITHIN},
        "median_ms": round(float(np.median(abs(late))) * 1e3, 2),
        "bias_ms": round(float(np.median(late)) * 1e3, 2),
    }


def by_kinds(boundaries: Sequence[Boundary], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Some of the accuracy of every pair of kinds of neighbours, frequent ones first."""
    found: dict[str, list[Boundary]] = {}
    for boundary in boundaries:
        pair = f"{kinds[boundary.before]} {kinds[boundary.after]}"
        found.setdefault(pair, []).append(boundary)
    return {
        pair: {
            name: value
            for name, value in accuracy(found[pair]).items()
            if name in ("boundaries", "within_20_ms", "bias_ms")
        }
        for pair in sorted(found, key=lambda p: (-len(found[p]), p))
    }


def shown(figures: Mapping[str, Any], indent: str = "") -> None:
    """Print figures, one line for each group of them."""
    for name, value in figures.items():
        if not isinstance(value, Mapping):
            print(f"{indent}{name}: {value}")
        elif any(isinstance(one, Mapping) for one in value.values()):
            print(f"{indent}{name}:")
            shown(value, f"{indent}  ")
        else:
            print(f"{indent}{name}: " + ", ".join(f"{k} {v}" for k, v in value.items()))
