"""`zoo transcribe`: the phones of recordings of any length, with their times."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.files import make_folder
from zoo.runs import RECOGNIZER
from zoo.settings import at_least, option

if TYPE_CHECKING:
    from tqdm import tqdm

    from zoo.data.corpora.audio import AudioFile
    from zoo.transcription import Recognizer

FORMATS = ("TextGrid", "ctm", "phn", "json", "csv", "txt")
"""As `Transcript.save` knows them; `txt` is Audacity's labels."""

_LONG = 60
"""Seconds of a single recording from which on a bar is worth it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo transcribe`."""

    recordings: list[str] = option(
        name="recordings",
        metavar="FILE|FOLDER",
        nargs="+",
        help="Recordings of up to 24 hours (WAV, FLAC, MP3, SPHERE, ...), and folders of them",
    )
    model: str = option(
        RECOGNIZER,
        metavar="RUN",
        help=(
            "Run folder of a recognizer, or of a classifier trained on whole "
            "recordings; or the name of a preset or of weights that ship"
        ),
    )
    out: str | None = option(
        None,
        metavar="DIR",
        help=(
            "Folder for the transcripts, each named after its recording; a transcript "
            "newer than its recording and the model is kept. Required for several "
            "recordings; without it the phones of a single one are printed: start and "
            "end in seconds, label, score"
        ),
    )
    format: str | None = option(
        None,
        choices=FORMATS,
        help="Format of the transcripts in --out; txt: labels of Audacity",
        shown="TextGrid",
    )
    channel: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help="Channel to transcribe, counted from 1, for recordings with several channels",
    )
    overwrite: bool = option(False, help="Replace existing transcripts")


@dataclasses.dataclass(frozen=True)
class _Job:
    """A recording, and where its transcript goes."""

    source: Path
    target: Path | None


def run(options: Options) -> int:
    """Transcribe; 1 if one of several recordings could not be."""
    jobs = _jobs(options)
    if len(jobs) == 1:
        # What is wrong with the only one is said before anything is loaded.
        _file(jobs[0])
    from zoo.runs import Run
    from zoo.transcription import load_recognizer

    recognizer = load_recognizer(options.model)
    network = Run.open(options.model).network
    wanted = [job for job in jobs if options.overwrite or not _is_done(job, network)]
    failed = _transcribe(wanted, recognizer, options.channel)
    if options.out is not None:
        kept = len(jobs) - len(wanted)
        parts = [f"{len(wanted) - failed} written"]
        parts += [f"{kept} kept (--overwrite replaces them)"] if kept else []
        parts += [f"{failed} failed"] if failed else []
        print(f"{options.out}: {', '.join(parts)}")
    return 1 if failed else 0


def _jobs(options: Options) -> list[_Job]:
    """All recordings, in order, each once."""
    out = options.out
    places = [Path(text) for text in options.recordings]
    if out is None:
        if options.format is not None:
            raise UsageError("--format requires --out DIR.")
        if len(places) > 1 or places[0].is_dir():
            raise UsageError(
                "several recordings require --out DIR; only the phones of a single one are printed."
            )
        return [_Job(places[0], None)]
    if Path(out).is_file() or Path(out).suffix[1:].lower() in map(str.lower, FORMATS):
        raise UsageError(
            f"--out {out} must be a folder, in which transcripts are named after their recordings."
        )
    suffix = f".{options.format or FORMATS[0]}"
    found: dict[Path, Path] = {}
    for place in places:
        for source in _recordings_in(place) if place.is_dir() else [place]:
            name = source.relative_to(place) if place.is_dir() else Path(source.name)
            target = Path(out) / name.with_name(name.stem + suffix)
            if found.setdefault(target, source) != source:
                raise UsageError(
                    f"{found[target]} and {source} would both be written to {target}; transcribe "
                    "them into different folders."
                )
    return [_Job(source, target) for target, source in found.items()]


def _recordings_in(folder: Path) -> list[Path]:
    from zoo.data.sets.recordings import unlabelled_recordings

    return [recording.audio for recording in unlabelled_recordings(folder)]


def _is_done(job: _Job, network: Path) -> bool:
    if job.target is None or not job.target.is_file() or not job.source.is_file():
        return False
    written = job.target.stat().st_mtime_ns
    return written >= max(path.stat().st_mtime_ns for path in (job.source, network))


def _file(job: _Job) -> AudioFile:
    from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile

    return AudioFile(job.source, LONGEST_SECONDS)


def _transcribe(jobs: list[_Job], recognizer: Recognizer, channel: int | None) -> int:
    """Transcribe all of them; how many could not be."""
    from zoo.progress import progress_bar

    seconds, rates = dict.fromkeys(jobs, 0.0), []
    for job in jobs:
        # What is wrong with a recording is said when its turn comes.
        with contextlib.suppress(UsageError):
            file = _file(job)
            seconds[job] = file.frames / file.rate
            rates.append(file.rate)
    _tell_of_low_rates(rates, recognizer.sample_rate)
    total = sum(seconds.values())
    shown = len(jobs) > 1 or total > _LONG
    failed, done = 0, 0.0
    with progress_bar(round(total), "s", "transcribing", shown=shown) as bar:
        for job in jobs:
            try:
                _transcribe_one(job, recognizer, channel, _Clock(bar, done))
            except UsageError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                bar.write(f"zoo transcribe: {error}", file=sys.stderr)
            done += seconds[job]
            bar.update(round(done) - bar.n)
    return failed


class _Clock:
    """Moves the bar by whole seconds of what is transcribed."""

    def __init__(self, bar: tqdm, done: float) -> None:
        self._bar, self._done = bar, done

    def __call__(self, seconds: float) -> None:
        self._done += seconds
        self._bar.update(int(self._done) - self._bar.n)


def _transcribe_one(
    job: _Job, recognizer: Recognizer, channel: int | None, clock: Callable[[float], None]
) -> None:
    transcript = recognizer.transcribe_file(job.source, channel=channel, progress=clock)
    if job.target is not None:
        make_folder(job.target.parent)
        transcript.save(job.target)
        return
    for start, end, label, score in transcript.intervals:
        print(f"{start:9.3f} {end:9.3f}  {label:<5} {score:.3f}")


def _tell_of_low_rates(rates: list[int], heard: int) -> None:
    low = [rate for rate in rates if rate < heard]
    if low:
        what = "the recording has" if len(rates) == 1 else f"{len(low)} of {len(rates)} have"
        print(
            f"zoo transcribe: {what} a lower sample rate than the model's {heard} Hz: "
            f"above {min(low) / 2:g} Hz they contain nothing, so expect more errors",
            file=sys.stderr,
        )
