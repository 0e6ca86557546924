"""Functions of whole networks beside what Keras gives for them."""

import gc

import keras
import numpy as np
import pytest

import zoo
from zoo.ops.compilation import answering


@pytest.mark.parametrize(("name", "size"), [("freq", (201, 16, 1)), ("crnn_frames", (40, 30, 1))])
def test_a_network_answers_as_keras_lets_it(name, size):
    keras.utils.set_random_seed(0)
    model = zoo.build(name)
    answer = answering(model)
    for batch in (1, 3):
        x = np.random.default_rng(batch).normal(size=(batch, *size)).astype("float32")
        found = answer(x)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, model.predict_on_batch(x), atol=1e-6)


def test_weights_that_change_change_the_answer():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    answer, x = answering(model), np.array([[1.0, 2.0]], "float32")
    for weights in ([[1.0], [10.0]], [[3.0], [4.0]]):
        model.set_weights([np.array(weights, "float32"), np.array([0.5], "float32")])
        np.testing.assert_allclose(answer(x), x @ np.array(weights) + 0.5)


def test_dropout_is_off_and_normalisation_as_it_was_learnt():
    x = keras.Input((3,))
    y = keras.layers.Dropout(0.9)(keras.layers.BatchNormalization(epsilon=0.0)(x))
    model = keras.Model(x, y)
    model.layers[1].set_weights(
        [np.array(v, "float32") for v in ([2] * 3, [1] * 3, [3] * 3, [4] * 3)]
    )
    given = np.array([[3.0, 5.0, 7.0]], "float32")
    np.testing.assert_allclose(answering(model)(given), (given - 3) / 2 * 2 + 1)


def test_a_network_that_nobody_else_holds_still_answers():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    answer = answering(model)
    del model
    gc.collect()
    np.testing.assert_allclose(answer(np.array([[1.0, 2.0]], "float32")), [[3.0]])
