"""Segments as tables: CTM, CSV, JSON lines and Audacity's labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import MAX_SECONDS
from zoo.data.corpora.intervals import Span, checked_span, is_name, seconds
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import SPLITS, Report, refuse
from zoo.errors import nearest

REQUIRED = ("audio", "start", "end", "label")
OPTIONAL = ("speaker", "split")


class Columns(NamedTuple):
    """What a kind of table has in each of its rows.

    Attributes:
        required: names of columns.
        optional: names of columns that may be missing, but not be misspelt.
        others: names that may be there too, and that unknown ones are not compared with.
        any_case: read all names in lower case.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    others: tuple[str, ...] = ()
    any_case: bool = False

    def named(self, name: str) -> str:
        """A column by the name that it has here."""
        return name.strip().lower() if self.any_case else name.strip()


_SEGMENTS = Columns(REQUIRED, OPTIONAL)


class Row(NamedTuple):
    """One labelled span of `audio`: a path, or what a CTM file calls the recording.

    `score`: how sure the label is, 0 to 1, where the file says so.
    """

    audio: str
    span: Span
    speaker: str | None = None
    split: str | None = None
    score: float | None = None


def _score(text: object) -> float | None:
    """The score that a cell holds, if it holds one."""
    value = seconds(text) if isinstance(text, str) else None
    return float(value) if value is not None and 0 <= value <= 1 else None


def read_ctm(path: str | Path, report: Report = refuse, limit: float = MAX_SECONDS) -> list[Row]:
    """Read lines `recording channel start duration label [confidence]`; `;;` starts a comment.

    Args:
        path: the file.
        report: takes each problem; lines that have one are left out.
        limit: in seconds, of all times.

    Raises:
        UsageError: with file and line, by the default `report`.

    Reference: NIST sclite, "ctm"; Kaldi and ESPnet write the same.
    """
    path = Path(path)
    rows: list[Row] = []
    channels: dict[str, str] = {}
    for number, line in enumerate(read_text(path, report).split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith(";;"):
            continue
        times = [seconds(word) for word in words[2:4]]
        confident = len(words) == 5 or (len(words) == 6 and seconds(words[5]) is not None)
        if not confident or None in times or not is_name(words[0]):
            report(
                path,
                number,
                "expected `recording channel start duration label [confidence]`, "
                f"found {line.strip()[:60]!r}.",
            )
            continue
        start, duration = times
        if channels.setdefault(words[0], words[1]) != words[1]:
            report(
                path,
                number,
                f"{words[0]!r} has the channels {channels[words[0]]} and {words[1]}; "
                "make a mono recording of each.",
            )
            continue
        # For mypy: `None in times` has been seen to.
        if start is not None and duration is not None:
            found = Span(number, start, start + duration, words[4])
            span = checked_span(path, found, report, limit)
            if span is not None:
                rows.append(Row(words[0], span, score=_score(" ".join(words[5:]))))
    return rows


def read_audacity(
    path: str | Path, report: Report = refuse, limit: float = MAX_SECONDS
) -> list[Span]:
    r"""Read lines `start<TAB>end<TAB>label`, in seconds; labels that are empty are left out.

    Lines that begin with `\`, the frequencies of a spectral selection, are passed over.

    Args:
        path: the file.
        report: takes each problem; lines that have one are left out.
        limit: in seconds, of all times.

    Raises:
        UsageError: with file and line, by the default `report`.

    Reference: Audacity manual, "Importing and Exporting Labels".
    """
    path = Path(path)
    spans = []
    for number, line in enumerate(read_text(path, report).split("\n"), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = line.split("\t")
        times = [seconds(cell) for cell in cells[:2]]
        if len(cells) not in (2, 3) or None in times:
            report(path, number, f"expected `start<TAB>end<TAB>label`, found {line[:60]!r}.")
            continue
        start, end = times
        label = cells[2].strip() if len(cells) == 3 else ""
        if start is not None and end is not None and label:
            span = checked_span(path, Span(number, start, end, label), report, limit)
            if span is not None:
                spans.append(span)
    return spans


def read_table(path: str | Path, report: Report = refuse, limit: float = MAX_SECONDS) -> list[Row]:
    """Read segments with `audio`, `start`, `end`, `label` and perhaps `speaker` and `split`.

    A column `score` is read where it holds numbers from 0 to 1.

    Args:
        path: `.csv`, `.tsv` (a line of names first) or `.jsonl` (an object a line); times are in
            seconds, `split` is train, test or dev.
        report: takes each problem; rows that have one are left out.
        limit: in seconds, of all times.

    Raises:
        UsageError: with file and line, by the default `report`.
    """
    path = Path(path)
    rows = []
    for number, record in table_records(path, _SEGMENTS, report):
        row = _row(path, number, record, report, limit)
        if row is not None:
            rows.append(row)
    return rows


def table_records(
    path: Path, wanted: Columns, report: Report
) -> Iterator[tuple[int, dict[str, object]]]:
    """Line and cells of every row of a table, by the names of their columns.

    Args:
        path: `.csv`, `.tsv` (a line of names first) or `.jsonl` (an object a line, whose numbers
            stay text).
        wanted: its columns; there may be others.
        report: takes each problem; rows that have one are left out.
    """
    records = _json_lines if path.suffix.lower() == ".jsonl" else _csv_rows
    yield from records(path, read_text(path, report), wanted, report)


def columns(path: Path, wanted: Columns = _SEGMENTS) -> list[str]:
    """Names in the first line of a table, empty if it is none."""
    text = read_text(path, lambda *_: None).split("\n", 1)[0]
    if path.suffix.lower() == ".jsonl":
        first = next(_json_lines(path, text, wanted, lambda *_: None), None)
        return list(first[1]) if first else []
    try:
        found = next(csv.reader([text], delimiter=_delimiter(path)), [])
    except csv.Error:
        return []
    return [wanted.named(name) for name in found]


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_rows(
    path: Path, text: str, wanted: Columns, report: Report
) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path), strict=True)
    try:
        names = [wanted.named(name) for name in next(reader, [])]
        if not _names_ok(path, names, wanted, report):
            return
        for cells in reader:
            if len(cells) == len(names):
                yield reader.line_num, dict(zip(names, cells, strict=True))
            elif cells:
                report(
                    path,
                    reader.line_num,
                    f"expected {len(names)} columns as in the first line, found {len(cells)}.",
                )
    except csv.Error as error:
        report(path, reader.line_num, f"is no table ({error}).")


