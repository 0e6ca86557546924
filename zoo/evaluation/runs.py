"""Scoring a run on a prepared set."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.data.frontend import Frontend
from zoo.data.prepared import Prepared, classes_and_groups
from zoo.errors import UsageError
from zoo.evaluation.scores import classification_scores
from zoo.files import read_json
from zoo.training.runs import CONFIG

BATCH = 512
"""Examples a step of evaluation."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of a run on one split, and what they were computed from.

    Attributes:
        scores: as `zoo evaluate --json` prints them.
        labels: class indices (N,).
        probabilities: (N, classes).
    """

    scores: dict[str, Any]
    labels: np.ndarray
    probabilities: np.ndarray


def inputs_for(run: str | Path, prepared: Prepared, split: str) -> np.ndarray:
    """`split`'s features, centred by the mean that the run was trained with, (N, F, T, C).

    Raises:
        UsageError: the set's representation, level or length is not the run's.
    """
    theirs, ours = Frontend.load(run), prepared.frontend
    for name, one, other in (
        ("representation", theirs.representation, ours.representation),
        ("level", theirs.level, ours.level),
        ("length", theirs.length, ours.length),
    ):
        if one != other:
            if name == "representation" and theirs.kind != ours.kind:
                one, other = theirs.kind, ours.kind
            raise UsageError(
                f"{prepared.path} has {name} {other!r}, but {run} was trained on {name} {one!r}; "
                f"prepare the corpus with --like {run}."
            )
    features = prepared.features(split)
    if np.array_equal(theirs.mean, ours.mean):
        return features
    return features + (ours.mean - theirs.mean)


def _check_classes(run: Path, config: dict[str, Any], prepared: Prepared) -> None:
    theirs = classes_and_groups(config)[0]
    if theirs != prepared.classes:
        raise UsageError(
            f"{prepared.path} has {len(prepared.classes)} classes ({_some(prepared.classes)}), "
            f"but {run} was trained on {len(theirs)} ({_some(theirs)}); "
            f"prepare the corpus with --like {run}."
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def evaluate(run: str | Path, prepared: Prepared, split: str = "test", seed: int = 0) -> Evaluation:
    """Score a classifier's run on one split of a prepared set.

    Args:
        run: a run folder.
        prepared: a set with the run's representation, level and length.
        split: which part of it.
        seed: of the class-balanced draw of `accuracy_39_uniform`.

    Raises:
        UsageError: no such run or split, an empty split, or a set that does not fit the run.
    """
    run = Path(run)
    config = read_json(run / CONFIG)
    _check_classes(run, config, prepared)
    model = zoo.load(run)
    features = inputs_for(run, prepared, split)
    labels = prepared.labels(split)
    if not len(labels):
        raise UsageError(f"the split {split!r} of {prepared.path} holds no segments to score.")
    probabilities = np.concatenate(
        [
            np.asarray(model.predict_on_batch(np.asarray(features[first : first + BATCH])))
            for first in range(0, len(features), BATCH)
        ]
    )
    scores = {
        "model": config["model"],
        "split": split,
        "excluded": prepared.excluded(split),
        **classification_scores(labels, probabilities, seed, prepared.classes, prepared.groups),
    }
    return Evaluation(scores, labels, probabilities)
