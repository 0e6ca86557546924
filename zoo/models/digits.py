"""Spoken-digit recognisers: four ways from a recording to one decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.layers.filterbank import LearnableFilterbank
from zoo.models.checks import check_classifier, check_count, check_counts, check_shape
from zoo.models.outputs import class_model
from zoo.models.residual import MOMENTUM


def residual(
    *,
    filters: Sequence[int] = (16, 32, 64),
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "residual",
) -> keras.Model:
    """Residual blocks, each followed by pooling, over a mel spectrogram of any length.

    Args:
        filters: number of filters of each block.
        input_shape: (F, T, C); T may be None.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Aalto ELEC-C5220, lecture 3, "CNN classifier model".
    """
    shape = check_shape(name, input_shape, free=("T",))
    check_counts(name, "filters", filters, some=True)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = keras.Input(shape, name="spectrogram")
    x = _residual_body(inputs, filters, activation)
    return class_model(inputs, x, classes, dropout, classifier_activation, name)


def filterbank(
    *,
    bands: int = 40,
    taps: int = 200,
    hop_length: int = 80,
    sample_rate: int = 8000,
    filters: Sequence[int] = (16, 32, 64),
    input_shape: tuple[int | None, int] = (None, 1),
    classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "filterbank",
) -> keras.Model:
    """`residual` on a waveform, behind a filterbank that is learnt with it.

    Args:
        bands: filters of the filterbank.
        taps: length of each in samples.
        hop_length: samples from one frame to the next.
        sample_rate: sample rate of the waveform, in Hz.
        filters: number of filters of each residual block.
        input_shape: (samples, 1); samples may be None, and are at least `taps`.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, samples, 1) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Aalto ELEC-C5220, lecture 3, "Towards convolution neural networks", step one.
    """
    shape = check_shape(name, input_shape, ("samples", "C"), free=("samples",))
    for option, value in [
        ("bands", bands),
        ("taps", taps),
        ("hop_length", hop_length),
        ("sample_rate", sample_rate),
    ]:
        check_count(name, option, value)
    check_counts(name, "filters", filters, some=True)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = keras.Input(shape, name="waveform")
    bank = LearnableFilterbank(bands, taps, hop_length, sample_rate, name="filterbank")
    # In place of the mean that is subtracted from prepared spectrograms.
    x = layers.BatchNormalization(momentum=MOMENTUM, name="scale")(bank(inputs))
    x = _residual_body(x, filters, activation)
    return class_model(inputs, x, classes, dropout, classifier_activation, name)


def long_term_average(
    *,
    dense_units: Sequence[int] = (64, 64),
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "long_term_average",
) -> keras.Model:
    """Filterbank features averaged over the whole recording, and a dense network.

    Args:
        dense_units: number of units of the hidden layers.
        input_shape: (F, T, C); T may be None.
        dropout: share of the last hidden layer that is dropped while training.
        classes, activation, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Aalto ELEC-C5220, lecture 3, "Feature-based classification", first way.
    """
    shape = check_shape(name, input_shape, free=("T",))
    check_counts(name, "dense_units", dense_units)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = keras.Input(shape, name="spectrogram")
    # Frames stay the last axis: to bring them to the front would take longer than all the rest.
    _, bins, _, channels = inputs.shape
    x = inputs if channels == 1 else layers.Permute((1, 3, 2), name="frames_last")(inputs)
    x = layers.Reshape((bins * channels, -1), name="frames")(x)
    x = layers.GlobalAveragePooling1D("channels_first", name="average")(x)
    x = _dense(x, dense_units, activation)
    last = f"fc{len(dense_units) + 1}"
    return class_model(inputs, x, classes, dropout, classifier_activation, name, last)


def framewise(
    *,
    states: int = 3,
    dense_units: Sequence[int] = (64, 64),
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "framewise",
) -> keras.Model:
    """A dense network on each frame alone; `zoo.decoding.recognise` makes one decision.

    Args:
        states: number of states of each class, passed from left to right; output `c * states + s`
            is the probability of state s of class c.
        dense_units: number of units of the hidden layers.
        input_shape: (F, T, C); T may be None.
        dropout: share of the last hidden layer that is dropped while training.
        classes, activation, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, T, classes * states).

    Raises:
        UsageError: an argument is invalid.

    Reference: Aalto ELEC-C5220, lecture 3, "Feature-based classification", second way.
    """
    shape = check_shape(name, input_shape, free=("T",))
    check_count(name, "states", states)
    check_counts(name, "dense_units", dense_units)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs = keras.Input(shape, name="spectrogram")
    x = _dense(frames_of(inputs), dense_units, activation)
    last = f"fc{len(dense_units) + 1}"
    return class_model(inputs, x, classes * states, dropout, classifier_activation, name, last)


def frames_of(spectrogram: Any) -> Any:
    """(N, F, T, C) -> (N, T, F * C), T known or not."""
    bins, channels = spectrogram.shape[1], spectrogram.shape[3]
    x = layers.Permute((2, 1, 3), name="frames_first")(spectrogram)  # (N, T, F, C)
    return layers.Reshape((-1, bins * channels), name="frames")(x)


def _dense(x: Any, units: Sequence[int], activation: str) -> Any:
    """(..., features) -> (..., units)."""
    for number, width in enumerate(units, 1):
        x = layers.Dense(width, activation=activation, name=f"fc{number}")(x)
    return x


def _residual_body(x: Any, filters: Sequence[int], activation: str) -> Any:
    """(N, F, T, C) -> (N, filters)."""
    x = layers.Conv2D(filters[0], 3, padding="same", name="embed")(x)
    for number, width in enumerate(filters, 1):
        if x.shape[-1] != width:
            x = layers.Conv2D(width, 1, name=f"widen{number}")(x)
        y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{number}a")(x)
        y = layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{number}a")(y)
        y = layers.Activation(activation, name=f"act{number}a")(y)
        y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv{number}b")(y)
        y = layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{number}b")(y)
        x = layers.Add(name=f"add{number}")([x, y])
        x = layers.Activation(activation, name=f"act{number}")(x)
        # Padded, so that a recording of a single frame still passes.
        x = layers.MaxPooling2D(2, padding="same", name=f"pool{number}")(x)
    return layers.GlobalAveragePooling2D(name="code")(x)
