"""What a code is worth to a classifier: linear probe and nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.corpora.phones import accuracy_names
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import label_subset
from zoo.evaluation.runs import OneRun, inputs_for, predict
from zoo.evaluation.scores import classification_scores
from zoo.models.encoders import encoder_of
from zoo.runs import Run

NEIGHBOURS = 5
BLOCK = 1024
STRENGTHS = 10.0 ** np.arange(-6, 3)
"""Strengths to choose from for the ridge regression, in units of the mean squared singular
value."""


def probe(
    run: OneRun,
    prepared: Prepared,
    split: str = "test",
    labels_per_class: int = 20,
    seed: int = 0,
) -> dict[str, Any]:
    """Accuracies of two simple classifiers on the code of a run's network.

    Both learn from `labels_per_class` labelled examples of each class of `train`, which are the
    same for the same seed, and are scored on all of `split`. First, each element of the code is
    scaled to mean 0 and variance 1 over these examples.

    Args:
        run: a classifier's or an autoencoder's.
        prepared: a set with the run's representation, level and length.
        split: which part is scored.
        labels_per_class: number of labelled examples of each class to learn from.
        seed: random seed of their choice.

    Returns:
        `labels_per_class`, `code` (its number of elements), and for `linear` (ridge regression on
        the classes) and `neighbours` (vote of the 5 nearest) `accuracy_39` and
        `balanced_accuracy_39`, or what `zoo.data.corpora.phones.accuracy_names` calls them.

    Raises:
        UsageError: as `zoo.evaluation.runs.evaluate`.
    """
    run = Run.open(run)
    encoder = encoder_of(run.model)
    chosen = label_subset(prepared.labels("train"), labels_per_class, seed)
    known = _flat(predict(encoder, inputs_for(run, prepared, "train")[chosen]))
    asked = _flat(predict(encoder, inputs_for(run, prepared, split)))
    middle, spread = known.mean(axis=0), known.std(axis=0)
    # What never varies says nothing; what hardly does would drown the rest.
    spread = np.where(spread > 1e-6 * max(spread.max(), 1e-30), spread, np.inf)
    known, asked = (known - middle) / spread, (asked - middle) / spread
    labels = prepared.labels("train")[chosen]
    classes = len(prepared.classes)
    answers = {
        "linear": linear_probe(known, labels, asked, classes),
        "neighbours": nearest_neighbours(known, labels, asked, classes),
    }
    found: dict[str, Any] = {"labels_per_class": labels_per_class, "code": known.shape[1]}
    names = accuracy_names(prepared.classes, prepared.groups)
    for name, answer in answers.items():
        scores = classification_scores(
            prepared.labels(split), answer, seed, prepared.classes, prepared.groups
        )
        found[name] = {key: scores[key] for key in (names.accuracy, names.balanced)}
    return found


def linear_probe(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int
) -> np.ndarray:
    """Ridge regression on indicators of the classes.

    Of `STRENGTHS` the one with the least squared error is taken when every known example is left
    out in turn, which takes no further training.

    Args:
        known: (N, d).
        labels: class indices, (N,).
        asked: (M, d).
        classes: their number.

    Returns:
        Answers (M, classes), the largest of which is the class.
    """
    target = np.eye(classes)[labels]
    middle, offset = known.mean(axis=0), target.mean(axis=0)
    centred, wanted = known - middle, target - offset
    left, size, right = np.linalg.svd(centred, full_matrices=False)
    projected = left.T @ wanted
    best, error = np.zeros((known.shape[1], classes)), np.inf
    for strength in STRENGTHS * max(np.mean(size**2), 1e-30):
        shrink = size**2 / (size**2 + strength)
        fitted = left @ (shrink[:, None] * projected)
        # The mean is fitted too: 1 / N.
        leverage = (left**2) @ shrink + 1 / len(known)
        missed = ((wanted - fitted) / np.maximum(1 - leverage, 1e-12)[:, None]) ** 2
        if missed.sum() < error:
            error = missed.sum()
            best = right.T @ ((size / (size**2 + strength))[:, None] * projected)
    return (asked - middle) @ best + offset


def nearest_neighbours(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray, classes: int, count: int = NEIGHBOURS
) -> np.ndarray:
    """Votes of the nearest known examples by Euclidean distance; the nearest one decides a tie.

    Args:
        known: (N, d).
        labels: class indices, (N,).
        asked: (M, d).
        classes: their number.
        count: number of neighbours that vote, at most N.

    Returns:
        Votes (M, classes), the largest of which is the class.
    """
    count = min(count, len(known))
    votes = np.zeros((len(asked), classes))
    squares = (known**2).sum(axis=1)
    rows = np.arange(BLOCK)
    for first in range(0, len(asked), BLOCK):
        block = asked[first : first + BLOCK]
        # The squared length of what is asked adds the same to every distance.
        distance = squares - 2 * block @ known.T
        near = np.argsort(distance, axis=1, kind="stable")[:, :count]
        for place in range(count):
            # Halving, they sum to less than a vote, and the nearest outweighs all further ones.
            weight = 1 + 0.5 ** (place + 1)
            votes[first + rows[: len(block)], labels[near[:, place]]] += weight
    return votes


def _flat(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1).astype("float64")
