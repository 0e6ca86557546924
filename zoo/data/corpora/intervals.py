"""Labelled spans in seconds, as annotation files give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import LONGEST_SECONDS, MAX_SECONDS
from zoo.data.corpora.utterances import Report, Segment

EDGE_SECONDS = Decimal("0.01")
"""How far a span may reach past its recording: aligners round times to 10 ms frames."""

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
    """The number that `text` writes, None if it writes none of reasonable size."""
    text = text.strip()
    if not _NUMBER.fullmatch(text) or not abs(float(text)) <= LONGEST_SECONDS:
        return None
    return Decimal(text)


def is_name(text: str, longest: int = MAX_NAME) -> bool:
    """Whether `text` can be a label, a speaker or a path: something printable, not too long."""
    return 0 < len(text) <= longest and text.isprintable() and text == text.strip()


def checked_span(
    path: Path,
    span: Span,
    report: Report,
    limit: float = MAX_SECONDS,
    longest: int = MAX_NAME,
) -> Span | None:
    """`span` if it is possible at all; otherwise the problem is reported.

    Args:
        path: the file that it is from.
        span: which.
        report: takes the problem.
        limit: in seconds, of its end.
        longest: most characters of its label.
    """
    if not is_name(span.label, longest):
        problem = f"{span.label[:60]!r} is no label; printable text of up to {longest} characters"
        report(path, span.line, f"{problem} was expected.")
    elif span.start < 0:
        report(path, span.line, f"the segment starts at {span.start} s, before the recording.")
    elif span.end > limit:
        report(path, span.line, f"the segment ends at {span.end} s; up to {limit:.0f} s are.")
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
    """Spans as samples of a recording; those outside it or below a sample are reported.

    Args:
        path: the file that the spans are from.
        spans: in order.
        rate: the recording's, in Hz.
        samples: its length.
        report: takes the problems.
    """
    segments = []
    for span in spans:
        start, end = round(span.start * rate), round(span.end * rate)
        if end > samples + EDGE_SECONDS * rate or start >= samples:
            report(
                path,
                span.line,
                f"the segment ends at {span.end} s, but the recording at {samples / rate:.3f} s.",
            )
        elif start >= end:
            report(path, span.line, f"the segment is shorter than a sample at {rate} Hz.")
        else:
            segments.append(Segment(start, min(end, samples), span.label))
    return segments
