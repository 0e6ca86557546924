"""Spectrograms of waveforms as fixed convolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.data.features import analysis
from zoo.data.features.analysis import FLOOR


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
    # What should be zero is some 1e-16; at the highest bin its sign alone would choose between a
    # phase of pi and of -pi.
    kernel[np.abs(kernel) < 1e-12] = 0.0
    return kernel[:, None, :].astype("float32")


def plane(x: Any) -> Any:
    """(N, T, F) -> (N, F, T, 1)."""
    return ops.expand_dims(ops.transpose(x, (0, 2, 1)), -1)


class Framed(keras.layers.Layer):
    """Base of the layers that process a waveform frame by frame.

    Args:
        formula: dataclass of the layer's arguments, which it has as attributes, as any Keras layer.
        given: all variables of the layer's constructor; the formula's fields are taken from them.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    formula: analysis.Framed

    def __init__(
        self, formula: type[analysis.Framed], given: Mapping[str, Any], **kwargs: Any
    ) -> None:
        # Half-precision sums over 267 taps would move the spectrogram by more than it may differ
        # between training and serving.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.formula = formula(**{f.name: given[f.name] for f in dataclasses.fields(formula)})
        for name, value in dataclasses.asdict(self.formula).items():
            setattr(self, name, value)

    def convolve(self, waveform: Any, kernel: np.ndarray) -> Any:
        """(N, samples) by (frame_length, 1, K) -> (N, T, K)."""
        x = ops.expand_dims(ops.cast(waveform, "float32"), -1)  # (N, S, 1)
        if x.shape[1] is not None and x.shape[1] < self.formula.frame_length:
            # No frame at all, of which backends make errors, or maps of whatever memory held.
            return ops.zeros((ops.shape(x)[0], 0, kernel.shape[-1]), "float32")
        kernel = ops.convert_to_tensor(kernel)
        return ops.conv(x, kernel, strides=self.formula.hop_length, data_format="channels_last")

    def analyse(self, waveforms: np.ndarray) -> np.ndarray:
        """What calling the layer gives, computed by NumPy on the calling thread's core.

        For preparing corpora: it takes about a third of the work of the convolution, which is for
        models that are trained, exported or run on other hardware. The two differ only by rounding.

        Args:
            waveforms: (N, samples) floats, full scale 1.

        Returns:
            (N, rows, frames, channels) float32.
        """
        return self.formula.analyse(waveforms)

    def compute_output_shape(self, input_shape):
        """(N, samples) -> (N, rows, frames, channels)."""
        return self.formula.shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), **dataclasses.asdict(self.formula)}


class Transformed(Framed):
    """A frame-wise representation that starts from the short-time Fourier transform.

    Args:
        formula: dataclass of the layer's arguments.
        given: all variables of the layer's constructor.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    formula: analysis.Transformed

    def __init__(
        self, formula: type[analysis.Transformed], given: Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(formula, given, **kwargs)
        self.bins = self.formula.bins
        self._kernel = dft_kernel(self.formula.frame_length, self.formula.fft_length)

    def transform(self, waveform: Any) -> tuple[Any, Any]:
        """(N, samples) -> real and imaginary parts, (N, T, bins) each."""
        x = self.convolve(waveform, self._kernel)
        return x[..., : self.bins], x[..., self.bins :]

    def power(self, waveform: Any) -> Any:
        """(N, samples) -> squared magnitudes (N, T, bins)."""
        real, imaginary = self.transform(waveform)
        return ops.square(real) + ops.square(imaginary)


@keras.saving.register_keras_serializable(package="zoo")
class Spectrogram(Transformed):
    """Short-time Fourier transform of a waveform in one of its real forms, as a fixed convolution.

    Frame `i` is samples `i * hop_length` to `i * hop_length + frame_length`, weighted by a
    symmetric Hamming window and continued by zeros to `fft_length`; nothing is centred, padded or
    scaled: `numpy.fft.rfft(frame * numpy.hamming(frame_length), fft_length)`. Samples after the
        last whole frame are not used. Unlike FFT operations, this layer exports to LiteRT and ONNX.
        Keras' `STFTSpectrogram` does too, but stores its kernels as weights, computes their phases
        in float32 (errors of 4e-4 rather than 1e-5) and has no magnitude below 3e-4.

    Args:
        representation: `"real"` (real part), `"magnitude"`, `"power"` (its square),
            `"log_magnitude"` and `"log_power"` (`log(x + log_offset)` of these), or one of two
            channels: `"real_imaginary"` and `"magnitude_phase"`, the phase in radians, above -pi
            up to pi, and 0 where there is no magnitude.
        frame_length: window in samples (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
        fft_length: length of the transform (400: 201 bins).
        log_offset: floor of the logarithm, in units of what it is taken of; None takes 0.01, and
            its square for `"log_power"`.

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, fft_length // 2 + 1, frames, 1 or 2), always float32.

    Example:
        >>> tuple(zoo.layers.Spectrogram("magnitude")(np.zeros((2, 2554), "float32")).shape)
        (2, 201, 16, 1)

    Reference: Riemens (2015), section 2.2.2.
    """

    formula: analysis.Spectrogram

    def __init__(
        self,
        representation: str = "real",
        frame_length: int = 267,
        hop_length: int = 147,
        fft_length: int = 400,
        log_offset: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(analysis.Spectrogram, locals(), **kwargs)
        if representation == "real":
            self._kernel = self._kernel[..., : self.bins]

    def call(self, waveform):
        """(N, samples) -> (N, bins, frames, channels)."""
        channels = [plane(x) for x in self._forms(waveform)]
        return channels[0] if len(channels) == 1 else ops.concatenate(channels, axis=-1)

    def _forms(self, waveform) -> list[Any]:
        """The channels, (N, T, bins) each."""
        form, log_offset = self.formula.representation, self.formula.log_offset
        if form == "real":
            return [self.convolve(waveform, self._kernel)]
        real, imaginary = self.transform(waveform)
        if form == "real_imaginary":
            return [real, imaginary]
        power = ops.square(real) + ops.square(imaginary)
        if form == "power":
            return [power]
        if form == "log_power":
            return [ops.log(power + log_offset)]
        magnitude = ops.sqrt(ops.maximum(power, FLOOR))
        if form == "log_magnitude":
            return [ops.log(magnitude + log_offset)]
        if form == "magnitude":
            return [magnitude]
        return [magnitude, analysis.phase(real, imaginary, power <= FLOOR, ops)]


@keras.saving.register_keras_serializable(package="zoo")
class Frames(Framed):
    """Raw samples of a waveform, frame by frame, without a window.

    Args:
        frame_length: samples of a frame (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, frame_length, frames, 1), always float32.

    Reference: Roch, "Convolutional models", framed speech.
    """

    def __init__(self, frame_length: int = 267, hop_length: int = 147, **kwargs: Any) -> None:
        super().__init__(analysis.Frames, locals(), **kwargs)
        self._kernel = np.eye(frame_length, dtype="float32")[:, None, :]

    def call(self, waveform):
        """(N, samples) -> (N, frame_length, frames, 1)."""
        return plane(self.convolve(waveform, self._kernel))
