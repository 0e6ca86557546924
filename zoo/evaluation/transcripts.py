"""Scoring a run that transcribes on the recordings of a prepared set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from zoo.data.corpora.phones import accuracy_names, group_names
from zoo.data.corpora.utterances import Segment
from zoo.data.sets.prepared import Prepared
from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import SILENCE, Edits, aligned, edits, silence_of
from zoo.decoding.formats import Interval
from zoo.decoding.frames import merged, to_intervals
from zoo.decoding.posteriors import log_posteriors
from zoo.decoding.settings import Settings
from zoo.errors import UsageError
from zoo.evaluation.recognition import error_counts, frame_accuracy, recognition_scores
from zoo.evaluation.runs import OneRun, check_classes, check_frontend
from zoo.evaluation.statistics import mean_interval
from zoo.models.recognizers import context
from zoo.runs import Run
from zoo.settings import as_record

TOGETHER = 32
"""Number of recordings that are decoded together."""

WORST = 10
"""Number of recordings with the most errors that the scores name."""

PLAIN = Settings(prior_exponent=0.0, bigram_weight=0.0, insertion_penalty=0.0)
"""Settings for runs without a decoder: any phone is equally likely to follow."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording of a split with its transcript.

    Attributes:
        number: its place in the split.
        name: what the corpus calls it.
        speaker: whoever speaks.
        reference: the corpus' intervals that have a class, labelled by their scored groups,
            silences that touch as one.
        transcript: the recognised intervals, likewise.
        errors: over the groups without silence.
    """

    number: int
    name: str
    speaker: str
    reference: tuple[Interval, ...]
    transcript: tuple[Interval, ...]
    errors: Edits


@dataclasses.dataclass(frozen=True)
class Transcribed:
    """Scores of a run on the labelled recordings of one split, and what they were computed from.

    Attributes:
        scores: as `zoo evaluate --json` prints them.
        recordings: all that were scored, in the set's order.
        confusion: counts (G + 1, G + 1) of aligned phones over the groups without silence: rows the
            reference's, columns the recognised ones; in the last row insertions, in the last column
            deletions.
        groups: names of the G groups.
    """

    scores: dict[str, Any]
    recordings: tuple[Recording, ...]
    confusion: np.ndarray
    groups: tuple[str, ...]


def evaluate_transcripts(
    run: OneRun, prepared: Prepared, split: str = "test", *, decoder: Decoder | None = None
) -> Transcribed:
    """Transcribe the labelled recordings of one split of a prepared set, and count errors.

    Args:
        run: run of a recogniser, or of a classifier that was trained on windows.
        prepared: a set of whole recordings with the run's front end.
        split: which part of it. Recordings that nobody labelled are left out.
        decoder: in place of the run's. A run without one is scored with equal chances for every
            phone after every other one.

    Returns:
        Of its scores, beside those of `zoo.evaluation.recognition.recognition_scores`:
        `frames`, those with a label; `frame_accuracy_39` of the most probable class of each, or
        what `zoo.data.corpora.phones.accuracy_names` makes of it; `speakers`: their `number`, the
        mean of their phone error rates, and half the width of its 95 % interval (Student's t; None
        for a single speaker); `per_speaker`, `per_phone` and `worst_recordings`. Phones of the
        reference that belong to no class are left out, what is recognised in their place is not.

    Raises:
        UsageError: no such run or split, no labelled recording, or a set that does not fit the run.
    """
    run = Run.open(run)
    if not run.transcribes:
        raise UsageError(f"{run.path} is not a run that transcribes recordings.")
    if prepared.kind != "frames":
        raise UsageError(
            f"{run.path} transcribes whole recordings, but {prepared.path} holds {prepared.kind}; "
            f"prepare the corpus with --examples frames --like {run.path}."
        )
    check_frontend(run, prepared)
    check_classes(run, prepared)
    labels, references = prepared.frame_labels(split), prepared.reference(split)
    known = [number for number, found in enumerate(prepared.phones(split)) if found]
    if not known:
        raise UsageError(
            f"the split {split!r} of {prepared.path} holds no labelled recordings to score."
        )
    kept = decoder or run.decoder
    decoder = kept or Decoder.count([], prepared.classes, PLAIN)
    silence = silence_of(prepared.groups)
    best: list[np.ndarray] = []
    recordings: list[Recording] = []
    rows = prepared.segments(split)
    for first in range(0, len(known), TOGETHER):
        numbers = known[first : first + TOGETHER]
        posteriors = list(_posteriors(run, prepared, split, numbers))
        best += [each.argmax(axis=1) for each in posteriors]
        for number, path in zip(numbers, decoder.decode(posteriors), strict=True):
            row = rows[number]
            intervals = to_intervals(
                path.classes,
                prepared.classes,
                hop=prepared.hop,
                samples=int(row.end),
                sample_rate=prepared.sample_rate,
            )
            reference, transcript = (
                merged(i._replace(label=prepared.groups[i.label]) for i in side)
                for side in (_timed(references[number], prepared.sample_rate), intervals)
            )
            recordings.append(
                Recording(
                    number,
                    str(row.utterance),
                    str(row.speaker),
                    reference,
                    transcript,
                    edits(*(spoken(side, silence) for side in (reference, transcript))),
                )
            )
    names = tuple(n for n in group_names(prepared.classes, prepared.groups) if n != silence)
    count = confusion(recordings, names, silence)
    same = {name: name for name in prepared.groups.values()}
    measures = recognition_scores(
        [r.reference for r in recordings], [r.transcript for r in recordings], same, silence
    )
    called = accuracy_names(prepared.classes, prepared.groups)
    wanted = [labels[number] for number in known]
    scores = {
        "model": run.model_name,
        "split": split,
        "label_set": prepared.label_set,
        "decoder": as_record(decoder.settings) if kept else "plain",
        **measures,
        "frames": int(sum((each >= 0).sum() for each in wanted)),
        f"frame_{called.accuracy}": frame_accuracy(wanted, best, prepared.classes, prepared.groups),
        **_by_speaker(recordings),
        "per_phone": _by_phone(count, names),
        "worst_recordings": [
            {"recording": r.name, "speaker": r.speaker, **error_counts(r.errors)}
            for r in worst(recordings)[:WORST]
        ],
    }
    return Transcribed(scores, tuple(recordings), count, names)


def _posteriors(
    run: Run, prepared: Prepared, split: str, chosen: Iterable[int]
) -> Iterator[np.ndarray]:
    """(T, classes) of each of the chosen recordings."""
    features = prepared.features(split)
    apart = prepared.mean - run.frontend.mean
    # Windows say by their length what an output depends on.
    around = None if run.window else context(run.model)
    for number in chosen:
        yield log_posteriors(run.model, features[number] + apart, run.window, around)


def _timed(segments: Iterable[Segment], rate: int) -> Iterator[Interval]:
    """Segments in samples as intervals in seconds."""
    return (Interval(start / rate, end / rate, label) for start, end, label in segments)


def spoken(intervals: Iterable[Interval], silence: str | None) -> list[str]:
    """Labels in order, without silences."""
    return [interval.label for interval in intervals if interval.label != silence]


def confusion(
    recordings: Iterable[Recording], names: Sequence[str], silence: str | None = SILENCE
) -> np.ndarray:
    """Counts of aligned phones, as `Transcribed.confusion`.

    Args:
        recordings: scored.
        names: names of the groups but silence.
        silence: the group of silences; None: there is none.
    """
    number = {name: place for place, name in enumerate(names)}
    beyond = len(names)
    count = np.zeros((beyond + 1, beyond + 1), "int64")
    for recording in recordings:
        wanted, found = (spoken(s, silence) for s in (recording.reference, recording.transcript))
        for i, j in aligned(wanted, found):
            row = beyond if i is None else number[wanted[i]]
            count[row, beyond if j is None else number[found[j]]] += 1
    return count


def worst(recordings: Iterable[Recording]) -> list[Recording]:
    """Recordings by phone error rate, the highest first; those without a phone come last."""
    return sorted(recordings, key=lambda r: -(r.errors.rate or 0.0))


def _by_speaker(recordings: Sequence[Recording]) -> dict[str, Any]:
    """The entries `speakers` and `per_speaker`."""
    total: dict[str, Edits] = {}
    number: dict[str, int] = {}
    for recording in recordings:
        before = total.get(recording.speaker, Edits(0, 0, 0, 0))
        total[recording.speaker] = Edits(
            *(a + b for a, b in zip(before, recording.errors, strict=True))
        )
        number[recording.speaker] = number.get(recording.speaker, 0) + 1
    rates = [errors.rate for errors in total.values() if errors.rate is not None]
    mean, half = mean_interval(rates) if rates else (None, None)
    return {
        "speakers": {"number": len(total), "phone_error_rate": mean, "interval_95": half},
        "per_speaker": {
            speaker: {"recordings": number[speaker], **error_counts(errors)}
            for speaker, errors in sorted(total.items())
        },
    }


def _by_phone(count: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Phones of the reference, those found, and what share was right, for groups that occur."""
    wanted, found, right = count.sum(axis=1), count.sum(axis=0), np.diag(count)
    return {
        name: {
            "phones": int(wanted[g]),
            "recall": float(right[g] / wanted[g]),
            "precision": float(right[g] / found[g]) if found[g] else None,
        }
        for g, name in enumerate(names)
        if wanted[g]
    }
