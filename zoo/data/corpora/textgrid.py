"""Praat's TextGrid files: long and short text format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import MAX_SECONDS
from zoo.data.corpora.intervals import Span, checked_span, in_order, seconds
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import Report, refuse
from zoo.errors import nearest

# Praat reads free-standing numbers, quoted strings and <flags>; all else in a text file is there
# for people, which makes one format of the long and the short one. Possessive: an unclosed quote
# must not be closed by giving half of an escaped one back.
_TOKEN = re.compile(r'"((?:[^"]++|"")*+)"|(")|!([^\n]*)|([^\s"]+)')

PHONE_TIERS = ("phones", "phone", "phonemes", "phoneme", "segments", "segment", "mau")
"""Names in lower case that tiers of phones have in files of common programs, the surest first.

Montreal Forced Aligner and this package write `phones`, WebMAUS writes `MAU`."""

TIER_RULE = f"{', '.join(PHONE_TIERS[:-1])} or MAU, or all tiers '<speaker> - phones'"

SENTENCE_TIERS = (
    *("sentences", "sentence", "utterances", "utterance", "transcription", "transcript"),
    *("text", "orthography", "ort"),
)
"""Names in lower case of tiers that hold what is said."""

_OF_A_SPEAKER = re.compile(r".+ - phones", re.IGNORECASE | re.DOTALL)


def phone_tiers(names: Sequence[str]) -> list[int]:
    """Places of the tiers that hold phones, by their names in any case; empty if no name says so.

    A tier named in `PHONE_TIERS`, or all tiers named `<speaker> - phones`, as in Montreal Forced
    Aligner's files with several speakers.
    """
    lower = [name.strip().lower() for name in names]
    for name in PHONE_TIERS:
        if name in lower:
            return [place for place, found in enumerate(lower) if found == name]
    return [place for place, name in enumerate(names) if _OF_A_SPEAKER.fullmatch(name.strip())]


def sentence_tiers(names: Sequence[str], speaker: str, tier: str | None) -> list[int]:
    """Places of the tiers that hold what is said; empty for a TextGrid of words and phones.

    Args:
        names: names of all tiers.
        speaker: after whom a tier may be called.
        tier: the name of those that were asked for; None: one that `SENTENCE_TIERS` names, the
            speaker's, or all but tiers of words and phones.
    """
    if tier is not None:
        return [place for place, name in enumerate(names) if name == tier]
    lower = [name.strip().lower() for name in names]
    for wanted in (*SENTENCE_TIERS, speaker.lower()):
        if wanted in lower:
            return [lower.index(wanted)]
    phones = phone_tiers(names)
    words = [n for n, name in enumerate(lower) if name in ("words", "word") or " - words" in name]
    left = [n for n in range(len(names)) if n not in phones + words]
    return left or ([] if phones else words)


class _Token(NamedTuple):
    line: int
    text: str
    quoted: bool


class _Malformed(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line, self.text = line, text


OWN_START = "start"
"""Value of the offset for TextGrids whose start is the time at which their recording began."""


def read_textgrid(
    path: str | Path,
    tier: str | None = None,
    report: Report = refuse,
    *,
    offset: float | str | None = None,
    chosen: Callable[[str, Sequence[str]], object] | None = None,
    limit: float = MAX_SECONDS,
) -> tuple[Span, ...]:
    """Read the labelled intervals of one tier; intervals without text are pauses.

    Args:
        path: the file, in UTF-8 or UTF-16.
        tier: the interval tier's name, or what follows the speaker's in names `<speaker> - name`,
            all of which are read; None for the one of phones (of several speakers, for all of
            theirs; see `phone_tiers`), or else the first.
        report: takes the problems; what has one is left out.
        offset: the TextGrid's time in seconds at which its recording begins, or `OWN_START`: the
            TextGrid's start. None: 0, and a TextGrid that starts at another time is refused.
        chosen: told, where no tier was asked for, what the one that is read is called, and the
            others.
        limit: latest time allowed, in seconds.

    Raises:
        UsageError: with file and line, by the default `report`: not a TextGrid in text form, no
            such tier, numbers that are none, impossible or overlapping intervals.

    Reference: Praat manual, "TextGrid file formats".
    """
    path = Path(path)
    found = _read(path, report, offset)
    if found is None:
        return ()
    _, tiers = found
    names = [name for name, _ in tiers]
    places = [0] if tier is None else _called(tier, names)
    if not tiers or not places:
        what = "interval tier" if tier is None else f"interval tier {tier!r}"
        report(path, None, f"has no {what}. {nearest(tier or '', names, 'tier')}")
        return ()
    if tier is None:
        places = phone_tiers(names) or places
        if chosen is not None and len(names) > len(places):
            others = [name for place, name in enumerate(names) if place not in places]
            of_speakers = len(places) > 1
            chosen("<speaker> - phones" if of_speakers else names[places[0]].strip(), others)
    tier = names[places[0]]
    if len({names[place].strip().lower() for place in places}) < len(places):
        report(path, None, f"has {len(places)} tiers {tier!r}; names must differ.")
        return ()
    labelled = [span for place in places for span in _labelled(tiers[place][1])]
    if not labelled:
        report(path, None, f"has no labelled interval in its tier {tier!r}.")
    return _possible(path, labelled, report, limit)


def _called(tier: str, names: Sequence[str]) -> list[int]:
    """Places of the tiers of a name, or of that name for each speaker."""
    exact = [place for place, name in enumerate(names) if name == tier]
    return exact or [p for p, name in enumerate(names) if name.strip().endswith(f" - {tier}")]


def interval_tiers(path: Path, report: Report) -> list[tuple[str, list[Span]]]:
    """Name and labelled intervals of every interval tier, whatever their times and labels.

    A file that is not a TextGrid is reported and has no tiers.
    """
    found = _read(path, report)
    return [] if found is None else [(name, _labelled(spans)) for name, spans in found[1]]


def read_textgrid_tiers(
    path: str | Path, limit: float = MAX_SECONDS
) -> tuple[Decimal, dict[str, tuple[Span, ...]]]:
    """The end in seconds, and the labelled intervals of every interval tier, which may be none.

    Args:
        path: the file, in UTF-8 or UTF-16.
        limit: latest time allowed, in seconds.

    Raises:
        UsageError: with file and line, as by `read_textgrid`, or two tiers have the same name.
    """
    path = Path(path)
    # `refuse` never comes back, so that something was found.
    end, tiers = _read(path, refuse) or (Decimal(0), [])
    names = [name for name, _ in tiers]
    if not tiers:
        refuse(path, None, "has no interval tier.")
    for name in names:
        if names.count(name) > 1:
            refuse(path, None, f"has {names.count(name)} tiers {name!r}; names must differ.")
    return end, {name: _possible(path, _labelled(s), refuse, limit) for name, s in tiers}


def _read(
    path: Path, report: Report, offset: float | str | None = None
) -> tuple[Decimal, list[tuple[str, list[Span]]]] | None:
    """End and interval tiers of a file; None where a problem was reported."""
    text = read_text(path, report)
    if not text:
        return None
    if text.startswith("ooBinaryFile"):
        report(path, None, "is a binary TextGrid; save it as a text file.")
        return None
    try:
        return _tiers(_Reader(text), offset)
    except _Malformed as problem:
        report(path, problem.line, problem.text)
        return None


def _labelled(spans: list[Span]) -> list[Span]:
    return [s._replace(label=s.label.strip()) for s in spans if s.label.strip()]


def _possible(path: Path, spans: list[Span], report: Report, limit: float) -> tuple[Span, ...]:
    found = [checked_span(path, span, report, limit) for span in spans]
    return in_order(path, [span for span in found if span is not None], report)


def _tiers(
    reader: _Reader, offset: float | str | None
) -> tuple[Decimal, list[tuple[str, list[Span]]]]:
    """The end in seconds, and name and intervals of every interval tier, less the offset."""
    for expected in (("ooTextFile", "ooTextFile short"), ("TextGrid",)):
        line, found = reader.string("the header of a TextGrid")
        if found not in expected:
            raise _Malformed(
                line, f"expected {expected[0]!r}, found {found[:60]!r}: not a TextGrid."
            )
    line, start = reader.number("the start in seconds")
    if offset is None and start != 0:
        raise _Malformed(
            line,
            f"the TextGrid starts at {start} s; its recording starts at 0. If that begins at "
            f"{start} s of the TextGrid's time, give --offset {OWN_START}.",
        )
    begun = start if offset == OWN_START else Decimal(str(offset or 0))
    _, whole = reader.number("the end in seconds")
    tiers: list[tuple[str, list[Span]]] = []
    if reader.flag():
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
                label = reader.string("a label")[1]
                spans.append(Span(line, start - begun, end - begun, label))
            if kind == "IntervalTier":
                tiers.append((name, spans))
        reader.end()
    return whole - begun, tiers


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
                token.line, f"{token.text[:60]!r} follows the last tier that the header announces."
            )