def _names_ok(path: Path, names: list[str], wanted: Columns, report: Report) -> bool:
    missing = [name for name in wanted.required if name not in names]
    if missing or len(set(names)) < len(names):
        report(
            path,
            1,
            f"expected the columns {', '.join(wanted.required)} (and perhaps "
            f"{', '.join(wanted.optional)}), found {', '.join(names)[:100] or 'none'}.",
        )
        return False
    return _no_misspelling(path, 1, names, wanted, report)


def _no_misspelling(
    path: Path, number: int, names: list[str], wanted: Columns, report: Report
) -> bool:
    """A misspelt optional column would be overlooked in silence; others may be there."""
    for name in names:
        close = nearest(name, wanted.optional)
        known = wanted.required + wanted.optional + wanted.others
        if name not in known and close.startswith("Did you mean"):
            report(path, number, f"unknown column {name[:60]!r}. {close}")
            return False
    return True


def _json_lines(
    path: Path, text: str, wanted: Columns, report: Report
) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            # Numbers stay text, as in a CSV file: exact, and bounded by what is done with them.
            record = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            record = {wanted.named(name): value for name, value in record.items()}
        if not isinstance(record, dict) or any(name not in record for name in wanted.required):
            report(
                path,
                number,
                f"expected a JSON object with {', '.join(wanted.required)}, found {line[:60]!r}.",
            )
        elif _no_misspelling(path, number, list(record), wanted, report):
            yield number, record


def _row(
    path: Path, number: int, record: dict[str, object], report: Report, limit: float
) -> Row | None:
    cells: dict[str, str | None] = {}
    for name in REQUIRED + OPTIONAL:
        value = record.get(name)
        text = value.strip() if isinstance(value, str) else None
        empty = value is None or text == ""
        cells[name] = None if empty else text
        if (empty and name in REQUIRED) or (not empty and (text is None or not is_name(text))):
            report(path, number, f"{name} is {str(value)[:60]!r}; printable text was expected.")
            return None
    start, end = seconds(cells["start"] or ""), seconds(cells["end"] or "")
    if start is None or end is None:
        what, text = ("start", cells["start"]) if start is None else ("end", cells["end"])
        report(path, number, f"{what} is {(text or '')[:60]!r}; a time in seconds was expected.")
        return None
    if cells["split"] not in (None, *SPLITS):
        report(path, number, f"split is {cells['split']!r}; {', '.join(SPLITS)} are possible.")
        return None
    span = checked_span(path, Span(number, start, end, cells["label"] or ""), report, limit)
    score = _score(record.get("score"))
    return span and Row(cells["audio"] or "", span, cells["speaker"], cells["split"], score)
