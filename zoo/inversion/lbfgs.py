"""L-BFGS for a batch: every example takes its own steps, and all are evaluated together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

MEMORY = 10
"""Number of latest steps whose curvature is kept."""

HALVINGS = 10
"""Most shorter steps to try before an example counts as converged."""

DECREASE = 1e-4
"""Share of the decrease predicted by the slope that a step must reach (Armijo's rule)."""

TOLERANCE = 1e-5
"""Relative gain of a step below which an example counts as converged."""

Function = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Points (N, D) -> values (N,) and gradients (N, D), each of its own point."""


@dataclasses.dataclass(frozen=True)
class Minimum:
    """Where the searches ended.

    Attributes:
        points: (N, D).
        history: values before the first iteration and after each, (iterations + 1, N).
    """

    points: np.ndarray
    history: np.ndarray


def minimise(
    function: Function,
    start: np.ndarray,
    running: np.ndarray,
    iterations: int,
    tick: Callable[[int], object] | None = None,
) -> Minimum:
    """Minimise each example's value.

    Steps come from the two-loop recursion and are shortened until they satisfy Armijo's rule. The
    steps of one example do not depend on the others.

    Args:
        function: what is minimised.
        start: (N, D) float32.
        running: whether an example is searched for, (N,); the others stay.
        iterations: at most so many.
        tick: called with the number of iterations done.

    Reference: Nocedal and Wright (2006), "Numerical Optimization", algorithms 3.1, 7.4 and 7.5.
    """
    x = np.array(start, "float32")
    value, gradient = function(x)
    running = running & np.isfinite(value)
    history = [value]
    pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for iteration in range(iterations):
        if not running.any():
            break
        direction = -_newton(gradient, pairs)
        slope = _dot(direction, gradient)
        uphill = slope >= 0
        direction[uphill] = -gradient[uphill]
        slope = np.where(uphill, -_dot(gradient, gradient), slope)
        moved, new, new_gradient, accepted = _shortened(
            function, x, value, gradient, direction, slope, running
        )
        step, change = moved - x, new_gradient - gradient
        curvature = _dot(step, change)
        # A pair of no curvature would spoil the estimate of the others.
        kept = curvature > 1e-10 * np.sqrt(_dot(step, step) * _dot(change, change))
        inverse = np.where(kept, 1 / np.where(kept, curvature, 1), 0)
        pairs = [*pairs, (step * kept[:, None], change * kept[:, None], inverse)][-MEMORY:]
        gain = value - new
        running = accepted & (gain > TOLERANCE * np.abs(new))
        x, value, gradient = moved, new, new_gradient
        history.append(value)
        if tick:
            tick(iteration + 1)
    return Minimum(x, np.stack(history))


def _shortened(function, x, value, gradient, direction, slope, running):
    """Steps along a direction, short enough to lower each value; and which were found."""
    length = np.ones(len(x))
    moved, new, new_gradient = x.copy(), value.copy(), gradient.copy()
    accepted, trying = np.zeros(len(x), bool), running.copy()
    for _ in range(HALVINGS):
        candidate = np.where(
            trying[:, None], x + (length[:, None] * direction).astype("float32"), moved
        )
        found, found_gradient = function(candidate)
        with np.errstate(invalid="ignore", over="ignore"):
            good = trying & (found <= value + DECREASE * length * slope)
            # The minimum of the parabola through what is known.
            fitted = -slope * length**2 / (2 * (found - value - slope * length))
        moved[good], new[good], new_gradient[good] = (
            candidate[good],
            found[good],
            found_gradient[good],
        )
        accepted |= good
        trying &= ~good
        if not trying.any():
            break
        fitted = np.where(np.isfinite(fitted), fitted, 0)
        length = np.where(trying, np.clip(fitted, 0.1 * length, 0.5 * length), length)
    return moved, new, new_gradient, accepted


def _newton(gradient: np.ndarray, pairs) -> np.ndarray:
    """The gradients times the estimated inverse Hessians, (N, D)."""
    if not pairs:
        norm = np.sqrt(_dot(gradient, gradient))
        return gradient / np.where(norm > 0, norm, 1)[:, None]
    q = gradient.copy()
    shares = []
    for step, change, inverse in reversed(pairs):
        share = inverse * _dot(step, q)
        q -= share[:, None] * change
        shares.append(share)
    _, change, inverse = pairs[-1]
    size = inverse * _dot(change, change)
    q *= np.where(size > 0, 1 / np.where(size > 0, size, 1), 1)[:, None]
    for (step, change, inverse), share in zip(pairs, reversed(shares), strict=True):
        q += (share - inverse * _dot(change, q))[:, None] * step
    return q


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("nd,nd->n", a, b, dtype="float64")
