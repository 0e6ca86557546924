"""Recognisers of continuous speech: a decision for every frame of a recording of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from zoo.models.checks import (
    check_activation,
    check_classifier,
    check_count,
    check_counts,
    check_shape,
)
from zoo.models.digits import frames_of
from zoo.models.outputs import class_model
from zoo.models.residual import MOMENTUM

KERNEL = (5, 3)
"""Kernel size (frequency, time) of every convolution of the front end."""


def tdnn(
    *,
    filters: Sequence[int] = (16, 32),
    block_filters: int = 128,
    dilations: Sequence[int] = (2, 3, 5, 8),
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.1,
    classifier_activation: str | None = "softmax",
    name: str = "tdnn",
) -> keras.Model:
    """Convolutions that halve the frequency axis, then dilated convolutions over time.

    Every output depends on `context(model)` frames before and after its own. Recordings are padded
    with zeros at both ends, so that there are as many outputs as frames.

    Args:
        filters: number of filters of each 5x3 convolution of the front end; each halves the
            frequency axis.
        block_filters: number of filters of every residual block.
        dilations: dilation of each residual block's convolution of 3 frames, in frames.
        input_shape: (F, T, C); T may be None.
        dropout: share that is dropped while training, within every block and of the code.
        classes, activation, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, T, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Waibel et al., "Phoneme recognition using time-delay neural networks", 1989; Peddinti
    et al., "A time delay neural network architecture for efficient modeling of long temporal
    contexts", 2015.
    """
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs, code = _tdnn(name, input_shape, filters, block_filters, dilations, activation, dropout)
    return class_model(inputs, code, classes, dropout, classifier_activation, name)


def crnn_frames(
    *,
    filters: Sequence[int] = (16, 32),
    recurrent_units: int = 96,
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier_activation: str | None = "softmax",
    name: str = "crnn_frames",
) -> keras.Model:
    """Convolutions that halve the frequency axis, then a bidirectional gated recurrent network.

    Every output depends on the whole recording.

    Args:
        filters: number of filters of each 5x3 convolution of the front end; each halves the
            frequency axis.
        recurrent_units: number of units in each direction.
        input_shape: (F, T, C); T may be None.
        classes, activation, dropout, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, T, classes).

    Raises:
        UsageError: an argument is invalid.

    Reference: Roch, "Convolutional models", "Key ideas" and "How are CNNs used in audio".
    """
    check_classifier(name, classes, activation, dropout, classifier_activation)
    inputs, code = _recurrent(name, input_shape, filters, recurrent_units, activation)
    return class_model(inputs, code, classes, dropout, classifier_activation, name)


def tdnn_autoencoder(
    *,
    filters: Sequence[int] = (16, 32),
    block_filters: int = 128,
    dilations: Sequence[int] = (2, 3, 5, 8),
    bottleneck: int | None = None,
    decoder_units: int = 128,
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    activation: str = "relu",
    name: str = "tdnn_autoencoder",
) -> keras.Model:
    """The encoder of `tdnn`, and a decoder that sees each frame's code through a bottleneck.

    Encoders have the layers of the recogniser that the arguments describe, by name and shape, so
    that either can initialise the other (`zoo.models.encoders.copy_encoder`). The decoder sees one
    frame at a time, so that only the encoder can use a frame's surroundings.

    Args:
        filters, block_filters, dilations: see `tdnn`.
        bottleneck: values that a frame is reconstructed from, fewer than it has; None: a quarter.
        decoder_units: number of units of the hidden layer between the bottleneck and the
            reconstruction.
        input_shape: (F, T, C); T may be None.
        activation: activation of the hidden layers.
        name: name of the model.

    Returns:
        A model (N, F, T, C) -> (N, F, T, C), linear at its end.

    Raises:
        UsageError: an argument is invalid.
    """
    check_activation(name, "activation", activation)
    inputs, code = _tdnn(name, input_shape, filters, block_filters, dilations, activation)
    return _reconstructing(inputs, code, bottleneck, decoder_units, activation, name)


def crnn_frames_autoencoder(
    *,
    filters: Sequence[int] = (16, 32),
    recurrent_units: int = 96,
    bottleneck: int | None = None,
    decoder_units: int = 128,
    input_shape: tuple[int, int | None, int] = (40, None, 1),
    activation: str = "relu",
    name: str = "crnn_frames_autoencoder",
) -> keras.Model:
    """The encoder of `crnn_frames`, and the decoder of `tdnn_autoencoder`.

    Args:
        filters, recurrent_units: see `crnn_frames`.
        bottleneck, decoder_units, input_shape, activation, name: see `tdnn_autoencoder`.

    Returns:
        A model (N, F, T, C) -> (N, F, T, C), linear at its end.

    Raises:
        UsageError: an argument is invalid.
    """
    check_activation(name, "activation", activation)
    inputs, code = _recurrent(name, input_shape, filters, recurrent_units, activation)
    return _reconstructing(inputs, code, bottleneck, decoder_units, activation, name)


def context(model: keras.Model) -> int | None:
    """Frames on each side of an output's own that the output depends on.

    Args:
        model: a network of the family `recognizer` or one like it: convolutions over maps
            (N, F, T, C) or sequences (N, T, features), with one output a frame.

    Returns:
        The number of frames, or None if outputs depend on all of the recording, as behind a
        recurrent layer. A layer of unknown kind counts as one that sees all of it, and so does one
        that leaves out frames.
    """
    reach: dict[int, int] = {}
    # Keras tells in no public way which layer's output is which one's input.
    for _, calls in sorted(model._nodes_by_depth.items(), reverse=True):
        for call in calls:
            own = _frames_beside(call.operation)
            if own is None:
                return None
            before = max((reach[id(x)] for x in call.input_tensors), default=0)
            reach.update({id(x): before + own for x in call.outputs})
    return max(reach[id(x)] for x in model.outputs)


_FRAMEWISE = (
    layers.InputLayer,
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Dense,
    layers.Dropout,
    layers.Identity,
    layers.Multiply,
    layers.Permute,
    layers.Reshape,
)
"""Layers that, as these networks use them, keep frames apart."""


def _frames_beside(layer: Any) -> int | None:
    """How many frames on each side a layer's output depends on; None: all of them."""
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        others = (layer.kernel_size[-1] - 1) * layer.dilation_rate[-1]
        if layer.padding == "causal":
            return others
        if layer.strides[-1] != 1 or (others and layer.padding != "same"):
            return None
        # Of an odd number one side has one more.
        return (others + 1) // 2
    return 0 if isinstance(layer, _FRAMEWISE) else None


