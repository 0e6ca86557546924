"""Pictures of recordings: a spectrogram, and under it tiers of labels with their times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from zoo.pages import drawn

EXCERPT = 3.0
"""Most seconds of a recording in a picture, so that its labels can be read."""

_INK = "#1c2530"
_WRONG = "#b3261e"

_NARROW = 0.012
"""Share of the picture's width below which a label is written upwards."""


def draw_recording(
    figure: Any,
    spectrogram: np.ndarray,
    seconds_a_frame: float,
    tiers: Sequence[tuple[str, Sequence[Any], Collection[int]]],
    begin: float = 0.0,
    first_frame: float = 0.0,
) -> None:
    """Draw a part of a recording: its spectrogram, and its tiers below, all at the same times.

    Args:
        figure: figure of matplotlib, or a part of one; all of it is used.
        spectrogram: (F, T) of the whole recording, or from `first_frame` on.
        seconds_a_frame: from one frame to the next.
        tiers: for each tier its name, its intervals that begin with (start, end, label, ...) in
            seconds, and the places of those that are wrong, which are printed in bold red.
        begin: where the part begins, in seconds; it lasts `EXCERPT`, or to the spectrogram's end.
        first_frame: time of the spectrogram's first frame, in seconds.
    """
    duration = first_frame + spectrogram.shape[1] * seconds_a_frame
    end = min(begin + EXCERPT, duration)
    heights = [1.0, *[0.22] * len(tiers)]
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    first, last = (round((time - first_frame) / seconds_a_frame) for time in (begin, end))
    shown = spectrogram[:, first:last]
    axes[0].imshow(
        shown,
        origin="lower",
        aspect="auto",
        cmap="magma",
        extent=(
            first_frame + first * seconds_a_frame,
            first_frame + last * seconds_a_frame,
            0,
            len(shown),
        ),
        # Single bins far below or above the rest would leave no contrast.
        vmin=np.percentile(shown, 1),
        vmax=np.percentile(shown, 99),
    )
    axes[0].set_yticks([])
    for axis, (name, intervals, wrong) in zip(axes[1:], tiers, strict=True):
        _draw_tier(axis, intervals, wrong, begin, end)
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    axes[-1].set_xlabel("s", fontsize=9)
    axes[-1].set_xlim(begin, end)


def _draw_tier(
    axis: Any, intervals: Sequence[Any], wrong: Collection[int], begin: float, end: float
) -> None:
    axis.set(ylim=(0, 1), yticks=[])
    for place, (start, stop, label, *_) in enumerate(intervals):
        start, stop = max(start, begin), min(stop, end)
        if start >= stop:
            continue
        bad = place in wrong
        axis.axvspan(start, stop, facecolor="#fbe3e0" if bad else "#eef2f6", edgecolor=_INK, lw=0.5)
        narrow = (stop - start) / (end - begin) < _NARROW * len(label)
        axis.text(
            (start + stop) / 2,
            0.5,
            drawn(label),
            ha="center",
            va="center",
            rotation=90 if narrow else 0,
            fontsize=7,
            color=_WRONG if bad else _INK,
            fontweight="bold" if bad else "normal",
        )


def busiest(times: Sequence[float], duration: float) -> float:
    """Start of the picture of a recording that shows most of the given times.

    Args:
        times: in seconds, ascending.
        duration: duration of the recording, in seconds.
    """
    latest = max(duration - EXCERPT, 0.0)
    starts = [min(max(time - 0.1, 0.0), latest) for time in times]
    return max(
        starts, key=lambda start: sum(start <= t <= start + EXCERPT for t in times), default=0.0
    )
