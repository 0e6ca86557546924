"""The zoo's own phone classifier: residual blocks over frequency and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.layers.convolution import SpectralConv2D
from zoo.models.checks import (
    check_classifier,
    check_count,
    check_counts,
    check_fit,
    check_shape,
)
from zoo.models.outputs import class_outputs

MOMENTUM = 0.95
"""Momentum of the normalisation's running statistics, which settle within the first balanced
epoch."""


def residual_classifier(
    *,
    stem_filters: int = 16,
    filters: Sequence[int] = (16, 32, 64),
    dense_units: int = 128,
    input_shape: tuple[int, int, int] = (201, 16, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "residual_classifier",
) -> keras.Model:
    """Phone classifier of residual blocks that keeps positions along the frequency axis.

    A 5x5 stem that halves the frequency axis, then stages of a 2x2 pooling and a residual block
    with a squeeze-and-excitation gate: most of the work is done on small maps. Finally, a
    convolution over all remaining frames leaves a map over coarse frequency, which is not pooled
    further, since formants differ in their frequency.

    Args:
        stem_filters: number of filters of the first convolution.
        filters: number of filters of each stage's convolutions.
        dense_units: number of units of the fully-connected layer before the last one.
        input_shape: (F, T, C) of one centred spectrogram.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.
    """
    shape = check_shape(name, input_shape)
    check_count(name, "stem_filters", stem_filters)
    check_counts(name, "filters", filters, some=True)
    check_count(name, "dense_units", dense_units)
    check_classifier(name, classes, activation, dropout, classifier_activation)

    inputs = keras.Input(shape, name="spectrogram")
    # Log and linear spectrograms differ by orders of magnitude in scale.
    x = layers.BatchNormalization(momentum=MOMENTUM, name="scale")(inputs)
    x = layers.Conv2D(stem_filters, 5, (2, 1), "same", use_bias=False, name="conv1")(x)
    x = _normalised(x, activation, "stem")
    for number, width in enumerate(filters, 1):
        # Padded, so that short segments pass too.
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{number}")(x)
        x = _block(x, width, activation, f"block{number}")
    size = (3, x.shape[2])
    check_fit(name, "collapse", size, x.shape[1:3], shape)
    x = SpectralConv2D(filters[-1], size, use_bias=False, name="collapse")(x)
    x = _normalised(x, activation, "collapse")
    x = layers.Flatten(name="code")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(dense_units, use_bias=False, name="fc1")(x)
    x = _normalised(x, activation, "fc1")
    x = layers.Dropout(dropout / 2, name="dropout_fc1")(x)
    outputs = class_outputs(x, classes, classifier_activation, "fc2")
    return keras.Model(inputs, outputs, name=name)


def _block(x: Any, filters: int, activation: str, name: str) -> Any:
    """conv-norm-act-conv-norm, gated, plus the input."""
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_widen")(x)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    y = _normalised(y, activation, f"{name}_1")
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv2")(y)
    y = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_2_norm")(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(y)
    gate = layers.Conv2D(max(filters // 4, 4), 1, activation="relu", name=f"{name}_excite1")(gate)
    gate = layers.Conv2D(filters, 1, activation="sigmoid", name=f"{name}_excite2")(gate)
    x = layers.Add(name=f"{name}_add")([x, layers.Multiply(name=f"{name}_gate")([y, gate])])
    return layers.Activation(activation, name=f"{name}_act")(x)


def _normalised(x: Any, activation: str, name: str) -> Any:
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_act")(x)
