"""Fast convolution over a spectrogram with kernels that span an axis or most of it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.ops.convolution import banded_conv, banding_pays

LOWERINGS = ("auto", "banded", "spanning", "none")


@keras.saving.register_keras_serializable(package="zoo")
class SpectralConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for maps (N, F, T, C) whose kernel covers much of an axis.

    Same parameters and same function. Few channels and a wide kernel are the slowest case of an
    ordinary 2-D convolution on a CPU. Two ways around it:

    `"spanning"`: a kernel as high as the map, under `"valid"` padding, leaves one row. Frequency
    and channels become one axis of F * C channels, which leaves one 1-D convolution over time.

    `"banded"`: time and channels become one axis of T * C channels with a banded kernel, which
    leaves one 1-D convolution over frequency.

    Args:
        lowering: `"auto"`: spanning where the kernel is as high as the map; else banded where it
            is at least as wide, or T * C is at most 16 times its width (128 times for a single
            filter); else ordinary. `"none"` never lowers; `"banded"` and `"spanning"` always do,
            and refuse where they cannot.
        **kwargs: those of `keras.layers.Conv2D`, whose `data_format` is `"channels_last"` here
            unless given. Only stride 1 over time, dilation 1, one group, and channels last are
            lowered.

    Input shape:
        (N, F, T, C); F and T must be known where it is spanning, T where it is banded.

    Output shape:
        As `keras.layers.Conv2D` gives.
    """

    def __init__(self, filters, kernel_size, *, lowering: str = "auto", **kwargs: Any) -> None:
        super().__init__(filters, kernel_size, **{"data_format": "channels_last", **kwargs})
        if lowering not in LOWERINGS:
            raise ValueError(
                f"lowering must be one of {', '.join(LOWERINGS)}; received {lowering!r}."
            )
        self.lowering = lowering

    def _lowered(self, rows: int | None, frames: int | None, channels: int) -> str:
        """Which lowering these maps get."""
        if self.lowering == "none":
            return "none"
        height, width = self.kernel_size
        banded = (
            frames is not None
            and self.strides[1] == 1
            and self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
        )
        spanning = banded and self.padding == "valid" and rows == height
        if self.lowering == "auto":
            pays = banded and banding_pays(width, frames, channels, self.filters)
            return "spanning" if spanning else "banded" if pays else "none"
        if not (spanning if self.lowering == "spanning" else banded):
            raise ValueError(
                f"lowering={self.lowering!r} needs stride 1 over time, dilation 1, one group, "
                "channels last and a known time axis, and 'spanning' a kernel as high as the map "
                f"under padding='valid'; {self.name} has kernel_size={self.kernel_size}, "
                f"strides={self.strides}, padding={self.padding!r}, "
                f"dilation_rate={self.dilation_rate}, groups={self.groups}, F={rows}, T={frames}. "
                "Use lowering='auto'."
            )
        return self.lowering

    def call(self, inputs):
        """(N, F, T, C) -> (N, F', T', filters)."""
        rows, frames, channels = inputs.shape[1:]
        lowered = self._lowered(rows, frames, channels)
        if lowered == "none":
            return super().call(inputs)
        out = self._spanning(inputs) if lowered == "spanning" else self._banded(inputs)
        if self.use_bias:
            out = out + ops.cast(self.bias, out.dtype)
        return out if self.activation is None else self.activation(out)

    def _spanning(self, inputs):
        rows, frames, channels = inputs.shape[1:]
        kernel = ops.transpose(ops.cast(self.kernel, inputs.dtype), (1, 0, 2, 3))
        out = ops.conv(
            ops.reshape(ops.transpose(inputs, (0, 2, 1, 3)), (-1, frames, rows * channels)),
            ops.reshape(kernel, (self.kernel_size[1], rows * channels, self.filters)),
            padding="valid",
            data_format="channels_last",
        )
        return ops.expand_dims(out, 1)

    def _banded(self, inputs):
        frames, width, same = inputs.shape[2], self.kernel_size[1], self.padding == "same"
        return banded_conv(
            inputs,
            self.kernel,
            before=(width - 1) // 2 if same else 0,
            out_frames=frames if same else frames - width + 1,
            stride=self.strides[0],
            padding=self.padding,
        )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "lowering": self.lowering}
