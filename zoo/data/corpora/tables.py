"""Segments as tables: CTM, CSV, JSON lines and Audacity's labels."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import MAX_SECONDS
from zoo.data.corpora.intervals import Span, checked_span, is_name, seconds
from zoo.data.corpora.textfiles import read_text, words_of_line
from zoo.data.corpora.utterances import SPLITS, Report, refuse
from zoo.errors import nearest

REQUIRED = ("audio", "start", "end", "label")
OPTIONAL = ("speaker", "split")
TIMES = ("start", "end")

_DECIMAL_COMMA = re.compile(r"\s*([+-]?\d{1,40}),(\d{1,40})\s*", re.ASCII)


class Columns(NamedTuple):
    """Columns of a kind of table.

    Attributes:
        required: names of columns.
        optional: names of columns that may be missing, but not be misspelt.
        others: names that may be there too, and that unknown ones are not compared with.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    others: tuple[str, ...] = ()

    def named(self, names: Sequence[str]) -> list[str]:
        """Columns under their names here, whatever their case; unknown ones as they are."""
        found = [name.strip() for name in names]
        known = self.required + self.optional + self.others
        return [
            low if (low := name.lower()) in known and low not in found else name for name in found
        ]


_SEGMENTS = Columns(REQUIRED, OPTIONAL)


_NO_SCORE = ("NA", "<NA>", "N/A", "na", "<na>", "-")
_NO_SPEAKER = (*_NO_SCORE, "null", "<null>", "unknown", "<unknown>")


