"""Encoders taken out of classifiers and autoencoders, and copied from one into the other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError

if TYPE_CHECKING:
    import keras


def encoder_of(model: keras.Model, units: int | None = None) -> keras.Model:
    """The encoder of a classifier or autoencoder, sharing its layers.

    Args:
        model: one of the zoo's.
        units: encode with the outermost so many units; None: all.

    Raises:
        UsageError: the model has no code, or not so many units.
    """
    import keras

    names = [layer.name for layer in model.layers]
    if units is None:
        if "code" not in names:
            raise UsageError(
                f"{model.name} has no code: it is neither a classifier nor an autoencoder."
            )
        layer = model.get_layer("code")
        code = layer.input if isinstance(layer, keras.layers.Flatten) else layer.output
    else:
        ends = [n for n in names if n in (f"conv{units}", f"pool{units}", f"act{units}")]
        if not ends:
            count = sum(bool(re.fullmatch(r"conv\d+", n)) for n in names)
            raise UsageError(f"{model.name} has {count} units; received units={units!r}.")
        code = model.get_layer(ends[-1]).output
        code = code[0] if isinstance(code, (list, tuple)) else code
    return keras.Model(model.input, code, name=f"{model.name}_encoder")


def copy_encoder(source: keras.Model, target: keras.Model) -> list[str]:
    """Copy filters and biases of the encoder's convolutions between models, by layer name.

    Fully-connected layers are copied if either model has them in its encoder. Other weights, such
    as those of normalisation, are copied for layers that both encoders have. A decoder is left as
    it is: see `zoo.models.autoencoders.transpose_decoder`.

    Args:
        source: a classifier or autoencoder.
        target: another one; with fewer or more units, those that both have are copied.

    Returns:
        Names of the layers copied.

    Raises:
        UsageError: the two have no layer in common, or one of different filters.
    """
    sources = {layer.name: layer for layer in source.layers}
    common = _encoding_names(source) & _encoding_names(target)
    copied = []
    for layer in target.layers:
        given = sources.get(layer.name)
        if given is None:
            continue
        if _is_encoding(given, layer):
            parts = [(getattr(given, part), getattr(layer, part)) for part in ("kernel", "bias")]
        elif layer.name in common and len(given.weights) == len(layer.weights):
            parts = list(zip(given.weights, layer.weights, strict=True))
        else:
            continue
        parts = [(value, variable) for value, variable in parts if variable is not None]
        for value, variable in parts:
            if value.shape[-1] != variable.shape[-1] or _size(value) != _size(variable):
                raise UsageError(
                    f"{source.name} cannot initialise {target.name}: the {variable.name} of "
                    f"{layer.name} is {tuple(value.shape)} in one and {tuple(variable.shape)} in "
                    "the other."
                )
        for value, variable in parts:
            _assign(variable, value)
        if parts:
            copied.append(layer.name)
    if not copied:
        raise UsageError(
            f"{source.name} cannot initialise {target.name}: they have no convolution in common."
        )
    return copied


def freeze_encoder(model: keras.Model, names: Iterable[str] | None = None) -> None:
    """Keep training from changing the encoder's filters and biases; compile the model afterwards.

    A tied decoder's own bias, which its convolution holds, is left trainable.

    Args:
        model: a classifier or autoencoder.
        names: only these of the encoder's layers; None: all.
    """
    for layer in encoder_of(model).layers:
        if names is not None and layer.name not in names:
            continue
        if hasattr(layer, "trainable_parts"):
            layer.trainable_parts = set(layer.trainable_parts) & {"reverse_bias"}
        elif layer.weights:
            layer.trainable = False


def _encoding_names(model: keras.Model) -> set[str]:
    """Names of the encoder's layers; none of a model that has no code."""
    if all(layer.name != "code" for layer in model.layers):
        return set()
    return {layer.name for layer in encoder_of(model).layers}


def _is_encoding(given: Any, layer: Any) -> bool:
    if re.fullmatch(r"conv\d+", layer.name):
        return True
    both = re.fullmatch(r"fc\d+", layer.name)
    return bool(both) and any(hasattr(x, "trainable_parts") for x in (given, layer))


def _size(value: Any) -> int:
    size = 1
    for length in value.shape:
        size *= length
    return size


def _assign(variable: Any, value: Any) -> None:
    from keras import ops

    # A fully-connected layer over a map has the same filters in the same order, but two axes.
    # A copy: JAX gives each step the weights' memory, which two of them must not share.
    variable.assign(ops.copy(ops.reshape(value, variable.shape)))
