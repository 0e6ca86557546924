"""The plan of a prepared set, made before any recording is transformed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.audio import SAMPLE_RATE, audio_size
from zoo.data.corpora.corpus import Corpus
from zoo.data.corpora.labels import TIMIT, Labelling
from zoo.data.corpora.utterances import (
    SPLITS,
    Findings,
    Segment,
    Utterance,
    read_mono,
    rescaled,
)
from zoo.data.features.frontend import Frontend
from zoo.data.features.representations import WAVEFORM
from zoo.data.sets.recordings import unlabelled_recordings
from zoo.data.sets.settings import ANY, HOP, PERCENTILE, RATES, Exemplar, Preparation
from zoo.errors import UsageError
from zoo.settings import check

LENGTH_PERCENTILE = 95
"""Percentile of the training segments' durations; longer ones are left out (Riemens 2015, section
2.1)."""

MAX_LENGTH_SECONDS = 30
"""Longest examples of sets with one length, so that a piece of work fits into memory."""

_PLAN = 1
"""Of what a plan's digest is taken over; another number would disown every set there is."""

_PARTITIONS = ("core", "dev", "test", "train")

Labelled = tuple[Utterance, list[Segment]]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that determines a prepared set's content except the recordings' samples.

    Attributes:
        settings: as the manifest records them.
        sample_rate: sample rate of the set, in Hz.
        length: samples of every example; None: each has its own.
        labelling: from labels to classes and groups.
        stored: split -> its utterances and their segments at the set's sample rate.
        digest: SHA-256 of it all, which an interrupted preparation is recognised by.
    """

    settings: dict[str, Any]
    sample_rate: int
    length: int | None
    labelling: Labelling
    stored: dict[str, list[Labelled]]
    digest: str

    @property
    def row_type(self) -> np.dtype:
        """Type of one segment's row, wide enough for the corpus' names."""
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


def make_plan(corpus: Corpus, chosen: Preparation, like: Exemplar | None) -> Plan:
    """Plan the contents of the set.

    Args:
        corpus: what it is prepared from.
        chosen: how; its `like` is not looked at.
        like: what it is prepared like.

    Raises:
        UsageError: a setting is invalid or does not go with the corpus; a label file is wrong.
    """
    check(chosen)
    length, mean, deltas = chosen.length, chosen.mean, chosen.deltas
    sample_rate = chosen.sample_rate
    whole = chosen.examples == "frames"
    _check_examples(chosen, like, whole)
    if length is None:
        length = ANY if whole or corpus.kind == "digits" else PERCENTILE
    representation = chosen.representation or ("log_mel" if whole else "real")
    normalize = chosen.normalize or ("recording" if whole else "set")
    if representation == WAVEFORM and mean not in (None, "none"):
        raise UsageError("no mean is subtracted from waveforms; leave --mean out.")
    if representation == WAVEFORM and normalize == "recording":
        raise UsageError(
            "waveforms have no bins to normalise; level them instead (--level file-rms), or choose "
            "a representation."
        )
    context = chosen.context
    of_files = whole or normalize == "recording" or context
    level = _of_files(chosen.level) if of_files else chosen.level
    if mean is None:
        mean = default_mean(representation, length == ANY, normalize)
    if deltas and representation == WAVEFORM:
        raise UsageError("waveforms have no deltas; leave --deltas out.")
    frontend = None if like is None else like.frontend
    if frontend is not None:
        length = ANY if frontend.length is None else frontend.length
        representation, level, normalize = frontend.kind, frontend.level, frontend.normalize
        deltas, context = frontend.deltas, frontend.context / frontend.sample_rate
        mean = default_mean(representation, length == ANY, normalize)
        sample_rate = frontend.sample_rate
    if context and (length == ANY or representation == WAVEFORM):
        raise UsageError(
            "--context requires segments of one length, made of frames: give "
            "--length p95 or a number, and a representation other than waveform."
        )
    if length == ANY and mean == "element":
        raise UsageError(
            "--mean element requires examples of one length; give --mean bin or --mean none."
        )
    rate = chosen_rate(corpus, sample_rate, own=length == ANY and not whole)
    labelling = corpus.labelling
    if like is not None:
        labelling = labelling.with_classes(like.classes, like.groups)
    stored = {
        name: [(u, labelling.joined(found)) for u, found in _labelled(utterances, corpus.findings)]
        for name, utterances in stored_splits(corpus, chosen.dev_speakers).items()
    }
    if chosen.unlabelled is not None:
        unlabelled: list[Labelled] = [(u, []) for u in unlabelled_recordings(chosen.unlabelled)]
        stored["train"] = stored.get("train", []) + unlabelled
    settings: dict[str, Any] = {
        "representation": representation,
        "length": str(length) if frontend is None else frontend.length,
        "too_long": chosen.too_long,
        "level": level,
        "resample": chosen.resample,
        "dev_speakers": chosen.dev_speakers,
        "like": None if frontend is None else frontend.fingerprint,
    }
    # Left out at their defaults: sets prepared before there was a choice stay the same.
    if deltas:
        settings["deltas"] = deltas
    if mean != default_mean(representation, length == ANY, normalize):
        settings["mean"] = mean
    if whole:
        settings["examples"] = chosen.examples
        settings["hop"] = (
            (HOP if chosen.hop is None else chosen.hop)
            if frontend is None
            else 1000 * frontend.hop / frontend.sample_rate
        )
    elif chosen.hop is not None:
        settings["hop"] = chosen.hop
    if normalize != "set":
        settings["normalize"] = normalize
    if context:
        settings["context"] = context
    if rate != SAMPLE_RATE:
        settings["sample_rate"] = rate
    if chosen.dtype != Preparation.dtype:
        settings["dtype"] = chosen.dtype
    digest = digest_of(settings, labelling)
    for name, labelled in stored.items():
        for utterance, segments in labelled:
            size = utterance.audio.stat().st_size
            digest.update(repr((name, utterance.name, size, segments)).encode())
    if chosen.resample:
        stored = {
            name: [_rescaled(u, segments, rate) for u, segments in part]
            for name, part in stored.items()
        }
    limit = (
        _limit(stored.get("train", []), labelling, length, rate)
        if frontend is None
        else _own_length(frontend)
    )
    return Plan(settings, rate, limit, labelling, stored, digest.hexdigest())


def _labelled(utterances: Sequence[Utterance], findings: Findings) -> list[Labelled]:
    """Utterances and their segments; with `skip_unusable` without the ones that are unusable."""
    if not findings.skip:
        return [(u, u.segments(report=findings)) for u in utterances]
    found = []
    for utterance in utterances:
        try:
            samples, _ = read_mono(utterance.audio)
        except UsageError as error:
            findings.unreadable(utterance.audio, error)
            continue
        if segments := utterance.segments(len(samples), findings):
            found.append((utterance, segments))
    return found


def _own_length(frontend: Frontend) -> int | None:
    """Samples of a segment without its surroundings."""
    return None if frontend.length is None else frontend.length - 2 * frontend.context


def _check_examples(chosen: Preparation, like: Exemplar | None, whole: bool) -> None:
    """Refuse settings that do not go with what the set's examples are."""
    if chosen.hop is not None and chosen.representation == WAVEFORM:
        raise UsageError("waveforms have no frames; leave --hop out.")
    if not whole:
        if chosen.unlabelled is not None:
            raise UsageError("--unlabelled requires --examples frames.")
        if like is not None and like.frontend.whole:
            raise UsageError(
                "the --like run or set has whole recordings as examples; add --examples frames."
            )
        return
    if chosen.length not in (None, ANY):
        raise UsageError("recordings keep their own lengths; leave --length out.")
    if chosen.context:
        raise UsageError("whole recordings include their surroundings; leave --context out.")
    if chosen.representation == WAVEFORM:
        raise UsageError("waveforms have no frames to label; choose another representation.")
    if like is not None and not like.frontend.whole:
        raise UsageError(
            "the --like run or set has segments as examples; leave --examples frames out."
        )


