"""What is kept: spectral distances by hand, and the answers of networks."""

import keras
import numpy as np
import pytest

import zoo
from zoo.inversion.kept import answers, kept, log_spectral_distance


@pytest.fixture(scope="module")
def frontend():
    return zoo.Run.open("freq_overlap-synthetic").frontend


def test_twice_the_magnitude_is_six_decibels_away(frontend):
    x = np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")
    found = log_spectral_distance(x, x + np.float32(np.log(2)), frontend)
    np.testing.assert_allclose(found, 20 * np.log10(2), rtol=1e-4)


def test_the_distance_is_the_mean_over_frames_of_roots_over_bins(frontend):
    first, second = np.random.default_rng(0).normal(size=(2, 1, 201, 16, 1)).astype("float32")
    frames = [
        np.sqrt(np.mean((20 / np.log(10) * (first - second)[0, :, t, 0]) ** 2)) for t in range(16)
    ]
    expected = np.mean(frames)
    assert log_spectral_distance(first, second, frontend)[0] == pytest.approx(expected, rel=1e-5)


def test_other_representations_have_none(small_set):
    x = np.zeros((1, *small_set.shape), "float32")
    with pytest.raises(ValueError, match="those of magnitude"):
        log_spectral_distance(x, x, small_set.frontend)


def test_answers_count_by_groups(frontend):
    """A network that answers with the element of one row that is largest."""
    inputs = keras.Input((201, 16, 1))
    network = keras.Model(inputs, keras.ops.reshape(inputs[:, :4, 0, 0], (-1, 4)))
    x, y = np.zeros((2, 3, 201, 16, 1), "float32")
    x[[0, 1, 2], [0, 1, 2], 0, 0] = 1
    y[[0, 1, 2], [0, 3, 3], 0, 0] = 1
    # Classes 2 and 3 are of one group.
    groups = np.array([0, 1, 2, 2])
    networks = {"own": network}
    answered = answers(x, networks)
    np.testing.assert_array_equal(answered["own"], [0, 1, 2])
    found = kept(x, y, np.array([0, 1, 3]), groups, frontend, networks, answered)
    np.testing.assert_array_equal(found["own_on_inputs"], [1, 1, 1])
    np.testing.assert_array_equal(found["own_accuracy"], [1, 0, 1])
    np.testing.assert_array_equal(found["own_same_answer"], [1, 0, 1])
