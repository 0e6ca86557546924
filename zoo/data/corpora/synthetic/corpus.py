"""Making the whole corpus: speakers in parallel, resumable, the same bytes for the same seed."""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.sphere import HEADER_BYTES, sphere_bytes
from zoo.data.corpora.synthetic import espeak, recording
from zoo.data.corpora.synthetic.labels import Segment, transcribe, without_closures
from zoo.data.corpora.synthetic.sentences import (
    MAX_SENTENCES,
    Sentence,
    assign,
    assign_own,
    read_sentences,
)
from zoo.data.corpora.synthetic.settings import SyntheticSettings
from zoo.data.corpora.synthetic.speakers import RATE, RATE_LIMITS, Speaker, draw, split_speakers
from zoo.errors import UsageError
from zoo.files import emptied, make_folder, os_failure, put_folder_in_place, read_json, write_json
from zoo.machine import cores
from zoo.progress import progress_bar
from zoo.settings import changed, check

VERSION = 1
"""Raised whenever the same settings give other bytes than before."""

RECORD = "corpus.json"
"""At the root of a complete corpus: settings and counts."""

STARTED = "corpus.partial.json"
"""At the root of an unfinished corpus: the settings it was started with."""

MAX_READINGS = 999
"""Sentences of one's own that a speaker can read, repetitions counted."""

_MAKING = ".making-"
_SUFFIXES = (".WAV", ".PHN", ".WRD", ".TXT")


@dataclass(frozen=True)
class _Style:
    """What makes a corpus like the speech that one has.

    Attributes:
        texts: sentences of one's own; None: those of the grammar.
        rate: speaking rates of the slowest and the fastest speaker, words a minute.
        bandwidth: bandwidth of the recordings, in Hz; None: all that the sample rate allows.
        closures: whether the closures of stops are segments.
    """

    texts: tuple[str, ...] | None
    rate: tuple[float, float]
    bandwidth: float | None
    closures: bool

    @property
    def settings(self) -> dict[str, Any]:
        """All that is not as usual: corpora made before there was a choice stay the same."""
        found: dict[str, Any] = {}
        if self.texts is not None:
            found["text"] = hashlib.sha256("\n".join(self.texts).encode()).hexdigest()
        if self.rate != RATE:
            found["rate"] = list(self.rate)
        if self.bandwidth is not None:
            found["bandwidth"] = self.bandwidth
        if not self.closures:
            found["closures"] = False
        return found


@dataclass(frozen=True)
class _Utterance:
    name: str
    text: str
    samples: np.ndarray
    segments: list[Segment]
    words: list[str]

    def files(self, speaker: str) -> dict[str, bytes]:
        audio = sphere_bytes(
            self.samples,
            recording.RATE,
            database="zoo-synthetic",
            utterance=f"{speaker}_{self.name}".lower(),
        )
        phones = "".join(f"{s.start} {s.end} {s.label}\n" for s in self.segments)
        words = "".join(f"{a} {b} {w}\n" for a, b, w in _word_times(self.segments, self.words))
        text = f"0 {self.samples.size} {self.text}\n"
        return {".WAV": audio} | {
            suffix: content.encode("ascii")
            for suffix, content in ((".PHN", phones), (".WRD", words), (".TXT", text))
        }


def _word_times(segments: list[Segment], words: list[str]) -> list[tuple[int, int, str]]:
    times: dict[int, tuple[int, int]] = {}
    for segment in segments:
        if segment.word >= 0:
            start, _ = times.get(segment.word, (segment.start, 0))
            times[segment.word] = (start, segment.end)
    return [(*times[index], words[index]) for index in sorted(times)]


def _spoken_words(text: str, events: list[list]) -> list[str]:
    """The words as the synthesiser cut them; a pair that it says as one gets a hyphen."""
    starts = [event[2] - 1 for event in events if event[0] == "word"]
    ends = [*starts[1:], len(text)]
    pieces = (text[start:end].lower() for start, end in zip(starts, ends, strict=True))
    return ["-".join(re.findall(r"[a-z']+", piece)) for piece in pieces]


def _utterances(
    speaker: Speaker, index: int, reads: list[Sentence], seed: int, style: _Style
) -> list[_Utterance]:
    spoken = espeak.speak(
        [sentence.text for sentence in reads],
        voice=f"{speaker.accent}+{speaker.variant}",
        rate=speaker.rate,
        pitch=speaker.pitch,
        pitch_range=speaker.pitch_range,
    )
    made = []
    for number, (sentence, said) in enumerate(zip(reads, spoken, strict=True)):
        rng = np.random.default_rng([seed, 3, index, number])
        segments = transcribe(said.samples, said.events, speaker.accent)
        if not style.closures:
            segments = without_closures(segments)
        samples, segments = recording.record(said.samples, segments, speaker, rng, style.bandwidth)
        words = _spoken_words(sentence.text, said.events)
        made.append(_Utterance(sentence.name, sentence.text, samples, segments, words))
    return made


def _expected(reads: list[Sentence]) -> set[str]:
    return {sentence.name + suffix for sentence in reads for suffix in _SUFFIXES}


def _write_speaker(
    out: Path, speaker: Speaker, index: int, reads: list[Sentence], seed: int, style: _Style
) -> None:
    """A speaker's folder appears whole or not at all, so that any interruption can be resumed."""
    folder = out / speaker.split / speaker.region / speaker.name
    if folder.is_dir() and {p.name for p in folder.iterdir()} >= _expected(reads):
        return
    utterances = _utterances(speaker, index, reads, seed, style)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Where `_open` finds what a kill leaves, and no reader of the corpus looks.
    with emptied(out / f"{_MAKING}{speaker.name}") as making:
        for utterance in utterances:
            for suffix, content in utterance.files(speaker.name).items():
                (making / (utterance.name + suffix)).write_bytes(content)
        put_folder_in_place(making, folder)