def _of_files(level: str) -> str:
    """The level of files that scales by the same rule."""
    return level.replace("segment", "file")


def default_mean(representation: str, any_length: bool, normalize: str = "set") -> str:
    """Default kind of mean to subtract, one of `MEANS`."""
    if any_length and normalize == "recording":
        # Every recording's is 0.
        return "none"
    if representation == WAVEFORM:
        return "none"
    return "bin" if any_length else "element"


def digest_of(settings: dict[str, Any], labelling: Labelling = TIMIT) -> Any:
    """A SHA-256 over settings and labels, to be updated with what the corpus holds."""
    digest = hashlib.sha256(json.dumps([_PLAN, settings], sort_keys=True).encode())
    if labelling != TIMIT:
        digest.update(repr((sorted(labelling.mapping.items()), labelling.classes)).encode())
    return digest


def chosen_rate(corpus: Corpus, sample_rate: int | None, own: bool) -> int:
    """The set's sample rate in Hz: the requested one, else the corpus' `own`, else 16 kHz.

    Raises:
        UsageError: it is outside `RATES`.
    """
    rate = (corpus.sample_rate if own else SAMPLE_RATE) if sample_rate is None else sample_rate
    if not RATES.holds(rate):
        raise UsageError(f"sample_rate must be {RATES.text}; received {rate}.")
    return rate


