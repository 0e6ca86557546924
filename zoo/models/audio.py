"""General forms of network for audio: for any size, with recurrence, on framed samples."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from zoo.layers.anysize import FixedMapPooling2D
from zoo.models.checks import check_classifier, check_count, check_counts, check_shape
from zoo.models.digits import frames_of
from zoo.models.outputs import class_model, class_outputs


def any_size(
    *,
    filters: Sequence[int] = (16, 32),
    map_size: tuple[int, int] = (9, 9),
    dense_units: int = 64,
    input_shape: tuple[int | None, int | None, int] = (None, None, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
    name: str = "any_size",
) -> keras.Model:
    """Convolutions over a spectrogram of any size, averaged to a fixed map, and a dense network.

    Args:
        filters: number of filters of each 3x3 convolution; maps are halved over frequency after
            each.
        map_size: (frequency, time) of the fixed map.
        dense_units: units of the fully-connected layer before the last one.
        input_shape: (F, T, C); F and T may be None.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Roch, "Convolutional models", "Pooling" and "Common architecture".
    """
    shape = check_shape(name, input_shape, free=("F", "T"))
    check_counts(name, "map_size", map_size, entries=2)
    check_counts(name, "filters", filters)
    check_count(name, "dense_units", dense_units)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = x = keras.Input(shape, name="spectrogram")
    for number, width in enumerate(filters, 1):
        x = layers.Conv2D(width, 3, padding="same", activation=activation, name=f"conv{number}")(x)
        # Padded, so that any size down to a single element passes.
        x = layers.MaxPooling2D((2, 1), padding="same", name=f"pool{number}")(x)
    x = FixedMapPooling2D(map_size, name="fixed_map")(x)
    x = layers.Flatten(name="code")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(dense_units, activation=activation, name="fc1")(x)
    outputs = class_outputs(x, classes, classifier_activation, "fc2")
    return keras.Model(inputs, outputs, name=name)


def convolution_recurrence(
    *,
    filters: Sequence[int] = (16, 32),
    recurrent_units: int = 48,
    input_shape: tuple[int, int | None, int] = (201, 16, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
    name: str = "convolution_recurrence",
) -> keras.Model:
    """Convolutions that pool over frequency, then a bidirectional gated recurrent network.

    Args:
        filters: number of filters of each 5x3 convolution; maps are quartered over frequency after
            each.
        recurrent_units: number of units in each direction.
        input_shape: (F, T, C); T may be None.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Roch, "Convolutional models", "Key ideas" and "How are CNNs used in audio".
    """
    shape = check_shape(name, input_shape, free=("T",))
    check_counts(name, "filters", filters)
    check_count(name, "recurrent_units", recurrent_units)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = x = keras.Input(shape, name="spectrogram")
    for number, width in enumerate(filters, 1):
        x = layers.Conv2D(
            width, (5, 3), padding="same", activation=activation, name=f"conv{number}"
        )(x)
        x = layers.MaxPooling2D((4, 1), padding="same", name=f"pool{number}")(x)
    recurrence = layers.GRU(recurrent_units, name="recurrence")
    x = layers.Bidirectional(recurrence, name="code")(frames_of(x))
    return class_model(inputs, x, classes, dropout, classifier_activation, name)


def framed_waveform(
    *,
    filters: Sequence[int] = (16, 32),
    taps: Sequence[int] = (32, 8),
    strides: Sequence[int] = (4, 2),
    frame_filters: int = 64,
    input_shape: tuple[int, int | None, int] = (267, 16, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.5,
    classifier_activation: str | None = "softmax",
    name: str = "framed_waveform",
) -> keras.Model:
    """One-dimensional convolution over the samples of each frame, then over the frames.

    Args:
        filters: number of filters of each convolution within a frame.
        taps: length of each convolution within a frame, in samples of its input.
        strides: stride of each convolution within a frame.
        frame_filters: number of filters of the two convolutions of 3 frames over the frames' codes.
        input_shape: (samples of a frame, frames, C); frames may be None.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, samples, frames, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Roch, "Convolutional models", "How are CNNs used in audio", framed speech.
    """
    shape = check_shape(name, input_shape, ("samples", "frames", "C"), free=("frames",))
    check_counts(name, "filters", filters)
    check_counts(name, "taps", taps, entries=len(filters))
    check_counts(name, "strides", strides, entries=len(filters))
    check_count(name, "frame_filters", frame_filters)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = x = keras.Input(shape, name="waveform")
    for number, (width, length, step) in enumerate(zip(filters, taps, strides, strict=True), 1):
        x = layers.Conv2D(
            width,
            (length, 1),
            (step, 1),
            "same",
            activation=activation,
            name=f"conv{number}",
        )(x)
    x = layers.MaxPooling2D((4, 1), padding="same", name="pool")(x)
    x = frames_of(x)
    for number in (1, 2):
        x = layers.Conv1D(
            frame_filters, 3, padding="same", activation=activation, name=f"frame_conv{number}"
        )(x)
    x = layers.GlobalMaxPooling1D(name="code")(x)
    return class_model(inputs, x, classes, dropout, classifier_activation, name)
