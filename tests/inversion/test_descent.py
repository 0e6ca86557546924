"""Gradient descent on the input: the bold driver's rule, penalties and the other optimisers."""

import numpy as np
import pytest
from keras import ops

from tests.helpers.networks import network, spectrograms
from zoo.inversion import reconstruct
from zoo.inversion.activity import activity_model
from zoo.inversion.backend import outputs
from zoo.inversion.descent import GradientSettings, _Problem, descend
from zoo.inversion.priors import of_errors


@pytest.fixture(scope="module")
def model():
    return network()


def objective_of(net, settings, prior=None):
    """Values and gradients in NumPy."""

    def both(x, target):
        problem = _Problem(net, target, settings, prior)
        return [np.asarray(v) for v in problem(ops.convert_to_tensor(x))]

    return both


def test_gradients_are_those_of_finite_differences(model):
    net = activity_model(model, "L6")
    x, target = spectrograms(2, seed=3).astype("float32"), outputs(net, spectrograms(2))
    settings = GradientSettings(l2=0.3)
    objective = objective_of(net, settings)
    _, gradient = objective(x, target)
    rng = np.random.default_rng(0)
    for _ in range(5):
        direction = rng.normal(size=x.shape).astype("float32")
        step = 1e-3
        ahead, behind = (objective(x + s * direction, target)[0] for s in (step, -step))
        slope = np.sum(gradient * direction, axis=(1, 2, 3))
        np.testing.assert_allclose((ahead - behind) / (2 * step), slope, rtol=0.02, atol=0.02)