def check_same_plan(found: dict[str, Any], settings: dict[str, Any], digest: str, out: Path):
    """Refuse to resume a set that was begun by another plan.

    Raises:
        UsageError: with the settings that differ.
    """
    if found.get("plan") == digest:
        return
    old = found.get("settings", {})
    differing = [
        f"{k} {old.get(k)!r}, now {settings.get(k)!r}"
        for k in {**old, **settings}
        if old.get(k) != settings.get(k)
    ]
    what = "; ".join(differing) if differing else "another corpus or other labels"
    raise UsageError(
        f"{out} was prepared with other settings ({what}); choose another folder or remove it."
    )


def stored_splits(corpus: Corpus, dev_speakers: int) -> dict[str, list[Utterance]]:
    """Utterances by the split that they are stored in; core and dev come first within test.

    Args:
        corpus: where from.
        dev_speakers: training speakers to take out as a split of their own.

    Raises:
        UsageError: the corpus has a development part already, or too few speakers.
    """
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
                f"{corpus.root} already has a development part (TIMIT's own development "
                "speakers are in its test part); leave --dev-speakers out."
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


def _rescaled(utterance: Utterance, segments: list[Segment], rate: int) -> Labelled:
    scale = rate / audio_size(utterance.audio)[1]
    return utterance, [rescaled(s, scale) for s in segments]


def is_kept(segment: Segment, labelling: Labelling, length: int | None, too_long: str) -> bool:
    """Whether a segment becomes an example: it has a class, and is not excluded as too long."""
    dropped = too_long == "drop" and length is not None and segment.end - segment.start > length
    return (
        labelling.mapping[segment.label] is not None and not dropped and segment.start < segment.end
    )


def _limit(
    train: Sequence[Labelled], labelling: Labelling, length: str | int | None, rate: int
) -> int | None:
    """The length of every example: that of the longest training segment within the rule's limit."""
    if length == ANY:
        return None
    if length != PERCENTILE:
        if int(length or 0) > MAX_LENGTH_SECONDS * rate:
            raise UsageError(
                f"a length of {length} samples is {int(length or 0) / rate:.0f} s; segments of up "
                f"to {MAX_LENGTH_SECONDS} s are padded to one length; give --length any."
            )
        return int(length or 0)
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