def _tdnn(
    name: str,
    input_shape: tuple[int, int | None, int],
    filters: Sequence[int],
    block_filters: int,
    dilations: Sequence[int],
    activation: str,
    dropout: float = 0.0,
) -> tuple[Any, Any]:
    """Inputs (N, F, T, C), and their code (N, T, block_filters)."""
    shape = check_shape(name, input_shape, free=("T",))
    inputs = keras.Input(shape, name="spectrogram")
    return inputs, tdnn_code(inputs, name, filters, block_filters, dilations, activation, dropout)


def tdnn_code(
    x: Any,
    name: str,
    filters: Sequence[int],
    block_filters: int,
    dilations: Sequence[int],
    activation: str,
    dropout: float,
) -> Any:
    """The layers of `tdnn` up to its code: (N, F, T, C) -> (N, T, block_filters).

    Args:
        x: a representation.
        name: name of the model.
        filters, block_filters, dilations, activation, dropout: see `tdnn`.
    """
    check_counts(name, "filters", filters, some=True)
    check_count(name, "block_filters", block_filters)
    check_counts(name, "dilations", dilations, some=True)
    x = _front_end(x, filters, activation)
    x = layers.Dense(block_filters, use_bias=False, name="embed")(x)
    x = _normalised(x, activation, "embed")
    for number, dilation in enumerate(dilations, 1):
        x = _block(x, dilation, activation, dropout, f"block{number}")
    return layers.Identity(name="code")(x)


def _recurrent(
    name: str,
    input_shape: tuple[int, int | None, int],
    filters: Sequence[int],
    units: int,
    activation: str,
) -> tuple[Any, Any]:
    """Inputs (N, F, T, C), and their code (N, T, 2 * units)."""
    shape = check_shape(name, input_shape, free=("T",))
    check_counts(name, "filters", filters, some=True)
    check_count(name, "recurrent_units", units)
    inputs = keras.Input(shape, name="spectrogram")
    x = _front_end(inputs, filters, activation)
    recurrence = layers.GRU(units, return_sequences=True, name="recurrence")
    return inputs, layers.Bidirectional(recurrence, name="code")(x)


def _front_end(x: Any, filters: Sequence[int], activation: str) -> Any:
    """(N, F, T, C) -> (N, T, F' * filters)."""
    # Log and linear spectrograms differ by orders of magnitude in scale.
    x = layers.BatchNormalization(momentum=MOMENTUM, name="scale")(x)
    for number, width in enumerate(filters, 1):
        x = layers.Conv2D(width, KERNEL, (2, 1), "same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=MOMENTUM, name=f"norm{number}")(x)
        x = layers.Activation(activation, name=f"act{number}")(x)
    return frames_of(x)


def _block(x: Any, dilation: int, activation: str, dropout: float, name: str) -> Any:
    """(N, T, filters), the same plus a dilated convolution of it: conv-norm-act-dense-norm."""
    width = x.shape[-1]
    y = layers.Conv1D(
        width, 3, padding="same", dilation_rate=dilation, use_bias=False, name=f"{name}_conv"
    )(x)
    y = _normalised(y, activation, f"{name}_conv")
    y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = layers.Dense(width, use_bias=False, name=f"{name}_dense")(y)
    y = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_dense_norm")(y)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation(activation, name=f"{name}_act")(x)


def _normalised(x: Any, activation: str, name: str) -> Any:
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_act")(x)


def _reconstructing(
    inputs: Any, code: Any, bottleneck: int | None, units: int, activation: str, name: str
) -> keras.Model:
    """The autoencoder of inputs (N, F, T, C) and their code (N, T, features)."""
    bins, channels = inputs.shape[1], inputs.shape[3]
    values = bins * channels
    width = max(values // 4, 1) if bottleneck is None else bottleneck
    check_count(name, "bottleneck", width, most=max(values - 1, 1))
    check_count(name, "decoder_units", units)
    x = layers.Dense(width, name="bottleneck")(code)
    x = layers.Dense(units, activation=activation, name="decoder")(x)
    x = layers.Dense(values, name="reconstruction")(x)
    x = layers.Reshape((-1, bins, channels), name="bins")(x)  # (N, T, F, C)
    return keras.Model(inputs, layers.Permute((2, 1, 3), name="bins_first")(x), name=name)
