"""Reading a prepared set."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.audio import SAMPLE_RATE
from zoo.data.corpora.labels import label_set, missing_classes
from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.data.corpora.utterances import Segment
from zoo.data.features.frontend import Frontend
from zoo.data.sets.samplers import Shares
from zoo.data.sets.shards import shard_file
from zoo.data.sets.storage import (
    Examples,
    FixedExamples,
    Part,
    VariableExamples,
    WindowedExamples,
    WindowedLabels,
)
from zoo.errors import UsageError, nearest
from zoo.files import read_json, sha256

MANIFEST = "manifest.json"

FORMAT = 2
"""Format of new sets. Format 1, with one file of centred features for each split, is still read."""


def classes_and_groups(record: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Classes and class -> scored group by a manifest or a run's configuration.

    If none are named, the classes are TIMIT's 48.
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
        kind: `"segments"`: labelled examples, of one length or each of its own; `"frames"`: whole
            recordings with a label for every frame; or `"pairs"`: noisy and clean excerpts of
            recordings.
        classes: names of the classes that labels index; of pairs none.
        groups: class -> scored group.

    Raises:
        UsageError: `path` is no prepared set, or its preparation has not ended.

    Example:
        >>> p = Prepared("timit-real")
        >>> len(p.features("test")) == len(p.labels("test"))
        True
        >>> p.features("test")[[7, 3]].shape
        (2, 201, 16, 1)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise UsageError(f"{path} is not a folder; a prepared set was expected (zoo prepare).")
        if not (self.path / MANIFEST).is_file():
            raise UsageError(
                f"{path} is not a finished prepared set: it has no {MANIFEST}. Run zoo "
                "prepare again; it resumes."
            )
        self.manifest: dict[str, Any] = read_json(self.path / MANIFEST)
        if self.manifest["format"] > FORMAT:
            raise UsageError(f"{path} was prepared by a later version of the zoo; update it.")
        self.kind: str = self.manifest.get("kind", "segments")
        self.classes, self.groups = classes_and_groups(self.manifest)

    @functools.cached_property
    def frontend(self) -> Frontend:
        """The front end that computed these features."""
        return Frontend.load(self.path)

    @property
    def mean(self) -> np.ndarray:
        """What was subtracted from every example, (F, T, C) float32, or (F, 1, C) of any length."""
        return self.frontend.mean

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(F, T, C) of one example, of waveforms (samples, 1); None where lengths differ."""
        return tuple(self.manifest["shape"])

    @property
    def sample_rate(self) -> int:
        """Sample rate of the transformed recordings, in Hz."""
        return self.manifest.get("sample_rate", SAMPLE_RATE)

    @property
    def splits(self) -> list[str]:
        """Names of the splits; `core` and TIMIT's `dev` are parts of `test`."""
        return list(self.manifest["splits"])

    @property
    def label_set(self) -> str:
        """The set of labels: `"timit"`, `"merged"` (the same with stops whole), or `"own"`."""
        return label_set(self.manifest)

    def shares(self, split: str) -> Shares | None:
        """How often each of several sets is drawn, if that was chosen."""
        return None

    def missing_classes(self) -> list[str]:
        """A clause for the classes that lack examples to learn from or to be tested on."""
        records = self.manifest["splits"]
        counted = {name: r["per_class"] for name, r in records.items() if "per_class" in r}
        return missing_classes(counted)

    def excluded(self, split: str) -> int:
        """Segments of `split` that were left out because they were too long."""
        return self._record(split).get("excluded_too_long", 0)

    def features(self, split: str) -> Examples:
        """Centred inputs, float32 whatever they are stored as, read when they are indexed.

        An array-like (N, *shape). If lengths differ, a single example has its own length, and
        several together are padded with zeros to the longest; see `VariableExamples.padded`.
        """
        return self._examples(split, "features")

    def targets(self, split: str) -> Examples:
        """The clean waveforms of pairs, (N, samples, 1), in the order of the features.

        Raises:
            UsageError: the set does not hold pairs.
        """
        if self.kind != "pairs":
            raise UsageError(f"{self.path} holds labelled segments, not pairs; use its labels.")
        return self._examples(split, "targets")

    def labels(self, split: str) -> np.ndarray:
        """Indices into `classes`, (N,) int64.

        For recordings, those of all their frames in order; -1 where unlabelled.

        Raises:
            UsageError: the set is one of pairs, which have none.
        """
        if self.kind == "pairs":
            raise UsageError(f"{self.path} holds pairs, which have targets instead of labels.")
        if self.kind == "frames":
            stored, first, count = self._count(split)
            begin, end = self._open(stored, "offsets")[[first, first + count]]
            return np.asarray(self._open(stored, "labels")[begin:end])
        return np.asarray(self._load(split, "labels"))

    def frame_labels(self, split: str) -> list[np.ndarray]:
        """Indices into `classes`, (T,) int64 for each recording; -1 where unlabelled.

        Raises:
            UsageError: the set holds no whole recordings.
        """
        self.check_frames()
        stored, first, count = self._count(split)
        offsets = self._open(stored, "offsets")[first : first + count + 1]
        return np.split(self.labels(split), offsets[1:-1] - offsets[0]) if count else []

    def phones(self, split: str) -> list[list[Segment]]:
        """The labelled segments of each recording, in samples at the set's rate.

        Labels are the corpus' own; `mapping` has their classes.

        Raises:
            UsageError: the set holds no whole recordings.
        """
        self.check_frames()
        stored, first, count = self._count(split)
        rows = self._open(stored, "phones")
        edges = np.searchsorted(rows["recording"], np.arange(first, first + count + 1))
        return [
            [Segment(int(s), int(e), str(label)) for _, s, e, label in rows[begin:end]]
            for begin, end in itertools.pairwise(edges)
        ]

    def reference(self, split: str) -> list[list[Segment]]:
        """As `phones`, but of those that belong to a class, labelled by it.

        Raises:
            UsageError: the set holds no whole recordings.
        """
        return [
            [s._replace(label=name) for s in found if (name := self.mapping[s.label]) is not None]
            for found in self.phones(split)
        ]

    @property
    def mapping(self) -> dict[str, str | None]:
        """Label of the corpus -> class, None for those of no class; of whole recordings."""
        return self.manifest.get("mapping", {})

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.frontend.hop

    def check_frames(self) -> None:
        """Refuse a set that holds no whole recordings.

        Raises:
            UsageError: it holds something else.
        """
        if self.kind != "frames":
            raise UsageError(
                f"{self.path} holds {self.kind}, not whole recordings; prepare the corpus "
                "with --examples frames."
            )

    def segments(self, split: str) -> np.recarray:
        """The segment that each example was cut from, in the order of the features; for recordings,
        all of it.

        Rows of utterance, speaker, start, end (samples at the set's rate), label; of pairs with
        noise and its signal-to-noise ratio in dB in place of the label.
        """
        return self._load(split, "segments").view(np.recarray)

    def verify(self) -> list[str]:
        """Compare every file with its hash in the manifest.

        Returns:
            What is wrong, a line each; empty where the set is as it was written.
        """
        recorded = self.manifest["sha256"]
        wrong = []
        for name, digest in recorded.items():
            path = self.path / name
            if not path.is_file():
                wrong.append(f"{path} is missing.")
            elif sha256(path) != digest:
                wrong.append(f"{path} has changed since it was written.")
        if self.manifest.get("content", content_hash(self.manifest)) != content_hash(self.manifest):
            wrong.append(f"{self.path / MANIFEST} has another content hash than its own record.")
        return wrong

    def _record(self, split: str) -> dict[str, Any]:
        splits = self.manifest["splits"]
        if split not in splits:
            raise UsageError(
                f"{self.path} has no split {split!r}. " + nearest(split, splits, "split")
            )
        return splits[split]

    def _count(self, split: str) -> tuple[str, int, int]:
        """Where `split` is stored: in which split, from which example on, and how many."""
        record = self._record(split)
        # Format 1 knew segments only.
        count = record["examples"] if "examples" in record else record["segments"]
        return record["stored_in"], record["first"], count

    def _examples(self, split: str, what: str) -> Examples:
        stored, first, count = self._count(split)
        if self.manifest["format"] == 1:
            whole = self.path / stored / f"{what}.npy"
            return FixedExamples([(whole, first + count, first + count)], first, count, self.shape)
        parts = self._parts(stored, what)
        mean = self.mean if what == "features" else None
        if None not in self.shape:
            return FixedExamples(parts, first, count, self.shape, mean)
        offsets = self._open(stored, "offsets")
        return VariableExamples(parts, first, count, self.shape, mean, offsets)

    def _parts(self, stored: str, what: str) -> list[Part]:
        return [
            (shard_file(self.path, stored, what, number), examples, rows)
            for number, (examples, rows) in enumerate(self.manifest["shards"][stored])
        ]

    def windows(
        self,
        split: str,
        frames: int,
        *,
        labelled: bool = True,
        recordings: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[WindowedExamples, WindowedLabels]:
        """Windows around every frame of the recordings, views of what is stored.

        Args:
            split: name of the split.
            frames: number of frames of a window; the window belongs to frame `frames // 2`.
            labelled: only those around frames that have a class.
            recordings: numbers of those to take; None: all.

        Returns:
            Array-likes (N, F, frames, C), and (N, frames): the class of every frame of each, -1
            where nobody labelled or the recording has ended.

        Raises:
            UsageError: the set holds no whole recordings.
        """
        self.check_frames()
        stored, first, count = self._count(split)
        offsets = np.asarray(self._open(stored, "offsets"))
        chosen = np.arange(count) if recordings is None else np.asarray(recordings)
        middles = np.concatenate(
            [
                np.zeros(0, "int64"),
                *(np.arange(offsets[n], offsets[n + 1]) for n in first + chosen),
            ]
        )
        labels = np.asarray(self._open(stored, "labels"))
        if labelled:
            middles = middles[labels[middles] >= 0]
        rows, _, channels = self.shape
        shape = (rows or 0, frames, channels or 0)
        parts = self._parts(stored, "features")
        return (
            WindowedExamples(parts, middles, shape, self.mean, offsets),
            WindowedLabels(labels, middles, frames, offsets),
        )

    def _load(self, split: str, what: str) -> np.ndarray:
        stored, first, count = self._count(split)
        return self._open(stored, what)[first : first + count]

    def _open(self, stored: str, what: str) -> np.ndarray:
        path = self.path / stored / f"{what}.npy"
        try:
            return np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{path} cannot be read ({error}); remove {self.path} and run zoo prepare again."
            ) from None


def set_of_segments(path: str | Path) -> Prepared:
    """A prepared set of labelled segments.

    Raises:
        UsageError: there is none, or one that holds something else.
    """
    prepared = Prepared(path)
    if prepared.kind != "segments":
        what = {"frames": "whole recordings", "pairs": "pairs"}[prepared.kind]
        raise UsageError(
            f"{path} holds {what}; labelled segments are required (zoo prepare "
            "--examples segments)."
        )
    return prepared


def content_hash(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over all that a prepared set holds: files, front end, classes, counts."""
    what = ("kind", "classes", "groups", "shape", "frontend", "splits", "shards", "sha256")
    content = {name: manifest.get(name) for name in what}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
