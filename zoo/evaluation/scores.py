"""Scores of a classifier on one split, over the 48 classes and their 39 groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.corpora.phones import CLASSES, GROUPS, accuracy_names, group_index, group_names
from zoo.data.sets.samplers import TEST_PER_CLASS, BalancedEpochs


def confusion(
    labels: np.ndarray,
    predictions: np.ndarray,
    classes: Sequence[str] = CLASSES,
    groups: Mapping[str, str] = GROUPS,
) -> np.ndarray:
    """Counts (groups, groups), for TIMIT (39, 39): labelled groups in rows, predicted ones in
    columns.

    Args:
        labels: class indices, (N,).
        predictions: class indices, (N,).
        classes: names of the classes, as `Prepared.classes`.
        groups: class -> scored group, as `Prepared.groups`.
    """
    of_class = np.array(group_index(classes, groups))
    count = np.zeros((of_class.max() + 1,) * 2, "int64")
    np.add.at(count, (of_class[labels], of_class[predictions]), 1)
    return count


def classification_scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
    groups: Mapping[str, str] = GROUPS,
) -> dict[str, Any]:
    """Accuracies of predictions, as fractions of 1.

    Args:
        labels: class indices, (N,).
        probabilities: (N, classes).
        seed: random seed of the class-balanced draw.
        classes: names of the classes, as `Prepared.classes`.
        groups: class -> scored group, as `Prepared.groups`.

    Returns:
        `examples`; `accuracy_39` and `accuracy_48` over all examples; `accuracy_39_uniform`, over
        200 examples of each class that occurs, drawn as in Riemens (2015), section 3.1;
        `balanced_accuracy_39`, the mean recall of the groups that occur; and `per_phone`, for
        each such group its examples, recall and precision (None where it was never predicted).
        These are TIMIT's names; `zoo.data.corpora.phones.accuracy_names` has those of other sets.
    """
    labels = np.asarray(labels)
    predictions = np.argmax(probabilities, axis=-1)
    count = confusion(labels, predictions, classes, groups)
    of_class = np.array(group_index(classes, groups))
    hit = of_class[labels] == of_class[predictions]
    uniform = BalancedEpochs(labels, TEST_PER_CLASS, seed).epoch(0)
    occurring, said, right = count.sum(axis=1), count.sum(axis=0), np.diag(count)
    per_phone = {
        name: {
            "examples": int(occurring[g]),
            "recall": float(right[g] / occurring[g]),
            "precision": float(right[g] / said[g]) if said[g] else None,
        }
        for g, name in enumerate(group_names(classes, groups))
        if occurring[g]
    }
    names = accuracy_names(classes, groups)
    scores: dict[str, Any] = {"examples": len(labels), names.accuracy: float(hit.mean())}
    if names.unfolded is not None:
        scores[names.unfolded] = float((labels == predictions).mean())
    return {
        **scores,
        names.uniform: float(hit[uniform].mean()),
        names.balanced: float(np.mean([p["recall"] for p in per_phone.values()])),
        "per_phone": per_phone,
    }
