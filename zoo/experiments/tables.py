"""Experiments that are tables: rows of conditions, columns of networks, ours beside published."""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import math
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.experiments.cells import Cell, Context, found_records, run_cells
from zoo.experiments.claims import Claim, Numbers, claims_table

SHARED = ("epochs", "per_class", "learning_rate", "patience")
"""Options that decide every cell's result."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the literature.

    Attributes:
        name: of the experiment, and of its entry in `published.json`.
        title: of the report.
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


def add_budget(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options that every trained experiment has."""
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument("--out", default=f"runs/{name}", metavar="DIR", help="folder to write")
    parser.add_argument("--epochs", type=int, default=10, help="of each training (default 10)")
    parser.add_argument(
        "--per-class", type=int, default=100, help="examples a class an epoch (default 100)"
    )
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of AdaGrad")
    parser.add_argument(
        "--patience",
        type=int,
        default=5,
        metavar="N",
        help="epochs without improvement that end an autoencoder's training (default 5)",
    )
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="0 to N - 1 (default 1)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument(
        "--only", metavar="PATTERN", help="compute cells whose key matches, for example '*blind*'"
    )
    parser.add_argument(
        "--work",
        metavar="DIR",
        help="folder of the trainings (default OUT/runs); experiments that are given the same one "
        "share those that they have in common",
    )


def run(args: argparse.Namespace, table: Table) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    cells = table_cells(args, table)
    computed(args, cells, table.compute)
    results = table_results(args, table, cells)
    write_results(Path(args.out), results, lambda path: _plot(path, table, results))
    return 0


def table_cells(args: argparse.Namespace, table: Table) -> list[Cell]:
    """Every cell of the table, of every seed.

    Raises:
        UsageError: options or data that are of no use.
    """
    return seeded(args, table.conditions)


def seeded(args: argparse.Namespace, conditions: Mapping[str, Mapping[str, Any]]) -> list[Cell]:
    """A cell for each condition and seed, with the budget and the data in its settings.

    Raises:
        UsageError: options or data that are of no use.
    """
    from zoo.data.prepared import Prepared

    for option in ("epochs", "per_class", "seeds", "patience"):
        if getattr(args, option) < 1:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"{flag} must be 1 or more; received {getattr(args, option)}.")
    budget = {option: getattr(args, option) for option in SHARED}
    data = Prepared(args.data).manifest["plan"]
    return [
        Cell(f"{key}/seed-{seed}", {**condition, **budget, "seed": seed, "data": data})
        for seed in range(args.seeds)
        for key, condition in conditions.items()
    ]


def computed(
    args: argparse.Namespace, cells: Sequence[Cell], compute: str
) -> dict[str, dict[str, Any]]:
    """Compute those cells that `--only` chooses; key -> record of all that are there.

    Raises:
        UsageError: no cell is chosen.
    """
    chosen = [c for c in cells if fnmatch.fnmatchcase(c.key, args.only or "*")]
    if not chosen:
        keys = ", ".join(dict.fromkeys(c.key.rpartition("/")[0] for c in cells))
        raise UsageError(
            f"--only {args.only} matches no cell; there are {keys}, each with /seed-N."
        )
    out = Path(args.out)
    context = Context(Path(args.data), Path(args.work or out / "runs"), out)
    run_cells(chosen, compute, context, jobs=args.jobs, command=typed())
    return found_records(cells, out)


def typed() -> str:
    """The command as it was typed."""
    return shlex.join(["zoo", *sys.argv[1:]])


def table_results(args: argparse.Namespace, table: Table, cells: Sequence[Cell]) -> dict[str, Any]:
    """All that is known of the table by now, as plain values."""
    results = experiment_results(args, table.name, table.title, cells, table.notes)
    numbers = numbers_of(results["cells"], table.same)
    results["measure"] = table.measure
    results["claims"] = [claim.verdict(numbers) for claim in table.claims]
    results["text"] = _markdown(table, results, numbers)
    return results


def experiment_results(
    args: argparse.Namespace, name: str, title: str, cells: Sequence[Cell], notes: Sequence[str]
) -> dict[str, Any]:
    """What any experiment's results begin with: budget, data, published figures, cells."""
    from zoo.data.prepared import Prepared
    from zoo.experiments.published import published

    records = found_records(cells, Path(args.out))
    manifest = Prepared(args.data).manifest
    return {
        "experiment": name,
        "title": title,
        "published": published(name),
        "budget": {option: getattr(args, option) for option in (*SHARED, "seeds")},
        "data": {
            "corpus": manifest["corpus"],
            "settings": manifest["settings"],
            "train": manifest["splits"]["train"]["segments"],
            "test": manifest["splits"]["test"]["segments"],
            "plan": manifest["plan"],
        },
        "notes": list(notes),
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }


