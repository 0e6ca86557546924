"""Measures of likeness beside sums over every lag."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.evaluation.measures import normalised_cross_correlation

RNG = np.random.default_rng(0)


def brute_force(a, b, absolute=False):
    """Every lag along every axis, summed with loops over lags alone."""
    found = []
    for x, y in zip(a, b, strict=True):
        padded = np.pad(y, [(n - 1, n - 1) for n in x.shape])
        sums = [
            (x * padded[tuple(slice(i, i + n) for i, n in zip(lag, x.shape, strict=True))]).sum()
            for lag in itertools.product(*(range(2 * n - 1) for n in x.shape))
        ]
        best = np.abs(sums).max() if absolute else np.max(sums)
        found.append(best / (np.linalg.norm(x) * np.linalg.norm(y)))
    return np.array(found)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    absolute=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_is_the_best_of_all_lags(shape, absolute, seed):
    a, b = np.random.default_rng(seed).standard_normal((2, 3, *shape))
    found = normalised_cross_correlation(a, b, absolute=absolute)
    np.testing.assert_allclose(found, brute_force(a, b, absolute), atol=1e-10)
    back = normalised_cross_correlation(b, a, absolute=absolute)
    np.testing.assert_allclose(found, back, atol=1e-10)


def test_by_hand():
    a = np.array([[0.0, 1.0, 2.0, 0.0], [3.0, 4.0, 0.0, 0.0]])
    b = np.array([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 4.0, 3.0]])
    np.testing.assert_allclose(normalised_cross_correlation(a, b), [1.0, 24 / 25])


def test_scaled_and_shifted_copies_are_alike_and_negatives_are_if_signs_do_not_count():
    a = np.pad(RNG.standard_normal((1, 50)), ((0, 0), (10, 10)))
    b = 7 * np.roll(a, 10, axis=1)
    np.testing.assert_allclose(normalised_cross_correlation(a, b), 1)
    assert normalised_cross_correlation(a, -b) < 0.9
    np.testing.assert_allclose(normalised_cross_correlation(a, -b, absolute=True), 1)


def test_silence_is_like_nothing():
    zero = np.zeros((2, 5))
    np.testing.assert_array_equal(normalised_cross_correlation(zero, np.ones((2, 5))), [0, 0])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"of one shape; received \(2, 5\) and \(2, 4\)"):
        normalised_cross_correlation(np.zeros((2, 5)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"received \(5,\)"):
        normalised_cross_correlation(np.zeros(5), np.zeros(5))
