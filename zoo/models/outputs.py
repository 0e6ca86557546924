"""The end that every classifying network shares."""

from __future__ import annotations

from typing import Any

import keras


def class_outputs(x: Any, classes: int, activation: str | None, name: str) -> Any:
    """A last dense layer `name` and, unless None, the activation `probabilities`.

    Args:
        x: (..., features).
        classes: number of outputs.
        activation: None for logits.
        name: of the dense layer.

    Returns:
        (..., classes).
    """
    x = keras.layers.Dense(classes, name=name)(x)
    if activation is None:
        return x
    # The softmax stays in float32 under a mixed-precision policy.
    return keras.layers.Activation(activation, dtype="float32", name="probabilities")(x)
