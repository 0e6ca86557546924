"""Gradient descent on the input: the bold driver, Adam and L-BFGS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.inversion.backend import compiled, with_gradient
from zoo.inversion.settings import GradientSettings
from zoo.settings import check

RISE = 1.01
"""What the bold driver's factor is multiplied by when the error falls."""

CUT = 0.9
"""What it is multiplied by when the error rises; the step that raised it is kept."""

STOP = 0.005
"""Factor below which a reconstruction counts as converged."""

CHUNK = 10
"""Steps between two looks at whether all inputs have converged."""

CURVATURE_STEPS = 6
"""Steps of the power iteration that measures the steepest curvature."""


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
) -> Found:
    """Change inputs until the activity that they cause is like the target.

    Args:
        network: (N, ...) -> activity.
        target: activity to reach, (N, ...).
        start: inputs to start from, (N, ...). One whose activity is the target stays as it is.
        settings: how.
        scale: typical root mean square of an input, for Adam's rate.
        tick: called with the number of steps done, every few steps.

    Raises:
        UsageError: a setting is invalid, or there is no SciPy for `"lbfgs"`.
    """
    check(settings)
    if settings.optimizer == "lbfgs":
        return _lbfgs(network, target, start, settings, tick)
    # An input whose activity is the target already has nothing to gain, whatever its penalties.
    running = _tensor(_errors(network, start, target) > 0)
    if settings.optimizer == "bold":
        return _bold(network, target, start, settings, running, tick)
    return _adam(network, target, start, settings, running, scale, tick)


def _objective(network: keras.Model, settings: GradientSettings):
    def values(x, target):
        error = activity_error(network, x, target)
        axes = tuple(range(1, len(x.shape)))
        if settings.l2:
            error = error + 0.5 * settings.l2 * ops.sum(ops.square(x), axis=axes)
        if settings.total_variation:
            rough = ops.sum(ops.abs(x[:, 1:] - x[:, :-1]), axis=axes)
            if len(x.shape) > 3:
                rough = rough + ops.sum(ops.abs(x[:, :, 1:] - x[:, :, :-1]), axis=axes)
            error = error + settings.total_variation * rough
        return error

    def value_and_gradient(x, target):
        return with_gradient(lambda y: values(y, target))(x)

    return value_and_gradient


