"""Intervals beside SciPy's."""

import numpy as np
import pytest
import scipy.stats

from zoo.evaluation.statistics import mean_interval


@pytest.mark.parametrize("count", [2, 3, 5, 10, 31])
def test_the_interval_is_that_of_students_distribution(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    mean, half = mean_interval(values)
    low, high = scipy.stats.t.interval(
        0.95, count - 1, loc=values.mean(), scale=scipy.stats.sem(values)
    )
    assert mean == pytest.approx(values.mean())
    assert half == pytest.approx((high - low) / 2, rel=1e-3)
    assert (mean - half, mean + half) == pytest.approx((low, high), abs=1e-3 * half)


def test_many_values_get_an_interval_that_is_at_most_a_little_too_wide():
    values = np.random.default_rng(0).normal(size=200)
    _, half = mean_interval(values)
    exact = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, 199)
    assert exact < half < 1.04 * exact


def test_one_value_has_no_interval():
    assert mean_interval([0.5]) == (0.5, None)
