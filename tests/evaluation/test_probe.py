"""Probes beside literal counts and an explicit leave-one-out."""

import numpy as np
import pytest

from zoo.evaluation.probe import STRENGTHS, linear_probe, nearest_neighbours

RNG = np.random.default_rng(0)
CLASSES = 3


def clusters(count, elements=6, noise=0.6):
    """Codes (count, elements) around a centre for each class, and their labels."""
    centres = np.random.default_rng(1).normal(size=(CLASSES, elements))
    labels = np.arange(count) % CLASSES
    return centres[labels] + noise * RNG.normal(size=(count, elements)), labels


def ridge(known, target, asked, penalty):
    middle, offset = known.mean(axis=0), target.mean(axis=0)
    centred = known - middle
    gram = centred.T @ centred + penalty * np.eye(known.shape[1])
    return (asked - middle) @ np.linalg.solve(gram, centred.T @ (target - offset)) + offset


@pytest.mark.parametrize("count", [12, 30])
def test_the_linear_probe_is_the_ridge_regression_that_leaving_out_prefers(count):
    known, labels = clusters(count)
    asked, _ = clusters(7)
    target = np.eye(CLASSES)[labels]
    singular = np.linalg.svd(known - known.mean(axis=0), compute_uv=False)
    middle, offset = known.mean(axis=0), target.mean(axis=0)
    errors, answers = [], []
    for penalty in STRENGTHS * np.mean(singular**2):
        answers.append(ridge(known, target, asked, penalty))
        centred = known - middle
        gram = centred.T @ centred + penalty * np.eye(known.shape[1])
        hat = centred @ np.linalg.solve(gram, centred.T) + 1 / count
        missed = target - offset - (hat - 1 / count) @ (target - offset)
        errors.append(((missed / (1 - np.diag(hat))[:, None]) ** 2).sum())
    best = answers[int(np.argmin(errors))]
    np.testing.assert_allclose(linear_probe(known, labels, asked, CLASSES), best, atol=1e-8)


def test_leaving_out_by_leverage_is_leaving_out_and_fitting_anew():
    """The shortcut of the probe, where nothing is shrunk."""
    known, labels = clusters(15, elements=4)
    target = np.eye(CLASSES)[labels]
    centred = known - known.mean(axis=0)
    left, _, _ = np.linalg.svd(centred, full_matrices=False)
    fitted = left @ (left.T @ (target - target.mean(axis=0))) + target.mean(axis=0)
    leverage = (left**2).sum(axis=1) + 1 / len(known)
    quick = (target - fitted) / (1 - leverage)[:, None]
    for one in range(len(known)):
        others = np.arange(len(known)) != one
        anew = ridge(known[others], target[others], known[one : one + 1], 0.0)
        np.testing.assert_allclose(quick[one], target[one] - anew[0], atol=1e-8)


def test_both_find_classes_that_lie_apart():
    known, labels = clusters(60, noise=0.1)
    asked, right = clusters(90, noise=0.1)
    for find in (linear_probe, nearest_neighbours):
        np.testing.assert_array_equal(find(known, labels, asked, CLASSES).argmax(axis=1), right)


def test_neighbours_vote_and_the_nearest_decides_between_equal_votes():
    known = np.array([[0.0], [1.0], [1.1], [5.0], [6.0]])
    labels = np.array([0, 1, 1, 2, 2])
    votes = nearest_neighbours(known, labels, np.array([[0.2], [4.0], [5.4]]), CLASSES, count=3)
    assert votes.argmax(axis=1).tolist() == [1, 2, 2]
    tied = nearest_neighbours(known, labels, np.array([[0.4], [0.6]]), CLASSES, count=2)
    assert tied.argmax(axis=1).tolist() == [0, 1]
    # More neighbours than there are known examples: all vote.
    assert nearest_neighbours(known, labels, known, CLASSES, count=99).shape == (5, CLASSES)


def test_votes_are_those_of_a_literal_search():
    known, labels = clusters(40, noise=1.5)
    asked, _ = clusters(50, noise=1.5)
    found = nearest_neighbours(known, labels, asked, CLASSES)
    for x, votes in zip(asked, found, strict=True):
        near = np.argsort(((known - x) ** 2).sum(axis=1))[:5]
        counts = np.bincount(labels[near], minlength=CLASSES)
        winners = np.flatnonzero(counts == counts.max())
        expected = next(labels[n] for n in near if labels[n] in winners)
        if len(winners) == 1:
            assert votes.argmax() == expected
        else:
            assert votes.argmax() in winners
