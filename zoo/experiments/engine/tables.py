"""Experiments that are tables: rows of conditions, columns of networks, ours beside published."""

from __future__ import annotations

import dataclasses
import fnmatch
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.corpora.phones import PHONE_ACCURACIES, AccuracyNames, accuracy_names
from zoo.errors import UsageError
from zoo.experiments.engine.claims import Numbers, claims_table
from zoo.experiments.engine.rendering import Table, grid, plot
from zoo.experiments.engine.runner import Cell, Context, found_records, run_cells
from zoo.settings import above, again, at_least, option
from zoo.training.settings import TrainingSettings

PICTURE = "results.webp"
"""Name of the picture, for experiments whose pictures have thousands of points."""

SHARED = (
    *("epochs", "classifier_epochs", "per_class", "learning_rate", "patience"),
    *("deterministic", "mixed_precision"),
)
"""Options that determine every cell's result, if an experiment has them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellSettings:
    """Options of every experiment with cells.

    Attributes:
        out: folder to write.
        seeds: number of seeds, from 0 on.
        jobs: processes.
        only: pattern of the keys of the cells to compute; None: all.
    """

    out: str = option(metavar="DIR", help="Folder to write")
    seeds: int = option(
        1, metavar="N", check=at_least(1), help="Number of seeds; seeds are 0 to N - 1"
    )
    jobs: int = option(1, metavar="N", check=at_least(1), help="Number of processes")
    only: str | None = option(
        None,
        metavar="PATTERN",
        help="Pattern of the keys of the cells to compute, for example '*blind*'",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingCells(CellSettings):
    """Options of every experiment with trained runs.

    Attributes:
        epochs: number of epochs of each training.
        per_class: examples of each class in an epoch.
        learning_rate: learning rate of AdaGrad.
        work: folder of the trainings; None: `runs` in `out`.
    """

    epochs: int = option(10, check=at_least(1), help="Epochs of each training")
    per_class: int = option(100, check=at_least(1), help="Number of examples per class and epoch")
    learning_rate: float = option(0.01, check=above(0), help="Learning rate of AdaGrad")
    work: str | None = option(
        None,
        metavar="DIR",
        help="Folder of the trainings. Experiments with the same one share those that they have "
        "in common",
        shown="OUT/runs",
    )

    @property
    def trainings(self) -> Path:
        """Folder of the trainings."""
        return Path(self.work or Path(self.out) / "runs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableSettings(TrainingCells):
    """Options of every experiment on one prepared set.

    Attributes:
        data: the prepared set.
        patience: epochs without improvement that end an autoencoder's training.
        deterministic: whether every training is deterministic.
        mixed_precision: whether every training uses mixed precision.
    """

    data: str = option(metavar="PREPARED", help="Prepared set")
    patience: int = option(
        5,
        metavar="N",
        check=at_least(1),
        help="Epochs without improvement that end an autoencoder's training",
    )
    deterministic: bool = again(TrainingSettings, "deterministic", group=None)
    mixed_precision: str | None = again(TrainingSettings, "mixed_precision", group=None)

    @property
    def context(self) -> Context:
        """Folders of the cells' data and trainings."""
        return Context(Path(self.data), self.trainings, Path(self.out))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierTableSettings(TableSettings):
    """The same for experiments that train classifiers and autoencoders.

    Attributes:
        classifier_epochs: number of epochs of classifiers; None: as many as of autoencoders.
    """

    classifier_epochs: int | None = option(
        None, metavar="N", check=at_least(1), help="Epochs of classifiers", shown="--epochs"
    )


def run(options: TableSettings, table: Table) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    cells = table_cells(options, table)
    computed(options, cells, table.compute, options.context)
    results = table_results(options, table, cells)
    write_results(
        Path(options.out),
        results,
        lambda path: plot(path, table, results, table_numbers(options, table, results["cells"])),
    )
    return 0


def table_cells(options: TableSettings, table: Table) -> list[Cell]:
    """Every cell of the table, of every seed.

    Raises:
        UsageError: the data is invalid.
    """
    return seeded(options, table.conditions)


def seeded(options: TableSettings, conditions: Mapping[str, Mapping[str, Any]]) -> list[Cell]:
    """A cell for each condition and seed, with the budget and the data in its settings.

    Raises:
        UsageError: the data is invalid.
    """
    from zoo.data.sets.prepared import set_of_segments

    budget = _budget(options)
    data = set_of_segments(options.data).manifest["plan"]
    return [
        Cell(f"{key}/seed-{seed}", {**budget, **condition, "seed": seed, "data": data})
        for seed in range(options.seeds)
        for key, condition in conditions.items()
    ]


def _budget(options: TableSettings) -> dict[str, Any]:
    """Those of `SHARED` that were set or have a default."""
    found = {name: getattr(options, name, None) for name in SHARED}
    return {n: value for n, value in found.items() if value is not None and value is not False}


