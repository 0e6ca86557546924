"""Recordings labelled by an alignment, as a corpus that can be prepared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from zoo.alignment.aligner import CLASSES
from zoo.alignment.journal import Journal
from zoo.alignment.models import has_classes
from zoo.alignment.recordings import How, aligned_into, inputs_of, worthwhile_jobs
from zoo.data.corpora.annotated import Annotated, OwnCorpus, Recording, open_annotated
from zoo.data.corpora.corpus import CorpusSettings
from zoo.data.corpora.intervals import Span
from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.phones import without_stress
from zoo.data.corpora.transcripts import Transcribed, transcribed_recordings
from zoo.data.corpora.utterances import Problem, refuse
from zoo.decoding.formats import PHONES
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.runs import Run


def align_all(
    recordings: Sequence[Transcribed],
    how: How,
    folder: Path,
    jobs: int,
    failing: Callable[[str], object],
) -> dict[str, Transcript]:
    """Align recordings, without a file for each.

    Args:
        recordings: what `zoo.data.corpora.transcripts.transcribed_recordings` gives.
        how: they are aligned.
        folder: which keeps what was aligned, so that interrupted work resumes.
        jobs: processes at a time.
        failing: is told what is wrong with a recording.

    Returns:
        Name -> transcript, of those that can be aligned.
    """
    inputs = {recording.name: inputs_of(recording, how.fingerprint) for recording in recordings}
    with Journal(folder) as journal:
        todo = [r for r in recordings if journal.row(r.name, inputs[r.name]) is None]
        for _ in aligned_into(journal, todo, inputs, how, jobs, failing):
            pass
        return {
            r.name: journal.transcript(r.name)
            for r in recordings
            if journal.row(r.name, inputs[r.name]) is not None
        }


def spans_of(transcript: Transcript) -> tuple[Span, ...]:
    """The labels to learn from: a network's classes, or phones without stress."""
    chosen = CLASSES if CLASSES in transcript.tiers else PHONES
    return tuple(
        Span(
            number,
            Decimal(repr(interval.start)),
            Decimal(repr(interval.end)),
            interval.label if chosen == CLASSES else without_stress(interval.label),
        )
        for number, interval in enumerate(transcript.tiers[chosen], 1)
    )


def as_utterance(recording: Transcribed, transcript: Transcript, split: str) -> Annotated:
    """A recording with the labels that an alignment gave it.

    Args:
        recording: that was aligned.
        transcript: of it.
        split: that it shall be in.
    """
    name, audio, speaker = recording.name, recording.audio, recording.speaker
    return Annotated(name, audio, speaker, split, recording.source, spans_of(transcript))


def labelling_of(model: str | Path) -> Labelling | None:
    """The classes of a network, each label being its own; None of a flat start, which has none."""
    if not has_classes(model):
        return None
    run = Run.open(model)
    return Labelling({name: name for name in run.classes}, run.classes, run.groups)


def aligned_corpus(
    settings: CorpusSettings,
    how: How,
    out: Path,
    *,
    failing: Callable[[str], object] = lambda problem: None,
) -> OwnCorpus:
    """A folder of recordings and transcripts as a corpus, labelled by alignment.

    Args:
        settings: the folder, test speakers and their seed.
        how: recordings are aligned; labels are the network's own classes.
        out: folder of what was aligned, from which interrupted work resumes.
        failing: is told what is wrong with a recording, which is left out.

    Raises:
        UsageError: nothing to align, nothing that could be aligned, options that are for labelled
            recordings, or no such model.
    """
    for option in ("kind", "mapping", "tier", "recordings", "offset", "skip_unusable"):
        if getattr(settings, option) not in (None, False):
            raise UsageError(
                f"--{option.replace('_', '-')} is for labelled recordings; with --align, "
                "the labels are the network's classes."
            )
    how = dataclasses.replace(how, classes=has_classes(how.model))
    labelling = labelling_of(how.model)
    recordings = transcribed_recordings(
        settings.corpus, lambda *problem: failing(str(Problem(*problem)))
    )
    aligned = align_all(recordings, how, out, worthwhile_jobs(recordings), failing)
    if not aligned:
        raise UsageError(f"no recording of {settings.corpus} could be aligned.")
    root = Path(settings.corpus)
    return open_annotated(
        "aligned",
        root if root.is_dir() else root.parent,
        [
            Recording(r.name, r.audio, r.source, spans_of(aligned[r.name]), r.speaker)
            for r in recordings
            if r.name in aligned
        ],
        labelling=labelling,
        testers=settings.test_speakers,
        seed=settings.seed,
        report=refuse,
    )
