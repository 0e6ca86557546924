"""Gradient descent on the input: L-BFGS, the bold driver and Adam."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.inversion.backend import outputs, with_gradient
from zoo.inversion.lbfgs import minimise
from zoo.inversion.priors import Prior
from zoo.inversion.settings import DEFAULT_STEPS, GradientSettings
from zoo.ops.compilation import compiled
from zoo.settings import check

RISE = 1.01
"""Multiplies the bold driver's factor when the error falls."""

CUT = 0.9
"""Multiplies the factor when the error rises; the step that raised it is kept."""

STOP = 0.005
"""Factor below which a reconstruction counts as converged."""

CHUNK = 10
"""Number of steps between two checks of convergence."""

CURVATURE_STEPS = 6
"""Steps of the power iteration that measures the steepest curvature."""

NOISE = 0.01
"""Variance of the activity's noise under a prior, as a share of the mean squared difference from
the mean input's activity: the best of 0.1, 0.01 and 0.001 on dev speakers."""

L2 = 1e-4
"""Default penalty of searches without a prior."""


Tick = Callable[[int], object] | None


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        inputs: the best input of each search, (N, ...).
        history: what was minimised, before the first step and after each, (steps + 1, N).
        factors: the bold driver's factor at the same times, None of other optimisers.
    """

    inputs: np.ndarray
    history: np.ndarray
    factors: np.ndarray | None = None


def activity_error(network: keras.Model, x: Any, target: Any) -> Any:
    """Half the squared Euclidean distance between activities, (N,)."""
    difference = network(x, training=False) - target
    axes = tuple(range(1, len(difference.shape)))
    return 0.5 * ops.sum(ops.square(difference), axis=axes)


def descend(
    network: keras.Model,
    target: np.ndarray,
    start: np.ndarray,
    settings: GradientSettings = GradientSettings(),
    scale: float = 1.0,
    tick: Tick = None,
    prior: Prior | None = None,
) -> Found:
    """Change inputs until their activity is close to the target.

    Args:
        network: (N, ...) -> activity.
        target: activity to reach, (N, ...).
        start: where to start from, (N, ...): inputs, or with a prior its `z`. One whose activity
            is the target stays as it is.
        settings: settings of the descent.
        scale: typical root mean square of an input, for Adam's rate.
        tick: called with the number of steps done, every few steps.
        prior: what is minimised is then the error by the activity's allowed variance, plus half
            the squared length of `z`.

    Raises:
        UsageError: a setting is invalid.
    """
    check(settings)
    problem = _Problem(network, target, settings, prior)
    # An input whose activity is the target already has nothing to gain, whatever its penalties.
    first = start if prior is None else problem.inputs(start)
    running = _errors(network, first, target) > 0
    steps = settings.steps or DEFAULT_STEPS[settings.optimizer]
    if settings.optimizer == "lbfgs":
        found = _lbfgs(problem, start, running, steps, tick)
    elif settings.optimizer == "bold":
        found = _bold(problem, start, settings.learning_rate, _tensor(running), steps, tick)
    else:
        rate = 0.03 * (scale if prior is None else 1.0)
        rate = settings.learning_rate or rate
        found = _adam(problem, start, rate, _tensor(running), steps, tick)
    if prior is None:
        return found
    return dataclasses.replace(found, inputs=problem.inputs(found.inputs))


class _Problem:
    """What is minimised, of each example by itself."""

    def __init__(
        self,
        network: keras.Model,
        target: np.ndarray,
        settings: GradientSettings,
        prior: Prior | None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._prior = prior
        self._goal = _tensor(target)
        if prior is not None:
            self._centre = _tensor(prior.centre)
            mean = outputs(network, np.zeros((1, *prior.centre.shape[1:]), "float32"))
            power = np.square(target - mean, dtype="float64").reshape(len(target), -1).mean(axis=1)
            self._allowed = _tensor(NOISE * np.where(power > 0, power, 1))
            self._inputs = compiled(prior.inputs)

    def inputs(self, z: np.ndarray) -> np.ndarray:
        """Of a prior's `z`."""
        return ops.convert_to_numpy(self._inputs(_tensor(z), self._centre))

    def __call__(self, z: Any) -> tuple[Any, Any]:
        """Tensor (N, ...) -> values (N,) and their gradient (N, ...)."""
        return with_gradient(self._values)(z)

    def _values(self, z: Any) -> Any:
        settings, axes = self._settings, tuple(range(1, len(z.shape)))
        x = z if self._prior is None else self._prior.inputs(z, self._centre)
        error = activity_error(self._network, x, self._goal)
        l2 = settings.l2
        if l2 is None:
            l2 = L2 if self._prior is None else 0.0
        if l2:
            error = error + 0.5 * l2 * ops.sum(ops.square(x), axis=axes)
        if settings.total_variation:
            rough = ops.sum(ops.abs(x[:, 1:] - x[:, :-1]), axis=axes)
            if len(x.shape) > 3:
                rough = rough + ops.sum(ops.abs(x[:, :, 1:] - x[:, :, :-1]), axis=axes)
            error = error + settings.total_variation * rough
        if self._prior is None:
            return error
        return error / self._allowed + 0.5 * ops.sum(ops.square(z), axis=axes)


