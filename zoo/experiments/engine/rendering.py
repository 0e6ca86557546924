"""Tables of the literature, as text and as plots: our numbers beside the published ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.experiments.engine.claims import Claim, Numbers


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the literature.

    Attributes:
        name: name of the experiment, and of its entry in `published.json`.
        title: title of the report.
        rows: key -> what it stands for.
        columns: key -> heading.
        measure: key of the number that the table shows.
        conditions: key of each cell -> what sets it apart. `run` adds the budget, the seed and the
            data to these settings.
        compute: `"module:function"` of `run_cells`; gives for each (row, column) that it speaks
            for, as `"row/column"`, a dictionary of numbers.
        claims: judged by the numbers of all cells.
        notes: what the source leaves open and we chose, and other remarks.
        percent: whether the measure is a share of 1.
        unit: key of a number that the measure is divided by as well, since it differs between
            data sets, and of the published one.
        same: (row, column) -> the one that it equals, where a condition makes no difference.
        logarithmic: whether the plot has a logarithmic axis.
    """

    name: str
    title: str
    rows: Mapping[str, str]
    columns: Mapping[str, str]
    measure: str
    conditions: Mapping[str, Mapping[str, Any]]
    compute: str
    claims: Sequence[Claim]
    notes: Sequence[str] = ()
    percent: bool = False
    unit: tuple[str, str] | None = None
    same: Mapping[tuple[str, str], tuple[str, str]] = dataclasses.field(default_factory=dict)
    logarithmic: bool = False


def grid(table: Table, results: Mapping[str, Any], numbers: Numbers, relative: bool) -> list[str]:
    """A table in Markdown: mean and 95 % interval of our numbers, the published one in brackets.

    Args:
        table: table to write.
        results: results of the experiment, with the published figures.
        numbers: ours.
        relative: as shares of `table.unit`.
    """
    from zoo.evaluation.statistics import mean_interval

    diverged = {c["key"].rpartition("/")[0] for c in results["cells"] if "diverged" in c}
    lines = [
        "| | " + " | ".join(table.columns.values()) + " |",
        "|---|" + "---|" * len(table.columns),
    ]
    for row, text in table.rows.items():
        entries = []
        for column in table.columns:
            values = _values(table, numbers.measures, row, column, relative)
            if values:
                mean, half = mean_interval(values)
                ours = _shown(mean, table.percent)
                ours += f" ± {_shown(half, table.percent)}" if half is not None else ""
            else:
                ours = "diverged" if {row, f"{row}/{column}"} & diverged else "–"
            theirs = _published(table, results["published"], row, column, relative)
            said = "–" if theirs is None else _shown(theirs, table.percent)
            entries.append(f"{ours} ({said})")
        lines.append(f"| {text} | " + " | ".join(entries) + " |")
    return lines


def _values(
    table: Table,
    measures: Mapping[tuple[str, str], Sequence[Mapping[str, float]]],
    row: str,
    column: str,
    relative: bool,
) -> list[float]:
    found = measures.get((row, column), ())
    if relative and table.unit is not None:
        return [m[table.measure] / m[table.unit[0]] for m in found]
    return [m[table.measure] for m in found]


def _published(
    table: Table, published: Mapping[str, Any], row: str, column: str, relative: bool
) -> float | None:
    place = (
        (row, column)
        if _test_figure(published, row, column) is not None
        else (table.same.get((row, column), (row, column)))
    )
    value = _test_figure(published, *place)
    if value is not None and relative and table.unit is not None:
        return value / published[table.unit[1]]
    return value


def _test_figure(published: Mapping[str, Any], row: str, column: str) -> float | None:
    """The published test figure, if there is one."""
    return published["cells"].get(row, {}).get(column, {}).get("test")


def _shown(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.1f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def plot(path: Path, table: Table, results: Mapping[str, Any], numbers: Numbers) -> None:
    """Ours (filled, of each seed) and published (hollow), a line a row, a colour a column."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    from zoo.experiments.engine.pictures import save

    measures = numbers.measures
    figure = Figure(figsize=(10, 1.2 + 0.34 * len(table.rows)), layout="constrained")
    axis = figure.subplots()
    colours = ("#3b6ea8", "#c2571a", "#2f8f5b", "#7a4fa3")
    for number, (column, heading) in enumerate(table.columns.items()):
        colour = colours[number % len(colours)]
        offset = 0.12 * (number - (len(table.columns) - 1) / 2)
        for place, row in enumerate(table.rows):
            ours = _values(table, measures, row, column, relative=True)
            ours = [v for v in ours if math.isfinite(v)]
            axis.plot(ours, [place + offset] * len(ours), "o", color=colour, ms=5)
            theirs = _published(table, results["published"], row, column, relative=True)
            if theirs is not None:
                axis.plot([theirs], [place + offset], "o", mec=colour, mfc="none", ms=7)
        label = f"{heading}, ours" if len(table.columns) > 1 else "ours"
        axis.plot([], [], "o", color=colour, label=label)
    axis.plot([], [], "o", mec="#555555", mfc="none", label="published")
    axis.set_yticks(range(len(table.rows)), list(table.rows.values()), fontsize=7)
    axis.invert_yaxis()
    if table.logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    if table.percent:
        axis.xaxis.set_major_formatter("{x:.0%}")
    share = f", as a share of the {table.unit[1].replace('_', ' ')}" if table.unit else ""
    axis.set_xlabel(results["measure"].replace("_", " ") + share)
    axis.grid(alpha=0.3)
    figure.legend(frameon=False, fontsize=8, loc="outside right upper")
    save(figure, path)
