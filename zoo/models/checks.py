"""Checks of builders' arguments; each error says what would be valid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from zoo.errors import UsageError, nearest

ACTIVATIONS = ("elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "tanh")
OUTPUT_ACTIVATIONS = ("sigmoid", "softmax")


def check_shape(
    name: str, input_shape: Any, axes: Sequence[str] = ("F", "T", "C"), free: Sequence[str] = ()
) -> tuple[int | None, ...]:
    """`input_shape` as a tuple of one whole number for each of `axes`.

    Args:
        name: name of the model.
        input_shape: what the caller gave.
        axes: names of its entries.
        free: those of `axes` that may be None.

    Raises:
        UsageError: it is no such shape.
    """
    shape = tuple(input_shape) if isinstance(input_shape, (list, tuple)) else None
    fits = shape is not None and len(shape) == len(axes)
    if not fits or not all(
        _is_count(size) or (size is None and axis in free)
        for size, axis in zip(shape or (), axes, strict=True)
    ):
        unknown = f" ({', '.join(free)} may be None)" if free else ""
        raise UsageError(
            f"{name}: input_shape must be ({', '.join(axes)}) in whole numbers from 1 on{unknown}; "
            f"received {input_shape!r}."
        )
    return shape or ()


def check_choice(name: str, option: str, value: Any, valid: Iterable[str | None]) -> None:
    """Raise a UsageError unless `value` is one of `valid`."""
    choices = list(valid)
    if value not in choices:
        hint = (
            nearest(value, [c for c in choices if c is not None], "value")
            if isinstance(value, str)
            else ""
        )
        listed = ", ".join(repr(c) for c in choices)
        if hint.startswith("Valid"):
            hint = ""
        raise UsageError(
            f"{name}: {option} must be one of {listed}; received {value!r}. {hint}".rstrip()
        )


def check_activation(name: str, option: str, value: Any) -> None:
    """Raise a UsageError unless Keras knows the activation `value`; a function passes."""
    try:
        known = value is not None and callable(keras.activations.get(value))
    except (ValueError, TypeError):
        known = False
    if not known:
        check_choice(name, option, value, ACTIVATIONS)


def check_output_activation(name: str, value: Any) -> None:
    """Raise a UsageError unless `value` is None (logits) or turns logits into probabilities."""
    if value is not None and value not in OUTPUT_ACTIVATIONS:
        raise UsageError(
            f"{name}: classifier_activation must be None (logits), 'softmax' or 'sigmoid'; "
            f"received {value!r}."
        )


def check_count(name: str, option: str, value: Any, most: int | None = None) -> None:
    """Raise a UsageError unless `value` is a whole number from 1 to `most`."""
    if not _is_count(value) or (most is not None and value > most):
        upper = "on" if most is None else f"to {most}"
        raise UsageError(
            f"{name}: {option} must be a whole number from 1 {upper}; received {value!r}."
        )


def check_counts(
    name: str, option: str, values: Any, entries: int | None = None, *, some: bool = False
) -> None:
    """Raise a UsageError unless `values` is a sequence of `entries` whole numbers from 1 on.

    With `some` there must be one at least.
    """
    good = isinstance(values, (list, tuple)) and all(_is_count(value) for value in values)
    if not good or (entries is not None and len(values) != entries) or (some and not values):
        count = "one or more " if some else "" if entries is None else f"{entries} "
        raise UsageError(
            f"{name}: {option} must be a sequence of {count}whole numbers from 1 on; "
            f"received {values!r}."
        )


def check_sizes(name: str, option: str, values: Any, entries: int) -> None:
    """Raise a UsageError unless `values` holds `entries` pairs of whole numbers or None."""
    good = isinstance(values, (list, tuple)) and len(values) == entries
    if not good or not all(
        isinstance(pair, (list, tuple))
        and len(pair) == 2
        and all(part is None or _is_count(part) for part in pair)
        for pair in values
    ):
        raise UsageError(
            f"{name}: {option} must hold {entries} pairs (frequency, time), one a convolution, of "
            f"whole numbers from 1 on or None for the whole axis; received {values!r}."
        )


def check_units(
    name: str, filters: Any, kernel_sizes: Any, pool_sizes: Any, pool_strides: Any
) -> None:
    """Raise a UsageError unless all describe equally many units of convolution and pooling."""
    check_counts(name, "filters", filters)
    check_sizes(name, "kernel_sizes", kernel_sizes, len(filters))
    check_sizes(name, "pool_sizes", pool_sizes, len(filters))
    check_sizes(name, "pool_strides", pool_strides, len(filters))


def check_dropout(name: str, value: Any) -> None:
    """Raise a UsageError unless `value` is a share in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise UsageError(
            f"{name}: dropout must be the dropped share, from 0 to below 1; received {value!r}."
        )


def check_classifier(
    name: str, classes: Any, activation: Any, dropout: Any, classifier_activation: Any
) -> None:
    """Check the arguments that every classifying builder takes.

    Args:
        name: name of the model.
        classes: number of outputs.
        activation: activation of the hidden layers, `"relu"`, `"tanh"` or another of Keras'.
        dropout: share of the code that is dropped while training.
        classifier_activation: activation of the outputs, `"softmax"` or `"sigmoid"`; None for
            logits.

    Raises:
        UsageError: one is invalid.
    """
    check_count(name, "classes", classes)
    check_activation(name, "activation", activation)
    check_dropout(name, dropout)
    check_output_activation(name, classifier_activation)


def check_fit(
    name: str, layer: str, size: Sequence[int], axes: Sequence[int], input_shape: Sequence[Any]
) -> None:
    """Raise a UsageError if a window of `size` does not fit into a map of `axes`."""
    if any(part > axis for part, axis in zip(size, axes, strict=True)):
        raise UsageError(
            f"{name} does not fit an input of {tuple(input_shape)}: {layer} needs a map of at "
            f"least {size[0]}x{size[1]} and gets {axes[0]}x{axes[1]}; give a larger input_shape "
            "or smaller kernels and pools."
        )


def whole(size: Sequence[int | None], axes: Sequence[int]) -> tuple[int, int]:
    """`size` with None replaced by the whole axis."""
    height, width = (axis if part is None else part for part, axis in zip(size, axes, strict=True))
    return height, width


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
