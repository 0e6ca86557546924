"""Layers that turn padded waveforms into centred spectrograms, the same in training and serving."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.data.representations import REPRESENTATIONS

SEGMENT_LEVELS = ("none", "peak")


def dft_kernel(frame_length: int, fft_length: int) -> np.ndarray:
    """Convolution kernel whose channels are the windowed real DFT's real, then imaginary parts.

    Shape (frame_length, 1, 2 * (fft_length // 2 + 1)); the window is a symmetric Hamming window
    and frames shorter than `fft_length` are continued by zeros, which need no taps.
    """
    sample = np.arange(frame_length)[:, None]
    frequency = np.arange(fft_length // 2 + 1)[None, :]
    # Reducing the product modulo the period first keeps the phase exact for long frames.
    phase = 2 * np.pi * ((sample * frequency) % fft_length) / fft_length
    window = np.hamming(frame_length)[:, None]
    kernel = np.concatenate([window * np.cos(phase), -window * np.sin(phase)], axis=1)
    return kernel[:, None, :].astype("float32")


@keras.saving.register_keras_serializable(package="zoo")
class Level(keras.layers.Layer):
    """Bring every waveform of a batch to one level.

    Recording level alone moves the accuracy on real speech by several points, and a served
    segment has no file around it to be scaled by. Zero padding does not change a peak, so the
    result does not depend on how far a segment was padded. Silence stays silence.

    Args:
        mode: `"peak"` scales each waveform to a largest magnitude of 1, `"none"` leaves it.

    Input shape:
        (N, samples), any floating type.

    Output shape:
        (N, samples).
    """

    def __init__(self, mode: str = "peak", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in SEGMENT_LEVELS:
            raise ValueError(f"mode must be one of {', '.join(SEGMENT_LEVELS)}; received {mode!r}.")
        self.mode = mode

    def call(self, waveform):
        """(N, samples) -> (N, samples)."""
        if self.mode == "none":
            return waveform
        peak = ops.max(ops.abs(waveform), axis=-1, keepdims=True)
        return waveform / ops.where(peak > 0, peak, ops.ones_like(peak))

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="zoo")
class Spectrogram(keras.layers.Layer):
    """Short-time Fourier transform of a waveform, one real channel, as a fixed convolution.

    Frame `i` is samples `i * hop_length` to `i * hop_length + frame_length`, weighted by a
    symmetric Hamming window and continued by zeros to `fft_length`; nothing is centred, padded or
    scaled: `numpy.fft.rfft(frame * numpy.hamming(frame_length), fft_length)`. Samples after the
    last whole frame are not used. FFT operations do not export to LiteRT and ONNX; this does.

    Args:
        representation: `"real"` (real part), `"magnitude"`, or `"log_magnitude"`
            (`log(magnitude + log_offset)`).
        frame_length: window in samples (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
        fft_length: length of the transform (400: 201 bins).
        log_offset: floor of the logarithm, in units of the magnitude.

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, fft_length // 2 + 1, frames, 1), always float32.

    Example:
        >>> zoo.layers.Spectrogram("magnitude")(np.zeros((2, 2554), "float32")).shape
        (2, 201, 16, 1)

    Reference: Riemens (2015), section 2.2.2.
    """

    def __init__(
        self,
        representation: str = "real",
        frame_length: int = 267,
        hop_length: int = 147,
        fft_length: int = 400,
        log_offset: float = 0.01,
        **kwargs: Any,
    ) -> None:
        # Half-precision sums over 267 taps would move the spectrogram by more than it may differ
        # between training and serving.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if representation not in REPRESENTATIONS:
            raise ValueError(
                f"representation must be one of {', '.join(REPRESENTATIONS)}; "
                f"received {representation!r}."
            )
        if not 0 < frame_length <= fft_length or hop_length < 1:
            raise ValueError(
                "0 < frame_length <= fft_length and hop_length >= 1 must hold; received "
                f"frame_length={frame_length}, fft_length={fft_length}, hop_length={hop_length}."
            )
        self.representation = representation
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.fft_length = fft_length
        self.log_offset = log_offset
        self.bins = fft_length // 2 + 1
        kernel = dft_kernel(frame_length, fft_length)
        self._kernel = kernel[..., : self.bins] if representation == "real" else kernel

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples."""
        return max(0, (samples - self.frame_length) // self.hop_length + 1)

    def call(self, waveform):
        """(N, samples) -> (N, bins, frames, 1)."""
        x = ops.expand_dims(ops.cast(waveform, "float32"), -1)  # (N, S, 1)
        x = ops.conv(x, ops.convert_to_tensor(self._kernel), strides=self.hop_length)  # (N, T, K)
        if self.representation != "real":
            power = ops.square(x[..., : self.bins]) + ops.square(x[..., self.bins :])
            # The floor keeps the square root's gradient finite in digital silence.
            x = ops.sqrt(ops.maximum(power, 1e-20))
            if self.representation == "log_magnitude":
                x = ops.log(x + self.log_offset)
        return ops.expand_dims(ops.transpose(x, (0, 2, 1)), -1)  # (N, F, T, 1)

    def compute_output_shape(self, input_shape):
        """(N, samples) -> (N, bins, frames, 1)."""
        samples = input_shape[1]
        return (input_shape[0], self.bins, None if samples is None else self.frames(samples), 1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "representation": self.representation,
            "frame_length": self.frame_length,
            "hop_length": self.hop_length,
            "fft_length": self.fft_length,
            "log_offset": self.log_offset,
        }


@keras.saving.register_keras_serializable(package="zoo")
class SubtractMean(keras.layers.Layer):
    """Subtract a training set's mean, element by element.

    Args:
        mean: array-like of one example's shape, or None for zeros until weights are
            loaded; kept with the weights, not in the configuration.

    Input shape:
        (N, ...), the example shape fixed.

    Output shape:
        The input's.
    """

    def __init__(self, mean: Any = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "trainable": False})
        self._initial = None if mean is None else np.asarray(mean, "float32")

    def build(self, input_shape):
        """Create the `mean` weight of one example's shape."""
        shape = tuple(input_shape[1:])
        if self._initial is not None and self._initial.shape != shape:
            raise ValueError(
                f"The mean's shape must be that of one example, {shape}; "
                f"received {self._initial.shape}."
            )
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        if self._initial is not None:
            self.mean.assign(self._initial)

    def call(self, x):
        """(N, ...) -> (N, ...)."""
        return x - ops.cast(self.mean, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape
