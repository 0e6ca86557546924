"""What classical methods reach on labelled segments of speakers unseen in training.

Logistic regression and a support-vector machine with radial basis functions, on 13 MFCC with their
slopes averaged over thirds of a segment and its log duration. Speakers are held out by
`zoo.experiments.comparisons.folds`, by which networks can be judged, too.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.corpora.phones import AccuracyNames, accuracy_names, group_names
from zoo.errors import UsageError
from zoo.experiments.comparisons import few_labels
from zoo.experiments.comparisons.few_labels import ALL, labels_asked, stored_splits
from zoo.experiments.engine.claims import Claim, Numbers, claims_table
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    CellSettings,
    computed,
    numbers_of,
    provenance,
    write_results,
)
from zoo.extras import require
from zoo.settings import again, option

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.sets.prepared import Prepared

NAME = "baselines"
MEASURES = {"accuracy_39": "accuracy", "balanced_accuracy_39": "balanced accuracy"}
"""Measures in the table, by their names for phones."""

BALANCED = "balanced_accuracy_39"
"""Measure for choosing C and gamma and for comparing methods."""

METHODS = {
    "logistic": "logistic regression",
    "logistic_balanced": "logistic regression, classes weighted alike",
    "svm": "RBF support-vector machine",
    "svm_balanced": "RBF support-vector machine, classes weighted alike",
}

GRIDS: dict[str, dict[str, list[float]]] = {
    "logistic": {"C": [0.1, 0.01]},
    "svm": {"C": [1.0, 10.0], "gamma": [1.0, 0.5]},
}
"""Method -> values to try on the dev speakers. `gamma` is in units of one over the number of
features. Of equally good values the first is taken.
"""

DEV_FOLDS = 5
"""Number of folds of the training speakers, the first of which are the dev speakers."""

ITERATIONS = 2000
"""Most iterations of logistic regression; it usually ends far earlier."""

CACHE = 500
"""Size in megabytes of the cache for the support-vector machine's kernel."""

PREPARING = "zoo prepare CORPUS SET --representation mfcc --deltas 1 --length any --level file"
"""Command that prepares a set for this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(CellSettings):
    """Options of the experiment.

    Attributes:
        data: labelled segments of lengths of their own.
        labels: numbers of labelled examples of each class.
        folds: number of folds; None: `zoo.experiments.comparisons.folds.usual_count`.
    """

    data: str = option(
        metavar="PREPARED", help=f"Prepared set of whole labelled segments: {PREPARING}"
    )
    labels: str = again(few_labels.Options, "labels")
    folds: int | None = again(few_labels.Options, "folds")


def run(options: Options) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    require("tuning", "zoo experiment baselines", modules=["sklearn"])
    labels = labels_asked(options.labels)
    prepared = _opened(options.data)
    cells = _cells(options, prepared, labels)
    out = Path(options.out)
    context = Context(Path(options.data), out / "runs", out)
    computed(options, cells, "zoo.experiments.comparisons.baselines:compute", context)
    results = _results(options, prepared, cells, labels)
    names = accuracy_names(prepared.classes, prepared.groups)
    write_results(out, results, lambda path: _plot(path, results, names))
    return 0


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One method, fitted to one number of labels from all speakers except those of one fold."""
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.samplers import label_subset
    from zoo.evaluation.scores import classification_scores
    from zoo.experiments.comparisons.folds import folds

    prepared = Prepared(context.data)
    x, y, speakers = _pooled(os.fspath(context.data), settings["data"])
    seed, labels = settings["seed"], settings["labels"]
    held_out = folds(speakers, settings["folds"], seed)[settings["fold"]]
    own = np.isin(speakers, held_out)
    others = np.flatnonzero(~own)
    # Unlabelled speech of the others is at hand, so the scale is that of all of it.
    x = (x - x[others].mean(axis=0)) / np.maximum(x[others].std(axis=0), 1e-8)
    chosen = others if labels == ALL else others[label_subset(y[others], labels, seed)]
    names = accuracy_names(prepared.classes, prepared.groups)
    kept = (names.accuracy, names.balanced)

    def scores(answers: np.ndarray, tested: np.ndarray) -> dict[str, float]:
        certain = np.eye(len(prepared.classes), dtype="float32")[answers]
        found = classification_scores(y[tested], certain, seed, prepared.classes, prepared.groups)
        return {key: found[key] for key in kept}

    grid = [
        dict(zip(settings["grid"], values, strict=True))
        for values in itertools.product(*settings["grid"].values())
    ]
    best, dev = grid[0], []
    people = np.unique(speakers[chosen])
    if len(people) > 1:
        dev_speakers = folds(people, min(DEV_FOLDS, len(people)), seed)[0]
        apart = np.isin(speakers[chosen], dev_speakers)
        rest, judged = chosen[~apart], chosen[apart]
        if len(np.unique(y[rest])) > 1:
            for asked in grid:
                answers = _fitted(settings["method"], asked, x[rest], y[rest]).predict(x[judged])
                dev.append(scores(answers, judged)[names.balanced])
            best = grid[int(np.argmax(dev))]
    answers = _fitted(settings["method"], best, x[chosen], y[chosen]).predict(x[own])
    tested = np.flatnonzero(own)
    return {
        f"{settings['method']}/{labels}": {
            **scores(answers, tested),
            "speakers": {
                str(s): scores(answers[speakers[own] == s], tested[speakers[own] == s])
                for s in held_out
            },
            "segments": {"train": len(chosen), "test": len(tested)},
            "chosen": best,
            "dev": dev,
        }
    }


