"""Accuracy by labelled examples per class, with random initialisation and each pretraining.

A network is pretrained on one prepared set (`--pretrain`), trained on a few labelled examples of
another one (`--data`), and scored on speakers unseen in training: every speaker is left out once,
together with the others of its fold if there are many speakers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.corpora.phones import accuracy_names
from zoo.errors import UsageError, nearest
from zoo.experiments.comparisons.few_labels_page import MEASURE, claims_on, page, plot
from zoo.experiments.comparisons.folds import ALONE, FOLDS, folds, usual_count
from zoo.experiments.comparisons.pretraining import RANDOM, RECIPES, pretrained_model
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    TrainingCells,
    computed,
    numbers_of,
    write_results,
)
from zoo.settings import above, again, at_least, between, option
from zoo.training.settings import OPTIMIZERS, Settings, TrainingSettings

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.sets.prepared import Prepared

NAME = "labels"
ALL = "all"
_FIXED = ("model", "dropout", "augment", "epochs", "per_class", "optimizer", "learning_rate")
_PRETRAINING = ("fine_tuning", "pretrain_learning_rate", "pretrain_epochs", "pretrain_per_class")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(TrainingCells):
    """Options of the experiment; `epochs`, `per_class`, ... are those of the labelled examples.

    Attributes:
        data: labelled speech.
        pretrain: a prepared set to pretrain on.
        model: a classifier.
        dropout: dropout of the model; None: the model's own.
        augment: changes of the labelled examples, as in training; None: none.
        recipes: names of ways to pretrain; None: all that model and data allow.
        labels: numbers of labelled examples of each class.
        pretrain_epochs: number of epochs of pretraining.
        pretrain_per_class: examples of each class in an epoch of pretraining.
        pretrain_learning_rate: learning rate of pretraining.
        optimizer: optimiser of the training on labelled examples.
        folds: parts into which the speakers are divided; None: one a speaker up to 8, else 5.
        held_out: split whose speakers are left out together, in place of folds of all speakers.
        probe_first: as in training, for pretrained networks.
        fine_tuning: optimiser and rate of pretrained networks; None: as of random ones.
    """

    data: str = option(
        metavar="PREPARED", help="Prepared set of labelled speech, few of whose labels are used"
    )
    pretrain: str | None = option(
        None,
        metavar="PREPARED",
        help="Prepared set to pretrain on, prepared like --data, but for the recipe acoustic_units "
        "with --examples frames (and --data with --hop 10). Only supervised recipes use its labels",
    )
    model: str = option("freq_best", help="Classifier of zoo list")
    dropout: float | None = option(
        None, metavar="SHARE", check=between(0, 0.99), help="Dropout of the model", shown="its own"
    )
    augment: str | None = option(
        None, metavar="LIST", help="Changes of the labelled examples, as of zoo train --augment"
    )
    recipes: str | None = option(
        None,
        metavar="LIST",
        help=f"Some of {','.join(RECIPES)}",
        shown="all that the model and --pretrain allow",
    )
    labels: str = option(
        "10,all", metavar="LIST", help="Numbers of labelled examples per class, or all"
    )
    pretrain_epochs: int = option(8, metavar="N", check=at_least(1), help="Epochs of pretraining")
    pretrain_per_class: int = option(
        200,
        metavar="N",
        check=at_least(1),
        help="Number of examples per class and epoch of pretraining",
    )
    pretrain_learning_rate: float = option(
        0.01,
        metavar="RATE",
        check=above(0),
        help="Learning rate of AdaGrad in pretraining, except for recipes with a rate of their own",
    )
    optimizer: str = again(
        TrainingSettings,
        "optimizer",
        help="Optimiser of the labelled examples; adam follows a cosine schedule",
    )
    fine_tuning: str | None = option(
        None,
        metavar="OPTIMIZER:RATE",
        help="Optimiser and learning rate of pretrained networks, whose best rate differs from "
        "that of random ones",
        shown="--optimizer and --learning-rate",
    )
    folds: int | None = option(
        None,
        metavar="K",
        check=at_least(2),
        help="Number of parts into which the speakers are divided, each of which is left out once",
        shown=f"one per speaker up to {ALONE}, else {FOLDS}",
    )
    held_out: str | None = option(
        None,
        metavar="SPLIT",
        help="Split of --data whose speakers are left out, all at once, as those whom --pretrain "
        "left out too; others learn (default: every speaker is left out, by --folds)",
        shown="",
    )
    probe_first: bool = again(
        Settings,
        "probe_first",
        help="Fit the last layer of pretrained networks by logistic regression before the whole "
        "network is fine-tuned",
    )
    seeds: int = again(TrainingCells, "seeds", 5)


def run(options: Options) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    out = Path(options.out)
    labels, recipes = labels_asked(options.labels), _recipes(options)
    cells = _cells(options, labels, recipes)
    pretraining = Path(options.pretrain) if options.pretrain else None
    context = Context(Path(options.data), options.trainings, out, pretraining)
    computed(options, cells, "zoo.experiments.comparisons.few_labels:compute", context)
    results = _results(options, cells, labels, recipes)
    write_results(out, results, lambda path: plot(path, results))
    return 0


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One recipe, fine-tuned on one number of labels, for every fold of held-out speakers."""
    import numpy as np

    from zoo.data.sets.augmentation import Augmenter
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.samplers import label_subset
    from zoo.evaluation.runs import predict
    from zoo.evaluation.scores import classification_scores
    from zoo.experiments.comparisons.pretraining import started
    from zoo.experiments.comparisons.refitting import Refit

    prepared, seed, labels = Prepared(context.data), settings["seed"], settings["labels"]
    x, y, speakers = _pooled(prepared)
    optimizer = settings["optimizer"]
    learning = Settings(
        optimizer=optimizer,
        learning_rate=settings["learning_rate"],
        schedule="cosine" if optimizer == "adam" else "constant",
        probe_first=settings.get("probe_first", False),
    )
    refit = Refit(started(settings, context, prepared), learning)
    names = accuracy_names(prepared.classes, prepared.groups)
    kept, scored = (names.balanced, names.accuracy), {}
    for held_out in _left_out(prepared, speakers, settings):
        held = np.isin(speakers, held_out)
        others, own = np.flatnonzero(~held), np.flatnonzero(held)
        chosen = others if labels == ALL else others[label_subset(y[others], labels, seed)]
        # Unlabelled speech of the others is at hand, so the mean is that of all of it.
        frontend = prepared.frontend.with_mean(x[others].mean(axis=0))
        per_class, epochs = _epochs(settings)
        augment = None
        if settings["augment"]:
            augment = Augmenter(settings["augment"], frontend, len(prepared.classes), seed)
        refit.fit(x[chosen] - frontend.mean, y[chosen], per_class, epochs, seed, augment)
        answers = predict(refit.model, x[own] - frontend.mean)
        scores = classification_scores(y[own], answers, seed, prepared.classes, prepared.groups)
        scored[" ".join(map(str, held_out))] = {key: scores[key] for key in kept}
    means = {key: float(np.mean([f[key] for f in scored.values()])) for key in kept}
    return {f"{settings['recipe']}/{labels}": {**means, "speakers": scored}}