def _errors(network: keras.Model, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    error = compiled(lambda a, b: activity_error(network, a, b))
    return ops.convert_to_numpy(error(_tensor(x), _tensor(target)))


def _tensor(x: np.ndarray) -> Any:
    return ops.convert_to_tensor(np.asarray(x, "float32"))


def _column(values: Any, x: Any) -> Any:
    """(N,) made to multiply (N, ...)."""
    return ops.reshape(values, (-1, *[1] * (len(x.shape) - 1)))


def _bold(network, target, start, settings, running, tick) -> Found:
    objective = _objective(network, settings)
    goal = _tensor(target)
    if settings.learning_rate is None:
        rate = 1.0 / _curvature(objective, start, goal)
    else:
        rate = np.full(len(start), settings.learning_rate)
    rate = _tensor(rate)

    def step(state):
        x, error, gradient, factor, best, lowest, running = state
        moved = x - _column(rate * factor * running, x) * gradient
        new, gradient = objective(moved, goal)
        # What is not a number counts as a rise.
        change = ops.where(new < error, RISE, ops.where(ops.equal(new, error), 1.0, CUT))
        factor = factor * ops.where(running > 0, change, 1.0)
        better = new < lowest
        best = ops.where(_column(better, x), moved, best)
        lowest = ops.where(better, new, lowest)
        running = running * ops.cast(factor >= STOP, "float32")
        return (moved, new, gradient, factor, best, lowest, running), (new, factor)

    x = _tensor(start)
    error, gradient = compiled(objective)(x, goal)
    ones = ops.ones_like(error)
    state = (x, error, gradient, ones, x, error, running)
    state, (errors, factors) = _run(step, state, (error, ones), settings.steps, tick)
    return Found(ops.convert_to_numpy(state[4]), errors, factors)


def _adam(network, target, start, settings, running, scale, tick) -> Found:
    objective = _objective(network, settings)
    goal = _tensor(target)
    rate = 0.03 * scale if settings.learning_rate is None else settings.learning_rate
    first_decay, second_decay = 0.9, 0.999

    def step(state):
        x, gradient, mean, square, time, best, lowest, running = state
        time = time + 1
        mean = first_decay * mean + (1 - first_decay) * gradient
        square = second_decay * square + (1 - second_decay) * ops.square(gradient)
        size = ops.sqrt(square / _column(1 - second_decay**time, x)) + 1e-12
        direction = mean / _column(1 - first_decay**time, x) / size
        x = x - rate * _column(running, x) * direction
        new, gradient = objective(x, goal)
        better = new < lowest
        best = ops.where(_column(better, x), x, best)
        lowest = ops.where(better, new, lowest)
        return (x, gradient, mean, square, time, best, lowest, running), (new,)

    x = _tensor(start)
    error, gradient = compiled(objective)(x, goal)
    none, time = ops.zeros_like(x), ops.zeros_like(error)
    state = (x, gradient, none, none, time, x, error, running)
    state, (errors,) = _run(step, state, (error,), settings.steps, tick)
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


def _curvature(objective, start: np.ndarray, goal: Any) -> np.ndarray:
    """Largest curvature of each input's error near its start, (N,), by power iteration."""
    gradient = compiled(lambda x, y: objective(x, y)[1])
    axes = tuple(range(1, start.ndim))
    x = np.asarray(start, "float32")
    at_start = ops.convert_to_numpy(gradient(_tensor(x), goal))
    # One direction for all, so that no input's rate depends on which others are there.
    direction = np.random.default_rng(0).standard_normal((1, *x.shape[1:])).astype("float32")
    direction = np.repeat(direction, len(x), axis=0)
    # Far enough for float32 to tell the gradients apart, near enough for few switches to change.
    length = 0.01 * np.sqrt(x[0].size)
    for _ in range(CURVATURE_STEPS):
        norm = np.sqrt(np.sum(direction**2, axis=axes, keepdims=True))
        direction *= length / np.where(norm > 0, norm, 1)
        moved = ops.convert_to_numpy(gradient(_tensor(x + direction), goal))
        direction = moved - at_start
    curvature = np.sqrt(np.sum(direction**2, axis=axes)) / length
    return np.where(curvature > 0, curvature, 1)


def _lbfgs(network, target, start, settings, tick) -> Found:
    from scipy.optimize import minimize

    objective = compiled(_objective(network, settings))
    still = _errors(network, start, target) <= 0
    inputs, histories = [], []
    for x, goal, reached in zip(start, target, still, strict=True):
        found = (x, [0.0]) if reached else _lbfgs_one(minimize, objective, x, goal, settings)
        inputs.append(found[0])
        histories.append(found[1])
        if tick:
            tick(round(settings.steps * len(inputs) / len(start)))
    longest = max(map(len, histories))
    padded = [h + h[-1:] * (longest - len(h)) for h in histories]
    return Found(np.stack(inputs), np.array(padded).T)


def _lbfgs_one(minimize, objective, x, goal, settings) -> tuple[np.ndarray, list[float]]:
    target = _tensor(goal[None])

    def both(flat):
        value, gradient = objective(_tensor(flat.reshape(1, *x.shape)), target)
        slope = ops.convert_to_numpy(gradient).ravel().astype("float64")
        return float(ops.convert_to_numpy(value)[0]), slope

    history = [both(x.ravel())[0]]

    # SciPy gives the value only to a callback whose one argument has this name.
    def record(intermediate_result):
        history.append(float(intermediate_result.fun))

    limits = {"maxiter": settings.steps, "maxfun": 20 * settings.steps}
    found = minimize(both, x.ravel(), jac=True, method="L-BFGS-B", callback=record, options=limits)
    return found.x.reshape(x.shape).astype("float32"), history