def _settings(settings: SyntheticSettings, style: _Style) -> dict[str, Any]:
    return {
        "speakers": settings.speakers,
        "sentences": settings.sentences,
        "seed": settings.seed,
        "generator": VERSION,
        "espeakng_loader": metadata.version("espeakng-loader"),
        **style.settings,
    }


def _check(settings: SyntheticSettings) -> None:
    """Refuse settings out of range.

    Raises:
        UsageError: a setting is invalid.
    """
    check(settings)
    low, high = (3, MAX_SENTENCES) if settings.text is None else (1, MAX_READINGS)
    if not low <= settings.sentences <= high:
        raise UsageError(f"sentences must be {low} to {high}; received {settings.sentences}.")
    low, high = RATE_LIMITS
    slow, fast = settings.rate
    if not low <= slow <= fast <= high:
        raise UsageError(
            f"rate must be two numbers of words a minute from {low} to {high}, the slower first; "
            f"received {slow:g} and {fast:g}."
        )


def _style(settings: SyntheticSettings) -> _Style:
    """The style, with the text read.

    Raises:
        UsageError: the text cannot be read.
    """
    texts = None if settings.text is None else tuple(read_sentences(settings.text))
    slow, fast = settings.rate
    return _Style(texts, (float(slow), float(fast)), settings.bandwidth, settings.closures)


def _compare(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    record = read_json(path)
    found = record.get("settings") if isinstance(record, dict) else None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a synthetic corpus's record; give another folder.")
    for key in {**settings, **found}:
        if found.get(key) != settings.get(key):
            raise UsageError(
                f"{path.parent} holds a synthetic corpus made with {key} {found.get(key)}, not "
                f"{settings.get(key)}; give the same setting or another folder."
            )
    return record


def _open(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Prepare the folder for these settings; the record of a corpus that is complete already."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give a folder to make the corpus in.")
    record = None
    if (out / RECORD).is_file():
        record = _compare(out / RECORD, settings)
        (out / STARTED).unlink(missing_ok=True)
    elif (out / STARTED).is_file():
        _compare(out / STARTED, settings)
    elif out.is_dir() and any(not _is_leftover(path) for path in out.iterdir()):
        raise UsageError(f"{out} is not empty and holds no synthetic corpus; give another folder.")
    else:
        make_folder(out)
        write_json(out / STARTED, {"settings": settings})
    for path in out.iterdir():
        if _is_leftover(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return record


def _is_leftover(path: Path) -> bool:
    temporary = ".tmp." in path.name and path.name.endswith((RECORD, STARTED))
    return path.name.startswith(_MAKING) or temporary


def _count(out: Path) -> dict[str, dict[str, float]]:
    counts = {}
    for split in ("TRAIN", "TEST"):
        files = list((out / split).rglob("*.WAV"))
        seconds = sum(path.stat().st_size - HEADER_BYTES for path in files) / 2 / recording.RATE
        counts[split.lower()] = {
            "speakers": len({path.parent for path in files}),
            "utterances": len(files),
            "hours": round(seconds / 3600, 4),
        }
    return counts


def synthesise(
    out: str | Path,
    settings: SyntheticSettings | None = None,
    *,
    workers: int | None = None,
    progress: bool = True,
    **options: Any,
) -> Path:
    """Make a synthetic corpus in TIMIT's layout, or finish one that was interrupted.

    The same settings and seed give the same bytes, whatever the number of workers and however
    often the work was interrupted. A complete corpus with the same settings is left as it is.

    Args:
        out: folder to make; TRAIN, TEST and corpus.json (settings and counts) come to lie in it.
        settings: settings of the corpus; None: the defaults.
        workers: how many speakers at a time; None is one for each core.
        progress: whether to show a bar on stderr, if that is a terminal.
        **options: fields of `SyntheticSettings`, in place of those of `settings`.

    Returns:
        The path of corpus.json.

    Raises:
        UsageError: an argument is out of range, `out` holds something else, or espeak-ng is not
            installed.
        RunError: the folder cannot be written or espeak-ng failed.

    Example:
        >>> synthesise("corpus", speakers=2, sentences=3).as_posix()
        'corpus/corpus.json'
    """
    out = Path(out)
    settings = changed(settings or SyntheticSettings(), options)
    _check(settings)
    workers = cores() if workers is None else workers
    if workers < 1:
        raise UsageError(f"workers must be 1 or more; received {workers}.")
    style = _style(settings)
    seed = settings.seed
    record = _settings(settings, style)
    espeak.locate()
    try:
        if _open(out, record) is not None:
            return out / RECORD
        train, test = split_speakers(settings.speakers)
        reading = (
            assign(train, test, settings.sentences, seed)
            if style.texts is None
            else assign_own(style.texts, settings.speakers, settings.sentences, seed)
        )
        jobs = list(enumerate(zip(draw(train, test, seed, style.rate), reading, strict=True)))
        # Threads suffice: the synthesiser runs in processes of its own.
        with ThreadPoolExecutor(workers) as pool:
            futures = [
                pool.submit(_write_speaker, out, speaker, index, reads, seed, style)
                for index, (speaker, reads) in jobs
            ]
            try:
                bar = progress_bar(len(futures), "speaker", shown=progress)
                with bar:
                    for future in as_completed(futures):
                        future.result()
                        bar.update()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        write_json(
            out / RECORD,
            {"settings": record, "counts": _count(out)},
        )
        (out / STARTED).unlink(missing_ok=True)
    except OSError as error:
        raise os_failure(error, f"cannot write {error.filename or out}") from error
    return out / RECORD