def test_penalties_are_what_they_are_called(model):
    net = activity_model(model, "conv1")
    x = spectrograms(2)
    settings = GradientSettings(l2=0.5, total_variation=2.0)
    values, gradient = objective_of(net, settings)(x, outputs(net, x))
    down, across = np.abs(np.diff(x, axis=1)), np.abs(np.diff(x, axis=2))
    expected = [
        0.25 * np.sum(e**2) + 2 * (np.sum(d) + np.sum(a))
        for e, d, a in zip(x, down, across, strict=True)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    # The activity is the target: what is left of the gradient is that of the penalties.
    slope = 0.5 * x
    for axis in (1, 2):
        sign = np.sign(np.diff(x, axis=axis))
        pad = [(0, 0)] * 4
        ahead, behind = ([*pad[:axis], p, *pad[axis + 1 :]] for p in ((1, 0), (0, 1)))
        slope = slope + 2 * (np.pad(sign, ahead) - np.pad(sign, behind))
    np.testing.assert_allclose(gradient, slope, atol=1e-4)


@pytest.mark.parametrize("rate", [None, 3.0])
def test_bold_driver_rises_by_a_hundredth_and_falls_by_a_tenth(model, rate):
    result = reconstruct(
        model, "L3", spectrograms(3), optimizer="bold", steps=60, learning_rate=rate
    )
    history, factors = result.history, result.factors
    assert (factors[0] == 1).all()
    assert len(history) == len(factors)
    rose = fell = 0
    for before, after, f, g in zip(history, history[1:], factors, factors[1:], strict=False):
        for e, new, factor, next_factor in zip(before, after, f, g, strict=True):
            expected = 1.01 if new < e else 0.9 if new > e else 1.0
            if factor >= 0.005:
                assert next_factor == pytest.approx(factor * expected, rel=1e-5)
            rose, fell = rose + (new > e), fell + (new < e)
    # With a rate far too high the step that raised the error is kept, not undone.
    assert fell > 20 if rate is None else rose > 5


def test_steps_are_those_of_the_rule_done_by_hand(model):
    net = activity_model(model, "L3")
    target, x = outputs(net, spectrograms(1)), spectrograms(1, seed=8)
    settings = GradientSettings("bold", steps=12, learning_rate=0.2, l2=0.0)
    found = descend(net, target, x, settings)
    objective = objective_of(net, settings)
    factor, history, lowest = 1.0, [], (np.inf, x)
    error, gradient = objective(x, target)
    for _ in range(12):
        x = x - np.float32(0.2 * factor) * gradient
        new, gradient = objective(x, target)
        factor *= 1.01 if new[0] < error[0] else 0.9
        lowest = min(lowest, (new[0], x), key=lambda pair: pair[0])
        error = new
        history.append(new[0])
    np.testing.assert_allclose(found.history[1:, 0], history, rtol=1e-3)
    np.testing.assert_allclose(found.inputs, lowest[1], atol=1e-4)


def test_an_input_is_done_when_its_factor_is_below_the_limit(model):
    # No step of this size ever lowers the error again.
    options = {"optimizer": "bold", "steps": 200, "learning_rate": 1e6}
    result = reconstruct(model, "conv1", spectrograms(2), **options)
    assert len(result.history) < 80
    assert (result.factors[-1] < 0.005).all()
    assert (result.factors[-1] >= 0.005 * 0.9 * (1 - 1e-6)).all()
    assert np.isfinite(result.reconstruction).all()


def test_a_start_that_is_the_target_stays(model):
    x = spectrograms(2)
    for optimizer in ("bold", "adam", "lbfgs"):
        result = reconstruct(model, "L6", x, start=x, optimizer=optimizer, steps=5)
        np.testing.assert_array_equal(result.reconstruction, x)
        np.testing.assert_allclose(result.error, 0, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["bold", "adam", "lbfgs"])
@pytest.mark.parametrize("layer", ["L1", "fc2"])
def test_every_optimiser_ends_below_its_start(model, optimizer, layer):
    result = reconstruct(model, layer, spectrograms(3), optimizer=optimizer, steps=25)
    assert (result.error < 0.97 * result.history[0]).all()


@pytest.mark.parametrize(
    "options", [{"optimizer": "bold"}, {}, {"prior": "none"}], ids=["bold", "lbfgs", "no prior"]
)
def test_inputs_do_not_move_each_other(model, options):
    # Of a common scale, which the smooth prior's is.
    x = spectrograms(3)
    x /= np.sqrt(np.mean(x**2, axis=(1, 2, 3), keepdims=True))
    start = spectrograms(3, seed=9)
    together = reconstruct(model, "L6", x, start=start, steps=10, **options)
    alone = reconstruct(model, "L6", x[1:2], start=start[1:2], steps=10, **options)
    np.testing.assert_allclose(together.reconstruction[1:2], alone.reconstruction, atol=2e-3)


def test_total_variation_smooths(model):
    x = spectrograms(2)
    rough, smooth = (
        reconstruct(model, "L6", x, optimizer="adam", steps=60, total_variation=w).reconstruction
        for w in (0.0, 0.02)
    )
    assert np.abs(np.diff(smooth, axis=1)).sum() < np.abs(np.diff(rough, axis=1)).sum()


def test_a_priors_gradients_are_those_of_finite_differences(model):
    net = activity_model(model, "L6")
    x = spectrograms(2).astype("float32")
    prior = of_errors(0.1 * x, spectrograms(40, seed=7))
    objective = objective_of(net, GradientSettings(total_variation=0.1), prior)
    rng = np.random.default_rng(0)
    z = rng.normal(size=x.shape).astype("float32")
    _, gradient = objective(z, outputs(net, x))
    for _ in range(4):
        direction = rng.normal(size=x.shape).astype("float32")
        ahead, behind = (objective(z + s * direction, outputs(net, x))[0] for s in (1e-3, -1e-3))
        slope = np.sum(gradient * direction, axis=(1, 2, 3))
        np.testing.assert_allclose((ahead - behind) / 2e-3, slope, rtol=0.02, atol=0.5)


def test_what_is_minimised_with_a_prior_is_what_its_docstring_says(model):
    net = activity_model(model, "L3")
    x = spectrograms(2)
    target = outputs(net, x)
    prior = of_errors(np.zeros_like(x), spectrograms(40, seed=7))
    z = spectrograms(2, seed=3)
    values, _ = objective_of(net, GradientSettings(), prior)(z, target)
    moved = np.einsum("fg,bguc,tu->bftc", prior.rows, z, prior.columns) * prior.scale
    mean = outputs(net, np.zeros_like(x[:1]))
    for n in range(2):
        error = 0.5 * np.sum((outputs(net, moved[n : n + 1]) - target[n]) ** 2)
        allowed = 0.01 * np.mean((target[n] - mean) ** 2)
        expected = error / allowed + 0.5 * np.sum(z[n] ** 2)
        assert values[n] == pytest.approx(expected, rel=1e-4)
