"""Simulated annealing: neighbours, acceptance, and that the error falls."""

import math

import numpy as np
import pytest

from tests.helpers.networks import network, spectrograms
from zoo.errors import UsageError
from zoo.inversion import reconstruct
from zoo.inversion.annealing import acceptance, neighbours


def test_acceptance_is_the_formula():
    error = np.array([2.0, 2.0, 2.0, 2.0])
    new = np.array([1.0, 2.0, 2.5, 4.0])
    found = acceptance(error, new, np.full(4, 0.5))
    np.testing.assert_allclose(found, [1, 1, math.exp(-1), math.exp(-4)], rtol=1e-12)


def test_nothing_worse_is_accepted_at_temperature_0():
    cold = np.zeros(3)
    np.testing.assert_array_equal(
        acceptance(np.ones(3), np.array([0.5, 1, 1.0001]), cold), [1, 1, 0]
    )


def test_neighbours_differ_in_a_band_by_half_its_elements_in_one_direction():
    rng = np.random.default_rng(0)
    x = spectrograms(400)
    change = neighbours(x, rng, band=5, amplitude=0.05).astype("float64") - x
    touched = (np.abs(change) > 0).any(axis=(2, 3))
    whole = []
    for one, rows in zip(change, touched, strict=True):
        found = np.flatnonzero(rows)
        if len(found):
            assert found[-1] - found[0] < 5
            sign = np.sign(one[one != 0])
            assert (sign == sign[0]).all()
        if len(found) == 5:
            whole.append(np.mean(one[found] != 0))
    assert np.abs(change).max() < 0.05 + 1e-6
    assert np.abs(change).max() > 0.045
    assert np.mean(whole) == pytest.approx(0.5, abs=0.02)
    # Bands reach over the borders, so that border rows change as often as others.
    often = touched.mean(axis=0)
    assert often.min() > 0.5 * often.mean()


def test_the_error_falls_and_the_best_is_kept():
    result = reconstruct(network(), "L3", spectrograms(3), "annealing", steps=400, amplitude=0.3)
    assert (result.error < 0.7 * result.history[0]).all()
    assert (result.error <= result.history.min(axis=0) * (1 + 1e-4)).all()


def test_a_start_that_is_the_target_stays():
    x = spectrograms(2)
    result = reconstruct(network(), "L3", x, "annealing", start=x, steps=20)
    np.testing.assert_array_equal(result.reconstruction, x)


@pytest.mark.parametrize("options", [{"band": 0}, {"amplitude": 0}, {"temperature": -1}])
def test_settings_of_no_use_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        reconstruct(network(), "L3", spectrograms(1), "annealing", **options)
