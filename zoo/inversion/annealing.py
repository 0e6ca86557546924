"""Simulated annealing of the input, with neighbours that differ in a band of frequencies."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from zoo.inversion.descent import Found, Tick, activity_error
from zoo.inversion.settings import AnnealingSettings
from zoo.ops.compilation import compiled
from zoo.settings import check

SHARE = 0.5
"""Share of a band's elements that a neighbour changes."""

RECORDS = 200
"""Entries of the history, at most: whole runs are long."""


def neighbours(x: np.ndarray, rng: np.random.Generator, band: int, amplitude: float) -> np.ndarray:
    """A neighbour of each input: half the elements of a band of rows, changed in one direction.

    The band may reach beyond the first and last row; what lies outside is ignored, so that rows
    at the borders are changed as often as others.

    Args:
        x: (N, F, ...), the static channels alone.
        rng: decides band, elements, direction and changes.
        band: rows.
        amplitude: largest change.

    Returns:
        Like `x`.
    """
    count, rows = x.shape[:2]
    shape = (count, band, *x.shape[2:])
    change = rng.uniform(0.0, amplitude, shape) * (rng.random(shape) < SHARE)
    change *= rng.choice((-1.0, 1.0), (count, *[1] * (x.ndim - 1)))
    at = rng.integers(1 - band, rows, (count, 1)) + np.arange(band)  # (N, band)
    example, place = np.nonzero((at >= 0) & (at < rows))
    out = x.copy()
    out[example, at[example, place]] += change[example, place].astype(x.dtype)
    return out


def acceptance(error: np.ndarray, new: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Probability with which a neighbour is taken: 1 if its error is no larger, else
    `exp((error - new) / temperature)`.

    Args:
        error: error of the present input, (N,).
        new: error of its neighbour, (N,).
        temperature: (N,), 0 or more; at 0 no larger error is accepted.
    """
    rise = np.maximum(np.asarray(new, "float64") - error, 0.0)
    exponent = rise / np.where(temperature > 0, temperature, 1.0)
    return np.where(rise == 0, 1.0, np.where(temperature > 0, np.exp(-exponent), 0.0))


def anneal(
    network: keras.Model,
    target: np.ndarray,
    start: np.ndarray,
    settings: AnnealingSettings = AnnealingSettings(),
    seed: int = 0,
    tick: Tick = None,
) -> Found:
    """Change inputs at random until their activity is close to the target.

    All inputs are searched for together, so the random draws depend on how many there are.

    Args:
        network: (N, ...) -> activity.
        target: activity to reach, (N, ...).
        start: inputs to start from, (N, F, ...).
        settings: settings of the annealing.
        seed: random seed of the neighbours and of their acceptance.
        tick: called with the number of steps done, every few steps.

    Returns:
        The input of the lowest error of each search, and its errors at about 200 times.

    Raises:
        UsageError: a setting is invalid.
    """
    check(settings)
    goal = ops.convert_to_tensor(np.asarray(target, "float32"))
    error_of = compiled(lambda a: activity_error(network, a, goal))

    def errors(inputs: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(error_of(ops.convert_to_tensor(inputs)))

    rng = np.random.default_rng(seed)
    x = np.asarray(start, "float32").copy()
    error = errors(x)
    best, lowest = x.copy(), error.copy()
    if settings.temperature is None:
        hottest = 1e-3 * error
    else:
        hottest = np.full(len(x), settings.temperature)
    every = -(-settings.steps // RECORDS)
    history = [error]
    for step in range(settings.steps):
        temperature = hottest * (1 - (step + 1) / settings.steps)
        candidate = neighbours(x, rng, settings.band, settings.amplitude)
        new = errors(candidate)
        taken = rng.random(len(x)) < acceptance(error, new, temperature)
        # One whose activity is the target already stays.
        taken &= lowest > 0
        x[taken], error = candidate[taken], np.where(taken, new, error)
        better = error < lowest
        best[better], lowest = x[better], np.minimum(lowest, error)
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            history.append(error)
            if tick:
                tick(step + 1)
    return Found(best, np.stack(history))