class Row(NamedTuple):
    """One labelled span of `audio`: a path, or what a CTM file calls the recording.

    `score` is the label's confidence, 0 to 1, if the file has one.
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
    """Read lines `recording channel start duration label [confidence [type [speaker]]]`.

    Lines that start with `;;` are comments, and so are invalid lines that start with `#`. A
    confidence of `NA`, `<NA>` or `-` means that there is none. The type is ignored.

    Args:
        path: the file.
        report: takes each problem; lines that have one are left out.
        limit: latest time allowed, in seconds.

    Raises:
        UsageError: with file and line, by the default `report`.

    Reference: NIST sclite, "ctm", and RT-09; Kaldi, ESPnet and NeMo write the same.
    """
    path = Path(path)
    rows: list[Row] = []
    channels: dict[str, str] = {}
    for number, line in enumerate(read_text(path, report).split("\n"), 1):
        words = words_of_line(line)
        if not words or words[0].startswith(";;"):
            continue
        times = [seconds(word) for word in words[2:4]]
        known = len(words) == 5 or (
            6 <= len(words) <= 8 and (words[5] in _NO_SCORE or seconds(words[5]) is not None)
        )
        if not known or None in times or not is_name(words[0]):
            # A recording may be called `#1`.
            if not words[0].startswith("#"):
                report(
                    path,
                    number,
                    "expected `recording channel start duration label [confidence]` and perhaps "
                    f"type and speaker, found {line.strip()[:60]!r}.",
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
        speaker = words[7] if len(words) == 8 and words[7] not in _NO_SPEAKER else None
        if speaker is not None and not is_name(speaker):
            report(
                path,
                number,
                f"{speaker[:60]!r} is not a speaker's name; printable text was expected.",
            )
            continue
        # For mypy: `None in times` has been seen to.
        if start is not None and duration is not None:
            found = Span(number, start, start + duration, words[4])
            span = checked_span(path, found, report, limit)
            if span is not None:
                score = _score(words[5]) if len(words) > 5 else None
                rows.append(Row(words[0], span, speaker, score=score))
    return rows


def read_audacity(
    path: str | Path, report: Report = refuse, limit: float = MAX_SECONDS
) -> list[Span]:
    r"""Read lines `start<TAB>end<TAB>label`, in seconds; labels that are empty are left out.

    Lines that begin with `\`, the frequencies of a spectral selection, are passed over.

    Args:
        path: the file.
        report: takes each problem; lines that have one are left out.
        limit: latest time allowed, in seconds.

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
        path: `.csv`, `.tsv` (a line of names first, in any case, separated by commas, semicolons,
            tabs or bars) or `.jsonl` (an object a line); times are in seconds, `split` is train,
            test or dev. Where commas do not separate, numbers may have decimal commas. Empty rows
            and columns without a name are passed over.
        report: takes each problem; rows that have one are left out.
        limit: latest time allowed, in seconds.

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
    records = _json_lines if is_json(path) else _csv_rows
    yield from records(path, read_text(path, report), wanted, report)


def is_json(path: Path) -> bool:
    """Whether a table is named like one of JSON lines."""
    return path.suffix.lower() == ".jsonl"


def columns(path: Path, wanted: Columns = _SEGMENTS) -> list[str]:
    """Names of a table's columns; empty for a file that is not a table."""
    text = read_text(path, lambda *_: None)
    if is_json(path):
        first = next(_json_lines(path, text.split("\n", 1)[0], wanted, lambda *_: None), None)
        return list(first[1]) if first else []
    try:
        return [name for name in _header(path, text, wanted).names if name]
    except csv.Error:
        return []


class _Header(NamedTuple):
    """Names of a table's columns, `` where one has none; what separates cells; lines before."""

    names: list[str]
    delimiter: str
    lines: int


def _header(path: Path, text: str, wanted: Columns) -> _Header:
    """The first row with content, by the separator that it has the most wanted columns with.

    Excel writes what its user's country separates by, and perhaps `sep=;` in a line before.
    """
    lines = 0
    delimiters = "\t,;|" if path.suffix.lower() == ".tsv" else ",;\t|"
    for line in text.split("\n"):
        if said := re.fullmatch(r"sep=(.)\s*", line, re.IGNORECASE):
            delimiters = said[1]
        elif line.strip(" \t,;|"):
            break
        lines += 1
    rest = "".join(f"{line}\n" for line in text.split("\n")[lines:])
    best = _Header([], delimiters[0], lines)
    for delimiter in delimiters:
        reader = csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter, strict=True)
        try:
            names = wanted.named(next(reader, []))
        except csv.Error:
            # `"audio";"start"` is no row of what commas separate.
            if delimiter == delimiters[-1] and not best.names:
                raise
            continue
        if _fitting(names, wanted) > _fitting(best.names, wanted):
            best = _Header(names, delimiter, lines)
    return best


def _fitting(names: Sequence[str], wanted: Columns) -> tuple[int, int]:
    """How well a separator divides a first line: wanted names, or else names."""
    found = len(set(names) & set(wanted.required + wanted.optional))
    return found, 0 if found else len(names)


def _csv_rows(
    path: Path, text: str, wanted: Columns, report: Report
) -> Iterator[tuple[int, dict[str, object]]]:
    line, reader = 1, None
    try:
        header = _header(path, text, wanted)
        names = header.names
        line = header.lines + 1
        named = [name for name in names if name]
        if not _names_ok(path, line, named, wanted, report):
            return
        rest = text.split("\n")[header.lines :]
        reader = csv.reader(
            io.StringIO("\n".join(rest), newline=""), delimiter=header.delimiter, strict=True
        )
        next(reader)
        for cells in reader:
            line = header.lines + reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            # Excel fills rows up with empty cells, or leaves out those at their ends.
            beyond = "".join(cells[len(names) :]).strip()
            if beyond or len(cells) < len(named):
                report(
                    path,
                    line,
                    f"expected {len(named)} columns as in the first line, found {len(cells)}.",
                )
                continue
            cells += [""] * (len(names) - len(cells))
            row = {n: c for n, c in zip(names, cells, strict=False) if n}
            if header.delimiter != ",":
                for name in TIMES:
                    if comma := _DECIMAL_COMMA.fullmatch(row.get(name, "")):
                        row[name] = f"{comma[1]}.{comma[2]}"
            yield line, dict(row)
    except csv.Error as error:
        line = line if reader is None else header.lines + reader.line_num
        report(path, line, f"is not a valid table ({error}).")


def _names_ok(path: Path, line: int, names: list[str], wanted: Columns, report: Report) -> bool:
    missing = [name for name in wanted.required if name not in names]
    if missing or len(set(names)) < len(names):
        report(
            path,
            line,
            f"expected the columns {', '.join(wanted.required)} (and perhaps "
            f"{', '.join(wanted.optional)}), found {', '.join(names)[:100] or 'none'}.",
        )
        return False
    return _no_misspelling(path, line, names, wanted, report)


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
            record = dict(zip(wanted.named(list(record)), record.values(), strict=True))
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
        comma = _DECIMAL_COMMA.fullmatch(text or "")
        hint = f", with a decimal point: {comma[1]}.{comma[2]}" if comma else ""
        report(
            path,
            number,
            f"{what} is {(text or '')[:60]!r}; a time in seconds was expected{hint}.",
        )
        return None
    if cells["split"] not in (None, *SPLITS):
        report(path, number, f"split is {cells['split']!r}; it must be one of {', '.join(SPLITS)}.")
        return None
    span = checked_span(path, Span(number, start, end, cells["label"] or ""), report, limit)
    score = _score(record.get("score"))
    return span and Row(cells["audio"] or "", span, cells["speaker"], cells["split"], score)
