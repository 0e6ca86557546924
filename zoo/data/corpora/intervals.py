"""Labelled spans in seconds, as annotation files give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import LONGEST_SECONDS, MAX_SECONDS
from zoo.data.corpora.utterances import Findings, Report, Segment

EDGE_SECONDS = Decimal("0.01")
"""How far a span may silently reach past its recording: aligners round to 10 ms frames."""

CLIP_SECONDS = Decimal("0.05")
"""How far it may reach past it with a warning: aligners count windows, the last of which is
padded."""

# Control characters, halves of pairs, and what ends lines and paragraphs.
_UNFIT = frozenset(("Cc", "Cs", "Zl", "Zp"))

MAX_NAME = 200
"""Most characters of a label, a speaker or a path in an annotation file."""

# Bounded digits and exponent: a Decimal of 1e999999999 would fill the memory as an integer.
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)


class Span(NamedTuple):
    """One labelled stretch of a recording, `start` to `end` in exact seconds.

    Sums of decimals are exact, so the end of one span and the start of the next, written as a
    duration and as a time, meet in the same sample.
    """

    line: int
    start: Decimal
    end: Decimal
    label: str


def seconds(text: str) -> Decimal | None:
    """The number that `text` states; None if it is not a number of reasonable size."""
    text = text.strip()
    if not _NUMBER.fullmatch(text) or not abs(float(text)) <= LONGEST_SECONDS:
        return None
    return Decimal(text)


def is_name(text: str, longest: int = MAX_NAME) -> bool:
    """Whether `text` can be a label, a speaker or a path, of any script: not empty, not too long.

    Joiners, marks of direction and spaces of every kind are parts of names; control characters are
    not, nor are spaces at the ends.
    """
    if not 0 < len(text) <= longest or text != text.strip():
        return False
    return text.isprintable() or all(unicodedata.category(c) not in _UNFIT for c in text)


def checked_span(
    path: Path,
    span: Span,
    report: Report,
    limit: float = MAX_SECONDS,
    longest: int = MAX_NAME,
) -> Span | None:
    """`span` if it is valid; otherwise the problem is reported.

    Args:
        path: the file that it is from.
        span: span to check.
        report: takes the problem.
        limit: in seconds, of its end.
        longest: most characters of its label.
    """
    if not is_name(span.label, longest):
        problem = (
            f"{span.label[:60]!r} is not a label; printable text of up to {longest} characters"
        )
        report(path, span.line, f"{problem} was expected.")
    elif span.start < 0:
        report(path, span.line, f"the segment starts at {span.start} s, before the recording.")
    elif span.end > limit:
        report(path, span.line, f"the segment ends at {span.end} s; the limit is {limit:.0f} s.")
    elif span.end <= span.start:
        report(
            path,
            span.line,
            f"the segment ends at {span.end} s, not after its start {span.start} s.",
        )
    else:
        return span
    return None


def in_order(path: Path, spans: Iterable[Span], report: Report) -> tuple[Span, ...]:
    """`spans` of one recording by their start; overlapping ones are reported and left out."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.line)):
        if kept and span.start < kept[-1].end:
            report(
                path,
                span.line,
                f"the segment starts at {span.start} s and overlaps the one of line "
                f"{kept[-1].line}, which ends at {kept[-1].end} s.",
            )
        else:
            kept.append(span)
    return tuple(kept)


def to_segments(
    path: Path, spans: Iterable[Span], rate: int, samples: int, report: Report
) -> list[Segment]:
    """Spans as samples of a recording; those outside it or shorter than a sample are reported.

    Ends up to `CLIP_SECONDS` past the recording are cut there.

    Args:
        path: the file that the spans are from.
        spans: spans in the order of their times.
        rate: the recording's, in Hz.
        samples: its length.
        report: takes the problems.
    """
    segments = []
    for span in spans:
        start, end = round(span.start * rate), round(span.end * rate)
        beyond = span.end - Decimal(samples) / rate
        if (end > samples and beyond > CLIP_SECONDS) or start >= samples:
            report(
                path,
                span.line,
                f"the segment ends at {span.end} s, but the recording at {samples / rate:.3f} s.",
            )
        elif start >= end:
            report(path, span.line, f"the segment is shorter than a sample at {rate} Hz.")
        else:
            if beyond > EDGE_SECONDS and isinstance(report, Findings):
                report.clipped(path, span.line, float(beyond))
            segments.append(Segment(start, min(end, samples), span.label))
    return segments
