"""Spectrograms of waveforms: fixed convolutions in models, fast Fourier transforms in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.data.representations import STFT_FORMS

FLOOR = 1e-20
"""Power below which a coefficient counts as zero: roots and angles have no gradient there."""

FRAMES_A_BLOCK = 512
"""Most frames that `analyse` works on at a time, so that a block stays in a core's own cache."""


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
    """What the layers that look at a waveform frame by frame have in common.

    Frame `i` is samples `i * hop_length` to `i * hop_length + frame_length`; nothing is centred or
    padded, and samples after the last whole frame are not used.

    Args:
        rows: F of the output.
        channels: C of the output.
        frame_length: samples of a frame.
        hop_length: samples from one frame's start to the next one's.
    """

    def __init__(
        self, rows: int, channels: int, frame_length: int, hop_length: int, **kwargs: Any
    ) -> None:
        # Half-precision sums over 267 taps would move the spectrogram by more than it may differ
        # between training and serving.
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if frame_length < 1 or hop_length < 1:
            raise ValueError(
                "frame_length and hop_length must be 1 or more; received "
                f"frame_length={frame_length}, hop_length={hop_length}."
            )
        self.rows = rows
        self.channels = channels
        self.frame_length = frame_length
        self.hop_length = hop_length

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples."""
        return max(0, (samples - self.frame_length) // self.hop_length + 1)

    def convolve(self, waveform: Any, kernel: np.ndarray) -> Any:
        """(N, samples) by (frame_length, 1, K) -> (N, T, K)."""
        x = ops.expand_dims(ops.cast(waveform, "float32"), -1)  # (N, S, 1)
        kernel = ops.convert_to_tensor(kernel)
        return ops.conv(x, kernel, strides=self.hop_length, data_format="channels_last")

    def analyse(self, waveforms: np.ndarray) -> np.ndarray:
        """What calling the layer gives, computed by NumPy on the calling thread's core.

        For preparing corpora: some three times less work than the convolution, which models need
        that train, run on other hardware or are exported. The two differ by rounding alone.

        Args:
            waveforms: (N, samples) floats, full scale 1.

        Returns:
            (N, rows, frames, channels) float32.
        """
        waveforms = np.asarray(waveforms, "float32")
        out = np.empty(self.compute_output_shape(waveforms.shape), "float32")
        if not out.size:
            return out
        windows, samples_heard = (
            np.lib.stride_tricks.sliding_window_view(x, self.frame_length, axis=1)[
                :, :: self.hop_length
            ]
            for x in (waveforms, waveforms != 0)
        )
        rows = max(1, FRAMES_A_BLOCK // out.shape[2])
        for first in range(0, len(out), rows):
            for start in range(0, out.shape[2], FRAMES_A_BLOCK):
                block = slice(first, first + rows), slice(start, start + FRAMES_A_BLOCK)
                heard = samples_heard[block].any(axis=-1)
                values = np.empty((*heard.shape, self.rows), "float32")
                for channel, found in enumerate(self.analyse_frames(windows[block][heard])):
                    # Segments are padded to one length: frames of zeros are many, and all alike.
                    values[...] = self._silence[channel]
                    values[heard] = found
                    out[block[0], :, block[1], channel] = values.transpose(0, 2, 1)
        return out

    @functools.cached_property
    def _silence(self) -> Sequence[np.ndarray]:
        """The channels of a frame of zeros."""
        return self.analyse_frames(np.zeros((1, self.frame_length), "float32"))

    def analyse_frames(self, frames: np.ndarray) -> Sequence[np.ndarray]:
        """The channels, (frames, rows) each, of unweighted frames (frames, frame_length)."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        """(N, samples) -> (N, rows, frames, channels)."""
        samples = input_shape[1]
        frames = None if samples is None else self.frames(samples)
        return (input_shape[0], self.rows, frames, self.channels)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "frame_length": self.frame_length,
            "hop_length": self.hop_length,
        }


class Transformed(Framed):
    """A frame-wise representation that starts from the short-time Fourier transform.

    Args:
        rows: F of the output.
        channels: C of the output.
        frame_length: samples of a frame.
        hop_length: samples from one frame's start to the next one's.
        fft_length: length of the transform.
    """

    def __init__(
        self,
        rows: int,
        channels: int,
        frame_length: int,
        hop_length: int,
        fft_length: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(rows, channels, frame_length, hop_length, **kwargs)
        if frame_length > fft_length:
            raise ValueError(
                "0 < frame_length <= fft_length must hold; received "
                f"frame_length={frame_length}, fft_length={fft_length}."
            )
        self.fft_length = fft_length
        self.bins = fft_length // 2 + 1
        self._kernel = dft_kernel(frame_length, fft_length)
        self._window = np.hamming(frame_length).astype("float32")

    def transform(self, waveform: Any) -> tuple[Any, Any]:
        """(N, samples) -> real and imaginary parts, (N, T, bins) each."""
        x = self.convolve(waveform, self._kernel)
        return x[..., : self.bins], x[..., self.bins :]

    def power(self, waveform: Any) -> Any:
        """(N, samples) -> squared magnitudes (N, T, bins)."""
        real, imaginary = self.transform(waveform)
        return ops.square(real) + ops.square(imaginary)

    def fourier(self, frames: np.ndarray) -> np.ndarray:
        """Frames (frames, frame_length) -> windowed transforms (frames, bins) complex64."""
        import scipy.fft

        padded = np.zeros((len(frames), self.fft_length), "float32")
        np.multiply(frames, self._window, out=padded[:, : self.frame_length])
        return scipy.fft.rfft(padded, overwrite_x=True)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "fft_length": self.fft_length}


@keras.saving.register_keras_serializable(package="zoo")
class Spectrogram(Transformed):
    """Short-time Fourier transform of a waveform in one of its real forms, as a fixed convolution.

    Frame `i` is samples `i * hop_length` to `i * hop_length + frame_length`, weighted by a
    symmetric Hamming window and continued by zeros to `fft_length`; nothing is centred, padded or
    scaled: `numpy.fft.rfft(frame * numpy.hamming(frame_length), fft_length)`. Samples after the
    last whole frame are not used. FFT operations do not export to LiteRT and ONNX; this does.

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
        log_offset: float | None = None,
        **kwargs: Any,
    ) -> None:
        if representation not in STFT_FORMS:
            raise ValueError(
                f"representation must be one of {', '.join(STFT_FORMS)}; "
                f"received {representation!r}."
            )
        if log_offset is None:
            log_offset = 1e-4 if representation == "log_power" else 0.01
        channels = 2 if representation in ("magnitude_phase", "real_imaginary") else 1
        rows = fft_length // 2 + 1
        super().__init__(rows, channels, frame_length, hop_length, fft_length, **kwargs)
        self.representation = representation
        self.log_offset = log_offset
        if representation == "real":
            self._kernel = self._kernel[..., : self.bins]

    def call(self, waveform):
        """(N, samples) -> (N, bins, frames, channels)."""
        channels = [plane(x) for x in self._forms(waveform)]
        return channels[0] if len(channels) == 1 else ops.concatenate(channels, axis=-1)

    def _forms(self, waveform) -> list[Any]:
        """The channels, (N, T, bins) each."""
        form = self.representation
        if form == "real":
            return [self.convolve(waveform, self._kernel)]
        real, imaginary = self.transform(waveform)
        if form == "real_imaginary":
            return [real, imaginary]
        power = ops.square(real) + ops.square(imaginary)
        if form == "power":
            return [power]
        if form == "log_power":
            return [ops.log(power + self.log_offset)]
        magnitude = ops.sqrt(ops.maximum(power, FLOOR))
        if form == "log_magnitude":
            return [ops.log(magnitude + self.log_offset)]
        if form == "magnitude":
            return [magnitude]
        return [magnitude, self._phase(real, imaginary, power <= FLOOR, ops)]

    @staticmethod
    def _phase(real, imaginary, silent, ops):
        """In radians, by the functions of `keras.ops` or of NumPy."""
        # A zero of either sign becomes +0: the sign would choose between pi and -pi.
        level = ops.logical_or(silent, ops.equal(imaginary, 0.0))
        return ops.arctan2(ops.where(level, 0.0, imaginary), ops.where(silent, 1.0, real))

    def analyse_frames(self, frames):
        """The channels, (frames, bins) each, of unweighted frames (frames, frame_length)."""
        form, spectra = self.representation, self.fourier(frames)
        if form == "real":
            return [spectra.real]
        if form == "real_imaginary":
            return [spectra.real, spectra.imag]
        magnitude = np.abs(spectra)
        if form == "magnitude_phase":
            silent = np.square(magnitude) <= FLOOR
            return [magnitude, self._phase(spectra.real, spectra.imag, silent, np)]
        if form in ("power", "log_power"):
            np.square(magnitude, out=magnitude)
        if form in ("log_magnitude", "log_power"):
            # A model's magnitudes are kept above this, which counts where there is no offset.
            floor = np.sqrt(FLOOR) if form == "log_magnitude" else 0.0
            magnitude += np.float32(max(self.log_offset, floor))
            np.log(magnitude, out=magnitude)
        return [magnitude]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "representation": self.representation,
            "log_offset": self.log_offset,
        }


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
        super().__init__(frame_length, 1, frame_length, hop_length, **kwargs)
        self._kernel = np.eye(frame_length, dtype="float32")[:, None, :]

    def call(self, waveform):
        """(N, samples) -> (N, frame_length, frames, 1)."""
        return plane(self.convolve(waveform, self._kernel))

    def analyse_frames(self, frames):
        """The frames themselves."""
        return [frames]