def _errors(network: keras.Model, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    error = compiled(lambda a, b: activity_error(network, a, b))
    return ops.convert_to_numpy(error(_tensor(x), _tensor(target)))


def _tensor(x: np.ndarray) -> Any:
    return ops.convert_to_tensor(np.asarray(x, "float32"))


def _column(values: Any, x: Any) -> Any:
    """(N,) made to multiply (N, ...)."""
    return ops.reshape(values, (-1, *[1] * (len(x.shape) - 1)))


def _bold(objective, start, learning_rate, running, steps, tick) -> Found:
    if learning_rate is None:
        rate = 1.0 / _curvature(objective, start)
    else:
        rate = np.full(len(start), learning_rate)
    rate = _tensor(rate)

    def step(state):
        x, error, gradient, factor, best, lowest, running = state
        moved = x - _column(rate * factor * running, x) * gradient
        new, gradient = objective(moved)
        # What is not a number counts as a rise.
        change = ops.where(new < error, RISE, ops.where(ops.equal(new, error), 1.0, CUT))
        factor = factor * ops.where(running > 0, change, 1.0)
        better = new < lowest
        best = ops.where(_column(better, x), moved, best)
        lowest = ops.where(better, new, lowest)
        running = running * ops.cast(factor >= STOP, "float32")
        return (moved, new, gradient, factor, best, lowest, running), (new, factor)

    x = _tensor(start)
    error, gradient = compiled(objective)(x)
    ones = ops.ones_like(error)
    state = (x, error, gradient, ones, x, error, running)
    state, (errors, factors) = _run(step, state, (error, ones), steps, tick)
    return Found(ops.convert_to_numpy(state[4]), errors, factors)


def _adam(objective, start, rate, running, steps, tick) -> Found:
    first_decay, second_decay = 0.9, 0.999

    def step(state):
        x, gradient, mean, square, time, best, lowest, running = state
        time = time + 1
        mean = first_decay * mean + (1 - first_decay) * gradient
        square = second_decay * square + (1 - second_decay) * ops.square(gradient)
        size = ops.sqrt(square / _column(1 - second_decay**time, x)) + 1e-12
        direction = mean / _column(1 - first_decay**time, x) / size
        x = x - rate * _column(running, x) * direction
        new, gradient = objective(x)
        better = new < lowest
        best = ops.where(_column(better, x), x, best)
        lowest = ops.where(better, new, lowest)
        return (x, gradient, mean, square, time, best, lowest, running), (new,)

    x = _tensor(start)
    error, gradient = compiled(objective)(x)
    none, time = ops.zeros_like(x), ops.zeros_like(error)
    state = (x, gradient, none, none, time, x, error, running)
    state, (errors,) = _run(step, state, (error,), steps, tick)
    return Found(ops.convert_to_numpy(state[5]), errors)


def _run(step, state, first, steps, tick):
    """Repeat `step`; its record, after the `first` one, as arrays (steps + 1, N).

    The state's last entry says which inputs are still running, 1 or 0.
    """

    def chunk(length):
        numbers = np.arange(length)[:, None]

        def several(state):
            def one(number, state, records):
                state, record = step(state)
                # Backends' own updates of a slice do not all compile.
                here = ops.equal(numbers, number)
                records = [
                    ops.where(here, new, old) for new, old in zip(record, records, strict=True)
                ]
                return number + 1, state, tuple(records)

            records = tuple(ops.zeros((length, *value.shape), "float32") for value in first)
            # A loop of the backend's: unrolled, tracing takes longer than what is computed.
            start = (ops.convert_to_tensor(0, "int32"), state, records)
            _, state, records = ops.while_loop(lambda number, *_: number < length, one, start)
            return state, records

        return compiled(several)

    repeat = {length: chunk(length) for length in {CHUNK, steps % CHUNK} - {0}}
    records = [[ops.convert_to_numpy(value)[None] for value in first]]
    done = 0
    while done < steps and ops.convert_to_numpy(state[-1]).any():
        length = min(CHUNK, steps - done)
        state, record = repeat[length](state)
        records.append([ops.convert_to_numpy(values) for values in record])
        done += length
        if tick:
            tick(done)
    return state, tuple(np.concatenate(parts) for parts in zip(*records, strict=True))


def _curvature(objective, start: np.ndarray) -> np.ndarray:
    """Largest curvature of each input's error near its start, (N,), by power iteration."""
    gradient = compiled(lambda x: objective(x)[1])
    axes = tuple(range(1, start.ndim))
    x = np.asarray(start, "float32")
    at_start = ops.convert_to_numpy(gradient(_tensor(x)))
    # One direction for all, so that no input's rate depends on which others are there.
    direction = np.random.default_rng(0).standard_normal((1, *x.shape[1:])).astype("float32")
    direction = np.repeat(direction, len(x), axis=0)
    # Far enough for float32 to tell the gradients apart, near enough for few switches to change.
    length = 0.01 * np.sqrt(x[0].size)
    for _ in range(CURVATURE_STEPS):
        norm = np.sqrt(np.sum(direction**2, axis=axes, keepdims=True))
        direction *= length / np.where(norm > 0, norm, 1)
        moved = ops.convert_to_numpy(gradient(_tensor(x + direction)))
        direction = moved - at_start
    curvature = np.sqrt(np.sum(direction**2, axis=axes)) / length
    return np.where(curvature > 0, curvature, 1)


def _lbfgs(objective, start, running, steps, tick) -> Found:
    both = compiled(objective)

    def function(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradient = both(_tensor(flat.reshape(start.shape)))
        return (
            ops.convert_to_numpy(values).astype("float64"),
            ops.convert_to_numpy(gradient).reshape(flat.shape),
        )

    found = minimise(function, start.reshape(len(start), -1), running, steps, tick)
    return Found(found.points.reshape(start.shape), found.history)
