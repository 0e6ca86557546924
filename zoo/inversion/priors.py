"""Priors of inputs: smooth, or as far from an estimate as other inputs are.

A prior is a normal distribution around a centre that each input has for itself. Searches change
`z`, which has unit variance and of which the input is a linear function, `x = centre + rows z
columns'`. So the first steps go where inputs vary most.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from keras import ops

RIDGE = 1e-4
"""Penalty of the regression, as a share of the activities' largest eigenvalue: the best of six
powers of ten on speakers of synthetic and of human speech that take no part in any result."""

SMOOTH = (8.0, 4.0)
"""Bins and frames over which the smooth prior's correlation falls to 1/e."""

FLOOR = 1e-6
"""Smallest eigenvalue of a covariance, as a share of its largest."""


@dataclasses.dataclass(frozen=True)
class Prior:
    """Of maps (N, F, T, C), alike and independent in all channels; of other inputs a scale alone.

    Attributes:
        centre: the most probable inputs, like the inputs.
        rows: root of the covariance over the first axis of an example, (F, F); None without one.
        columns: over the second, (T, T).
        scale: standard deviation that both are multiplied by.
    """

    centre: np.ndarray
    rows: np.ndarray | None
    columns: np.ndarray | None
    scale: float

    def inputs(self, z: Any, centre: Any) -> Any:
        """Tensors `z` and its examples' centre, (N, ...) both -> inputs."""
        if self.rows is not None:
            z = ops.einsum("fg,bgtc->bftc", self.rows, z)
            z = ops.einsum("tu,bfuc->bftc", self.columns, z)
        return centre + self.scale * z

    def around(self, centre: np.ndarray) -> Prior:
        """The same prior with another centre."""
        return dataclasses.replace(self, centre=centre)


def smooth(centre: np.ndarray, scale: float) -> Prior:
    """Prior under which neighbours are alike, the more so the nearer they are.

    Args:
        centre: the most probable inputs, (N, ...).
        scale: standard deviation of an element.
    """
    if centre.ndim != 4:
        return Prior(centre, None, None, scale)
    rows, columns = (
        _root(np.exp(-np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / length))
        for n, length in zip(centre.shape[1:3], SMOOTH, strict=True)
    )
    return Prior(centre, rows, columns, scale)


def of_errors(centre: np.ndarray, errors: np.ndarray) -> Prior:
    """Prior under which inputs lie around their estimates as other inputs do around theirs.

    The covariance is that of the rows times that of the columns.

    Args:
        centre: estimates, (N, ...).
        errors: errors of other estimates, (M, ...).
    """
    scale = float(np.sqrt(np.mean(np.square(errors, dtype="float64")))) or 1.0
    if errors.ndim != 4:
        return Prior(centre, None, None, scale)
    whole = errors.astype("float32") / scale
    rows = np.einsum("nftc,ngtc->fg", whole, whole, optimize=True)
    columns = np.einsum("nftc,nfuc->tu", whole, whole, optimize=True)
    rows, columns = (_root(c * (len(c) / np.trace(c))) for c in (rows, columns))
    return Prior(centre, rows, columns, scale)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix that gives the covariance when multiplied by its own transpose."""
    values, vectors = np.linalg.eigh(covariance.astype("float64"))
    return (vectors * np.sqrt(np.maximum(values, FLOOR * values[-1]))).astype("float32")


@dataclasses.dataclass(frozen=True)
class Regression:
    """Inputs as a linear function of an activity.

    Attributes:
        errors: errors of the estimates of each training input by all others, (M, ...).
        estimate: activity (N, ...) -> inputs (N, ...).
    """

    errors: np.ndarray
    estimate: Callable[[np.ndarray], np.ndarray]


def regression(activity: np.ndarray, inputs: np.ndarray) -> Regression:
    """Ridge regression of training inputs on the activity that they cause, in closed form.

    Args:
        activity: (M, ...), M at least 2.
        inputs: (M, ...).
    """
    shape = inputs.shape[1:]
    known = activity.reshape(len(activity), -1).astype("float32")
    wanted = inputs.reshape(len(inputs), -1).astype("float32")
    mean_activity, mean_input = known.mean(axis=0), wanted.mean(axis=0)
    known, wanted = known - mean_activity, wanted - mean_input
    products = (known @ known.T).astype("float64")
    last = len(products) - 1
    largest = scipy.linalg.eigh(products, eigvals_only=True, subset_by_index=[last, last])[0]
    products[np.diag_indices_from(products)] += max(RIDGE * largest, 1e-12)
    inverse = scipy.linalg.inv(products, overwrite_a=True, assume_a="pos")
    weights = (inverse @ wanted).astype("float32")
    # What is left when an example takes no part in its own estimate has a closed form.
    errors = weights / np.diag(inverse)[:, None]

    def estimate(seen: np.ndarray) -> np.ndarray:
        flat = seen.reshape(len(seen), -1) - mean_activity
        found = (flat @ known.T) @ weights + mean_input
        return found.reshape(-1, *shape).astype("float32")

    return Regression(errors.astype("float32").reshape(-1, *shape), estimate)
