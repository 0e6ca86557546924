"""Convolution over a spectrogram whose kernel spans most of the time axis, lowered to be fast."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.ops.convolution import banded_conv, is_wide

LOWERINGS = ("auto", "banded", "none")


@keras.saving.register_keras_serializable(package="zoo")
class SpectralConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for maps (N, F, T, C) of which the kernel covers most of the time axis.

    Same parameters and same function. A wide kernel over few channels is the slowest case of an
    ordinary 2-D convolution on a CPU. Here time and channels become one axis of T * C channels,
    the kernel a banded one over it, and what is left is one 1-D convolution over frequency.

    Args:
        lowering: `"banded"` always, `"none"` never, `"auto"` where the kernel covers at least half
            of the time axis.
        **kwargs: those of `keras.layers.Conv2D`. Only stride 1 and dilation 1 over time, one
            group, and channels last are lowered.

    Input shape:
        (N, F, T, C); T must be known where it is lowered.

    Output shape:
        As `keras.layers.Conv2D` gives.
    """

    def __init__(self, filters, kernel_size, *, lowering: str = "auto", **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        if lowering not in LOWERINGS:
            raise ValueError(
                f"lowering must be one of {', '.join(LOWERINGS)}; received {lowering!r}."
            )
        self.lowering = lowering

    def _lowers(self, frames: int | None) -> bool:
        possible = (
            frames is not None
            and self.strides[1] == 1
            and self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
        )
        if self.lowering == "banded" and not possible:
            raise ValueError(
                "lowering='banded' needs stride 1 over time, dilation 1, one group, channels last "
                f"and a known time axis; {self.name} has strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}, groups={self.groups}, T={frames}. "
                "Use lowering='auto'."
            )
        wide = is_wide(self.kernel_size[1], frames) or self.lowering == "banded"
        return possible and self.lowering != "none" and wide

    def call(self, inputs):
        """(N, F, T, C) -> (N, F', T', filters)."""
        frames = inputs.shape[2]
        if not self._lowers(frames):
            return super().call(inputs)
        width, same = self.kernel_size[1], self.padding == "same"
        out = banded_conv(
            inputs,
            self.kernel,
            before=(width - 1) // 2 if same else 0,
            out_frames=frames if same else frames - width + 1,
            stride=self.strides[0],
            padding=self.padding,
        )
        if self.use_bias:
            out = out + ops.cast(self.bias, out.dtype)
        return out if self.activation is None else self.activation(out)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "lowering": self.lowering}
