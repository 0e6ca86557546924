"""Intervals beside SciPy's."""

import numpy as np
import pytest
import scipy.stats

from zoo.evaluation.statistics import mean_interval


@pytest.mark.parametrize("count", [2, 3, 5, 10, 31, 200])
def test_the_interval_is_that_of_students_distribution(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    mean, half = mean_interval(values)
    assert mean == pytest.approx(values.mean())
    low, high = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_the_interval_is_that_of_a_printed_table():
    # 4.303 is the quantile for 2 degrees of freedom; the standard deviation is 1.
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 4.303 / 3**0.5), rel=1e-4)


def test_one_value_has_no_interval():
    assert mean_interval([0.5]) == (0.5, None)
