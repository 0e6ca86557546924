"""What inputs are like before their activity is seen: against covariances and refits by hand."""

import numpy as np
import pytest

from tests.helpers.networks import network, spectrograms
from zoo.inversion import reconstruct
from zoo.inversion.priors import RIDGE, of_errors, regression, smooth


def covariance_of(prior, shape):
    """Of what `inputs` makes of unit noise, in closed form: (elements, elements)."""
    count = int(np.prod(shape))
    moved = np.asarray(prior.inputs(np.eye(count, dtype="float32").reshape(-1, *shape), 0.0))
    columns = moved.reshape(count, count)
    return columns.T @ columns


def test_the_smooth_priors_correlation_falls_with_distance():
    prior = smooth(np.zeros((1, 6, 4, 1), "float32"), 2.0)
    covariance = covariance_of(prior, (6, 4, 1)).reshape(6, 4, 6, 4)
    assert covariance[2, 1, 2, 1] == pytest.approx(4.0, rel=1e-4)
    assert covariance[2, 1, 5, 3] == pytest.approx(4 * np.exp(-3 / 8 - 2 / 4), rel=1e-4)


def test_a_prior_of_errors_has_their_covariance_where_it_is_a_product():
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(size=(3, 3)), rng.normal(size=(2, 2))
    errors = np.einsum("fg,ngu,tu->nft", rows, rng.normal(size=(40000, 3, 2)), columns)[..., None]
    found = covariance_of(of_errors(np.zeros((1, 3, 2, 1)), errors), (3, 2, 1))
    expected = np.einsum("fg,hg,tu,vu->fthv", rows, rows, columns, columns).reshape(6, 6)
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.max())


def test_the_regression_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    activity, inputs = rng.normal(size=(30, 7)), rng.normal(size=(30, 3, 2, 1))
    found = regression(activity, inputs)
    centred = activity - activity.mean(axis=0)
    covariance = centred.T @ centred
    penalty = RIDGE * np.linalg.eigvalsh(covariance)[-1]
    weights = np.linalg.solve(
        covariance + penalty * np.eye(7), centred.T @ (inputs - inputs.mean(0)).reshape(30, -1)
    )
    new = rng.normal(size=(4, 7))
    expected = (new - activity.mean(0)) @ weights + inputs.mean(0).reshape(-1)
    np.testing.assert_allclose(
        found.estimate(new.astype("float32")).reshape(4, -1), expected, atol=2e-3
    )


def test_the_regressions_errors_are_those_of_leaving_one_out():
    rng = np.random.default_rng(0)
    activity = rng.normal(size=(40, 5))
    inputs = (activity @ rng.normal(size=(5, 6)) + rng.normal(size=(40, 6))).reshape(40, 3, 2, 1)
    errors = regression(activity, inputs).errors
    for n in (0, 17, 39):
        rest = np.arange(40) != n
        refitted = regression(activity[rest], inputs[rest]).estimate(activity[n : n + 1])[0]
        # The means are those of all examples, which changes little.
        assert np.linalg.norm(errors[n] - (inputs[n] - refitted)) < 0.1 * np.linalg.norm(errors[n])


def test_training_inputs_bring_back_what_the_activity_has_lost():
    model, x = network(), spectrograms(6, seed=5)
    found = {
        name: reconstruct(model, "L3", x, **options).distance.mean()
        for name, options in {
            "training": {"training": spectrograms(400, seed=2)},
            "smooth": {},
            "bold": {"optimizer": "bold"},
        }.items()
    }
    assert found["training"] < 0.75 * found["smooth"]
    assert found["smooth"] < 0.75 * found["bold"]


def test_the_start_is_the_estimate_of_the_training_inputs():
    model, x, training = network(), spectrograms(3, seed=5), spectrograms(100, seed=2)
    result = reconstruct(model, "fc2", x, training=training, steps=30)
    assert (result.error < 0.5 * ((result.start - x) ** 2).sum()).all()
    assert (result.history[-1] < result.history[0]).all()
    own = np.linalg.norm((result.start - x).reshape(3, -1), axis=1)
    others = np.linalg.norm((result.start - x[[1, 2, 0]]).reshape(3, -1), axis=1)
    assert own.mean() < others.mean()
