"""Every representation of the zoo under one network: which of them phones are told apart by best.

A corpus is prepared once for each representation, alike but for that; the same network is trained
on each by the same settings, and scored on the test part. Where a representation has too few bins
for the network's pools (the 13 coefficients of `mfcc`), smaller pools take their place.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data.features.representations import REPRESENTATIONS
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import computed, numbers_of, provenance

NAME = "representations"
MODEL = "freq_fullpad"
COLUMN = MODEL
MEASURES = {
    "balanced_accuracy_39": "balanced accuracy",
    "accuracy_39": "accuracy",
    "accuracy_39_uniform": "accuracy, same number of each class",
}
"""What is shown, and by the first of which the rows are in order."""

DELTAS = dict.fromkeys(REPRESENTATIONS, 0) | {"log_mel+deltas": 2, "mfcc+deltas": 2}
"""Condition -> highest order of derivatives among its channels."""

FEW_BINS = 29
"""The least that the pools of freq_fullpad, (5, 2) by (2, 2) three times, leave a map of."""

SMALL_POOLS = {
    "pool_sizes": ((2, 2), (2, 2), (2, 2), (None, None)),
    "pool_strides": ((2, 2), (2, 2), (2, 2), (None, None)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from zoo.cli.corpus import add_corpus_arguments
    from zoo.data.features.frontend import LEVELS
    from zoo.data.sets.selection import TOO_LONG
    from zoo.experiments.engine.tables import add_trainings

    add_corpus_arguments(parser)
    parser.add_argument("--length", default="p95", metavar="p95|N", help="samples of a segment")
    parser.add_argument("--level", default="file", choices=LEVELS, help="(default: file)")
    parser.add_argument("--too-long", default="crop", choices=TOO_LONG, help="(default: crop)")
    parser.add_argument("--sets", metavar="DIR", help="of the prepared sets (default OUT/sets)")
    parser.add_argument("--out", default=f"runs/{NAME}", metavar="DIR", help="folder to write")
    add_trainings(parser, seeds=3)


def run(args: argparse.Namespace) -> int:
    """Prepare and train what is missing, write `results.json`, `.md` and `.svg`, print."""
    from zoo.experiments.engine.tables import check_trainings, write_results

    check_trainings(args)
    out = Path(args.out)
    sets = Path(args.sets or out / "sets")
    plans = {name: _prepare(args, name, sets) for name in DELTAS}
    budget = {key: getattr(args, key) for key in ("epochs", "per_class", "learning_rate")}
    cells = [
        Cell(
            f"{name}/seed-{seed}",
            {"representation": name, **budget, "seed": seed, "data": plans[name]},
        )
        for seed in range(args.seeds)
        for name in DELTAS
    ]
    context = Context(sets, Path(args.work or out / "runs"), out)
    computed(args, cells, "zoo.experiments.comparisons.representations:compute", context)
    results = _results(args, sets, cells)
    write_results(out, results, lambda path: _plot(path, results))
    return 0


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The network, trained and scored on one representation."""
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.trainings import classified, classifier

    prepared = Prepared(context.data / settings["representation"])
    overrides = SMALL_POOLS if (prepared.shape[0] or 0) < FEW_BINS else None
    trained = classifier(MODEL, settings, prepared, context, overrides)
    found = classified(trained, prepared, settings["seed"])
    return {f"{settings['representation']}/{COLUMN}": {**found, "shape": list(prepared.shape)}}


def _prepare(args: argparse.Namespace, name: str, sets: Path) -> str:
    """Prepare the set of one condition; what its manifest calls the plan."""
    from zoo.cli.corpus import chosen_corpus
    from zoo.data.sets.preparation import prepare

    prepared = prepare(
        chosen_corpus(args),
        sets / name,
        representation=name.removesuffix("+deltas"),
        deltas=DELTAS[name],
        length=int(args.length) if args.length.isdecimal() else args.length,
        level=args.level,
        too_long=args.too_long,
        resample=True,
        progress=True,
    )
    return prepared.manifest["plan"]


def _results(args: argparse.Namespace, sets: Path, cells: list[Cell]) -> dict[str, Any]:
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.statistics import mean_interval

    records = found_records(cells, Path(args.out))
    manifest = Prepared(sets / cells[0].settings["representation"]).manifest
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": f"Representations under {MODEL}",
        "budget": {k: getattr(args, k) for k in ("epochs", "per_class", "learning_rate", "seeds")},
        "data": {
            "corpus": manifest["corpus"],
            "length": manifest["length"],
            "level": args.level,
            "train": manifest["splits"]["train"]["segments"],
            "test": manifest["splits"]["test"]["segments"],
        },
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    measures = numbers_of(results["cells"]).measures
    rows: dict[str, dict[str, Any]] = {}
    for name in DELTAS:
        found = measures.get((name, COLUMN), ())
        if found:
            intervals = {key: mean_interval([one[key] for one in found]) for key in MEASURES}
            rows[name] = {"shape": found[0]["shape"], "seeds": len(found), **intervals}
    first = next(iter(MEASURES))
    results["rows"] = dict(sorted(rows.items(), key=lambda item: -item[1][first][0]))
    results["text"] = _markdown(results)
    return results


def _markdown(results: Mapping[str, Any]) -> str:
    budget, data, first = results["budget"], results["data"], next(iter(MEASURES))
    lines = [
        f"# {results['title']}",
        "",
        f"{data['corpus']}: {data['train']} training and {data['test']} test segments of "
        f"{data['length']} samples, level {data['level']}; {budget['epochs']} epochs of "
        f"{budget['per_class']} examples a class, AdaGrad at {budget['learning_rate']:g}, "
        f"{budget['seeds']} seeds. In percent over 39 groups, mean and 95 % interval over seeds; "
        "the best first.",
        "",
        *provenance(results["cells"]),
        "| representation | input | " + " | ".join(MEASURES.values()) + " | behind the best |",
        "|---|---|" + "---|" * (len(MEASURES) + 1),
    ]
    best = max((row[first][0] for row in results["rows"].values()), default=0.0)
    for name, row in results["rows"].items():
        entries = []
        for key in MEASURES:
            mean, half = row[key]
            entries.append(f"{100 * mean:.1f}" + (f" ± {100 * half:.1f}" if half else ""))
        shape = "x".join(map(str, row["shape"]))
        behind = 100 * (best - row[first][0])
        lines.append(f"| {name} | {shape} | " + " | ".join(entries) + f" | {behind:.1f} |")
    missing = [name for name in DELTAS if name not in results["rows"]]
    if missing:
        lines += ["", f"Not run, or diverged: {', '.join(missing)}."]
    return "\n".join([*lines, "", "![Accuracy of each](results.svg)"]) + "\n"


def _plot(path: Path, results: Mapping[str, Any]) -> None:
    """Every seed as a dot, the mean as a bar."""
    import matplotlib
    from matplotlib.figure import Figure

    measure = next(iter(MEASURES))
    measures = numbers_of(results["cells"]).measures
    names = list(results["rows"])
    figure = Figure(figsize=(7, 1 + 0.3 * len(names)), layout="constrained")
    axis = figure.subplots()
    axis.barh(names, [results["rows"][n][measure][0] for n in names], color="#9db9d6")
    for name in names:
        values = [one[measure] for one in measures[name, COLUMN]]
        axis.plot(values, [name] * len(values), "o", color="#23476e", ms=4)
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.set_xlabel(MEASURES[measure])
    axis.grid(axis="x", alpha=0.3)
    with matplotlib.rc_context({"svg.hashsalt": NAME}):
        figure.savefig(path, format="svg", metadata={"Date": None})
