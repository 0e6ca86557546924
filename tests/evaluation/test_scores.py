"""Folded accuracy and its relatives."""

import keras
import numpy as np
import pytest

from zoo.data.corpora.phones import (
    CLASSES,
    GROUP_NAMES,
    GROUPS,
    PHONE_ACCURACIES,
    accuracy_names,
    recorded_names,
)
from zoo.evaluation.scores import classification_scores, confusion
from zoo.training.metrics import FoldedAccuracy


def one_hot(names):
    probabilities = np.full((len(names), 48), 0.001)
    probabilities[np.arange(len(names)), [CLASSES.index(n) for n in names]] = 1
    return probabilities


def indices(names):
    return np.array([CLASSES.index(n) for n in names])


def test_confusions_within_a_group_count_as_right():
    labels = indices(["sil", "cl", "ih", "aa", "s", "s"])
    said = one_hot(["epi", "vcl", "ix", "ao", "s", "z"])
    scores = classification_scores(labels, said)
    assert scores["accuracy_39"] == pytest.approx(5 / 6)
    assert scores["accuracy_48"] == pytest.approx(1 / 6)
    assert scores["balanced_accuracy_39"] == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert scores["per_phone"]["s"] == {"examples": 2, "recall": 0.5, "precision": 1.0}
    assert scores["per_phone"]["sil"]["examples"] == 2
    assert set(scores["per_phone"]) == {"sil", "ih", "aa", "s"}
    # Four classes are right for every example and s for every other one of its 200.
    assert scores["accuracy_39_uniform"] == pytest.approx(0.9)


def test_a_group_that_occurs_but_is_never_said_has_no_precision():
    scores = classification_scores(indices(["s", "z"]), one_hot(["z", "z"]))
    assert scores["per_phone"]["s"] == {"examples": 1, "recall": 0.0, "precision": None}


def test_scores_agree_with_a_literal_count():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 48, 500), rng.random((500, 48))
    said = probabilities.argmax(1)
    hits = [GROUPS[CLASSES[a]] == GROUPS[CLASSES[b]] for a, b in zip(labels, said, strict=True)]
    scores = classification_scores(labels, probabilities)
    assert scores["accuracy_39"] == pytest.approx(np.mean(hits))
    recalls = [
        np.mean([h for h, y in zip(hits, labels, strict=True) if GROUPS[CLASSES[y]] == g])
        for g in GROUP_NAMES
    ]
    assert scores["balanced_accuracy_39"] == pytest.approx(np.mean(recalls))
    assert confusion(labels, said).sum() == 500
    assert np.trace(confusion(labels, said)) == sum(hits)


def test_the_metric_of_training_is_the_score_of_evaluation():
    rng = np.random.default_rng(1)
    labels, probabilities = rng.integers(0, 48, 300), rng.random((300, 48)).astype("float32")
    metric = FoldedAccuracy()
    metric.update_state(labels[:100], probabilities[:100])
    metric.update_state(labels[100:], probabilities[100:])
    expected = classification_scores(labels, probabilities)["accuracy_39"]
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    revived = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert revived.name == "accuracy_39"


DIGITS = {digit: digit for digit in ("zero", "one", "two")}
VOICING = {"p": "stop", "b": "stop", "s": "fricative", "z": "fricative"}


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (DIGITS, {"accuracy", "accuracy_uniform", "balanced_accuracy"}),
        (
            VOICING,
            {
                *("accuracy", "folded_accuracy", "folded_accuracy_uniform"),
                "balanced_folded_accuracy",
            },
        ),
        # The phones themselves, each scored on its own.
        ({c: c for c in CLASSES}, {"accuracy", "accuracy_uniform", "balanced_accuracy"}),
    ],
)
def test_scores_are_called_after_what_the_labels_have(groups, names):
    classes = tuple(groups)
    rng = np.random.default_rng(2)
    labels = np.concatenate([np.arange(len(classes)), rng.integers(0, len(classes), 90)])
    probabilities = rng.random((len(labels), len(classes)))
    scores = classification_scores(labels, probabilities, 3, classes, groups)
    assert set(scores) == {"examples", "per_phone", *names}
    said = probabilities.argmax(axis=1)
    meant = [groups[classes[y]] for y in labels]
    right = np.array([groups[classes[y]] == g for y, g in zip(said, meant, strict=True)])
    folded = len(set(groups.values())) < len(classes)
    assert scores["accuracy"] == pytest.approx(np.mean(said == labels))
    assert scores["folded_accuracy" if folded else "accuracy"] == pytest.approx(right.mean())
    recalls = [right[np.array(meant) == g].mean() for g in set(meant)]
    balanced = "balanced_folded_accuracy" if folded else "balanced_accuracy"
    assert scores[balanced] == pytest.approx(np.mean(recalls))
    own = accuracy_names(classes, groups)
    assert recorded_names(scores) == own
    # Old records call them after phones, and are read as such.
    old = own.renamed(scores, PHONE_ACCURACIES)
    assert recorded_names(old) == PHONE_ACCURACIES
    assert PHONE_ACCURACIES.renamed(old, own) == scores


def test_names_of_phones_stay():
    assert accuracy_names() == PHONE_ACCURACIES
    assert PHONE_ACCURACIES.called("balanced_accuracy_39") == "balanced_accuracy_39"
    plain = accuracy_names(tuple(DIGITS), DIGITS)
    assert plain.called("accuracy_39_uniform") == "accuracy_uniform"
    assert plain.called("euclidean_error") == "euclidean_error"