def segment_statistics(features: np.ndarray, samples: int) -> np.ndarray:
    """A segment of any length as a fixed number of features, (3 F C + 1,).

    Args:
        features: (F, T, C), such as MFCC and their slopes.
        samples: number of samples of the segment, whose logarithm is the last number.

    Returns:
        The means of every bin and channel over the first, second and last third of the frames. A
        frame that a third ends in counts for both of its neighbours.
    """
    import numpy as np

    count = features.shape[1]
    thirds = [
        features[:, count * third // 3 : -(-count * (third + 1) // 3)].mean(axis=1).ravel()
        for third in range(3)
    ]
    return np.concatenate([*thirds, [np.log(samples)]])


@functools.lru_cache(maxsize=1)
def _pooled(path: str, plan: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Statistics (N, features), class indices (N,) and speakers (N,) of all segments of a set.

    Args:
        path: path of the set.
        plan: plan of the set; a set that was prepared again has another.
    """
    import numpy as np

    from zoo.data.sets.prepared import Prepared

    prepared = Prepared(path)
    statistics, labels, speakers = [], [], []
    for split in stored_splits(prepared):
        rows = prepared.segments(split)
        lengths = rows.end - rows.start
        statistics += [
            segment_statistics(example + prepared.mean, samples)
            for example, samples in zip(prepared.features(split), lengths, strict=True)
        ]
        labels.append(prepared.labels(split))
        speakers.append(np.asarray(rows.speaker))
    return np.array(statistics), np.concatenate(labels), np.concatenate(speakers)


def _fitted(method: str, asked: Mapping[str, float], x: np.ndarray, y: np.ndarray) -> Any:
    """A classifier of scikit-learn, fitted to features (N, features) and class indices (N,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    kind, _, balanced = method.partition("_")
    weights = "balanced" if balanced else None
    if kind == "logistic":
        return LogisticRegression(C=asked["C"], class_weight=weights, max_iter=ITERATIONS).fit(x, y)
    gamma = asked["gamma"] / x.shape[1]
    return SVC(C=asked["C"], gamma=gamma, class_weight=weights, cache_size=CACHE).fit(x, y)


def _opened(path: str) -> Prepared:
    """The set.

    Raises:
        UsageError: it is not prepared as its statistics need it.
    """
    from zoo.data.sets.prepared import Prepared

    prepared = Prepared(path)
    what = (
        f"{prepared.frontend.kind} with deltas {prepared.frontend.deltas}"
        if prepared.kind == "segments"
        else {"frames": "whole recordings", "pairs": "pairs"}[prepared.kind]
    )
    if what == "mfcc with deltas 1" and prepared.frontend.length is None:
        return prepared
    if prepared.kind == "segments":
        length = prepared.frontend.length
        what += " of any length" if length is None else f" of {length} samples"
    raise UsageError(
        f"{path} holds {what}; whole segments as MFCC with slopes are needed: {PREPARING}"
    )


def _cells(options: Options, prepared: Prepared, labels: Sequence[int | str]) -> list[Cell]:
    """A cell for each method, number of labels, fold and seed.

    Raises:
        UsageError: there are too few speakers or classes to hold some out.
    """
    import numpy as np

    from zoo.experiments.comparisons.folds import folds, usual_count

    splits = stored_splits(prepared)
    speakers = np.concatenate([np.asarray(prepared.segments(s).speaker) for s in splits])
    classes = np.concatenate([prepared.labels(s) for s in splits])
    if len(np.unique(speakers)) < 2:
        raise UsageError(
            f"{options.data} has one speaker; each is held out once, so two or more are needed."
        )
    count = options.folds or usual_count(speakers)
    for seed in range(options.seeds):
        for held_out in folds(speakers, count, seed):
            if len(np.unique(classes[~np.isin(speakers, held_out)])) < 2:
                raise UsageError(
                    f"{options.data} has segments of one class or none where "
                    f"{', '.join(map(str, held_out))} are held out; two or more are needed."
                )
    return [
        Cell(
            f"{method}/{number}/fold-{fold}/seed-{seed}",
            {
                **{"method": method, "labels": number, "fold": fold, "folds": count, "seed": seed},
                "grid": GRIDS[method.partition("_")[0]],
                "data": prepared.manifest["plan"],
            },
        )
        for seed in range(options.seeds)
        for number in labels
        for method in METHODS
        for fold in range(count)
    ]


def fold_values(measures: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """A number of every group of speakers held out, averaged over the seeds that held it out.

    Args:
        measures: measures of every fold and seed.
        key: key of the number.
    """
    found: dict[tuple[str, ...], list[float]] = {}
    for one in measures:
        found.setdefault(tuple(sorted(one["speakers"])), []).append(one[key])
    return [sum(values) / len(values) for values in found.values()]


def _results(
    options: Options, prepared: Prepared, cells: Sequence[Cell], labels: Sequence[int | str]
) -> dict[str, Any]:
    from zoo.evaluation.statistics import mean_interval

    records = found_records(cells, Path(options.out))
    manifest = prepared.manifest
    names = accuracy_names(prepared.classes, prepared.groups)
    stored = [manifest["splits"][split] for split in stored_splits(prepared)]
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": "Classical methods",
        "budget": {"seeds": options.seeds, "folds": cells[0].settings["folds"], "grids": GRIDS},
        "data": {
            "corpus": manifest["corpus"],
            "settings": manifest["settings"],
            "segments": sum(split["segments"] for split in stored),
            "speakers": len(
                {str(s) for n in stored_splits(prepared) for s in prepared.segments(n).speaker}
            ),
        },
        "labels": list(labels),
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    numbers = numbers_of(results["cells"], names=names)
    results["intervals"] = {
        method: {
            str(n): {
                names.called(key): mean_interval(fold_values(numbers.measures[method, str(n)], key))
                for key in MEASURES
            }
            for n in labels
            if (method, str(n)) in numbers.measures
        }
        for method in METHODS
    }
    results["claims"] = [claim.verdict(numbers) for claim in _claims(labels)]
    over = f"{len(group_names(prepared.classes, prepared.groups))} {names.scored}"
    results["text"] = _markdown(results, names, over)
    return results


def _claims(labels: Sequence[int | str]) -> list[Claim]:
    def higher(pairs: Sequence[tuple[str, str]], number: str, numbers: Numbers) -> tuple[bool, str]:
        values = [tuple(numbers(m, number, BALANCED) for m in pair) for pair in pairs]
        text = "; ".join(
            f"{one} {a:.1%}, {other} {b:.1%}"
            for (one, other), (a, b) in zip(pairs, values, strict=True)
        )
        return all(a > b for a, b in values), text

    kernels = [("svm", "logistic"), ("svm_balanced", "logistic_balanced")]
    weights = [("logistic_balanced", "logistic"), ("svm_balanced", "svm")]
    return [
        Claim(
            f"{text} at {number} labels a class",
            "ours",
            f"mean balanced accuracy higher {rule}",
            functools.partial(higher, pairs, str(number)),
        )
        for number in labels
        for text, rule, pairs in (
            ("A support-vector machine is better", "with either weighting", kernels),
            ("Weighting classes alike pays", "of either method", weights),
        )
    ]


def _markdown(results: Mapping[str, Any], names: AccuracyNames, over: str) -> str:
    budget, data = results["budget"], results["data"]
    alone = budget["folds"] == data["speakers"]
    who = "one speaker each" if alone else "groups of speakers, drawn by the seed"
    lines = [
        f"# {results['title']}",
        "",
        f"{data['corpus']}: {data['segments']} segments of {data['speakers']} speakers, all splits "
        "together. Features: 13 MFCC with their slopes, of each segment alone, averaged over its "
        f"thirds, and its log duration; level {data['settings']['level']}.",
        "",
        f"Protocol: {budget['folds']} folds ({who}), each held out once and scored by what was "
        "fitted to all other speakers; "
        f"{'seed 0' if budget['seeds'] == 1 else 'seeds 0 to {}'.format(budget['seeds'] - 1)}. "
        "Features are standardised by all segments of the training speakers; labelled are so many "
        "of each class as a column says, drawn by the seed. C and gamma are those of highest "
        f"balanced accuracy on dev speakers, the first of {DEV_FOLDS} folds of the training "
        "speakers with labels (of up to five, one speaker); then all labelled segments are fitted "
        "again. Methods learn the classes; answers are scored over "
        f"{over}. Accuracy is over all segments of a fold, balanced accuracy the mean recall of "
        f"the {names.scored} that occur in it. Entries: mean over folds in percent, and its 95 % "
        "interval by Student's t over folds, taken as independent; folds that several seeds hold "
        "out are averaged over these seeds first.",
        "",
        *_unfinished(results["cells"]),
        "Tried: "
        + "; ".join(
            f"{METHODS[method]}, "
            + ", ".join(f"{key} {' or '.join(map(_short, vs))}" for key, vs in grid.items())
            for method, grid in budget["grids"].items()
        )
        + "; gamma in units of one over the number of features.",
        "",
        *provenance(results["cells"]),
    ]
    for key, text in MEASURES.items():
        lines += _grid(results, names.called(key), text)
    lines += ["A dash stands for what was not run.", "", "## Chosen", ""]
    lines += [*_choices(results), "", "## Claims", "", claims_table(results["claims"]), ""]
    lines += ["![Accuracy of each](results.svg)"]
    return "\n".join(lines) + "\n"


def _unfinished(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that say which part of the folds is behind the entries, where it is not all."""
    missing = [record["key"] for record in records if "not_run" in record]
    if not missing:
        return []
    places = [key.partition("/fold-")[0] for key in missing]
    counted = ", ".join(f"{place} {places.count(place)}" for place in dict.fromkeys(places))
    return [
        f"**Unfinished:** {len(missing)} of {len(records)} cells were not run, so that some means "
        f"are over fewer folds. Missing folds: {counted}.",
        "",
    ]


def _grid(results: Mapping[str, Any], measure: str, text: str) -> list[str]:
    """Lines of a table of one measure, methods by labels."""
    lines = [
        f"| {text} | " + " | ".join(f"{n} labels" for n in results["labels"]) + " |",
        "|---|" + "---|" * len(results["labels"]),
    ]
    for method, row in results["intervals"].items():
        entries = []
        for n in results["labels"]:
            mean, half = row.get(str(n), {}).get(measure, (None, None))
            shown = "–" if mean is None else f"{100 * mean:.1f}"
            entries.append(shown + ("" if half is None else f" ± {100 * half:.1f}"))
        lines.append(f"| {METHODS[method]} | " + " | ".join(entries) + " |")
    return [*lines, ""]


def _choices(results: Mapping[str, Any]) -> list[str]:
    """A line for each method and number of labels: what was chosen in its folds."""
    found: dict[str, list[str]] = {}
    for cell in results["cells"]:
        for place, result in cell.get("result", {}).items():
            text = " ".join(f"{key} {_short(value)}" for key, value in result["chosen"].items())
            found.setdefault(place, []).append(text)
    lines = []
    for place, choices in found.items():
        method, _, number = place.partition("/")
        counted = ", ".join(
            f"{text} ({choices.count(text)} of {len(choices)} folds)"
            for text in dict.fromkeys(choices)
        )
        lines.append(f"- {METHODS[method]}, {number} labels: {counted}")
    return lines


def _short(value: float) -> str:
    return f"{value:g}"


def _plot(path: Path, results: Mapping[str, Any], names: AccuracyNames) -> None:
    """Balanced accuracy with intervals, a group of bars for each number of labels."""
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis = figure.subplots()
    labels = [str(n) for n in results["labels"]]
    rows = results["intervals"]
    width = 0.8 / len(rows)
    for number, (method, row) in enumerate(rows.items()):
        places = [labels.index(n) + width * (number - (len(rows) - 1) / 2) for n in row]
        found = [measures[names.called(BALANCED)] for measures in row.values()]
        means = [mean for mean, _ in found]
        halves = [half or 0 for _, half in found]
        axis.bar(places, means, width, yerr=halves, capsize=3, label=METHODS[method])
    axis.set_xticks(range(len(labels)), labels)
    axis.set_xlabel("labelled examples a class")
    axis.set_ylabel("balanced accuracy, speakers unseen")
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    save(figure, path)
