"""The report of a folder's alignments: one self-contained HTML page."""

from __future__ import annotations

import collections
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.alignment.journal import Row
from zoo.data.corpora.audio import read_excerpt, resample
from zoo.data.features.frontend import Frontend, level_file
from zoo.data.sets.tiers import EXCERPT, busiest, draw_recording
from zoo.decoding.transcript import Transcript
from zoo.pages import new_figure, png, write_page

PICTURED = 3
"""Recordings of the lowest scores that are drawn, beside a typical one."""

ROWS_SHOWN = 100
"""Of each table."""

LOW = 0.1
"""Score of a phone below which it is printed as one that is hardly heard."""


def pictured(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Which recordings are drawn, and why: the lowest scores, before them the middle one.

    Args:
        rows: lowest scores first.
    """
    chosen = [("Lowest score", row) for row in rows[:PICTURED]]
    if len(rows) > PICTURED:
        chosen.insert(0, ("Typical", rows[len(rows) // 2]))
    return chosen


def write_alignment_report(
    out: str | Path,
    rows: Sequence[Row],
    suspicious: Sequence[Row],
    problems: Sequence[str],
    transcripts: Mapping[str, Transcript],
    audio: Mapping[str, Path],
    frontend: Frontend,
    facts: Sequence[tuple[str, str]],
    channel: int | None = None,
) -> None:
    """Write scores, pictures of recordings with their tiers, and tables.

    Args:
        out: the HTML file to write.
        rows: of all recordings, lowest scores first.
        suspicious: those of them whose transcripts are perhaps wrong.
        problems: what is wrong with recordings that were not aligned.
        transcripts: of the recordings that `pictured` names.
        audio: name of a recording -> its file.
        frontend: of the network that aligned them.
        facts: name and value of what the alignments were made with.
        channel: which one of several was aligned, from 1 on.

    Raises:
        UsageError: a recording is no longer there.
        RunError: `out` cannot be written.
    """
    hours = sum(row.seconds for row in rows) / 3600
    phones = sum(row.phones for row in rows)
    tiles = [
        (f"{len(rows)}", f"recordings aligned, {hours:.2f} h of {_count(rows)} speakers"),
        (f"{phones}", "phones found"),
        (_score([row.score for row in rows]), "median score of a recording, 0 to 1"),
        (f"{len(suspicious)}", "suspicious recordings"),
        (f"{len(problems)}", "problems"),
    ]
    write_page(
        out,
        Path(__file__).with_name("report.html"),
        title="Forced alignment",
        lead=(
            "Words and phones of recordings whose text is known. The score of a recording says how "
            "well its text and its sound agree; at the low end are wrong transcripts."
        ),
        tiles=tiles,
        recordings=[
            _picture(kind, row, transcripts[row.name], audio[row.name], frontend, channel)
            for kind, row in pictured(rows)
        ],
        figures=_histogram(rows, suspicious),
        suspicious=[_cells(row) for row in suspicious[:ROWS_SHOWN]],
        speakers=_speakers(rows),
        problems=problems[:ROWS_SHOWN],
        unshown=max(len(problems) - ROWS_SHOWN, 0),
        facts=facts,
    )


def _count(rows: Sequence[Row]) -> int:
    return len({row.speaker for row in rows})


def _score(scores: Sequence[float]) -> str:
    return f"{statistics.median(scores):.3f}" if scores else "–"


def _cells(row: Row) -> tuple[Any, ...]:
    worst = row.worst
    lowest = "–" if worst is None else f"{worst.label} at {worst.start:.2f} s ({worst.score:.3f})"
    words = "–" if row.words is None else row.words
    return (row.name, row.speaker, f"{row.score:.3f}", f"{row.seconds:.1f}", words, lowest)


def _speakers(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    of_speaker = collections.defaultdict(list)
    for row in rows:
        of_speaker[row.speaker].append(row)
    median = {who: statistics.median(r.score for r in found) for who, found in of_speaker.items()}
    return [
        (
            who,
            len(of_speaker[who]),
            f"{sum(row.seconds for row in of_speaker[who]) / 60:.1f}",
            f"{median[who]:.3f}",
        )
        for who in sorted(median, key=lambda who: (median[who], who))[:ROWS_SHOWN]
    ]


def _histogram(rows: Sequence[Row], suspicious: Sequence[Row]) -> list[tuple[str, str, bytes, str]]:
    if not rows:
        return []
    figure = new_figure(9, 2.6)
    axis = figure.subplots()
    axis.hist([row.score for row in rows], bins=np.linspace(0, 1, 51), color="#3b6ea5")
    if suspicious:
        axis.axvline(suspicious[-1].score, color="#b3261e", lw=1)
    axis.set(xlim=(0, 1), xlabel="score", ylabel="recordings")
    text = "Left of the red line are the suspicious ones."
    return [("Scores", text, png(figure), "Histogram of the recordings' scores.")]


def _picture(
    kind: str,
    row: Row,
    transcript: Transcript,
    audio: Path,
    frontend: Frontend,
    channel: int | None,
) -> dict[str, Any]:
    """Words, picture and tiers as text of a recording."""
    low = {
        name: {n for n, i in enumerate(tier) if i.score is not None and i.score < LOW}
        for name, tier in transcript.tiers.items()
    }
    finest = list(transcript.tiers)[-1]
    times = [transcript.tiers[finest][n].start for n in sorted(low[finest])]
    begin = busiest(times, transcript.duration)
    rate = frontend.sample_rate
    samples, recorded = read_excerpt(audio, begin, EXCERPT, channel)
    samples = resample(np.ascontiguousarray(samples), recorded, rate)
    spectrogram = frontend.frames_of(level_file(samples, frontend.level))[:, :, 0]
    figure = new_figure(9, 2.7)
    draw_recording(
        figure,
        spectrogram,
        frontend.hop / rate,
        [(name, tier, low[name]) for name, tier in transcript.tiers.items()],
        begin,
        begin,
    )
    return {
        "heading": f"{kind}: {row.name}, {row.speaker}",
        "text": f"Score {row.score:.3f}, {row.phones} phones in {row.seconds:.1f} s.",
        "png": png(figure),
        "tiers": [
            (name, [(i.label, n in low[name]) for n, i in enumerate(tier)])
            for name, tier in transcript.tiers.items()
        ],
    }