def write_results(out: Path, results: dict[str, Any], plot: Callable[[Path], None]) -> None:
    """Write `results.json`, `results.md` and `results.svg`, and print the text."""
    from zoo.files import replacing, write_json, write_text

    text = results.pop("text")
    write_json(out / "results.json", results)
    write_text(out / "results.md", text)
    with replacing(out / "results.svg") as temporary:
        plot(temporary)
    print(text)
    print(f"written to {out}")


def preamble(results: Mapping[str, Any]) -> list[str]:
    """Lines that say what was done, with what and on what."""
    budget, data = results["budget"], results["data"]
    run = [c for c in results["cells"] if "not_run" not in c]
    seconds = sum(c["seconds"] for c in run)
    commands = dict.fromkeys(c["command"] for c in run)
    machines = dict.fromkeys(
        f"{c['hardware']['processor']}, {c['hardware']['cores']} cores"
        + "".join(f", {device}" for device in c["hardware"]["accelerators"])
        for c in run
    )
    versions = dict.fromkeys(", ".join(f"{k} {v}" for k, v in c["versions"].items()) for c in run)
    seeds = "seed 0" if budget["seeds"] == 1 else f"seeds 0 to {budget['seeds'] - 1}"
    return [
        f"# {results['title']}",
        "",
        f"{results['published']['source']}, beside ours: {data['corpus']} "
        f"({data['settings']['representation']}, level {data['settings']['level']}; "
        f"{data['train']} training and {data['test']} test segments), {budget['epochs']} epochs of "
        f"{budget['per_class']} examples a class, AdaGrad at {budget['learning_rate']:g}, {seeds}. "
        f"{len(run)} of {len(results['cells'])} cells were run, in {seconds:.0f} s of computing.",
        "",
        *(f"    {command}" for command in commands),
        "",
        *(f"- {machine}" for machine in machines),
        *(f"- {version}" for version in versions),
        "",
    ]


def numbers_of(
    records: Sequence[Mapping[str, Any]],
    same: Mapping[tuple[str, str], tuple[str, str]] | None = None,
) -> Numbers:
    """The numbers of every cell that was run.

    Args:
        records: of cells.
        same: (row, column) -> the one that it equals.
    """
    found: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    for record in records:
        for place, measures in record.get("result", {}).items():
            row, _, column = place.partition("/")
            found.setdefault((row, column), []).append(measures)
    for place, source in (same or {}).items():
        if source in found:
            found.setdefault(place, found[source])
    return Numbers(found)


def _markdown(table: Table, results: Mapping[str, Any], numbers: Numbers) -> str:
    lines = preamble(results)
    lines += [
        f"Each entry: ours, on the test part{' in percent' if table.percent else ''}"
        f"{', with the 95 % interval over seeds' if results['budget']['seeds'] > 1 else ''}; in "
        "brackets the published one. A dash stands for what was not run.",
        "",
        *_grid(table, results, numbers, relative=False),
    ]
    if table.unit is not None:
        ours, theirs = table.unit
        lines += [
            "",
            f"The same as shares of the {theirs.replace('_', ' ')}, ours of each cell "
            f"({ours.replace('_', ' ')}) and the published {results['published'][theirs]:g}:",
            "",
            *_grid(table, results, numbers, relative=True),
        ]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    lines += ["", "## Claims", "", claims_table(results["claims"]), ""]
    lines += ["![Ours and published](results.svg)"]
    return "\n".join(lines) + "\n"


def _grid(table: Table, results: Mapping[str, Any], numbers: Numbers, relative: bool) -> list[str]:
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
        if published_value(published, row, column) is not None
        else (table.same.get((row, column), (row, column)))
    )
    value = published_value(published, *place)
    if value is not None and relative and table.unit is not None:
        return value / published[table.unit[1]]
    return value


def published_value(published: Mapping[str, Any], row: str, column: str) -> float | None:
    """The published test figure, if there is one."""
    return published["cells"].get(row, {}).get(column, {}).get("test")


def _shown(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.1f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _plot(path: Path, table: Table, results: Mapping[str, Any]) -> None:
    """Ours (filled, of each seed) and published (hollow), a line a row, a colour a column."""
    import matplotlib
    from matplotlib.figure import Figure

    measures = numbers_of(results["cells"], table.same).measures
    figure = Figure(figsize=(9, 1.2 + 0.34 * len(table.rows)), layout="constrained")
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
        axis.plot([], [], "o", color=colour, label=heading or "ours")
    axis.plot([], [], "o", mec="#555555", mfc="none", label="published")
    axis.set_yticks(range(len(table.rows)), list(table.rows.values()), fontsize=7)
    axis.invert_yaxis()
    if table.logarithmic:
        axis.set_xscale("log")
    if table.percent:
        axis.xaxis.set_major_formatter("{x:.0%}")
    share = f", as a share of the {table.unit[1].replace('_', ' ')}" if table.unit else ""
    axis.set_xlabel(table.measure.replace("_", " ") + share)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    with matplotlib.rc_context({"svg.hashsalt": table.name}):
        figure.savefig(path, format="svg", metadata={"Date": None})
