"""Convolutional phone classifiers: convolution units, dropout, fully-connected layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from zoo.layers.convolution import SpectralConv2D
from zoo.models.checks import (
    check_choice,
    check_classifier,
    check_counts,
    check_fit,
    check_shape,
    check_units,
    whole,
)
from zoo.models.outputs import class_outputs
from zoo.models.residual import MOMENTUM

Size = tuple[int | None, int | None]
"""(frequency, time); None stands for the whole axis."""

PADDINGS = ("same", "valid")
NORMALIZATIONS = (None, "batch")
ORDERS = ("pool_act", "act_pool")


def classifier(
    *,
    filters: Sequence[int],
    kernel_sizes: Sequence[Size],
    pool_sizes: Sequence[Size],
    pool_strides: Sequence[Size],
    dense_units: Sequence[int],
    padding: str = "same",
    normalization: str | None = None,
    order: str = "pool_act",
    input_shape: tuple[int, int, int] = (201, 16, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
    name: str = "classifier",
) -> keras.Model:
    """Convolutional phone classifier: units of convolution, max pooling and activation.

    An activation belongs to each pooling and each fully-connected layer but the last.

    Args:
        filters: number of filters of each unit's convolution.
        kernel_sizes: kernel size of each unit's convolution, (frequency, time).
        pool_sizes: pool size of each unit's pooling; `(None, None)` pools the whole map.
        pool_strides: pool stride of each unit's pooling.
        dense_units: number of units of the fully-connected layers before the last one.
        padding: padding of the convolutions, `"same"` ("full" in Riemens 2015) or `"valid"`.
        normalization: `"batch"`: batch normalisation after every convolution; None: none (Riemens).
        order: `"pool_act"` (Riemens), or `"act_pool"` (Churchman), where every activation is a
            layer of its own, so that a fully-connected layer can be seen before it.
        input_shape: (F, T, C) of one centred spectrogram.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes), its layers named `conv1`, `pool1`, `act1`, ...,
        `code`, `dropout`, `fc1`, ... (and `fc1_act`, ... in the order `"act_pool"`).

    Raises:
        UsageError: an argument is invalid, or a layer does not fit into the map before it.

    Reference: Riemens (2015), section 3.3; Churchman (2015), section 4.1.
    """
    shape = check_shape(name, input_shape)
    check_units(name, filters, kernel_sizes, pool_sizes, pool_strides)
    check_counts(name, "dense_units", dense_units)
    check_choice(name, "padding", padding, PADDINGS)
    check_choice(name, "normalization", normalization, NORMALIZATIONS)
    check_choice(name, "order", order, ORDERS)
    check_classifier(name, classes, activation, dropout, classifier_activation)

    inputs = x = keras.Input(shape, name="spectrogram")
    units = zip(filters, kernel_sizes, pool_sizes, pool_strides, strict=True)
    for number, (width, kernel, pool, strides) in enumerate(units, 1):
        size = whole(kernel, x.shape[1:3])
        if padding == "valid":
            check_fit(name, f"conv{number}", size, x.shape[1:3], shape)
        x = SpectralConv2D(width, size, padding=padding, name=f"conv{number}")(x)
        if normalization is not None:
            x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{number}")(x)
        size = whole(pool, x.shape[1:3])
        check_fit(name, f"pool{number}", size, x.shape[1:3], shape)
        pooling = keras.layers.MaxPooling2D(size, whole(strides, size), name=f"pool{number}")
        squash = keras.layers.Activation(activation, name=f"act{number}")
        x = squash(pooling(x)) if order == "pool_act" else pooling(squash(x))
    x = keras.layers.Flatten(name="code")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    for number, width in enumerate(dense_units, 1):
        inside = activation if order == "pool_act" else None
        x = keras.layers.Dense(width, activation=inside, name=f"fc{number}")(x)
        if order == "act_pool":
            x = keras.layers.Activation(activation, name=f"fc{number}_act")(x)
    outputs = class_outputs(x, classes, classifier_activation, f"fc{len(dense_units) + 1}")
    return keras.Model(inputs, outputs, name=name)