def _left_out(
    prepared: Prepared, speakers: np.ndarray, settings: Mapping[str, Any]
) -> list[np.ndarray]:
    """The speakers that are left out, once each: of one split together, or by folds."""
    import numpy as np

    if "held_out" in settings:
        return [np.unique(np.asarray(prepared.segments(settings["held_out"]).speaker))]
    count = settings.get("folds") or usual_count(speakers)
    return sorted(folds(speakers, count, settings["seed"]), key=lambda names: str(names[0]))


def _epochs(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Examples a class in an epoch, and epochs: as many examples for few labels as for many."""
    per_class, labels = settings["per_class"], settings["labels"]
    least = per_class if labels == ALL else min(labels, per_class)
    return least, -(-settings["epochs"] * per_class // least)


def _pooled(prepared: Prepared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All examples of a set: raw features (N, F, T, C), class indices (N,), speakers (N,)."""
    import numpy as np

    splits = stored_splits(prepared)
    return (
        np.concatenate([prepared.features(s)[:] + prepared.mean for s in splits]),
        np.concatenate([prepared.labels(s) for s in splits]),
        np.concatenate([np.asarray(prepared.segments(s).speaker) for s in splits]),
    )


def stored_splits(prepared: Prepared) -> list[str]:
    """Its splits but for those that are parts of others, such as core."""
    records = prepared.manifest["splits"]
    return [name for name in prepared.splits if records[name]["stored_in"] == name]


def _cells(options: Options, labels: Sequence[int | str], recipes: Sequence[str]) -> list[Cell]:
    """A cell for each recipe, number of labels and seed.

    Raises:
        UsageError: a set is invalid, or sets do not go together.
    """
    from zoo.data.sets.augmentation import Augmenter
    from zoo.data.sets.prepared import Prepared, set_of_segments

    data = set_of_segments(options.data)
    speakers = {str(s) for split in data.splits for s in data.segments(split).speaker}
    if len(speakers) < 2:
        raise UsageError(
            f"{options.data} has one speaker; each is left out once, so two or more are needed."
        )
    # What is wrong with it is said before anything is trained.
    if (
        options.augment
        and Augmenter(options.augment, data.frontend, len(data.classes)).mixes_labels
    ):
        raise UsageError("--augment does not take mixup here, where every example has one class.")
    fixed = {key: getattr(options, key) for key in _FIXED}
    fixed |= {"data": data.manifest["plan"]}
    if options.folds:
        # Left out at its default: cells from before there was a choice stay the same.
        fixed["folds"] = options.folds
    if options.held_out:
        if options.folds:
            raise UsageError("--folds and --held-out exclude each other.")
        own = {str(s) for s in data.segments(options.held_out).speaker}
        if own == speakers:
            raise UsageError(f"no speakers but those of {options.held_out} are in {options.data}.")
        fixed["held_out"] = options.held_out
    fine_tuning = _fine_tuning(options)
    pretraining: dict[str, Any] = {}
    if options.pretrain:
        other = Prepared(options.pretrain)
        _check_alike(data, other, recipes)
        pretraining = {
            "pretraining": other.manifest["plan"],
            # In place of those of the training from random weights.
            **fine_tuning,
            **({"probe_first": True} if options.probe_first else {}),
            "pretrain_learning_rate": options.pretrain_learning_rate,
            "pretrain_epochs": options.pretrain_epochs,
            "pretrain_per_class": options.pretrain_per_class,
        }
    return [
        Cell(
            f"{recipe}/{number}/seed-{seed}",
            {
                **{"recipe": recipe, "labels": number, "seed": seed, **fixed},
                **({} if recipe == RANDOM else pretraining),
            },
        )
        for seed in range(options.seeds)
        for number in labels
        for recipe in recipes
    ]


def _fine_tuning(options: Options) -> dict[str, Any]:
    """Optimiser and learning rate of what was pretrained.

    Raises:
        UsageError: they are none.
    """
    if options.fine_tuning is None:
        return {}
    optimizer, _, text = options.fine_tuning.partition(":")
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if optimizer not in OPTIMIZERS or not 0 < rate < math.inf:
        raise UsageError(
            f"--fine-tuning takes {' or '.join(OPTIMIZERS)}, a colon and a learning rate, such as "
            f"adam:0.001; received {options.fine_tuning!r}."
        )
    return {"optimizer": optimizer, "learning_rate": rate}


def _check_alike(data: Prepared, other: Prepared, recipes: Sequence[str]) -> None:
    one, two = data.frontend, other.frontend
    ours, theirs = (
        (f.representation, f.level, f.normalize)
        # Of recordings what surrounds a segment is there in any case.
        + ((f.context, prepared.shape) if other.kind == "segments" else ())
        for f, prepared in ((one, data), (two, other))
    )
    if ours != theirs:
        raise UsageError(
            f"{other.path} ({two.kind}, level {two.level}, {other.shape}) is not prepared like "
            f"{data.path} ({one.kind}, level {one.level}, {data.shape}); use zoo prepare --like."
        )
    supervised = [r for r in recipes if RECIPES[r].family == "classifier"]
    if supervised and data.classes != other.classes:
        raise UsageError(
            f"{other.path} has other classes than {data.path}; leave out {', '.join(supervised)}."
        )


def labels_asked(text: str) -> list[int | str]:
    """Numbers of labels, ascending, `all` last.

    Raises:
        UsageError: something else.
    """
    parts = [part.strip() for part in text.split(",")]
    wrong = [p for p in parts if p != ALL and not (p.isdecimal() and int(p) > 0)]
    if wrong:
        raise UsageError(f"--labels takes whole numbers, 1 or more, or all; received {wrong[0]!r}.")
    numbers: list[int | str] = [*sorted({int(p) for p in parts if p != ALL})]
    return [*numbers, ALL] if ALL in parts else numbers


def _recipes(options: Options) -> list[str]:
    """The recipes that were asked for, or all that can be followed.

    Raises:
        UsageError: no such model or recipe, or one that wants what there is not.
    """
    from zoo import registry
    from zoo.data.sets.prepared import Prepared

    if registry.describe(options.model).family != "classifier":
        raise UsageError(f"--model takes a classifier, which {options.model} is not.")
    recordings = options.pretrain is not None and Prepared(options.pretrain).kind == "frames"
    possible = [
        name
        for name, recipe in RECIPES.items()
        if recipe.family is None
        or (
            options.pretrain
            and recipe.recordings == recordings
            and pretrained_model(recipe, options.model)
        )
    ]
    if options.recipes is None:
        return possible
    asked = list(dict.fromkeys(part.strip() for part in options.recipes.split(",")))
    for name in asked:
        if name not in RECIPES:
            raise UsageError(f"unknown recipe {name!r}. {nearest(name, RECIPES, 'recipe')}")
        if name not in possible:
            recipe = RECIPES[name]
            if not options.pretrain:
                reason = "it needs --pretrain"
            elif pretrained_model(recipe, options.model) is None:
                reason = f"{options.model} has no {recipe.family} in zoo list"
            else:
                kind = "whole recordings" if recipe.recordings else "segments"
                reason = f"{options.pretrain} does not hold {kind}"
            raise UsageError(f"the recipe {name} cannot be followed: {reason}.")
    return asked


def _results(
    options: Options, cells: Sequence[Cell], labels: Sequence[Any], recipes: Sequence[str]
) -> dict[str, Any]:
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.statistics import mean_interval

    records = found_records(cells, Path(options.out))
    sets = {"data": options.data, **({"pretraining": options.pretrain} if options.pretrain else {})}
    opened = {key: Prepared(path) for key, path in sets.items()}
    manifests = {key: prepared.manifest for key, prepared in opened.items()}
    names = accuracy_names(opened["data"].classes, opened["data"].groups)
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": f"Labels that {options.model} needs",
        "measure": names.called(MEASURE),
        "budget": {
            key: getattr(options, key) for key in (*_FIXED, *_PRETRAINING, "probe_first", "seeds")
        },
        "sets": {
            key: {
                "corpus": m["corpus"],
                "settings": m["settings"],
                "segments": {
                    name: split.get("segments", split.get("examples"))
                    for name, split in m["splits"].items()
                },
            }
            for key, m in manifests.items()
        },
        "all": _all_labels(opened["data"]),
        "labels": list(labels),
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    numbers = numbers_of(results["cells"], names=names)
    results["intervals"] = {
        recipe: {
            str(n): mean_interval([one[MEASURE] for one in numbers.measures[recipe, str(n)]])
            for n in labels
            if (recipe, str(n)) in numbers.measures
        }
        for recipe in recipes
    }
    results["claims"] = [claim.verdict(numbers) for claim in claims_on(labels, recipes)]
    results["text"] = page(results, names.scored)
    return results


def _all_labels(prepared: Prepared) -> tuple[int, int]:
    """Examples in a set of its rarest class and of its most frequent one."""
    import numpy as np

    labels = np.concatenate([prepared.labels(s) for s in stored_splits(prepared)])
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts.min()), int(counts.max())
