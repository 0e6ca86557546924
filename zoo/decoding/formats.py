"""File formats of transcripts. They are read by the readers of corpora's annotations."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from zoo.data.corpora.audio import LONGEST_SECONDS
from zoo.data.corpora.intervals import Span, in_order
from zoo.data.corpora.tables import Row, read_audacity, read_ctm, read_table
from zoo.data.corpora.textgrid import read_textgrid_tiers
from zoo.data.corpora.timit import read_phn
from zoo.data.corpora.utterances import refuse
from zoo.errors import UsageError
from zoo.files import read_json, write_text

_VERSION = 1

PHONES = "phones"
"""Name of the tier in formats that do not name tiers."""


class Interval(NamedTuple):
    """A labelled stretch of a recording.

    Attributes:
        start: in seconds.
        end: in seconds, after the start.
        label: what is said.
        score: how sure the label is, 0 to 1; None where nobody said.
    """

    start: float
    end: float
    label: str
    score: float | None = None


class Contents(NamedTuple):
    """What a file holds: the fields of `zoo.decoding.Transcript`."""

    tiers: Mapping[str, tuple[Interval, ...]]
    duration: float
    sample_rate: int
    name: str
    score: float | None = None

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The first tier."""
        return next(iter(self.tiers.values()))


def save(contents: Contents, path: Path) -> None:
    """Write a file in the format of its suffix; see `Transcript.save`."""
    write, _ = _format(path)
    write_text(path, write(contents, path))


def load(path: Path, sample_rate: int) -> Contents:
    """Read a file in the format of its suffix; see `Transcript.load`."""
    _, read = _format(path)
    return read(path, sample_rate)


def _plain_words(contents: Contents, path: Path, names: Iterable[str] = ()) -> None:
    """Refuse what a format of words between spaces cannot hold."""
    for text in (*names, *(interval.label for interval in contents.intervals)):
        if len(text.split()) != 1:
            raise UsageError(
                f"{text!r} has a space, which {path.suffix} cannot hold; save as .TextGrid or .csv."
            )


def _textgrid(contents: Contents, path: Path) -> str:
    end = repr(contents.duration)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        f"xmax = {end} ",
        "tiers? <exists> ",
        f"size = {len(contents.tiers)} ",
        "item []: ",
    ]
    for number, (name, intervals) in enumerate(contents.tiers.items(), 1):
        rows = list(_without_gaps(intervals, contents.duration))
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


def _read_textgrid(path: Path, sample_rate: int) -> Contents:
    end, tiers = read_textgrid_tiers(path, LONGEST_SECONDS)
    last = max([end, *(spans[-1].end for spans in tiers.values() if spans)])
    found = {name: _intervals(spans) for name, spans in tiers.items()}
    return Contents(found, float(last), sample_rate, path.stem)


def _intervals(spans: Iterable[Span]) -> tuple[Interval, ...]:
    return tuple(Interval(float(s.start), float(s.end), s.label) for s in spans)


def _ctm(contents: Contents, path: Path) -> str:
    name = contents.name
    _plain_words(contents, path, [name])
    if name.startswith(";;"):
        raise UsageError(f"{name!r} would be a comment in .ctm; rename the recording.")
    lines = []
    for interval in contents.intervals:
        start = Decimal(repr(interval.start))
        # Exact in decimals: start and duration give the end again.
        words = [name, "1", str(start), str(Decimal(repr(interval.end)) - start)]
        words += [interval.label, *([] if interval.score is None else [f"{interval.score!r}"])]
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def _csv(contents: Contents, path: Path) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["audio", "start", "end", "label", "score"])
    for interval in contents.intervals:
        score = "" if interval.score is None else repr(interval.score)
        start, end = repr(interval.start), repr(interval.end)
        writer.writerow([contents.name, start, end, interval.label, score])
    return file.getvalue()


def _of_rows(path: Path, rows: list[Row], sample_rate: int) -> Contents:
    """The transcript of the one recording in a table."""
    if not rows:
        raise UsageError(f"{path} holds no intervals.")
    names = list(dict.fromkeys(row.audio for row in rows))
    if len(names) > 1:
        raise UsageError(
            f"{path} names the recordings {names[0]!r} and {names[1]!r}; one was expected."
        )
    spans = in_order(path, [row.span for row in rows], refuse)
    scores = {row.span: row.score for row in rows}
    intervals = tuple(
        interval._replace(score=scores[span])
        for span, interval in zip(spans, _intervals(spans), strict=True)
    )
    return Contents({PHONES: intervals}, intervals[-1].end, sample_rate, names[0])


def _audacity(contents: Contents, path: Path) -> str:
    return "".join(f"{i.start!r}\t{i.end!r}\t{i.label}\n" for i in contents.intervals)


def _read_audacity(path: Path, sample_rate: int) -> Contents:
    intervals = _intervals(in_order(path, read_audacity(path, refuse, LONGEST_SECONDS), refuse))
    if not intervals:
        raise UsageError(f"{path} holds no intervals.")
    return Contents({PHONES: intervals}, intervals[-1].end, sample_rate, path.stem)


def _phn(contents: Contents, path: Path) -> str:
    _plain_words(contents, path)
    lines = []
    for interval in contents.intervals:
        start, end = (round(t * contents.sample_rate) for t in interval[:2])
        if start >= end:
            raise UsageError(
                f"the interval {interval.label!r} at {interval.start} s is shorter than a sample "
                f"at {contents.sample_rate} Hz, which {path.suffix} cannot hold."
            )
        lines.append(f"{start} {end} {interval.label}\n")
    return "".join(lines)


def _read_phn(path: Path, sample_rate: int) -> Contents:
    segments = read_phn(path, labels=None)
    intervals = tuple(
        Interval(s.start / sample_rate, s.end / sample_rate, s.label) for s in segments
    )
    return Contents({PHONES: intervals}, intervals[-1].end, sample_rate, path.stem)


def _json(contents: Contents, path: Path) -> str:
    record = {
        "version": _VERSION,
        "name": contents.name,
        "duration": contents.duration,
        "sample_rate": contents.sample_rate,
        **({} if contents.score is None else {"score": contents.score}),
        "tiers": {
            name: [interval._asdict() for interval in intervals]
            for name, intervals in contents.tiers.items()
        },
    }
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def _read_json(path: Path, sample_rate: int) -> Contents:
    record = read_json(path)
    try:
        if record["version"] != _VERSION:
            raise UsageError(
                f"{path} has version {record['version']!r}; this program reads {_VERSION}."
            )
        tiers = {
            name: tuple(Interval(**interval) for interval in intervals)
            for name, intervals in record["tiers"].items()
        }
        parts = Contents(
            tiers, record["duration"], record["sample_rate"], record["name"], record.get("score")
        )
    except (KeyError, TypeError, AttributeError):
        raise UsageError(
            f"{path} is not a transcript; save one as .json to see the form."
        ) from None
    if not isinstance(parts.name, str):
        raise UsageError(f"{path} is not a transcript; its name is not text.")
    return parts


Writer = Callable[[Contents, Path], str]
Reader = Callable[[Path, int], Contents]

FORMATS: dict[str, tuple[Writer, Reader]] = {
    ".TextGrid": (_textgrid, _read_textgrid),
    ".ctm": (
        _ctm,
        lambda path, rate: _of_rows(path, read_ctm(path, refuse, LONGEST_SECONDS), rate),
    ),
    ".phn": (_phn, _read_phn),
    ".json": (_json, _read_json),
    ".csv": (
        _csv,
        lambda path, rate: _of_rows(path, read_table(path, refuse, LONGEST_SECONDS), rate),
    ),
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
