"""Objectives of autoencoders: distances between a reconstruction and its target."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.training.settings import OBJECTIVES as NAMES

EPSILON = 1e-7


class Reconstruction(keras.losses.Loss):
    """Distance between a reconstruction and its target, one number for each spectrogram.

    The target may have twice the channels of the reconstruction; the second half then says which
    elements count (1) and which do not (0).

    Input shape:
        `y_true` (N, ..., C) or (N, ..., 2 C); `y_pred` (N, ..., C).
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """(N,)"""
        return self.distance(*flat_pair(y_true, y_pred))

    def distance(self, target, output):
        """Distances of pairs of vectors (N, elements): (N,)."""
        raise NotImplementedError


def flat_pair(y_true, y_pred) -> tuple[Any, Any]:
    """Target and reconstruction as (N, elements) each, 0 in both where an element does not count.

    Args:
        y_true: (N, ..., C), or (N, ..., 2 C) with weights of 0 or 1 behind the target.
        y_pred: (N, ..., C).
    """
    # PyTorch's trainer hands arrays of a single batch to metrics as they are.
    y_true = ops.convert_to_tensor(y_true)
    channels = y_pred.shape[-1]
    if y_true.shape[-1] == 2 * channels:
        counts = y_true[..., channels:]
        y_true, y_pred = y_true[..., :channels] * counts, y_pred * counts
    return _flat(y_true), _flat(y_pred)


def _flat(x):
    """(N, ...) -> (N, elements), the number of elements known or not."""
    if None in x.shape[1:]:
        return ops.reshape(x, (ops.shape(x)[0], -1))
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


def _norm(x):
    return ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=-1), EPSILON**2))


def _cosine(target, output):
    return ops.sum(target * output, axis=-1) / (_norm(target) * _norm(output))


@keras.saving.register_keras_serializable(package="zoo")
class SquaredEuclidean(Reconstruction):
    """Squared Euclidean distance.

    Reference: Riemens (2015), section B.7.
    """

    def distance(self, target, output):
        """Sum of squared differences."""
        return ops.sum(ops.square(output - target), axis=-1)


@keras.saving.register_keras_serializable(package="zoo")
class ScaleInvariant(Reconstruction):
    """Squared Euclidean distance that remains after the best gain on the reconstruction.

    `|x|^2 (1 - c |c|)` with the cosine c between target x and reconstruction: where c is positive,
    this is the smallest `|x - g y|^2` over all gains g; where it is negative the value continues to
    rise, so that a negative copy is the worst and still has a gradient. This answers Riemens
    (2015), section 6.1, that the Euclidean distance punishes intensity rather than shape.
    """

    def distance(self, target, output):
        """Squared distance at the best gain."""
        cosine = _cosine(target, output)
        return ops.sum(ops.square(target), axis=-1) * (1 - cosine * ops.abs(cosine))


@keras.saving.register_keras_serializable(package="zoo")
class SpectralConvergence(Reconstruction):
    """Euclidean distance as a share of the target's norm: soft segments count as loud ones do.

    Reference: Arik et al., "Fast spectrogram inversion using multi-head convolutional neural
    networks", 2019.
    """

    def distance(self, target, output):
        """Relative distance."""
        return _norm(output - target) / _norm(target)


@keras.saving.register_keras_serializable(package="zoo")
class Cosine(Reconstruction):
    """1 less the cosine between target and reconstruction, from 0 (a scaled copy) to 2."""

    def distance(self, target, output):
        """1 - cosine."""
        return 1 - _cosine(target, output)


OBJECTIVES: dict[str, type[keras.losses.Loss]] = dict(
    zip(NAMES, (SquaredEuclidean, ScaleInvariant, SpectralConvergence, Cosine), strict=True)
)
"""Name, as `zoo train --objective` takes it -> the loss."""


@keras.saving.register_keras_serializable(package="zoo")
class EuclideanError(keras.metrics.Mean):
    """Mean Euclidean distance per spectrogram, as in Riemens' tables 3 and 4.

    Input shape:
        As `Reconstruction`.
    """

    def __init__(self, name: str = "euclidean_error", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count one batch."""
        target, output = flat_pair(y_true, y_pred)
        return super().update_state(_norm(output - target), sample_weight)
