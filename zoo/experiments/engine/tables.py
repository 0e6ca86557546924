"""Experiments that are tables: rows of conditions, columns of networks, ours beside published."""

from __future__ import annotations

import argparse
import fnmatch
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.experiments.engine.claims import Numbers, claims_table
from zoo.experiments.engine.rendering import Table, grid, plot
from zoo.experiments.engine.runner import Cell, Context, found_records, run_cells

SHARED = ("epochs", "classifier_epochs", "per_class", "learning_rate", "patience")
"""Options that decide every cell's result, where an experiment has them."""


def add_budget(parser: argparse.ArgumentParser, name: str, classifier_epochs: bool = False) -> None:
    """Declare the options that every experiment on a prepared set has.

    Args:
        parser: takes them.
        name: of the experiment.
        classifier_epochs: whether classifiers are trained beside autoencoders.
    """
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument("--out", default=f"runs/{name}", metavar="DIR", help="folder to write")
    parser.add_argument(
        "--patience",
        type=int,
        default=5,
        metavar="N",
        help="epochs without improvement that end an autoencoder's training (default 5)",
    )
    if classifier_epochs:
        parser.add_argument(
            "--classifier-epochs", type=int, metavar="N", help="of classifiers (default: --epochs)"
        )
    add_trainings(parser)


def add_trainings(parser: argparse.ArgumentParser, seeds: int = 1) -> None:
    """Declare the options that every experiment with trained runs has.

    Args:
        parser: takes them.
        seeds: the default of `--seeds`.
    """
    parser.add_argument("--epochs", type=int, default=10, help="of each training (default 10)")
    parser.add_argument(
        "--per-class", type=int, default=100, help="examples a class an epoch (default 100)"
    )
    parser.add_argument("--learning-rate", type=float, default=0.01, help="of AdaGrad")
    parser.add_argument(
        "--work",
        metavar="DIR",
        help="folder of the trainings (default OUT/runs); experiments that are given the same one "
        "share those that they have in common",
    )
    add_cells(parser, seeds)


def add_cells(parser: argparse.ArgumentParser, seeds: int = 1) -> None:
    """Declare the options that every experiment of cells has.

    Args:
        parser: takes them.
        seeds: the default of `--seeds`.
    """
    parser.add_argument(
        "--seeds", type=int, default=seeds, metavar="N", help=f"0 to N - 1 (default {seeds})"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument(
        "--only", metavar="PATTERN", help="compute cells whose key matches, for example '*blind*'"
    )


def check_trainings(args: argparse.Namespace) -> None:
    """Refuse a budget that is of no use.

    Raises:
        UsageError: it is so.
    """
    for option in ("epochs", "classifier_epochs", "per_class", "seeds", "patience"):
        value = getattr(args, option, None)
        if value is not None and value < 1:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"{flag} must be 1 or more; received {value}.")


def run(args: argparse.Namespace, table: Table) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    cells = table_cells(args, table)
    computed(args, cells, table.compute)
    results = table_results(args, table, cells)
    write_results(
        Path(args.out),
        results,
        lambda path: plot(path, table, results, numbers_of(results["cells"], table.same)),
    )
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
    from zoo.data.sets.prepared import Prepared

    check_trainings(args)
    budget = _budget(args)
    data = Prepared(args.data).manifest["plan"]
    return [
        Cell(f"{key}/seed-{seed}", {**budget, **condition, "seed": seed, "data": data})
        for seed in range(args.seeds)
        for key, condition in conditions.items()
    ]


def _budget(args: argparse.Namespace) -> dict[str, Any]:
    """Those of `SHARED` that were set or have a default."""
    found = {option: getattr(args, option, None) for option in SHARED}
    return {option: value for option, value in found.items() if value is not None}


def computed(
    args: argparse.Namespace,
    cells: Sequence[Cell],
    compute: str,
    context: Context | None = None,
) -> dict[str, dict[str, Any]]:
    """Compute those cells that `--only` chooses; key -> record of all that are there.

    Args:
        args: the options.
        cells: all cells.
        compute: `"module:function"` of `run_cells`.
        context: where; None: as `--data`, `--work` and `--out` say.

    Raises:
        UsageError: no cell is chosen, or a record of any cell is of other settings.
    """
    chosen = [c for c in cells if fnmatch.fnmatchcase(c.key, args.only or "*")]
    if not chosen:
        keys = ", ".join(dict.fromkeys(c.key.rpartition("/")[0] for c in cells))
        raise UsageError(
            f"--only {args.only} matches no cell; there are {keys}, each with /seed-N."
        )
    out = Path(args.out)
    # Before hours of computing what could not stand in one table with what is there.
    found_records(cells, out)
    context = context or Context(Path(args.data), Path(args.work or out / "runs"), out)
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
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.published import published

    records = found_records(cells, Path(args.out))
    manifest = Prepared(args.data).manifest
    return {
        "experiment": name,
        "title": title,
        "published": published(name),
        "budget": {**_budget(args), "seeds": args.seeds},
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
    seeds = "seed 0" if budget["seeds"] == 1 else f"seeds 0 to {budget['seeds'] - 1}"
    epochs = f"{budget['epochs']} epochs"
    if "classifier_epochs" in budget:
        epochs += f" ({budget['classifier_epochs']} of classifiers)"
    return [
        f"# {results['title']}",
        "",
        f"{results['published']['source']}, beside ours: {data['corpus']} "
        f"({data['settings']['representation']}, level {data['settings']['level']}; "
        f"{data['train']} training and {data['test']} test segments), {epochs} of "
        f"{budget['per_class']} examples a class, AdaGrad at {budget['learning_rate']:g}, {seeds}. "
        f"{len(run)} of {len(results['cells'])} cells were run.",
        "",
        *provenance(results["cells"]),
    ]


def provenance(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that name the commands, machines and versions behind cells, and what they took."""
    run = [c for c in records if "not_run" not in c]
    seconds = sum(c["seconds"] for c in run)
    commands = dict.fromkeys(c["command"] for c in run)
    machines = dict.fromkeys(
        f"{c['hardware']['processor']}, {c['hardware']['cores']} cores"
        + "".join(f", {device}" for device in c["hardware"]["accelerators"])
        for c in run
    )
    versions = dict.fromkeys(", ".join(f"{k} {v}" for k, v in c["versions"].items()) for c in run)
    return [
        *(f"    {command}" for command in commands),
        "",
        *(f"- {machine}" for machine in machines),
        *(f"- {version}" for version in versions),
        f"- {seconds:.0f} s of computing",
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
        *grid(table, results, numbers, relative=False),
    ]
    if table.unit is not None:
        ours, theirs = table.unit
        lines += [
            "",
            f"The same as shares of the {theirs.replace('_', ' ')}, ours of each cell "
            f"({ours.replace('_', ' ')}) and the published {results['published'][theirs]:g}:",
            "",
            *grid(table, results, numbers, relative=True),
        ]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    lines += ["", "## Claims", "", claims_table(results["claims"]), ""]
    lines += ["![Ours and published](results.svg)"]
    return "\n".join(lines) + "\n"
