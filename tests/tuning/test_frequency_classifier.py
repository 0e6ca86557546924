"""The search space around `freq_fullpad`."""

import keras
import keras_tuner
import numpy as np
import pytest

from tuning import FrequencyClassifier
from zoo.errors import UsageError


@pytest.mark.parametrize("shape", [(201, 16, 1), (201, 25, 1), (40, 16, 2), (11, 4, 1)])
def test_every_drawn_combination_fits_its_input(shape):
    space = FrequencyClassifier(shape)
    hp = keras_tuner.HyperParameters()
    space.build(hp)
    for seed in range(6):
        drawn = hp.copy()
        drawn.values = {h.name: h.random_sample(seed=seed) for h in hp.space}
        assert space.build(drawn).output_shape == (None, 48)


def test_an_input_without_room_is_refused():
    with pytest.raises(UsageError, match="leaves no room for two units"):
        FrequencyClassifier((4, 16, 1)).build(keras_tuner.HyperParameters())


def test_a_search_finds_a_model_by_folded_accuracy(tmp_path):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 32)
    # Class 1 has its energy in the upper bins.
    x = rng.normal(size=(64, 20, 4, 1)).astype("float32")
    x[labels == 1, 10:] += 3
    tuner = keras_tuner.RandomSearch(
        FrequencyClassifier((20, 4, 1)),
        objective=keras_tuner.Objective("val_accuracy_39", "max"),
        max_trials=2,
        seed=1,
        directory=tmp_path,
        project_name="search",
    )
    tuner.search(x, labels, validation_data=(x, labels), epochs=6, batch_size=16, verbose=0)
    assert len(tuner.oracle.trials) == 2
    assert tuner.oracle.get_best_trials()[0].score > 0.9
