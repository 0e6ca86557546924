"""The figures of a search's report, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.pages import new_figure, png

from .importance import ranks

FRONT = {"parameters": False, "latency_ms": False}
"""Costs that a network of the front may not have more of, and whether more is better."""

MARKS = 8
"""Values that an axis of the parallel coordinates may name."""

BLUE, ORANGE = "#3b6ea8", "#c2571a"
LINES: tuple[dict[str, Any], ...] = (
    {"color": ORANGE, "lw": 1.8},
    {"color": BLUE, "lw": 1, "alpha": 0.5},
)
"""Of the best trial, and of the others."""

OWN_LINE: dict[str, Any] = {"color": "black", "lw": 1.2, "ls": "--"}


def number(value: Any) -> str:
    """A value, for people."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def front_figure(trials: Sequence[Mapping[str, Any]], quality: str, own: str | None) -> bytes:
    """Quality against each cost; `own` is the trial of the model that was searched around."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    figure = new_figure(9, 3.6)
    for axis, cost in zip(figure.subplots(1, 2, sharey=True), FRONT, strict=True):
        points = [(t["measures"][cost], t["measures"][quality], t) for t in trials]
        axis.scatter(*zip(*[p[:2] for p in points], strict=True), color=BLUE, s=18, alpha=0.7)
        front = [p for p in points if p[2]["front"]]
        axis.scatter(*zip(*[p[:2] for p in front], strict=True), color=ORANGE, s=30)
        for x, y, trial in front:
            axis.annotate(
                trial["trial"], (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7
            )
        for x, y, trial in points:
            if trial["trial"] == own:
                axis.scatter(x, y, color="black", marker="x", s=45, zorder=3)
        axis.set(xlabel=cost.replace("_", " "), xscale="log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_minor_formatter(NullFormatter())
        # Room for the numbers.
        axis.margins(x=0.12, y=0.08)
        axis.grid(alpha=0.3)
        axis.label_outer()
    figure.axes[0].set_ylabel(quality)
    return png(figure)


def parallel_figure(trials: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> bytes:
    """Parallel coordinates, best trial first, one row a hyperparameter: names stay upright."""
    figure = new_figure(9, 0.6 + 0.44 * len(varied))
    axis = figure.subplots()
    rows = []
    for place, name in enumerate(varied):
        places, marks = _places([t["values"].get(name) for t in trials])
        rows.append(places)
        for value, where in marks.items():
            axis.annotate(
                value,
                (where, place),
                xytext=(0, 4),
                textcoords="offset points",
                fontsize=7,
                ha="center",
                zorder=3,
                bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
            )
    for number in range(len(trials) - 1, -1, -1):
        share = 1 - number / max(len(trials) - 1, 1)
        color = [b + share * (o - b) for b, o in zip(_rgb(BLUE), _rgb(ORANGE), strict=True)]
        axis.plot(
            [row[number] for row in rows],
            range(len(rows)),
            color=color,
            alpha=0.3 + 0.6 * share,
            lw=0.8 + share,
        )
    axis.set_yticks(range(len(varied)), varied)
    axis.set_xticks([])
    axis.set_ylim(len(varied) - 0.5, -0.8)
    axis.set_xlim(-0.06, 1.06)
    axis.grid(axis="y", alpha=0.4)
    for side in ("top", "bottom", "right", "left"):
        axis.spines[side].set_visible(False)
    return png(figure)


def _places(values: Sequence[Any]) -> tuple[list[float], dict[str, float]]:
    """Where each value lies between 0 and 1, and the places to be named.

    A few different values are spread evenly; many by their size, by its logarithm where they span
    more than one order of magnitude.
    """
    numbers = np.array(ranks(values))
    different = np.unique(numbers)
    if len(different) <= MARKS:
        numbers = np.searchsorted(different, numbers).astype(float)
    elif different[0] > 0 and different[-1] > 10 * different[0]:
        numbers = np.log(numbers)
    low, high = numbers.min(), numbers.max()
    places = (numbers - low) / (high - low) if high > low else np.full(len(values), 0.5)
    marks = {number(v): float(p) for v, p in zip(values, places, strict=True)}
    if len(different) > MARKS:
        marks = {name: place for name, place in marks.items() if place in (0, 1)}
    return places.tolist(), marks


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def importance_figure(shares: Mapping[str, float]) -> bytes:
    """Bars, the largest on top."""
    figure = new_figure(9, 0.5 + 0.28 * len(shares))
    axis = figure.subplots()
    axis.barh(list(shares)[::-1], list(shares.values())[::-1], color=BLUE)
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.grid(axis="x", alpha=0.3)
    return png(figure)


def curves_figure(curves: Mapping[str, Any], quality: str, own: Mapping[str, Any]) -> bytes:
    """Validation loss and quality by epoch: the best trials, and the result of the model itself."""
    figure = new_figure(9, 3.4)
    lines = [
        (f"trial {trial_id}" if place == 0 else None, histories, LINES[place > 0])
        for place, (trial_id, histories) in enumerate(curves.items())
    ]
    lines.append(("the model itself", own.get("curves", []), OWN_LINE))
    for axis, name in zip(figure.subplots(1, 2), ("loss", quality), strict=True):
        for label, histories, style in reversed(lines):
            for execution, history in enumerate(histories):
                curve = history.get(f"val_{name}", [])
                axis.plot(
                    range(1, len(curve) + 1),
                    curve,
                    **style,
                    marker="o",
                    ms=2.5,
                    label=label if execution == 0 else None,
                )
        axis.set(xlabel="epoch", ylabel=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return png(figure)
