"""Convolutional autoencoders: units of an encoder and the decoder that inverts it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from zoo.errors import UsageError
from zoo.layers.pooling import BlindUpsampling2D, SwitchPooling2D, SwitchUnpooling2D
from zoo.layers.tied import TiedConv2D
from zoo.models.card import DECODERS, TRAINED, UNPOOLINGS
from zoo.models.checks import (
    check_activation,
    check_choice,
    check_count,
    check_counts,
    check_fit,
    check_shape,
    check_units,
    whole,
)
from zoo.models.classifiers import ORDERS, PADDINGS, Size
from zoo.ops.pooling import OVERLAPS

PART_NAMES = {
    "all": ("kernel", "bias"),
    "filters": ("kernel",),
    "biases": ("bias",),
    "none": (),
}

Trained = str | Sequence[str]
"""Parts that training changes: for all convolutions, or one entry for each, outermost first."""


def autoencoder(
    *,
    filters: Sequence[int],
    kernel_sizes: Sequence[Size],
    pool_sizes: Sequence[Size],
    pool_strides: Sequence[Size],
    padding: str = "same",
    order: str = "pool_act",
    units: int | None = None,
    dense_units: Sequence[int] = (),
    pooling: bool = True,
    unpooling: str = "switch",
    overlap: str = "last",
    decoder: str = "free",
    decoder_relu: bool = True,
    activation: str = "relu",
    train_encoder: Trained = "all",
    train_decoder: Trained = "all",
    input_shape: tuple[int, int, int] = (201, 16, 1),
    name: str = "autoencoder",
) -> keras.Model:
    """Convolutional autoencoder: nested units of convolution and pooling, each with its inverse.

    A unit's encoder is a convolution, max pooling and an activation; its decoder an optional
    activation, an unpooling and the transposed convolution. The encoder's layers have the names
    and the filters of the classifier that the arguments describe, so that either can initialise
    the other (`zoo.models.encoders.copy_encoder`).

    Args:
        filters: number of filters of each unit's convolution.
        kernel_sizes: kernel size of each unit's convolution, (frequency, time).
        pool_sizes: pool size of each unit's pooling; `(None, None)` pools the whole map.
        pool_strides: pool stride of each unit's pooling.
        padding: padding of the convolutions, `"same"` or `"valid"`; the decoder undoes either.
        order: order of an encoder's pooling and activation, `"pool_act"` or `"act_pool"`.
        units: how many, counted from the outermost; None: all that `filters` describes.
        dense_units: units of the fully-connected layers within the innermost unit, each with its
            inverse and the activation between them; none follows the last.
        pooling: False leaves out pooling, activation and unpooling.
        unpooling: `"switch"` puts values back where they were the maximum, with zeros elsewhere;
            `"blind"` spreads them over their regions and needs no more than the code.
        overlap: rule for switches that meet, `"last"`, `"mean"` or `"sum"`.
        decoder: `"free"` has filters of its own; `"transpose_init"` starts them equal to the
            transposed encoder's; `"tied"` keeps them equal (with a bias of its own).
        decoder_relu: whether decoders begin with the activation. The innermost one does not:
            its input comes from an activation already.
        activation: `"relu"`, `"tanh"`, `"sigmoid"` or another of Keras'.
        train_encoder: what training changes in the encoder, `"all"`, `"filters"`, `"biases"` or
            `"none"`, or one of these for each convolution and fully-connected layer, outermost
            first.
        train_decoder: the same for the decoder; tied filters follow the encoder's.
        input_shape: (F, T, C) of one centred spectrogram.
        name: name of the model.

    Returns:
        A model (N, F, T, C) -> (N, F, T, C), linear at its end, with layers `conv1`, `pool1`,
        `act1`, ..., then `code`, then from the inside out ..., `deact1`, `unpool1`, `deconv1`
        (fully connected: `fc1`, `fc1_act`, `defc1`). A tied decoder is `conv1` in reverse.

    Raises:
        UsageError: an argument is invalid, or a layer does not fit into the map before it.

    Reference: Riemens (2015), sections 4.2, 4.3 and B.8, figure 4; Churchman (2015), section 6.5.
    """
    shape = check_shape(name, input_shape)
    check_units(name, filters, kernel_sizes, pool_sizes, pool_strides)
    depth = len(filters) if units is None else units
    check_count(name, "units", depth, most=len(filters))
    check_counts(name, "dense_units", dense_units)
    check_choice(name, "padding", padding, PADDINGS)
    check_choice(name, "order", order, ORDERS)
    check_choice(name, "unpooling", unpooling, UNPOOLINGS)
    check_choice(name, "overlap", overlap, OVERLAPS)
    check_choice(name, "decoder", decoder, DECODERS)
    check_activation(name, "activation", activation)
    for option, value in [("pooling", pooling), ("decoder_relu", decoder_relu)]:
        if not isinstance(value, bool):
            raise UsageError(f"{name}: {option} must be True or False; received {value!r}.")
    levels = depth + len(dense_units)
    pairs = _Pairs(
        decoder,
        zip(
            _each(name, "train_encoder", train_encoder, levels),
            _each(name, "train_decoder", train_decoder, levels),
            strict=True,
        ),
    )

    inputs = x = keras.Input(shape, name="spectrogram")
    inverses: list[Any] = []
    for number in range(1, depth + 1):
        size = whole(kernel_sizes[number - 1], x.shape[1:3])
        if padding == "valid":
            check_fit(name, f"conv{number}", size, x.shape[1:3], shape)
        encode, decode = pairs.make(
            filters[number - 1], size, padding, x.shape[-1], f"conv{number}", f"deconv{number}"
        )
        x = encode(x)
        undo: list[Any] = []
        if pooling:
            axes = x.shape[1:3]
            size = whole(pool_sizes[number - 1], axes)
            check_fit(name, f"pool{number}", size, axes, shape)
            strides = whole(pool_strides[number - 1], size)
            window: dict[str, Any] = {"pool_size": size, "strides": strides}
            squash = keras.layers.Activation(activation, name=f"act{number}")
            x = squash(x) if order == "act_pool" else x
            if unpooling == "switch":
                x, switches = SwitchPooling2D(**window, name=f"pool{number}")(x)
            else:
                x = keras.layers.MaxPooling2D(**window, name=f"pool{number}")(x)
                switches = None
            x = squash(x) if order == "pool_act" else x
            window["output_size"] = axes
            if decoder_relu and (number < depth or dense_units):
                undo.append(keras.layers.Activation(activation, name=f"deact{number}"))
            undo.append(_unpooling(switches, window, overlap, f"unpool{number}"))
        inverses.append([*undo, decode])
    for number, width in enumerate(dense_units, 1):
        # Over its whole map a convolution is a fully-connected layer, and so is its inverse.
        encode, decode = pairs.make(
            width, x.shape[1:3], "valid", x.shape[-1], f"fc{number}", f"defc{number}"
        )
        x = encode(x)
        undo = []
        if number < len(dense_units):
            x = keras.layers.Activation(activation, name=f"fc{number}_act")(x)
            if decoder_relu:
                undo.append(keras.layers.Activation(activation, name=f"defc{number}_act"))
        inverses.append([*undo, decode])
    x = keras.layers.Identity(name="code")(x)
    for steps in reversed(inverses):
        for step in steps:
            x = step(x)
    model = keras.Model(inputs, x, name=name)
    if decoder == "transpose_init":
        transpose_decoder(model)
    return model


def transpose_decoder(model: keras.Model) -> None:
    """Set an autoencoder's own decoder filters to the transposed ones of its encoder.

    To be called after an encoder was loaded into a `"transpose_init"` autoencoder.

    Raises:
        UsageError: the model has no decoder filters of its own.
    """
    found = 0
    for layer in model.layers:
        encoder = layer.name.removeprefix("de")
        if isinstance(layer, TiedConv2D) and encoder != layer.name:
            # The layer is called in reverse: it transposes the kernel that it holds.
            kernel: Any = layer.kernel
            # A copy: JAX gives each step the weights' memory, which two of them must not share.
            kernel.assign(ops.copy(model.get_layer(encoder).kernel))
            found += 1
    if not found:
        raise UsageError(
            f"{model.name} has no decoder filters of its own to set: a tied decoder has its "
            "encoder's, and a classifier has none. Build it with decoder='transpose_init'."
        )


class _Pairs:
    """Makes pairs of a convolution and its inverse, as functions of tensors."""

    def __init__(self, decoder: str, trained: Iterator[tuple[str, str]]) -> None:
        self._decoder = decoder
        self._trained = trained

    def make(self, filters, size, padding, channels, name, inverse_name) -> tuple[Any, Any]:
        encoder, decoder = (PART_NAMES[part] for part in next(self._trained))
        own_bias = ("reverse_bias",) if "bias" in decoder else ()
        if self._decoder == "tied":
            conv = TiedConv2D(
                filters, size, padding, trainable_parts=(*encoder, *own_bias), name=name
            )
            inverse = conv
        else:
            conv = TiedConv2D(
                filters,
                size,
                padding,
                use_reverse_bias=False,
                trainable_parts=encoder,
                name=name,
            )
            own_kernel = ("kernel",) if "kernel" in decoder else ()
            inverse = TiedConv2D(
                filters,
                size,
                padding,
                use_bias=False,
                trainable_parts=(*own_kernel, *own_bias),
                input_channels=channels,
                name=inverse_name,
            )
        return conv, lambda x: inverse(x, reverse=True)


def _unpooling(switches: Any, window: dict[str, Any], overlap: str, name: str) -> Any:
    if switches is None:
        return BlindUpsampling2D(**window, name=name)
    layer = SwitchUnpooling2D(**window, overlap=overlap, name=name)
    return lambda x: layer([x, switches])


def _each(name: str, option: str, trained: Any, levels: int) -> list[str]:
    """One entry a level."""
    if isinstance(trained, str):
        check_choice(name, option, trained, TRAINED)
        return [trained] * levels
    if not isinstance(trained, (list, tuple)) or len(trained) != levels:
        raise UsageError(
            f"{name}: {option} must be one of {', '.join(TRAINED)}, or {levels} of these, one a "
            f"layer; received {trained!r}."
        )
    for entry in trained:
        check_choice(name, option, entry, TRAINED)
    return list(trained)
