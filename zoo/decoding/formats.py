"""The files that a transcript is kept in. What is read is read as annotations of corpora are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from zoo.data.corpora.audio import MAX_SECONDS
from zoo.data.corpora.intervals import Span, in_order
from zoo.data.corpora.tables import Row, read_audacity, read_ctm, read_table
from zoo.data.corpora.textgrid import read_textgrid_tiers
from zoo.data.corpora.timit import read_phn
from zoo.data.corpora.utterances import refuse
from zoo.decoding.transcript import PHONES, Interval, Transcript
from zoo.errors import UsageError, nearest
from zoo.files import read_json, write_text

_VERSION = 1

_LIMIT = 10 * MAX_SECONDS
"""Of times in a transcript, in seconds: it may be of a recording that no corpus would take."""


def save(transcript: Transcript, path: Path, tier: str | None) -> Path:
    """`Transcript.save`."""
    write, _ = _format(path)
    if tier is not None:
        if tier not in transcript.tiers:
            raise UsageError(
                f"the transcript has no tier {tier!r}. {nearest(tier, transcript.tiers, 'tier')}"
            )
        # Formats of one tier hold the first.
        others = {name: rows for name, rows in transcript.tiers.items() if name != tier}
        tiers = {tier: transcript.tiers[tier], **others}
        transcript = Transcript(tiers, transcript.duration, transcript.sample_rate, transcript.name)
    write_text(path, write(transcript, path))
    return path


def load(path: Path, sample_rate: int) -> Transcript:
    """`Transcript.load`."""
    _, read = _format(path)
    return read(path, sample_rate)


def _name(transcript: Transcript, path: Path) -> str:
    return transcript.name or path.stem


def _plain_words(transcript: Transcript, path: Path, names: Iterable[str] = ()) -> None:
    """Refuse what a format of words between spaces cannot hold."""
    for text in (*names, *(interval.label for interval in transcript.intervals)):
        if len(text.split()) != 1:
            raise UsageError(
                f"{text!r} has a space, which {path.suffix} cannot hold; save as .TextGrid or .csv."
            )


def _textgrid(transcript: Transcript, path: Path) -> str:
    end = repr(transcript.duration)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        f"xmax = {end} ",
        "tiers? <exists> ",
        f"size = {len(transcript.tiers)} ",
        "item []: ",
    ]
    for number, (name, intervals) in enumerate(transcript.tiers.items(), 1):
        rows = list(_without_gaps(intervals, transcript.duration))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier" ',
            f"        name = {_quoted(name)} ",
            "        xmin = 0 ",
            f"        xmax = {end} ",
            f"        intervals: size = {len(rows)} ",
        ]
        for place, row in enumerate(rows, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {row.start!r} ",
                f"            xmax = {row.end!r} ",
                f"            text = {_quoted(row.label)} ",
            ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _without_gaps(intervals: Iterable[Interval], duration: float) -> Iterator[Interval]:
    """Intervals, and empty ones between them: Praat's tiers have no gaps."""
    last = 0.0
    for interval in intervals:
        if interval.start > last:
            yield Interval(last, interval.start, "")
        yield interval
        last = interval.end
    if last < duration:
        yield Interval(last, duration, "")


def _read_textgrid(path: Path, sample_rate: int) -> Transcript:
    end, tiers = read_textgrid_tiers(path, _LIMIT)
    last = max([end, *(spans[-1].end for spans in tiers.values() if spans)])
    found = {name: _intervals(spans) for name, spans in tiers.items()}
    return _transcript(path, found, float(last), sample_rate, path.stem)


def _transcript(path: Path, *parts: Any) -> Transcript:
    """The transcript of a file, which is named where something is wrong."""
    try:
        return Transcript(*parts)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _intervals(spans: Iterable[Span]) -> tuple[Interval, ...]:
    return tuple(Interval(float(s.start), float(s.end), s.label) for s in spans)


def _ctm(transcript: Transcript, path: Path) -> str:
    name = _name(transcript, path)
    _plain_words(transcript, path, [name])
    if name.startswith(";;"):
        raise UsageError(f"{name!r} would be a comment in .ctm; name the recording otherwise.")
    lines = []
    for interval in transcript.intervals:
        start = Decimal(repr(interval.start))
        # Exact in decimals: start and duration give the end again.
        words = [name, "1", str(start), str(Decimal(repr(interval.end)) - start)]
        words += [interval.label, *([] if interval.score is None else [f"{interval.score!r}"])]
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def _csv(transcript: Transcript, path: Path) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["audio", "start", "end", "label", "score"])
    for interval in transcript.intervals:
        score = "" if interval.score is None else repr(interval.score)
        start, end = repr(interval.start), repr(interval.end)
        writer.writerow([_name(transcript, path), start, end, interval.label, score])
    return file.getvalue()


