"""L-BFGS of a batch, beside SciPy's of one point at a time."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from zoo.inversion.lbfgs import minimise


def rosenbrock(points):
    return (
        np.array([rosen(p) for p in points.astype("float64")]),
        np.array([rosen_der(p) for p in points.astype("float64")]),
    )


def quadratics(count, size):
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(count, size, size)))[0]
    curvature = turned @ (np.logspace(0, 3, size)[:, None] * turned.transpose(0, 2, 1))
    centre = rng.normal(size=(count, size))

    def function(points):
        gradient = np.einsum("nij,nj->ni", curvature, points - centre)
        return 0.5 * np.sum(gradient * (points - centre), axis=1), gradient

    return function


def test_every_point_comes_as_low_as_scipy_brings_it():
    start = np.array([[-1.2, 1.0, 0.5], [2.0, -1.0, 0.0], [0.0, 0.0, 0.0]], "float32")
    found = minimise(rosenbrock, start, np.ones(3, bool), 200)
    for n, point in enumerate(start):
        alone = minimize(rosen, point, jac=rosen_der, method="L-BFGS-B")
        np.testing.assert_allclose(found.points[n], alone.x, atol=0.02)
    assert (np.diff(found.history, axis=0) <= 0).all()


def test_quadratic_functions_are_minimised_in_about_as_many_iterations_as_scipy_takes():
    function = quadratics(4, 20)
    found = minimise(function, np.zeros((4, 20), "float32"), np.ones(4, bool), 60)
    for n in range(4):

        def one(x, n=n):
            values, gradients = function(np.repeat(x[None], 4, axis=0))
            return values[n], gradients[n]

        options = {"maxiter": 60, "ftol": 1e-15}
        alone = minimize(one, np.zeros(20), jac=True, method="L-BFGS-B", options=options)
        assert found.history[-1, n] < 1e-4 * found.history[0, n]
        assert alone.fun < 1e-4 * found.history[0, n]


def test_points_do_not_move_each_other_and_those_at_rest_stay():
    function = quadratics(3, 8)
    start = np.random.default_rng(1).normal(size=(3, 8)).astype("float32")
    together = minimise(function, start, np.array([True, True, False]), 7)

    def second(points):
        values, gradients = function(np.repeat(points, 3, axis=0))
        return values[1:2], gradients[1:2]

    alone = minimise(second, start[1:2], np.ones(1, bool), 7)
    np.testing.assert_allclose(together.points[1], alone.points[0], rtol=1e-5)
    np.testing.assert_array_equal(together.points[2], start[2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_steps_into_nothing_are_shortened(value):
    def function(points):
        inside = points[:, 0] < 1
        return np.where(inside, -points[:, 0], value), -np.ones_like(points)

    found = minimise(function, np.array([[0.9]], "float32"), np.ones(1, bool), 20)
    assert 0.9 < found.points[0, 0] < 1
