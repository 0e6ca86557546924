"""A classifier's last layer, fitted by logistic regression before the whole network learns."""

from __future__ import annotations

import keras
import numpy as np

from zoo.data.sets.storage import Examples
from zoo.errors import UsageError

MOST = 20_000
"""Most examples on which a last layer is fitted, drawn evenly."""

PENALTY = 10.0
"""Weight of the penalty, half the squared coefficients, against the sum of the losses."""

ITERATIONS = 200
"""Most iterations of L-BFGS."""

UNSEEN = 10.0
"""How far the bias of a class without examples lies below the lowest of the others."""

BATCH = 256


def fit_last_layer(
    model: keras.Model, features: Examples | np.ndarray, labels: np.ndarray, seed: int = 0
) -> None:
    """Fit the last dense layer to examples, by a linear probe of what the layers before it give.

    Fine-tuning from random last weights changes a pretrained encoder before they mean anything
    (Kumar et al., "Fine-tuning can distort pretrained features and underperform
    out-of-distribution", 2022). Its inputs are standardised for the fit alone.

    Args:
        model: (N, ...) -> (N, classes), the last of whose weights are those of a dense layer.
        features: examples (N, ...).
        labels: class indices (N,).
        seed: random seed of the choice of examples, if there are more than 20,000.

    Raises:
        UsageError: the model does not end in a dense layer.
    """
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    if not isinstance(last, keras.layers.Dense) or len(last.output.shape) != 2:
        raise UsageError(
            f"the last layer of {model.name} is not a dense layer that could be fitted first; "
            "leave --probe-first out."
        )
    chosen = np.arange(len(labels))
    if len(chosen) > MOST:
        chosen = np.sort(np.random.default_rng([seed, 11]).permutation(chosen)[:MOST])
    before = keras.Model(model.input, last.input)
    x = np.concatenate(
        [
            np.asarray(before.predict_on_batch(np.asarray(features[chosen[first : first + BATCH]])))
            for first in range(0, len(chosen), BATCH)
        ]
    ).astype("float64")
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    seen, y = np.unique(labels[chosen], return_inverse=True)
    coefficients, intercepts = logistic_regression((x - mean) / scale, y, len(seen))
    kernel, bias = np.zeros((x.shape[1], last.units)), np.full(last.units, -np.inf)
    kernel[:, seen] = coefficients / scale[:, None]
    bias[seen] = intercepts - mean @ kernel[:, seen]
    bias[np.isinf(bias)] = bias[seen].min() - UNSEEN
    last.set_weights([kernel, bias])


def logistic_regression(
    x: np.ndarray, y: np.ndarray, classes: int, penalty: float = PENALTY
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (D, classes) and intercepts (classes,) of a multinomial logistic regression.

    They minimise the sum of the cross entropies and `penalty / 2` times the squared coefficients.

    Args:
        x: (N, D).
        y: class indices (N,).
        classes: number of classes.
        penalty: weight of the coefficients' squares.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    target = np.eye(classes)[y]
    dimensions = x.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(dimensions + 1, classes)
        logs = log_softmax(x @ weights[:-1] + weights[-1], axis=1)
        error = np.exp(logs) - target
        gradient = np.concatenate([x.T @ error + penalty * weights[:-1], error.sum(axis=0)[None]])
        value = -(target * logs).sum() + penalty / 2 * (weights[:-1] ** 2).sum()
        return value, gradient.ravel()

    start = np.zeros((dimensions + 1) * classes)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}
    ).x.reshape(dimensions + 1, classes)
    return found[:-1], found[-1]
