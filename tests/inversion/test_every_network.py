"""Every model of the zoo has layers whose activity inputs can be reconstructed from."""

import keras
import numpy as np
import pytest

import zoo
from zoo.inversion import layer_names, reconstruct

LENGTHS = {"samples": 4000, "time": 40}
"""Of axes of any length."""


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_models())
def test_inputs_are_reconstructed_from_a_layer_in_the_middle(name):
    keras.utils.set_random_seed(0)
    card, model = zoo.describe(name), zoo.build(name)
    axes = zip(card.axes, model.input_shape[1:], strict=False)
    shape = [LENGTHS.get(axis, 40) if n is None else n for axis, n in axes]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    names = layer_names(model)
    found = reconstruct(model, names[len(names) // 2], x, optimizer="adam", steps=10)
    assert found.reconstruction.shape == x.shape
    assert (found.history.min(axis=0) < found.history[0]).all()
