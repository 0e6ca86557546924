"""Fast convolution of spectrograms with kernels that span most of the time axis."""

from __future__ import annotations

from typing import Any

from keras import ops

BANDED_CHANNELS = 16
"""In a banded kernel, (T - width) / T of the factors are zeros, but it uses the processor better if
there are few channels. By measurement (benchmarks/lowering.py), gain and loss are equal where T /
width times the channels is about this number."""


ALONE = 8
"""A single output takes a vector of the processor to itself in an ordinary convolution: banding
pays for as many times the channels."""


def banding_pays(width: int, frames: int | None, channels: int, outputs: int) -> bool:
    """Whether a kernel of `width` frames is faster banded over maps (N, F, frames, channels)."""
    if frames is None:
        return False
    most = BANDED_CHANNELS * width * (ALONE if outputs == 1 else 1)
    return width >= frames or channels * frames <= most


def banded_conv(
    inputs: Any,
    kernel: Any,
    *,
    before: int,
    out_frames: int,
    stride: int = 1,
    padding: str = "valid",
) -> Any:
    """2-D convolution as one 1-D convolution over frequency, time and channels taken together.

    A wide kernel over few channels is the slowest case of an ordinary 2-D convolution on a CPU.
    Here time and channels become one axis of T * C channels and the kernel a banded one over it.

    Args:
        inputs: (N, F, T, C), T known.
        kernel: (height, width, C, filters).
        before: frames of zeros in front of the time axis.
        out_frames: T', output frames; zeros follow the time axis as far as they need them.
        stride: over frequency.
        padding: over frequency, `"valid"` or `"same"`.

    Returns:
        (N, F', T', filters).
    """
    height, width, channels, filters = kernel.shape
    frames = inputs.shape[2]
    # Output frame t reads input frame s through tap s - t + before: shifted copies of one
    # kernel, padded so that taps outside of it are zeros.
    front = max(out_frames - 1 - before, 0)
    padded = ops.pad(
        ops.cast(kernel, inputs.dtype),
        ((0, 0), (front, max(frames + before - width, 0)), (0, 0), (0, 0)),
    )
    starts = [front - t + before for t in range(out_frames)]
    band = ops.stack([padded[:, s : s + frames] for s in starts], axis=3)  # (h, T, C, T', filters)
    band = ops.reshape(band, (height, frames * channels, out_frames * filters))
    lines = ops.reshape(inputs, (-1, inputs.shape[1] or ops.shape(inputs)[1], frames * channels))
    out = ops.conv(lines, band, strides=stride, padding=padding, data_format="channels_last")
    return ops.reshape(out, (-1, out.shape[1] or ops.shape(out)[1], out_frames, filters))


def conv(inputs: Any, kernel: Any, padding: str) -> Any:
    """Convolution of (N, F, T, C) with stride 1, in the faster of two ways.

    Args:
        inputs: (N, F, T, C).
        kernel: (height, width, C, filters), of the inputs' type.
        padding: `"valid"` or `"same"`.

    Returns:
        (N, F', T', filters).
    """
    frames, width = inputs.shape[2], kernel.shape[1]
    if not banding_pays(width, frames, *kernel.shape[2:]):
        return ops.conv(inputs, kernel, padding=padding, data_format="channels_last")
    same = padding == "same"
    return banded_conv(
        inputs,
        kernel,
        before=(width - 1) // 2 if same else 0,
        out_frames=frames if same else frames - width + 1,
        padding=padding,
    )


def conv_transpose(inputs: Any, kernel: Any, padding: str) -> Any:
    """The exact adjoint of `conv` with the same kernel and padding.

    Args:
        inputs: (N, F', T', filters).
        kernel: (height, width, C, filters), of the inputs' type.
        padding: padding of the forward convolution, `"valid"` or `"same"`.

    Returns:
        (N, F, T, C).
    """
    frames, (height, width) = inputs.shape[2], kernel.shape[:2]
    same = padding == "same"
    decoded = None if frames is None else frames + (0 if same else width - 1)
    outputs, channels = kernel.shape[2:]
    if decoded is None or not banding_pays(width, decoded, channels, outputs):
        return ops.conv_transpose(inputs, kernel, padding=padding, data_format="channels_last")
    kernel = ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))
    if same:
        # A filter of even size has one tap more behind its centre than in front; flipped, the
        # other way round. A tap of zeros takes less time than inputs that are padded by hand.
        kernel = ops.pad(kernel, ((0, 1 - height % 2), (0, 0), (0, 0), (0, 0)))
    else:
        inputs = ops.pad(inputs, ((0, 0), (height - 1, height - 1), (0, 0), (0, 0)))
    return banded_conv(
        inputs,
        kernel,
        before=width - 1 - ((width - 1) // 2 if same else 0),
        out_frames=decoded,
        padding=padding,
    )
