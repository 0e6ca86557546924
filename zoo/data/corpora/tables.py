"""Segments as tables: CTM, CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.intervals import Span, checked_span, is_name, seconds
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import SPLITS, Report, refuse
from zoo.errors import nearest

REQUIRED = ("audio", "start", "end", "label")
OPTIONAL = ("speaker", "split")


class Row(NamedTuple):
    """One labelled span of `audio`: a path, or what a CTM file calls the recording."""

    audio: str
    span: Span
    speaker: str | None = None
    split: str | None = None


def read_ctm(path: str | Path, report: Report = refuse) -> list[Row]:
    """Read lines `recording channel start duration label [confidence]`; `;;` starts a comment.

    Args:
        path: the file.
        report: takes each problem; lines that have one are left out.

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
            span = checked_span(path, Span(number, start, start + duration, words[4]), report)
            if span is not None:
                rows.append(Row(words[0], span))
    return rows


def read_table(path: str | Path, report: Report = refuse) -> list[Row]:
    """Read segments with `audio`, `start`, `end`, `label` and perhaps `speaker` and `split`.

    Args:
        path: `.csv`, `.tsv` (a line of names first) or `.jsonl` (an object a line); times are in
            seconds, `split` is train, test or dev.
        report: takes each problem; rows that have one are left out.

    Raises:
        UsageError: with file and line, by the default `report`.
    """
    path = Path(path)
    text = read_text(path, report)
    records = _json_lines if path.suffix.lower() == ".jsonl" else _csv_rows
    rows = []
    for number, record in records(path, text, report):
        row = _row(path, number, record, report)
        if row is not None:
            rows.append(row)
    return rows


def columns(path: Path) -> list[str]:
    """Names in the first line of a table, empty if it is none."""
    text = read_text(path, lambda *_: None).split("\n", 1)[0]
    if path.suffix.lower() == ".jsonl":
        first = next(_json_lines(path, text, lambda *_: None), None)
        return list(first[1]) if first else []
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=_delimiter(path)), [])]
    except csv.Error:
        return []


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_rows(path: Path, text: str, report: Report) -> Iterator[tuple[int, dict[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not _names_ok(path, names, report):
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


def _names_ok(path: Path, names: list[str], report: Report) -> bool:
    missing = [name for name in REQUIRED if name not in names]
    if missing or len(set(names)) < len(names):
        report(
            path,
            1,
            f"expected the columns {', '.join(REQUIRED)} (and perhaps {', '.join(OPTIONAL)}), "
            f"found {', '.join(names)[:100] or 'none'}.",
        )
        return False
    return _no_misspelling(path, 1, names, report)


def _no_misspelling(path: Path, number: int, names: list[str], report: Report) -> bool:
    """A misspelt optional column would be overlooked in silence; others may be there."""
    for name in names:
        close = nearest(name, OPTIONAL)
        if name not in REQUIRED + OPTIONAL and close.startswith("Did you mean"):
            report(path, number, f"unknown column {name[:60]!r}. {close}")
            return False
    return True


def _json_lines(path: Path, text: str, report: Report) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            # Numbers stay text, as in a CSV file: exact, and bounded by what is done with them.
            record = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or any(name not in record for name in REQUIRED):
            report(
                path,
                number,
                f"expected a JSON object with {', '.join(REQUIRED)}, found {line[:60]!r}.",
            )
        elif _no_misspelling(path, number, list(record), report):
            yield number, record


def _row(path: Path, number: int, record: dict[str, object], report: Report) -> Row | None:
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
    span = checked_span(path, Span(number, start, end, cells["label"] or ""), report)
    return span and Row(cells["audio"] or "", span, cells["speaker"], cells["split"])
