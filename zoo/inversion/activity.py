"""Layers by name or by number, and the network up to one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    import keras

THESIS_LAYERS = ("L1", "L3", "L6", "L9", "L12")
"""Layers that Churchman (2015) reconstructs from: the first convolution, the three triplets of
convolution, ReLU and pooling, and the second fully-connected layer before its ReLU."""

UNCOUNTED = ("InputLayer", "Flatten", "Dropout", "Identity")
"""Classes of layers that compute nothing and therefore have no number."""


def layer_names(model: keras.Model) -> list[str]:
    """Names of the layers whose activity can be inverted, starting at the input."""
    return [layer.name for layer in model.layers if type(layer).__name__ != "InputLayer"]


def layer_numbers(model: keras.Model) -> dict[str, str]:
    """Churchman's numbers, `"L1"` and so on, of a model's layers.

    Convolutions, activations, poolings and fully-connected layers are counted from the input on.
    Models whose units are not convolution, activation, pooling in this order have no such numbers.

    Example:
        >>> layer_numbers(zoo.build("freq_overlap"))["L12"]
        'fc2'
    """
    counted = [layer.name for layer in model.layers if type(layer).__name__ not in UNCOUNTED]
    if counted[:3] != ["conv1", "act1", "pool1"]:
        return {}
    return {f"L{number}": name for number, name in enumerate(counted, 1)}


def find_layer(model: keras.Model, layer: str | int) -> str:
    """The name of a layer that was given by name or by Churchman's number.

    Args:
        model: a functional model.
        layer: `"pool2"`, or for models that have such numbers `"L6"` or 6.

    Raises:
        UsageError: there is no such layer; the message lists them.
    """
    names, numbers = layer_names(model), layer_numbers(model)
    if layer in names:
        return str(layer)
    number = f"L{layer}" if isinstance(layer, int) else str(layer).strip().upper()
    if number in numbers:
        return numbers[number]
    text = f"{model.name} has no layer {layer!r}. Its layers: {', '.join(names)}."
    if numbers:
        listed = ", ".join(f"{n} {numbers[n]}" for n in THESIS_LAYERS if n in numbers)
        text += f" Or by number, L1 to {list(numbers)[-1]} ({listed})."
    elif isinstance(layer, int) or re.fullmatch(r"L\d+", number):
        text += " Only models of convolution, activation, pooling in this order have numbers."
    raise UsageError(text)


def activity_model(
    model: keras.Model, layer: str | int, deltas: Mapping[str, int] | None = None
) -> keras.Model:
    """The network from its input to a layer, sharing the model's weights.

    Args:
        model: a functional model of one input.
        layer: as `find_layer` takes it. Of a layer with several outputs, its first.
        deltas: arguments of `zoo.layers.Deltas`. The network then takes the static channels alone
            and computes the others from them.

    Returns:
        A model (N, ...) -> (N, ...), always float32.

    Raises:
        UsageError: there is no such layer, its output is no number of an example's own, or the
            channels are not static ones followed by deltas.
    """
    import keras

    if not isinstance(model, keras.Model) or len(getattr(model, "inputs", None) or ()) != 1:
        raise UsageError(f"the model must be a built Keras model of one input; received {model!r}.")
    name = find_layer(model, layer)
    try:
        output: Any = model.get_layer(name).output
    except (AttributeError, ValueError) as error:
        raise UsageError(f"the layer {name} of {model.name} has no output: {error}.") from None
    output = output[0] if isinstance(output, (list, tuple)) else output
    if "float" not in keras.backend.standardize_dtype(output.dtype):
        raise UsageError(f"the output of {name} is of type {output.dtype}; it has no gradient.")
    network = keras.Model(model.inputs[0], output, name=f"{model.name}_to_{name}")
    if not deltas:
        return network
    from zoo.layers import Deltas

    *axes, channels = model.inputs[0].shape[1:]
    static, rest = divmod(channels, deltas["order"] + 1)
    if rest or not static:
        raise UsageError(
            f"{model.name} takes {channels} channels, which are not static ones followed by "
            f"{deltas['order']} orders of deltas."
        )
    inputs = keras.Input((*axes, static), name="static")
    return keras.Model(inputs, network(Deltas(**deltas)(inputs)), name=network.name)


def check_inputs(
    inputs: Any, shape: tuple[int | None, ...], name: str, *, silence: bool = False
) -> np.ndarray:
    """Inputs as float32, if they are what a network takes.

    Args:
        inputs: array-like.
        shape: shape of the network's input, None along axes of any length.
        name: name of the network.
        silence: whether an example may be the same number everywhere.

    Raises:
        UsageError: they are not.
    """
    try:
        array = np.asarray(inputs, "float32")
    except (TypeError, ValueError):
        raise UsageError(f"inputs must be an array of numbers; received {type(inputs)}.") from None
    text = f"(N, {', '.join('any' if n is None else str(n) for n in shape[1:])})"
    fits = array.ndim == len(shape) and all(
        n in (None, m) for n, m in zip(shape[1:], array.shape[1:], strict=True)
    )
    if not fits or not array.size:
        hint = " Give a single one as inputs[None]." if array.ndim == len(shape) - 1 else ""
        raise UsageError(f"{name} takes inputs of shape {text}; received {array.shape}.{hint}")
    flat = array.reshape(len(array), -1)
    wrong = np.flatnonzero(~np.isfinite(flat).all(axis=1))
    if len(wrong):
        raise UsageError(f"input {wrong[0]} holds NaN or infinity; all must be finite numbers.")
    silent = np.flatnonzero(np.ptp(flat, axis=1) == 0)
    if len(silent) and not silence:
        raise UsageError(
            f"input {silent[0]} is constant (silence): there is nothing to "
            "reconstruct. Leave it out."
        )
    return array