def _of_rows(path: Path, rows: list[Row], sample_rate: int) -> Transcript:
    """The transcript of the one recording in a table."""
    if not rows:
        raise UsageError(f"{path} holds no intervals.")
    names = list(dict.fromkeys(row.audio for row in rows))
    if len(names) > 1:
        raise UsageError(
            f"{path} speaks of {names[0]!r} and {names[1]!r}; one recording was expected."
        )
    spans = in_order(path, [row.span for row in rows], refuse)
    scores = {row.span: row.score for row in rows}
    intervals = tuple(
        interval._replace(score=scores[span])
        for span, interval in zip(spans, _intervals(spans), strict=True)
    )
    return _transcript(path, {PHONES: intervals}, intervals[-1].end, sample_rate, names[0])


def _audacity(transcript: Transcript, path: Path) -> str:
    return "".join(f"{i.start!r}\t{i.end!r}\t{i.label}\n" for i in transcript.intervals)


def _read_audacity(path: Path, sample_rate: int) -> Transcript:
    intervals = _intervals(in_order(path, read_audacity(path, refuse, _LIMIT), refuse))
    if not intervals:
        raise UsageError(f"{path} holds no intervals.")
    return _transcript(path, {PHONES: intervals}, intervals[-1].end, sample_rate, path.stem)


def _phn(transcript: Transcript, path: Path) -> str:
    _plain_words(transcript, path)
    lines = []
    for interval in transcript.intervals:
        start, end = (round(t * transcript.sample_rate) for t in interval[:2])
        if start >= end:
            raise UsageError(
                f"the interval {interval.label!r} at {interval.start} s is shorter than a sample "
                f"at {transcript.sample_rate} Hz, which {path.suffix} cannot hold."
            )
        lines.append(f"{start} {end} {interval.label}\n")
    return "".join(lines)


def _read_phn(path: Path, sample_rate: int) -> Transcript:
    segments = read_phn(path, labels=None)
    intervals = tuple(
        Interval(s.start / sample_rate, s.end / sample_rate, s.label) for s in segments
    )
    return _transcript(path, {PHONES: intervals}, intervals[-1].end, sample_rate, path.stem)


def _json(transcript: Transcript, path: Path) -> str:
    record = {
        "version": _VERSION,
        "name": _name(transcript, path),
        "duration": transcript.duration,
        "sample_rate": transcript.sample_rate,
        "tiers": {
            name: [interval._asdict() for interval in intervals]
            for name, intervals in transcript.tiers.items()
        },
    }
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def _read_json(path: Path, sample_rate: int) -> Transcript:
    record = read_json(path)
    try:
        tiers = {
            name: tuple(Interval(**interval) for interval in intervals)
            for name, intervals in record["tiers"].items()
        }
        parts = (tiers, record["duration"], record["sample_rate"], record["name"])
    except (KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{path} is not a transcript; save one as .json to see the form."
        ) from None
    if not isinstance(record["name"], str):
        raise UsageError(f"{path} is not a transcript; its name is not text.")
    return _transcript(path, *parts)


Writer = Callable[[Transcript, Path], str]
Reader = Callable[[Path, int], Transcript]

FORMATS: dict[str, tuple[Writer, Reader]] = {
    ".TextGrid": (_textgrid, _read_textgrid),
    ".ctm": (_ctm, lambda path, rate: _of_rows(path, read_ctm(path, refuse, _LIMIT), rate)),
    ".phn": (_phn, _read_phn),
    ".json": (_json, _read_json),
    ".csv": (_csv, lambda path, rate: _of_rows(path, read_table(path, refuse, _LIMIT), rate)),
    ".txt": (_audacity, _read_audacity),
}
"""Suffix -> how a transcript becomes a file's text, and how the file is read."""


def _format(path: Path) -> tuple[Any, Any]:
    by_suffix = {suffix.lower(): functions for suffix, functions in FORMATS.items()}
    if path.suffix.lower() not in by_suffix:
        raise UsageError(
            f"{path} has the suffix {path.suffix!r}; transcripts are {', '.join(FORMATS)}."
        )
    return by_suffix[path.suffix.lower()]
