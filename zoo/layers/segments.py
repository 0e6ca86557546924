"""Layers for segments that are heard with their surroundings and marked in a channel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

LEAST_FRAMES = 0.5
"""Smallest duration in frames of which the logarithm is taken."""


@keras.saving.register_keras_serializable(package="zoo")
class SplitMark(keras.layers.Layer):
    """Split a marked representation into its channels and the marks of its frames.

    Input shape:
        (N, F, T, C), C from 2 on: the last channel holds the marks, alike in every row.

    Output shape:
        (N, F, T, C - 1) and (N, T).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "trainable": False})

    def call(self, x):
        """(N, F, T, C) -> (N, F, T, C - 1), (N, T)."""
        return x[..., :-1], x[:, 0, :, -1]

    def compute_output_shape(self, input_shape):
        """(N, F, T, C) -> (N, F, T, C - 1), (N, T)."""
        *rest, channels = input_shape
        return (*rest, channels - 1), (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable(package="zoo")
class SegmentPooling(keras.layers.Layer):
    """Means over the parts of a marked segment, and over what lies before and after it.

    A segment of L frames is divided into `parts` spans of L / parts frames each, whose bounds may
    lie between two frames; `around` frames on either side are two more spans. With the logarithm of
    L and its square, the means are a fixed number of features for segments of any duration: those
    of classical segment classifiers, over learnt features instead of cepstra.

    Args:
        parts: spans of a segment.
        around: frames before and after it.

    Input shape:
        Features (N, T, D) and marks (N, T), shares of each frame that are the segment's; or the
        features alone, all of which are then the segment's.

    Output shape:
        (N, (parts + 2) D + 2).

    Reference: Glass, "A probabilistic framework for segment-based speech recognition", 2003;
    Halberstadt and Glass, "Heterogeneous acoustic measurements for phonetic classification", 1997.
    """

    def __init__(self, parts: int = 3, around: int = 5, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "trainable": False})
        for name, value in (("parts", parts), ("around", around)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 on; received {value!r}.")
        self.parts = parts
        self.around = around

    def call(self, inputs):
        """(N, T, D), (N, T) -> (N, (parts + 2) D + 2)."""
        features, marks = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        if marks is None:
            marks = ops.ones_like(features[..., 0])
        frames = ops.shape(marks)[1]
        dtype = features.dtype
        marks = ops.cast(marks, "float32")
        length = ops.sum(marks, axis=1)
        first = ops.argmax(ops.cast(marks > 0, "int32"), axis=1)
        begun = ops.take_along_axis(marks, first[:, None], axis=1)[:, 0]
        # The first frame is the segment's from its last part on.
        start = ops.cast(first, "float32") + 1.0 - begun
        share = length / self.parts
        bounds = [start + share * part for part in range(self.parts + 1)]
        lows = [*bounds[:-1], start - self.around, bounds[-1]]
        highs = [*bounds[1:], start, bounds[-1] + self.around]
        low, high = (ops.stack(edges, axis=1)[..., None] for edges in (lows, highs))
        frame = ops.cast(ops.arange(frames), "float32")
        covered = ops.minimum(frame + 1.0, high) - ops.maximum(frame, low)
        covered = ops.maximum(covered, 0.0)  # (N, parts + 2, T)
        weights = covered / ops.maximum(high - low, 1e-3)
        means = ops.matmul(ops.cast(weights, dtype), features)
        flat = ops.reshape(means, (-1, (self.parts + 2) * features.shape[-1]))
        # About 7 frames are usual.
        duration = ops.log(ops.maximum(length, LEAST_FRAMES))[:, None] - 2.0
        known = ops.concatenate([duration, duration * duration], axis=1)
        return ops.concatenate([flat, ops.cast(known, dtype)], axis=1)

    def compute_output_shape(self, input_shape):
        """(N, T, D), (N, T) -> (N, (parts + 2) D + 2)."""
        features = input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape
        return (features[0], (self.parts + 2) * features[-1] + 2)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "parts": self.parts, "around": self.around}
