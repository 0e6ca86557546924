"""The last layer that is fitted first, against scikit-learn's logistic regression."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import zoo
from zoo.cli import main
from zoo.data.sets.samplers import label_subset
from zoo.errors import UsageError
from zoo.training.classifier import Settings, train_classifier
from zoo.training.probing import fit_last_layer, logistic_regression


def blobs(count=90, dimensions=6, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    return rng.normal(size=(classes, dimensions))[y] + rng.normal(size=(count, dimensions)), y


@pytest.mark.parametrize("penalty", [0.5, 10.0])
def test_it_is_the_regression_that_scikit_learn_finds(penalty):
    x, y = blobs()
    coefficients, intercepts = logistic_regression(x, y, 4, penalty)
    other = LogisticRegression(C=1 / penalty, max_iter=2000, tol=1e-8).fit(x, y)
    np.testing.assert_allclose(coefficients, other.coef_.T, atol=2e-3)
    # Intercepts are told apart up to a constant.
    centred = other.intercept_ - other.intercept_.mean()
    np.testing.assert_allclose(intercepts - intercepts.mean(), centred, atol=2e-3)


def network(classes=5):
    inputs = keras.Input((3, 2, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dropout(0.4)(keras.layers.Dense(6, activation="tanh", name="hidden")(x))
    x = keras.layers.Dense(classes, name="fc")(x)
    return keras.Model(inputs, keras.layers.Activation("softmax")(x))


def test_the_network_then_answers_as_the_regression_does():
    x, y = blobs()
    model, images = network(), (100 * x).reshape(-1, 3, 2, 1).astype("float32")
    hidden = model.get_layer("hidden").get_weights()
    fit_last_layer(model, images, y)
    for before, after in zip(hidden, model.get_layer("hidden").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    code = np.tanh((100 * x) @ hidden[0] + hidden[1])
    scaled = (code - code.mean(axis=0)) / (code.std(axis=0) + 1e-3)
    other = LogisticRegression(C=0.1, max_iter=2000).fit(scaled, y)
    answers = np.asarray(model.predict_on_batch(images))
    # No example is of the last class.
    assert answers[:, 4].max() < 1e-3
    np.testing.assert_allclose(answers[:, :4], other.predict_proba(scaled), atol=0.01)


def test_a_training_begins_with_the_fitted_layer(small_set, tmp_path):
    settings = Settings(
        epochs=1, per_class=4, labels_per_class=5, learning_rate=1e-9, probe_first=True
    )
    run = train_classifier("time", small_set, tmp_path / "run", settings)
    fitted, model = zoo.load(run), zoo.load(run)
    labels = small_set.labels("train")
    chosen = label_subset(labels, 5, settings.seed)
    fit_last_layer(model, small_set.features("train")[chosen], labels[chosen])
    kernel = fitted.get_layer("fc2").get_weights()[0]
    assert np.abs(kernel).max() > 0
    again = model.get_layer("fc2").get_weights()[0]
    np.testing.assert_allclose(kernel, again, atol=1e-3 * np.abs(again).max())


def test_what_cannot_be_fitted_first_is_refused(small_set, tmp_path, capsys):
    recurrent = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(2)])
    with pytest.raises(UsageError, match=r"the last layer of .* is not a dense layer"):
        fit_last_layer(recurrent, np.zeros((2, 4, 3)), np.arange(2))
    words = ["train", "time", "--data", str(small_set.path), "--out", str(tmp_path / "run")]
    assert main([*words, "--probe-first", "--weights", "time-synthetic"]) == 2
    assert "--probe-first and --weights exclude each other" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
