"""Praat's TextGrid files: long and short text format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.intervals import Span, checked_span, in_order, seconds
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import Report, refuse
from zoo.errors import nearest

# Praat reads free-standing numbers, quoted strings and <flags>; all else in a text file is there
# for people, which makes one format of the long and the short one. Possessive: an unclosed quote
# must not be closed by giving half of an escaped one back.
_TOKEN = re.compile(r'"((?:[^"]++|"")*+)"|(")|!([^\n]*)|([^\s"]+)')


class _Token(NamedTuple):
    line: int
    text: str
    quoted: bool


class _Malformed(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


def read_textgrid(
    path: str | Path, tier: str | None = None, report: Report = refuse
) -> tuple[Span, ...]:
    """Read the labelled intervals of one tier; intervals without text are pauses.

    Args:
        path: the file, in UTF-8 or UTF-16.
        tier: the interval tier's name; None for the first interval tier.
        report: takes the problems; what has one is left out.

    Raises:
        UsageError: with file and line, by the default `report`: not a TextGrid in text form, no
            such tier, numbers that are none, impossible or overlapping intervals.

    Reference: Praat manual, "TextGrid file formats".
    """
    path = Path(path)
    text = read_text(path, report)
    if not text:
        return ()
    if text.startswith("ooBinaryFile"):
        report(path, None, "is a binary TextGrid; save it as a text file.")
        return ()
    try:
        tiers = _tiers(_Reader(text))
    except _Malformed as problem:
        report(path, problem.line, problem.text)
        return ()
    names = [name for name, _ in tiers]
    if not tiers or (tier is not None and tier not in names):
        what = "interval tier" if tier is None else f"interval tier {tier!r}"
        report(path, None, f"has no {what}. {nearest(tier or '', names, 'tier')}")
        return ()
    if tier is not None and names.count(tier) > 1:
        report(path, None, f"has {names.count(tier)} tiers {tier!r}; names must differ.")
        return ()
    intervals = tiers[0 if tier is None else names.index(tier)][1]
    labelled = [s._replace(label=s.label.strip()) for s in intervals if s.label.strip()]
    if not labelled:
        report(path, None, f"has no labelled interval in its tier {tier or names[0]!r}.")
    found = [checked_span(path, span, report) for span in labelled]
    return in_order(path, [span for span in found if span is not None], report)


def _tiers(reader: _Reader) -> list[tuple[str, list[Span]]]:
    """Name and intervals of every interval tier."""
    for expected in (("ooTextFile", "ooTextFile short"), ("TextGrid",)):
        line, found = reader.string("the header of a TextGrid")
        if found not in expected:
            raise _Malformed(line, f"expected {expected[0]!r}, found {found[:60]!r}: no TextGrid.")
    line, start = reader.number("the start in seconds")
    if start != 0:
        raise _Malformed(line, f"the TextGrid starts at {start} s; its recording starts at 0.")
    reader.number("the end in seconds")
    if reader.flag():
        tiers = []
        for _ in range(reader.count("the number of tiers")):
            line, kind = reader.string("'IntervalTier' or 'TextTier'")
            if kind not in ("IntervalTier", "TextTier"):
                raise _Malformed(
                    line, f"expected 'IntervalTier' or 'TextTier', found {kind[:60]!r}."
                )
            name = reader.string("the tier's name")[1]
            reader.number("the tier's start")
            reader.number("the tier's end")
            spans = []
            for _ in range(reader.count("the tier's size")):
                line, start = reader.number("a time in seconds")
                end = reader.number("an interval's end")[1] if kind == "IntervalTier" else start
                spans.append(Span(line, start, end, reader.string("a label")[1]))
            if kind == "IntervalTier":
                tiers.append((name, spans))
        reader.end()
        return tiers
    return []


class _Reader:
    """The tokens of a file, taken one after another."""

    def __init__(self, text: str) -> None:
        self._tokens = self._relevant(text)
        self._line = 1

    @staticmethod
    def _relevant(text: str) -> Iterator[_Token]:
        line, position = 1, 0
        for match in _TOKEN.finditer(text):
            line += text.count("\n", position, match.start())
            position = match.start()
            string, unclosed, _, word = match.groups()
            if unclosed:
                raise _Malformed(line, "a quotation mark is never closed.")
            if string is not None:
                yield _Token(line, string.replace('""', '"'), True)
            elif word is not None and (word[0] in "+-.0123456789" or word[0] == "<"):
                yield _Token(line, word, False)

    def _next(self, expected: str) -> _Token:
        token = next(self._tokens, None)
        if token is None:
            raise _Malformed(self._line, f"the file ends where {expected} was expected.")
        self._line = token.line
        return token

    def string(self, expected: str) -> tuple[int, str]:
        token = self._next(expected)
        if not token.quoted:
            raise _Malformed(token.line, f"expected {expected}, found {token.text[:60]!r}.")
        return token.line, token.text

    def number(self, expected: str) -> tuple[int, Decimal]:
        token = self._next(expected)
        value = None if token.quoted else seconds(token.text)
        if value is None:
            raise _Malformed(token.line, f"expected {expected}, found {token.text[:60]!r}.")
        return token.line, value

    def count(self, expected: str) -> int:
        token = self._next(expected)
        if token.quoted or not (token.text.isascii() and token.text.isdigit()):
            raise _Malformed(token.line, f"expected {expected}, found {token.text[:60]!r}.")
        # More than a file can hold; the loop ends with the file.
        return int(token.text[:12])

    def flag(self) -> bool:
        token = self._next("<exists>")
        if token.quoted or token.text not in ("<exists>", "<absent>"):
            raise _Malformed(token.line, f"expected <exists>, found {token.text[:60]!r}.")
        return token.text == "<exists>"

    def end(self) -> None:
        token = next(self._tokens, None)
        if token is not None:
            raise _Malformed(
                token.line, f"{token.text[:60]!r} follows after the last tier that was announced."
            )
