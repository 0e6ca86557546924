"""The lowest TensorFlow that pyproject.toml allows builds, trains, saves and exports a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.build("freq_fullpad")


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).standard_normal((4, 201, 16, 1)).astype("float32")


def test_this_is_the_lowest_supported():
    assert tf.__version__.startswith("2.16.")


def test_forward(model, features):
    probabilities = keras.ops.convert_to_numpy(model(features))
    assert model.input_shape == (None, 201, 16, 1)
    assert probabilities.shape == (4, 48)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_one_training_step_changes_the_weights(model, features):
    before = [np.array(weight) for weight in model.get_weights()]
    model.compile(keras.optimizers.Adagrad(0.01), "sparse_categorical_crossentropy")
    loss = model.train_on_batch(features, np.arange(4))
    assert np.isfinite(loss)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_savedmodel(model, features, tmp_path):
    model.export(str(tmp_path / "1"), verbose=False)
    reloaded = tf.saved_model.load(str(tmp_path / "1"))
    np.testing.assert_allclose(
        reloaded.serve(features), model.predict(features, verbose=0), atol=1e-5
    )


def test_keras_file(model, features, tmp_path):
    model.save(tmp_path / "model.keras")
    again = zoo.load(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.predict(features, verbose=0), model.predict(features, verbose=0), atol=1e-6
    )
