"""Whole recordings of their own lengths, fed to a model."""

import keras
import numpy as np
import pytest

from zoo.data.sets.samplers import NaturalEpochs
from zoo.training.recordings import Recordings

SHAPE = (4, None, 1)


def recordings(lengths, seed):
    rng = np.random.default_rng(0)
    examples = [rng.normal(size=(4, n, 1)).astype("float32") for n in lengths]
    labels = np.arange(len(lengths)) % 2
    return Recordings(examples, labels, SHAPE, NaturalEpochs(labels, seed), 2, seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_model_is_fitted_whichever_lengths_come_first(seed):
    batches = recordings([5] * 8 + [9] * 2, seed)
    inputs = keras.Input(SHAPE)
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("lengths", [[5] * 8 + [9] * 2, [5] * 6, [5, 9], [5]])
def test_an_epoch_holds_every_recording_once_and_differs_at_once_where_any_differ(lengths):
    batches = recordings(lengths, 1)
    for _ in range(3):
        found = [batches[n] for n in range(len(batches))]
        assert sum(len(labels) for _, labels in found) == len(lengths)
        widths = [x.shape[2] for x, _ in found]
        if len(set(widths)) > 1:
            assert widths[0] != widths[1]
        batches.on_epoch_end()