def computed(
    options: CellSettings, cells: Sequence[Cell], compute: str, context: Context
) -> dict[str, dict[str, Any]]:
    """Compute those cells that `--only` chooses; key -> record of all that are there.

    Args:
        options: options of the experiment.
        cells: all cells of the experiment.
        compute: `"module:function"` of `run_cells`.
        context: context of the computation.

    Raises:
        UsageError: no cell is chosen, or a record of any cell is of other settings.
    """
    chosen = [c for c in cells if fnmatch.fnmatchcase(c.key, options.only or "*")]
    if not chosen:
        keys = ", ".join(dict.fromkeys(c.key.rpartition("/")[0] for c in cells))
        raise UsageError(
            f"--only {options.only} matches no cell; there are {keys}, each with /seed-N."
        )
    # Before hours of computing what could not stand in one table with what is there.
    found_records(cells, context.out)
    run_cells(chosen, compute, context, jobs=options.jobs, command=typed())
    return found_records(cells, context.out)


def typed() -> str:
    """The command as it was typed."""
    return shlex.join(["zoo", *sys.argv[1:]])


def table_results(options: TableSettings, table: Table, cells: Sequence[Cell]) -> dict[str, Any]:
    """All that is known of the table by now, as plain values."""
    results = experiment_results(options, table.name, table.title, cells, table.notes)
    numbers = table_numbers(options, table, results["cells"])
    results["measure"] = set_names(options.data).called(table.measure)
    results["claims"] = [claim.verdict(numbers) for claim in table.claims]
    results["text"] = _markdown(table, results, numbers)
    return results


def table_numbers(
    options: TableSettings, table: Table, records: Sequence[Mapping[str, Any]]
) -> Numbers:
    """The numbers of the table's cells, accuracies under the names of phones'."""
    return numbers_of(records, table.same, set_names(options.data))


def set_names(data: str | Path) -> AccuracyNames:
    """What the accuracies over a prepared set's labels are called."""
    from zoo.data.sets.prepared import Prepared

    prepared = Prepared(data)
    return accuracy_names(prepared.classes, prepared.groups)


def experiment_results(
    options: TableSettings,
    name: str,
    title: str,
    cells: Sequence[Cell],
    notes: Sequence[str],
    folder: Path | None = None,
) -> dict[str, Any]:
    """What any experiment's results begin with: budget, data, published figures, cells.

    Args:
        options: the options.
        name: name of the experiment.
        title: title of the report.
        cells: all cells of the experiment.
        notes: remarks.
        folder: folder of the cells; None: `--out`.
    """
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.published import published

    records = found_records(cells, folder or Path(options.out))
    manifest = Prepared(options.data).manifest
    return {
        "experiment": name,
        "title": title,
        "published": published(name),
        "budget": {**_budget(options), "seeds": options.seeds},
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


def write_results(
    out: Path, results: dict[str, Any], plot: Callable[[Path], None], picture: str = "results.svg"
) -> None:
    """Write `results.json`, `results.md` and the picture, and print the text."""
    from zoo.files import make_folder, replacing, write_json, write_text

    make_folder(out)

    text = results.pop("text")
    write_json(out / "results.json", results)
    write_text(out / "results.md", text)
    with replacing(out / picture) as temporary:
        plot(temporary)
    print(text)
    print(f"written to {out}")


def preamble(results: Mapping[str, Any]) -> list[str]:
    """Lines that say what was done, with what and on what."""
    budget, data = results["budget"], results["data"]
    run = [c for c in results["cells"] if "not_run" not in c]
    seeds = "seed 0" if budget["seeds"] == 1 else f"seeds 0 to {budget['seeds'] - 1}"
    trained = ""
    if "epochs" in budget:
        trained = f"{budget['epochs']} epochs"
        if "classifier_epochs" in budget:
            trained += f" ({budget['classifier_epochs']} of classifiers)"
        optimizer = {"adam": "Adam"}.get(budget.get("optimizer", ""), "AdaGrad")
        trained += (
            f" of {budget['per_class']} examples a class, {optimizer} at "
            f"{budget['learning_rate']:g}, "
        )
    return [
        f"# {results['title']}",
        "",
        f"{results['published']['source']}, beside ours: {data['corpus']} "
        f"({data['settings']['representation']}, level {data['settings']['level']}; "
        f"{data['train']} training and {data['test']} test segments), {trained}{seeds}. "
        f"{len(run)} of {len(results['cells'])} cells were run.",
        "",
        *provenance(results["cells"]),
    ]


def provenance(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that name the commands, machines and versions behind cells, and their durations."""
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
    names: AccuracyNames | None = None,
) -> Numbers:
    """The numbers of every cell that was run.

    Args:
        records: records of cells.
        same: (row, column) -> the one that it equals.
        names: what accuracies over the set's labels are called, whose numbers are then found under
            the names of phones'; None: every number under its own.
    """
    found: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    for record in records:
        for place, measures in record.get("result", {}).items():
            row, _, column = place.partition("/")
            if names is not None and PHONE_ACCURACIES.accuracy not in measures:
                measures = names.renamed(measures, PHONE_ACCURACIES)
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
