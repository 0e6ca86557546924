"""What a prepared set will hold, decided before any recording is transformed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.audio import SAMPLE_RATE, audio_size
from zoo.data.corpora import Corpus
from zoo.data.frontend import LEVELS, Frontend
from zoo.data.labelling import TIMIT, Labelling
from zoo.data.prepared import MANIFEST, classes_and_groups
from zoo.data.tables import SPLITS
from zoo.data.utterances import Segment, Utterance, rescaled
from zoo.errors import UsageError, nearest
from zoo.files import read_json

LENGTH_PERCENTILE = 95
"""Of the training segments' durations; longer ones are left out (Riemens 2015, section 2.1)."""

TOO_LONG = ("drop", "crop")

FORMAT = 1

_PARTITIONS = ("core", "dev", "test", "train")

Labelled = tuple[Utterance, list[Segment]]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that decides a prepared set's content, but the recordings' samples themselves.

    Attributes:
        settings: as the manifest records them.
        length: samples of every example at 16 kHz.
        labelling: from labels to classes and groups.
        stored: split -> its utterances and their segments at 16 kHz.
        digest: SHA-256 of it all, which a broken-off preparation is recognised by.
    """

    settings: dict[str, Any]
    length: int
    labelling: Labelling
    stored: dict[str, list[Labelled]]
    digest: str

    @property
    def row_type(self) -> np.dtype:
        """Of one segment's row, wide enough for the corpus' names."""
        parts = [part for stored in self.stored.values() for part in stored]
        # No narrower than TIMIT's labels, whichever of them occur.
        label = max((len(s.label) for _, segments in parts for s in segments), default=0)
        return np.dtype(
            [
                ("utterance", f"<U{max(len(u.name) for u, _ in parts)}"),
                ("speaker", f"<U{max(len(u.speaker) for u, _ in parts)}"),
                ("start", "<i8"),
                ("end", "<i8"),
                ("label", f"<U{max(4, label)}"),
            ]
        )


def make_plan(
    corpus: Corpus,
    *,
    representation: str,
    length: str | int,
    too_long: str,
    level: str,
    deltas: int,
    mean: str,
    resample: bool,
    dev_speakers: int,
    like: str | Path | None,
) -> Plan:
    """Decide, with the arguments of `zoo.data.prepare`, what is in the set.

    Raises:
        UsageError: an option is none, or does not go with the corpus; a label file is wrong.
    """
    from zoo.data.representations import DELTAS, MEANS, REPRESENTATIONS

    for value, valid, name in (
        (representation, REPRESENTATIONS, "representation"),
        (too_long, TOO_LONG, "too_long"),
        (level, LEVELS, "level"),
        (mean, MEANS, "mean"),
    ):
        if value not in valid:
            raise UsageError(f"unknown {name} {value!r}. " + nearest(value, valid))
    if deltas not in DELTAS:
        raise UsageError(f"deltas must be 0, 1 or 2; received {deltas!r}.")
    frontend = None if like is None else Frontend.load(like)
    labelling = corpus.labelling if like is None else _labelling_like(like, corpus.labelling)
    stored = {
        name: [(u, u.segments()) for u in utterances]
        for name, utterances in _stored_splits(corpus, dev_speakers).items()
    }
    settings = {
        "representation": representation if frontend is None else frontend.kind,
        "length": str(length) if frontend is None else frontend.length,
        "too_long": too_long,
        "level": level if frontend is None else frontend.level,
        "resample": resample,
        "dev_speakers": dev_speakers,
        "like": None if frontend is None else frontend.fingerprint,
    }
    if frontend is not None:
        deltas, mean = frontend.deltas, "element"
    # Left out at their defaults: sets prepared before there was a choice stay the same.
    if deltas:
        settings["deltas"] = deltas
    if mean != "element":
        settings["mean"] = mean
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    if labelling != TIMIT:
        digest.update(repr((sorted(labelling.mapping.items()), labelling.classes)).encode())
    for name, labelled in stored.items():
        for utterance, segments in labelled:
            size = utterance.audio.stat().st_size
            digest.update(repr((name, utterance.name, size, segments)).encode())
    if resample:
        stored = {name: [_at_16_khz(*pair) for pair in part] for name, part in stored.items()}
    limit = (
        _limit(stored.get("train", []), labelling, length) if frontend is None else frontend.length
    )
    return Plan(settings, limit, labelling, stored, digest.hexdigest())


def check_same_plan(found: dict[str, Any], plan: Plan, out: Path) -> None:
    """Refuse to go on with a set that was begun by another plan.

    Raises:
        UsageError: with the settings that differ.
    """
    if found.get("plan") == plan.digest:
        return
    old, new = found.get("settings", {}), plan.settings
    differing = [
        f"{k} {old.get(k)!r}, now {new.get(k)!r}"
        for k in {**old, **new}
        if old.get(k) != new.get(k)
    ]
    what = "; ".join(differing) if differing else "another corpus or other labels"
    raise UsageError(
        f"{out} was prepared with other settings ({what}); choose another folder or remove it."
    )


def _labelling_like(like: str | Path, labelling: Labelling) -> Labelling:
    """The labels of a corpus, for the classes of a run or a prepared set."""
    for name in (MANIFEST, "config.json"):
        if (Path(like) / name).is_file():
            classes, groups = classes_and_groups(read_json(Path(like) / name))
            return labelling.with_classes(classes, groups)
    return labelling


def _stored_splits(corpus: Corpus, dev_speakers: int) -> dict[str, list[Utterance]]:
    """Utterances by the split that they are stored in; core and dev come first within test."""
    utterances = corpus.utterances()
    stored = {
        split: sorted(
            (u for u in utterances if u.split == split),
            key=lambda u: _PARTITIONS.index(u.partition),
        )
        for split in SPLITS
    }
    if dev_speakers:
        if any(u.partition == "dev" for u in utterances):
            raise UsageError(
                f"{corpus.root} has a development part already (TIMIT's own development speakers "
                "are in its test part); leave --dev-speakers out."
            )
        speakers = list(dict.fromkeys(u.speaker for u in stored["train"]))
        if not 0 < dev_speakers < len(speakers):
            raise UsageError(
                f"dev_speakers must be between 1 and {len(speakers) - 1}, one less than the "
                f"training speakers of {corpus.root}; received {dev_speakers}."
            )
        chosen = {speakers[i * len(speakers) // dev_speakers] for i in range(dev_speakers)}
        stored["dev"] = [u for u in stored["train"] if u.speaker in chosen]
        stored["train"] = [u for u in stored["train"] if u.speaker not in chosen]
    return {name: found for name, found in stored.items() if found}


def _at_16_khz(utterance: Utterance, segments: list[Segment]) -> Labelled:
    scale = SAMPLE_RATE / audio_size(utterance.audio)[1]
    return utterance, [rescaled(s, scale) for s in segments]


def _limit(train: Sequence[Labelled], labelling: Labelling, length: str | int) -> int:
    """The length of every example: that of the longest training segment within the rule's limit."""
    if str(length) != "p95":
        if not str(length).isdecimal() or int(length) < 1:
            raise UsageError(
                f"length must be 'p95' or a number of samples, 1 or more; received {length!r}."
            )
        return int(length)
    durations = [
        s.end - s.start
        for _, segments in train
        for s in segments
        if labelling.mapping[s.label] is not None
    ]
    if not durations:
        raise UsageError(
            "the corpus has no training part to take the 95th percentile of durations from; "
            "give --length N or --like RUN."
        )
    longest = np.percentile(durations, LENGTH_PERCENTILE)
    return max(d for d in durations if d <= longest)
