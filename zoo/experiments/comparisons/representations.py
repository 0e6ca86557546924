"""Every representation of the zoo with one network: which one separates phones best.

A corpus is prepared once for each representation, alike but for that; the same network is trained
on each by the same settings, and scored on the test part. If a representation has too few bins for
the network's pools (the 13 coefficients of `mfcc`), smaller pools replace them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data.corpora.corpus import CorpusSettings, open_corpus
from zoo.data.corpora.phones import AccuracyNames, accuracy_names, group_names
from zoo.data.features.representations import REPRESENTATIONS
from zoo.data.sets.settings import Preparation
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    TrainingCells,
    computed,
    numbers_of,
    provenance,
    set_names,
    write_results,
)
from zoo.settings import again, option

NAME = "representations"
MODEL = "freq_fullpad"
COLUMN = MODEL
MEASURE = "balanced_accuracy_39"
MEASURES = {
    MEASURE: "balanced accuracy",
    "accuracy_39": "accuracy",
    "accuracy_39_uniform": "accuracy, same number of each class",
}
"""Measures in the table, by their names for phones; the first one orders the rows."""

DELTAS = dict.fromkeys(REPRESENTATIONS, 0) | {"log_mel+deltas": 2, "mfcc+deltas": 2}
"""Condition -> highest order of derivatives among its channels."""

FEW_BINS = 29
"""The least that the pools of freq_fullpad, (5, 2) by (2, 2) three times, leave a map of."""

SMALL_POOLS = {
    "pool_sizes": ((2, 2), (2, 2), (2, 2), (None, None)),
    "pool_strides": ((2, 2), (2, 2), (2, 2), (None, None)),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(TrainingCells, CorpusSettings):
    """Options of the experiment: also fields of `Preparation`, with other defaults.

    Attributes:
        sets: folder of the prepared sets; None: `sets` in `out`.
    """

    length: str | int | None = again(
        Preparation, "length", "p95", metavar="p95|N", help="Samples of a segment", shown=None
    )
    level: str = again(Preparation, "level", "file")
    too_long: str = again(Preparation, "too_long", "crop")
    sets: str | None = option(
        None, metavar="DIR", help="Folder of the prepared sets", shown="OUT/sets"
    )
    seeds: int = again(TrainingCells, "seeds", 3)


def run(options: Options) -> int:
    """Prepare and train what is missing, write `results.json`, `.md` and `.svg`, print."""
    out = Path(options.out)
    sets = Path(options.sets or out / "sets")
    plans = {name: _prepare(options, name, sets) for name in DELTAS}
    budget = {key: getattr(options, key) for key in ("epochs", "per_class", "learning_rate")}
    cells = [
        Cell(
            f"{name}/seed-{seed}",
            {"representation": name, **budget, "seed": seed, "data": plans[name]},
        )
        for seed in range(options.seeds)
        for name in DELTAS
    ]
    context = Context(sets, options.trainings, out)
    computed(options, cells, "zoo.experiments.comparisons.representations:compute", context)
    results = _results(options, sets, cells)
    names = set_names(sets / next(iter(DELTAS)))
    write_results(out, results, lambda path: _plot(path, results, names))
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


def _prepare(options: Options, name: str, sets: Path) -> str:
    """Prepare the set of one condition; what its manifest calls the plan."""
    from zoo.data.sets.preparation import prepare

    prepared = prepare(
        open_corpus(options),
        sets / name,
        representation=name.removesuffix("+deltas"),
        deltas=DELTAS[name],
        length=options.length,
        level=options.level,
        too_long=options.too_long,
        resample=True,
        progress=True,
    )
    return prepared.manifest["plan"]


def _results(options: Options, sets: Path, cells: list[Cell]) -> dict[str, Any]:
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.statistics import mean_interval

    records = found_records(cells, Path(options.out))
    prepared = Prepared(sets / cells[0].settings["representation"])
    manifest = prepared.manifest
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": f"Representations under {MODEL}",
        "budget": {
            k: getattr(options, k) for k in ("epochs", "per_class", "learning_rate", "seeds")
        },
        "data": {
            "corpus": manifest["corpus"],
            "length": manifest["length"],
            "level": options.level,
            "train": manifest["splits"]["train"]["segments"],
            "test": manifest["splits"]["test"]["segments"],
        },
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    names = accuracy_names(prepared.classes, prepared.groups)
    measures = numbers_of(results["cells"], names=names).measures
    rows: dict[str, dict[str, Any]] = {}
    for name in DELTAS:
        found = measures.get((name, COLUMN), ())
        if found:
            intervals = {
                names.called(key): mean_interval([one[key] for one in found]) for key in MEASURES
            }
            rows[name] = {"shape": found[0]["shape"], "seeds": len(found), **intervals}
    first = names.called(MEASURE)
    results["rows"] = dict(sorted(rows.items(), key=lambda item: -item[1][first][0]))
    over = f"{len(group_names(prepared.classes, prepared.groups))} {names.scored}"
    results["text"] = _markdown(results, names, over)
    return results


def _markdown(results: Mapping[str, Any], names: AccuracyNames, over: str) -> str:
    budget, data, first = results["budget"], results["data"], names.called(MEASURE)
    lines = [
        f"# {results['title']}",
        "",
        f"{data['corpus']}: {data['train']} training and {data['test']} test segments of "
        f"{data['length']} samples, level {data['level']}; {budget['epochs']} epochs of "
        f"{budget['per_class']} examples a class, AdaGrad at {budget['learning_rate']:g}, "
        f"{budget['seeds']} seeds. In percent over {over}, mean and 95 % interval over seeds; "
        "the best first.",
        "",
        *provenance(results["cells"]),
        "| representation | input | " + " | ".join(MEASURES.values()) + " | behind the best |",
        "|---|---|" + "---|" * (len(MEASURES) + 1),
    ]
    best = max((row[first][0] for row in results["rows"].values()), default=0.0)
    for name, row in results["rows"].items():
        entries = []
        for key in map(names.called, MEASURES):
            mean, half = row[key]
            entries.append(f"{100 * mean:.1f}" + (f" ± {100 * half:.1f}" if half else ""))
        shape = "x".join(map(str, row["shape"]))
        behind = 100 * (best - row[first][0])
        lines.append(f"| {name} | {shape} | " + " | ".join(entries) + f" | {behind:.1f} |")
    missing = [name for name in DELTAS if name not in results["rows"]]
    if missing:
        lines += ["", f"Not run, or diverged: {', '.join(missing)}."]
    return "\n".join([*lines, "", "![Accuracy of each](results.svg)"]) + "\n"


def _plot(path: Path, results: Mapping[str, Any], names: AccuracyNames) -> None:
    """Every seed as a dot, the mean as a bar."""
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    measures = numbers_of(results["cells"], names=names).measures
    means = {name: row[names.called(MEASURE)][0] for name, row in results["rows"].items()}
    figure = Figure(figsize=(7, 1 + 0.3 * len(means)), layout="constrained")
    axis = figure.subplots()
    axis.barh(list(means), list(means.values()), color="#9db9d6")
    for name in means:
        values = [one[MEASURE] for one in measures[name, COLUMN]]
        axis.plot(values, [name] * len(values), "o", color="#23476e", ms=4)
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.set_xlabel(MEASURES[MEASURE])
    axis.grid(axis="x", alpha=0.3)
    save(figure, path)
