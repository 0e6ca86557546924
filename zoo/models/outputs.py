"""The last layers of every classifying network."""

from __future__ import annotations

from typing import Any

import keras


def class_outputs(x: Any, classes: int, activation: str | None, name: str) -> Any:
    """A last dense layer `name` and, unless None, the activation `probabilities`.

    Args:
        x: (..., features).
        classes: number of outputs.
        activation: None for logits.
        name: name of the dense layer.

    Returns:
        (..., classes).
    """
    x = keras.layers.Dense(classes, name=name)(x)
    if activation is None:
        return x
    # The softmax stays in float32 under a mixed-precision policy.
    return keras.layers.Activation(activation, dtype="float32", name="probabilities")(x)


def class_model(
    inputs: Any,
    code: Any,
    classes: int,
    dropout: float,
    activation: str | None,
    name: str,
    layer: str = "fc1",
) -> keras.Model:
    """The network of `inputs` that decides on a code, by a dropout and a last dense layer.

    Args:
        inputs: inputs of the network.
        code: (..., features), computed from them.
        classes: number of outputs.
        dropout: share of the code that is dropped while training.
        activation: None for logits.
        name: name of the network.
        layer: name of the dense layer.
    """
    x = keras.layers.Dropout(dropout, name="dropout")(code)
    return keras.Model(inputs, class_outputs(x, classes, activation, layer), name=name)
