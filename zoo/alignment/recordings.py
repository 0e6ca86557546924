"""Aligning recordings: on several cores, each kept as soon as it is aligned, despite bad files."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.alignment.journal import Journal, Row
from zoo.alignment.models import identity
from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile
from zoo.data.corpora.transcripts import Transcribed, place
from zoo.decoding.edits import SILENCE
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.machine import cores
from zoo.processes import each, thread_share
from zoo.progress import progress_bar

if TYPE_CHECKING:
    from zoo.alignment.aligner import Aligner

MAX_JOBS = 4
"""Processes that align at a time, unless others are asked for; each holds the network."""

WORTH = 300.0
"""Seconds of recordings for which one more process is worth its start."""

Failing = Callable[[str], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class How:
    """How recordings are aligned.

    Attributes:
        model: a run folder of a network that transcribes, a preset, weights that ship, or a flat
            start.
        dictionary: files of pronunciations.
        phones: what is said is given in phones.
        channel: which one of several, from 1 on.
        classes: transcripts have a tier of the network's own classes.
    """

    model: str | Path
    dictionary: tuple[str, ...] = ()
    phones: bool = False
    channel: int | None = None
    classes: bool = False

    @functools.cached_property
    def fingerprint(self) -> str:
        """Changes with whatever alignments depend on beside recordings and what is said there."""
        return digest([*identity(self.model), self.said])

    @functools.cached_property
    def said(self) -> str:
        """Changes with whatever decides what is said, but for the recordings' texts."""
        parts = [*map(_sha256, self.dictionary), self.phones, self.channel, self.classes]
        return digest(parts)


def inputs_of(recording: Transcribed, fingerprint: str) -> str:
    """A hash of everything that the alignment of a recording depends on."""
    said = [(str(s.start), str(s.end), s.label) for s in recording.spans] or recording.text
    try:
        status = os.stat(recording.audio)
    except OSError:
        # Whoever reads the recording is told.
        return ""
    file = [status.st_size, status.st_mtime_ns]
    return digest([fingerprint, *file, recording.speaker, said])


def digest(value: Any) -> str:
    """A hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _sha256(path: str) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UsageError(f"cannot read the dictionary {path}: {error.strerror}.") from None


def aligned_into(
    journal: Journal,
    todo: Sequence[Transcribed],
    inputs: Mapping[str, str],
    how: How,
    jobs: int | None,
    failing: Failing,
) -> Iterator[tuple[Row, Transcript]]:
    """Each recording that can be aligned, once the journal has it, in whatever order.

    Args:
        journal: keeps what is aligned.
        todo: recordings to be aligned.
        inputs: by their names, what `inputs_of` gives of them.
        how: they are aligned.
        jobs: processes at a time; None: as many as are worth their start.
        failing: is told what is wrong with a recording.
    """
    for recording, outcome in _outcomes(todo, how, jobs):
        if isinstance(outcome, str):
            failing(outcome)
            continue
        row = Row.of(recording.name, recording.speaker, outcome, SILENCE)
        journal.add(row, inputs[row.name], outcome)
        yield row, outcome


def _outcomes(
    todo: Sequence[Transcribed], how: How, jobs: int | None
) -> Iterator[tuple[Transcribed, Transcript | str]]:
    """Each recording with its transcript, or what is wrong with it, in whatever order."""
    if not todo:
        return
    seconds = {recording.name: _seconds(recording.audio) for recording in todo}
    total = sum(seconds.values())
    number = min(worthwhile_jobs(todo) if jobs is None else jobs, len(todo))
    align = functools.partial(_outcome, how)
    outcomes: Iterable[tuple[Transcribed, Transcript | str]]
    if number > 1:
        outcomes = each(
            align,
            todo,
            number,
            "a process that aligns",
            environment=thread_share(number),
            advice="run the same command again to resume, with fewer --jobs",
        )
    else:
        outcomes = ((recording, align(recording)) for recording in todo)
    done = 0.0
    with progress_bar(round(total), "s", "aligning", shown=len(todo) > 1) as bar:
        for recording, outcome in outcomes:
            yield recording, outcome
            done += seconds[recording.name]
            bar.update(round(done) - bar.n)


def worthwhile_jobs(recordings: Sequence[Transcribed]) -> int:
    """Number of processes that are worth starting."""
    return max(1, min(cores(), MAX_JOBS, int(seconds_of(recordings) / WORTH)))


def seconds_of(recordings: Sequence[Transcribed]) -> float:
    """Total duration of recordings."""
    return sum(_seconds(recording.audio) for recording in recordings)


def _seconds(audio: Path) -> float:
    # What is wrong with a recording is said when its turn comes.
    with contextlib.suppress(UsageError):
        file = AudioFile(audio, LONGEST_SECONDS)
        return file.frames / file.rate
    return 0.0


@functools.lru_cache(maxsize=1)
def _loaded(model: str | Path, dictionary: tuple[str, ...]) -> Aligner:
    from zoo.alignment.models import load_aligner

    return load_aligner(model, dictionary)


def _outcome(how: How, recording: Transcribed) -> Transcript | str:
    """The transcript of a recording, or what is wrong with it."""
    aligner = _loaded(how.model, how.dictionary)
    try:
        return aligner.align_file(
            recording.audio,
            channel=how.channel,
            classes=how.classes,
            **said_in(recording, how.phones),
        )
    except UsageError as error:
        text = str(error)
        told = str(recording.audio) in text or str(recording.source) in text
        return text if told else f"{recording.audio}: {text}"


def said_in(recording: Transcribed, phones: bool = False) -> dict[str, Any]:
    """What is said in a recording, as `Aligner.align_file` takes it.

    Args:
        recording: with its text.
        phones: the text is phones.

    Raises:
        UsageError: phones that have times.
    """
    from zoo.alignment.aligner import Sentence

    if recording.text is not None:
        said = {"phones": recording.text.split()} if phones else {"text": recording.text}
        return {**said, "where": recording.where}
    if phones:
        raise UsageError(f"{recording.where} has times; with --phones, give phones without times.")
    return {
        "sentences": [
            Sentence(float(s.start), float(s.end), s.label, place(recording.source, s.line))
            for s in recording.spans
        ],
        "where": recording.where,
    }
