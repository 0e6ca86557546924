"""A causal one-dimensional convolutional network given by its taps and features."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from zoo.errors import UsageError
from zoo.models.checks import check_counts, check_shape


def denoiser(
    *,
    taps: Sequence[int] = (40, 40),
    features: Sequence[int] = (1, 5, 1),
    input_shape: tuple[int | None, int] | None = None,
    name: str = "denoiser",
) -> keras.Model:
    """L layers of causal filters and tanh, without biases: a shifted input shifts the output.

    Layer l is x_l[n] = tanh(sum over k < K_l of x_(l-1)[n - k] H_lk), the signal being zero before
    its start. Keras' kernels run the other way: H_lk is `kernel[K_l - 1 - k]`.

    Args:
        taps: [K1, ..., KL], length of each layer's filters.
        features: [F0, ..., FL], channels of the input and of each layer.
        input_shape: (samples, F0); samples may be None. None: (None, F0).
        name: name of the model.

    Returns:
        A model (N, samples, F0) -> (N, samples, FL), with layers `conv1`, `conv2`, ....

    Raises:
        UsageError: `taps` and `features` do not go together.

    Reference: University of Pennsylvania, lab 2B, sections 1, 3 and 3.3.
    """
    check_counts(name, "taps", taps)
    check_counts(name, "features", features, entries=len(taps) + 1)
    given = (None, features[0]) if input_shape is None else input_shape
    shape = check_shape(name, given, ("samples", "F0"), free=("samples",))
    if shape[1] != features[0]:
        raise UsageError(
            f"{name}: the last entry of input_shape must be features[0], {features[0]}; "
            f"received {tuple(shape)}."
        )
    inputs = x = keras.Input(shape, name="waveform")
    for number, (length, width) in enumerate(zip(taps, features[1:], strict=True), 1):
        x = keras.layers.Conv1D(
            width,
            length,
            padding="causal",
            use_bias=False,
            activation="tanh",
            name=f"conv{number}",
        )(x)
    return keras.Model(inputs, x, name=name)
