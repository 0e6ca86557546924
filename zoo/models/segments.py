"""Classifiers of segments that first process each frame with its surroundings, and then the
segment."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from zoo.errors import UsageError
from zoo.layers.segments import SegmentPooling, SplitMark
from zoo.models.checks import check_classifier, check_count, check_shape
from zoo.models.outputs import class_model
from zoo.models.recognizers import tdnn_code


def tdnn_segments(
    *,
    filters: Sequence[int] = (16, 32),
    block_filters: int = 128,
    dilations: Sequence[int] = (2, 3, 5, 8),
    parts: int = 3,
    around: int = 5,
    mark: bool = False,
    input_shape: tuple[int, int, int] = (201, 16, 1),
    classes: int = 48,
    activation: str = "relu",
    dropout: float = 0.3,
    classifier_activation: str | None = "softmax",
    name: str = "tdnn_segments",
) -> keras.Model:
    """The encoder of `tdnn`, averaged over the parts of a segment, and its duration.

    Layers up to the code are those of `tdnn` and `tdnn_ae`, by name and shape, so that either can
    initialise this one (`zoo.models.encoders.copy_encoder`).

    Args:
        filters, block_filters, dilations: see `zoo.models.recognizers.tdnn`.
        parts, around: see `zoo.layers.SegmentPooling`.
        mark: the last channel marks the frames that are the segment's, as that of sets prepared
            with `--context` does; else all frames are.
        input_shape: (F, T, C) of one centred spectrogram, the mark included.
        dropout: share of the averages that is dropped while training; of the encoder's blocks a
            third of it.
        classes, activation, classifier_activation, name: see `check_classifier`.

    Returns:
        A model (N, F, T, C) -> (N, classes).

    Raises:
        UsageError: an argument is invalid.
    """
    shape = check_shape(name, input_shape)
    check_classifier(name, classes, activation, dropout, classifier_activation)
    check_count(name, "parts", parts)
    check_count(name, "around", around)
    inputs = keras.Input(shape, name="spectrogram")
    x, marks = inputs, None
    if mark:
        if (shape[2] or 0) < 2:
            raise UsageError(
                f"{name}: mark=True needs a channel of marks beside those of the representation; "
                f"received input_shape={tuple(input_shape)!r}."
            )
        x, marks = SplitMark(name="split_mark")(inputs)
    code = tdnn_code(x, name, filters, block_filters, dilations, activation, dropout / 3)
    pooling = SegmentPooling(parts, around, name="pool_segment")
    pooled = pooling(code if marks is None else [code, marks])
    return class_model(inputs, pooled, classes, dropout, classifier_activation, name)
