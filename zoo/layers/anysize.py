"""Average pooling of maps of any size to a fixed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.ops.regions import check_size
from zoo.plain import plain


@keras.saving.register_keras_serializable(package="zoo")
class FixedMapPooling2D(keras.layers.Layer):
    """Average a map of any size into `output_size` regions that cover it.

    Region i of n over an axis of length H is the elements floor(i * H / n) to ceil((i + 1) * H /
    n), as in PyTorch's adaptive pooling: neighbours share an element if n does not divide H, and
    elements of a map smaller than `output_size` are repeated. Unlike
    `keras.layers.AdaptiveAveragePooling2D` it takes axes whose length is unknown when the model is
    built.

    Args:
        output_size: (H', W') of the result.
        **kwargs: name, dtype and so on, as for any Keras layer.

    Input shape:
        (N, H, W, C), H and W known or not.

    Output shape:
        (N, H', W', C).

    Reference:
        Roch, "Convolutional models" (course slides), "Pooling".
    """

    def __init__(self, output_size: int | Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        output_size = plain(output_size)
        size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
        self.output_size = check_size(size, 2, name="output_size")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, C) -> (N, H', W', C)."""
        dynamic = ops.shape(inputs)
        rows, columns = (
            ops.cast(_averages(dynamic[axis], size), inputs.dtype)
            for axis, size in zip((1, 2), self.output_size, strict=True)
        )
        x = ops.einsum("oh,nhwc->nowc", rows, inputs)
        return ops.einsum("ow,nhwc->nhoc", columns, x)

    def compute_output_shape(self, input_shape):
        """(N, H, W, C) -> (N, H', W', C)."""
        return (input_shape[0], *self.output_size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Every argument of the constructor."""
        return {**super().get_config(), "output_size": self.output_size}


def _averages(length: Any, regions: int) -> Any:
    """Matrix (regions, length) whose rows average the elements of each region."""
    element = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    region = ops.expand_dims(ops.arange(regions, dtype="int32"), 1)
    start = region * length // regions
    end = ((region + 1) * length + regions - 1) // regions
    inside = ops.cast(ops.logical_and(element >= start, element < end), "float32")
    return inside / ops.cast(end - start, "float32")
