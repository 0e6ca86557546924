"""Several prepared sets seen as one."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.data.corpora.utterances import Segment
from zoo.data.features.frontend import Frontend, pad
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import Shares
from zoo.data.sets.storage import Examples, WindowedExamples, WindowedLabels
from zoo.errors import UsageError


class Joined(Prepared):
    """Several prepared sets with what trainings ask of one: their examples follow one another.

    They hold examples of one kind by one front end, mean included, and have one label set. Their
    classes are the same; or those of one set, if it has all the classes of the others; or else
    TIMIT's 48, if all are among them.

    Args:
        sets: two or more, each with a training part.
        weights: how often each is drawn in training, in proportion; None: every example of each
            as often as those of the others.

    Attributes:
        sets: as given.
        weights: as given.

    Raises:
        UsageError: sets that do not go together, or weights that do not go with them.

    Example:
        >>> first = Prepared("timit-real")
        >>> second = zoo.data.prepare("TIMIT", "timit-more", like=first, too_long="crop")
        >>> both = Joined([first, second], weights=[2, 1])
        >>> len(both.labels("train")) == len(first.labels("train")) + len(second.labels("train"))
        True
    """

    def __init__(self, sets: Sequence[Prepared], weights: Sequence[float] | None = None) -> None:
        _check(sets)
        if weights is not None:
            _check_weights(sets, weights)
        self.sets = tuple(sets)
        self.weights = None if weights is None else tuple(map(float, weights))
        self.path = Path(" + ".join(str(one.path) for one in sets))
        self.kind = sets[0].kind
        self.classes, self.groups = _classes(sets)
        self._classes_of = [
            np.array([*(self.classes.index(name) for name in one.classes), -1]) for one in sets
        ]
        self.manifest = self._manifest()

    @functools.cached_property
    def frontend(self) -> Frontend:
        """What turned waveforms into these features."""
        return self.sets[0].frontend

    @property
    def splits(self) -> list[str]:
        """Names of the splits that any of the sets has."""
        return list(dict.fromkeys(name for one in self.sets for name in one.splits))

    def features(self, split: str) -> Examples:
        """Centred inputs, those of every set after those of the sets before."""
        return JoinedExamples([one.features(split) for one in self._with(split)])

    def labels(self, split: str) -> np.ndarray:
        """Indices into `classes`, (N,) int64; -1 where nobody labelled."""
        return np.concatenate(self._labels(split))

    def frame_labels(self, split: str) -> list[np.ndarray]:
        """Indices into `classes`, (T,) int64 of each recording; -1 where nobody labelled."""
        self.check_frames()
        return [
            classes[labels]
            for one, classes in zip(self.sets, self._classes_of, strict=True)
            if split in one.splits
            for labels in one.frame_labels(split)
        ]

    def phones(self, split: str) -> list[list[Segment]]:
        """The labelled segments of each recording, in samples at the set's rate."""
        return [found for one in self._with(split) for found in one.phones(split)]

    def reference(self, split: str) -> list[list[Segment]]:
        """As `phones`, but of those that belong to a class, labelled by it."""
        return [found for one in self._with(split) for found in one.reference(split)]

    def segments(self, split: str) -> np.recarray:
        """What each example was cut from, in features' order."""
        return np.concatenate([one.segments(split) for one in self._with(split)]).view(np.recarray)

    def excluded(self, split: str) -> int:
        """Segments of `split` that were left out because they were too long."""
        return sum(one.excluded(split) for one in self._with(split))

    def verify(self) -> list[str]:
        """What is wrong with the files of any set, a line each."""
        return [line for one in self.sets for line in one.verify()]

    def missing_classes(self) -> list[str]:
        """As `Prepared.missing_classes`, and a clause where some sets alone have closures."""
        found = super().missing_classes()
        closed = [
            one
            for one in self.sets
            if any(one.manifest["splits"]["train"]["per_class"].get(c) for c in ("cl", "vcl"))
        ]
        if closed and len(closed) < len(self.sets):
            whole = next(one for one in self.sets if one not in closed)
            found.append(
                f"{closed[0].path} has closures apart from releases and {whole.path} has none; "
                "--mapping merged makes both alike"
            )
        return found

    def windows(
        self,
        split: str,
        frames: int,
        *,
        labelled: bool = True,
        recordings: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[WindowedExamples, WindowedLabels]:
        """Windows around every frame of the recordings, as `Prepared.windows` has them."""
        self.check_frames()
        found, first = [], 0
        for one in self._with(split):
            after = first + len(one.segments(split))
            chosen = None
            if recordings is not None:
                chosen = np.asarray(recordings)
                chosen = chosen[(chosen >= first) & (chosen < after)] - first
            found.append(one.windows(split, frames, labelled=labelled, recordings=chosen))
            first = after
        classes = [
            known
            for one, known in zip(self.sets, self._classes_of, strict=True)
            if split in one.splits
        ]
        return (
            cast(WindowedExamples, JoinedExamples([examples for examples, _ in found])),
            cast(WindowedLabels, JoinedLabels([labels for _, labels in found], classes, frames)),
        )

    def shares(self, split: str) -> Shares | None:
        """How often each set is drawn; None without weights."""
        if self.weights is None:
            return None
        there = [n for n, one in enumerate(self.sets) if split in one.splits]
        sizes = [len(labels) for labels in self._labels(split)]
        return Shares(np.repeat(there, sizes), self.weights)

    def _with(self, split: str) -> list[Prepared]:
        self._record(split)
        return [one for one in self.sets if split in one.splits]

    def _labels(self, split: str) -> list[np.ndarray]:
        self._record(split)
        return [
            classes[one.labels(split)]
            for one, classes in zip(self.sets, self._classes_of, strict=True)
            if split in one.splits
        ]

    def _manifest(self) -> dict[str, Any]:
        """What trainings read of a manifest, and of which sets it was joined."""
        first = self.sets[0].manifest
        plans = [one.manifest["plan"] for one in self.sets]
        splits = {
            name: _together(
                [one.manifest["splits"][name] for one in self.sets if name in one.splits],
                self.classes,
            )
            for name in self.splits
        }
        return {
            **{name: first[name] for name in ("format", "settings", "shape", "frontend")},
            "kind": self.kind,
            "plan": hashlib.sha256(json.dumps(plans).encode()).hexdigest(),
            "corpus": " + ".join(str(one.manifest["corpus"]) for one in self.sets),
            "sample_rate": self.sets[0].sample_rate,
            "classes": list(self.classes),
            "groups": self.groups,
            "mapping": {k: v for one in reversed(self.sets) for k, v in one.mapping.items()},
            "label_set": self.sets[0].label_set,
            "splits": splits,
            "weights": None if self.weights is None else list(self.weights),
            "sets": [
                {
                    "corpus": one.manifest["corpus"],
                    "plan": one.manifest["plan"],
                    "settings": one.manifest["settings"],
                }
                for one in self.sets
            ],
        }


def joined(
    prepared: Prepared | Sequence[Prepared], weights: Sequence[float] | None = None
) -> Prepared:
    """One prepared set as it is, several as one.

    Raises:
        UsageError: sets that do not go together, or weights that do not go with them.
    """
    if isinstance(prepared, Prepared):
        prepared = [prepared]
    if len(prepared) == 1:
        if weights is not None and not isinstance(prepared[0], Joined):
            raise UsageError("--data-weights requires several sets; leave it out.")
        return prepared[0]
    return Joined(prepared, weights)


class JoinedExamples(Examples):
    """Examples of several sets, one after another.

    Args:
        sets: examples of each set; all of one shape.
    """

    def __init__(self, sets: Sequence[Examples]) -> None:
        lengths = [len(one) for one in sets]
        super().__init__([], 0, sum(lengths), sets[0].shape[1:])
        self._sets = sets
        self._ends = np.cumsum(lengths)

    def _gather(self, index: np.ndarray) -> np.ndarray:
        if None in self._shape:
            return pad([self._sets[s][row] for s, row in self._located(index)], self._shape)
        out = np.empty((len(index), *(n or 0 for n in self._shape)), "float32")
        _fill(out, index, self._ends, lambda s, rows: self._sets[s][rows])
        return out


class JoinedLabels:
    """Labels of windows of several sets, an array-like (N, frames).

    Args:
        sets: labels of each set.
        classes: classes of each set: index of a class there -> index here, -1 -> -1.
        frames: number of frames of a window.
    """

    def __init__(
        self, sets: Sequence[WindowedLabels], classes: Sequence[np.ndarray], frames: int
    ) -> None:
        self._sets, self._classes, self._frames = sets, classes, frames
        self._ends = np.cumsum([len(one) for one in sets])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen = np.arange(len(self))[key]
        index = np.atleast_1d(chosen)
        out = np.empty((len(index), self._frames), "int64")
        _fill(out, index, self._ends, lambda s, rows: self._classes[s][self._sets[s][rows]])
        return out if np.ndim(chosen) else out[0]


def _fill(
    out: np.ndarray,
    index: np.ndarray,
    ends: np.ndarray,
    rows_of: Callable[[int, np.ndarray], np.ndarray],
) -> None:
    """Put the rows of several sets where `index`, counted over all sets, has them."""
    number = np.searchsorted(ends, index, side="right")
    starts = np.concatenate([[0], ends])
    for s in np.unique(number).tolist():
        there = number == s
        out[there] = rows_of(s, index[there] - starts[s])


def _check(sets: Sequence[Prepared]) -> None:
    """Refuse sets that cannot be seen as one."""
    first = sets[0]
    paths = [one.path.resolve() for one in sets]
    for number, one in enumerate(sets):
        if one.kind == "pairs":
            raise UsageError(f"{one.path} holds pairs; sets of labelled speech can be joined.")
        if paths[number] in paths[:number]:
            raise UsageError(
                f"{one.path} is given twice; --data-weights says how often each set is drawn."
            )
        if "train" not in one.splits:
            raise UsageError(f"{one.path} has no training part; prepare a corpus with one.")
        if one.kind != first.kind:
            raise UsageError(
                f"{first.path} holds {first.kind} and {one.path} {one.kind}; prepare both with "
                "the same --examples."
            )
        differing = _differing(first.frontend, one.frontend)
        if differing:
            raise UsageError(
                f"{one.path} has a different {differing} than {first.path}; prepare its "
                f"corpus with --like {first.path}."
            )
        if one.label_set != first.label_set and "merged" in (one.label_set, first.label_set):
            other = one if first.label_set == "merged" else first
            raise UsageError(
                f"{first.path} and {one.path} label stops differently: one as single "
                "segments, the other with separate closures; prepare the corpus of "
                f"{other.path} with --mapping merged."
            )


def _check_weights(sets: Sequence[Prepared], weights: Sequence[float]) -> None:
    if len(weights) != len(sets):
        raise UsageError(
            f"--data-weights takes a number for each of the {len(sets)} sets; received "
            f"{len(weights)}."
        )
    for one, weight in zip(sets, weights, strict=True):
        if not 0 < weight < float("inf"):
            raise UsageError(
                f"--data-weights must be above 0; received {weight:g} for {one.path}. To "
                "use none of a set, leave it out of --data."
            )


def _differing(one: Frontend, other: Frontend) -> str | None:
    """What two front ends differ in, in words."""
    if one.fingerprint == other.fingerprint:
        return None
    ours, theirs = one.settings, other.settings
    names = {"sample_rate": "sample rate", "normalize": "normalisation", "whole": "framing"}
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            return names.get(name, name)
    return "mean"


def _classes(sets: Sequence[Prepared]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Classes and scored groups of all sets together."""
    every = {name for one in sets for name in one.classes}
    largest = max(sets, key=lambda one: len(one.classes))
    for one in sets:
        if set(one.classes) == set(largest.classes) and one.groups != largest.groups:
            raise UsageError(
                f"{one.path} and {largest.path} score their classes in different groups; prepare "
                f"the corpus of one with --like the other."
            )
    if every == set(largest.classes):
        return largest.classes, largest.groups
    if every <= set(CLASSES):
        return CLASSES, dict(GROUPS)
    for one in sets:
        for name in one.classes:
            if name not in largest.classes:
                raise UsageError(
                    f"{one.path} has the class {name!r}, which {largest.path} does not have; "
                    "map the labels of both to the same classes (--mapping)."
                )
    raise AssertionError("every class is in the largest set")


def _together(records: Sequence[dict[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """The records of one split of several sets as one: counts are added."""
    found: dict[str, Any] = {}
    for record in records:
        for name, value in record.items():
            if name not in ("stored_in", "first", "per_class"):
                found[name] = found.get(name, 0) + value
    counts = [record.get("per_class", {}) for record in records]
    return {**found, "per_class": {c: sum(each.get(c, 0) for each in counts) for c in classes}}
