"""Output of `few_labels`: its claims, its page and its picture."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.experiments.comparisons.pretraining import RANDOM, RECIPES
from zoo.experiments.engine.claims import Claim, Numbers, claims_table
from zoo.experiments.engine.tables import provenance

MEASURE = "balanced_accuracy_39"
"""The measure, by its name for phones."""

GAIN = 0.05
"""Gain in balanced accuracy that pretraining should bring if labels are few."""


def claims_on(labels: Sequence[Any], recipes: Sequence[str]) -> list[Claim]:
    """That pretraining gains where labels are few, and what few labels reach."""
    names = [str(number) for number in labels]
    fewer, most = names[:-1] or names, names[-1]
    pretrained = [r for r in recipes if r != RANDOM]

    def best(numbers: Numbers, few: str) -> str:
        found = [r for r in pretrained if (r, few) in numbers.measures]
        # Where none was run, the question for the first one says so.
        return max(found, key=lambda r: numbers(r, few, MEASURE), default="pretraining")

    def gains(numbers: Numbers, few: str) -> tuple[bool, str]:
        from zoo.evaluation.statistics import mean_interval

        pair = (best(numbers, few), RANDOM)
        means = [numbers(r, few, MEASURE) for r in pair]
        found = [mean_interval([m[MEASURE] for m in numbers.measures[r, few]])[1] for r in pair]
        halves = [half for half in found if half is not None]
        shown = [
            f"{r} {mean:.1%}" + ("" if half is None else f" ± {half:.1%}")
            for r, mean, half in zip(pair, means, found, strict=True)
        ]
        gain = means[0] - means[1]
        # One seed has no interval.
        return len(halves) == 2 and gain > sum(halves) and gain >= GAIN, ", ".join(shown)

    def keeps(numbers: Numbers) -> tuple[bool, str]:
        recipe = best(numbers, fewer[0])
        one, other = numbers(recipe, most, MEASURE), numbers(RANDOM, most, MEASURE)
        return one >= other, f"{recipe} {one:.1%}, {RANDOM} {other:.1%}"

    return [
        *(
            Claim(
                f"Pretraining pays at {few} labels a class",
                "ours",
                f"best recipe {GAIN:.0%} or more above random, 95 % intervals over seeds disjoint",
                functools.partial(gains, few=few),
            )
            for few in fewer
        ),
        Claim(
            f"It is not worse at {most} labels",
            "ours",
            "the same recipe's mean is not below random's",
            keeps,
        ),
    ]


def _left_out(results: Mapping[str, Any]) -> str:
    """Who is left out: speakers one by one, or in folds, or some of them all at once."""
    tried = [next(iter(c["result"].values())) for c in results["cells"] if "result" in c]
    folds = list(tried[0]["speakers"]) if tried else []
    corpus = results["sets"]["data"]["corpus"]
    if len(folds) == 1:
        return f"{len(folds[0].split())} speakers of {corpus}, left out together"
    many = any(" " in names for names in folds)
    parts = f"{len(folds)} folds of the speakers" if many else "speakers"
    return f"mean over the {parts} of {corpus}, each left out once"


def _representation(settings: Mapping[str, Any]) -> str:
    """What examples are, by a manifest's settings."""
    parts = [settings["representation"], f"level {settings['level']}"]
    if settings.get("normalize", "set") == "recording":
        parts.append("normalised by recording")
    if settings.get("context"):
        parts.append(f"surroundings of {settings['context']:g} s and marks")
    return ", ".join(parts)


def _pretraining(budget: Mapping[str, Any], set_: Mapping[str, Any]) -> str:
    """A sentence on what was pretrained on, and for how long."""
    count, epochs = set_["segments"]["train"], budget["pretrain_epochs"]
    begin = f" Pretraining: {set_['corpus']}, {count}"
    if set_["settings"].get("examples") == "frames":
        return f"{begin} recordings, {epochs} epochs of all of them."
    return (
        f"{begin} segments, {epochs} epochs of {budget['pretrain_per_class']} examples a class, by "
        f"adagrad at {budget['pretrain_learning_rate']:g} but where a recipe has its own way."
    )


def page(results: Mapping[str, Any], scored: str) -> str:
    """The page, in Markdown; `scored` says what recall is the mean of."""
    budget, sets = results["budget"], results["sets"]
    labelled = sets["data"]
    lines = [
        f"# {results['title']}",
        "",
        f"Mean recall of the {scored}, in percent: {_left_out(results)}; mean and 95 % interval "
        f"over {budget['seeds']} seeds, which draw labels, order and initial weights, and repeat "
        "the pretraining. "
        f"{_representation(labelled['settings'])}; "
        f"{budget['epochs'] * budget['per_class']} examples a class are shown, repeated where "
        f"labels are fewer, {budget['optimizer']} at {budget['learning_rate']:g}"
        + (f", after pretraining {budget['fine_tuning']}" if budget["fine_tuning"] else "")
        + (", with pretrained encoders the last layer first" if budget["probe_first"] else "")
        + (f", augmented ({budget['augment']})" if budget["augment"] else "")
        + ". All labels are {} to {} a class,".format(*results["all"])
        + " those left out among them."
        + (_pretraining(budget, sets["pretraining"]) if "pretraining" in sets else ""),
        "",
        *provenance(results["cells"]),
        "| | " + " | ".join(f"{n} labels" for n in results["labels"]) + " |",
        "|---|" + "---|" * len(results["labels"]),
    ]
    for recipe, row in results["intervals"].items():
        entries = []
        for n in results["labels"]:
            mean, half = row.get(str(n), (None, None))
            shown = "–" if mean is None else f"{100 * mean:.1f}"
            entries.append(shown + ("" if half is None else f" ± {100 * half:.1f}"))
        lines.append(f"| {RECIPES[recipe].text} | " + " | ".join(entries) + " |")
    lines += ["", "A dash stands for what was not run.", "", "## Claims", ""]
    lines += [claims_table(results["claims"]), ""]
    lines += ["![Accuracy against labels](results.svg)"]
    return "\n".join(lines) + "\n"


def plot(path: Path, results: Mapping[str, Any]) -> None:
    """A line with intervals for each recipe."""
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis = figure.subplots()
    labels = [str(n) for n in results["labels"]]
    rows = {recipe: row for recipe, row in results["intervals"].items() if row}
    for number, (recipe, row) in enumerate(rows.items()):
        # Side by side, so that intervals do not hide each other.
        offset = 0.06 * (number - (len(rows) - 1) / 2)
        places = [labels.index(n) + offset for n in row]
        means = [mean for mean, _ in row.values()]
        halves = [half or 0 for _, half in row.values()]
        axis.errorbar(places, means, halves, fmt="o-", capsize=3, label=RECIPES[recipe].text)
    axis.set_xticks(range(len(labels)), labels)
    axis.set_xlim(-0.5, len(labels) - 0.5)
    axis.set_xlabel("labelled examples a class")
    axis.set_ylabel("balanced accuracy, speakers unseen")
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    save(figure, path)
