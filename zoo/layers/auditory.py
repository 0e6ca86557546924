"""Representations on the ear's frequency scales: mel bands, mel cepstrum and gammatone bands."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.layers.spectrogram import Transformed, plane

MEL_SCALES = ("htk", "slaney")

BLAS_ALONE = 2**18
"""Multiplications up to which OpenBLAS, NumPy's, multiplies two matrices on the calling thread."""

_SLANEY_BREAK = 1000.0
_SLANEY_HZ = 200 / 3
_SLANEY_STEP = np.log(6.4) / 27


def mel_of(hertz: Any, scale: str) -> np.ndarray:
    """Frequencies in Hz as mels, of O'Shaughnessy's formula (`"htk"`) or Slaney's."""
    hertz = np.asarray(hertz, "float64")
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = np.log(np.maximum(hertz, _SLANEY_BREAK) / _SLANEY_BREAK) / _SLANEY_STEP
    return np.minimum(hertz, _SLANEY_BREAK) / _SLANEY_HZ + above


def hertz_of(mel: Any, scale: str) -> np.ndarray:
    """The inverse of `mel_of`."""
    mel = np.asarray(mel, "float64")
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    knee = _SLANEY_BREAK / _SLANEY_HZ
    above = np.exp(_SLANEY_STEP * np.maximum(mel - knee, 0))
    return np.minimum(mel, knee) * _SLANEY_HZ * above


def mel_weights(
    filters: int, fft_length: int, sample_rate: int, low: float, high: float, scale: str
) -> np.ndarray:
    """Triangles of height 1, evenly spaced in mels from `low` to `high` Hz, (bins, filters)."""
    edges = hertz_of(np.linspace(mel_of(low, scale), mel_of(high, scale), filters + 2), scale)
    bins = np.arange(fft_length // 2 + 1)[:, None] * sample_rate / fft_length
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def erb_centres(filters: int, low: float, high: float) -> np.ndarray:
    """Frequencies in Hz, evenly spaced on the ERB-rate scale from `low` to `high`, ascending."""
    rate = np.linspace(np.log1p(0.00437 * low), np.log1p(0.00437 * high), filters)
    return np.expm1(rate) / 0.00437


def gammatone_weights(
    filters: int, fft_length: int, sample_rate: int, low: float, high: float
) -> np.ndarray:
    """Squared magnitude responses of gammatone filters of order 4, peaks 1, (bins, filters).

    Bandwidths are 1.019 equivalent rectangular bandwidths of Glasberg and Moore. The response's
    image at negative frequencies is left out, as usual; it matters below some 100 Hz.
    """
    centres = erb_centres(filters, low, high)
    bandwidth = 1.019 * 24.7 * (0.00437 * centres + 1)
    bins = np.arange(fft_length // 2 + 1)[:, None] * sample_rate / fft_length
    return np.power(1 + ((bins - centres) / bandwidth) ** 2, -4.0)


def dct_matrix(bands: int, coefficients: int) -> np.ndarray:
    """The first `coefficients` columns of the orthonormal DCT-II, (bands, coefficients)."""
    angle = np.pi * (2 * np.arange(bands)[:, None] + 1) * np.arange(coefficients) / (2 * bands)
    matrix = np.sqrt(2 / bands) * np.cos(angle)
    matrix[:, 0] = np.sqrt(1 / bands)
    return matrix


def on_this_thread(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`rows @ matrix`, in parts so small that BLAS does not spread them over threads of its own.

    Those would only stand in the way of the threads that call this, one on every core.
    """
    inner, columns = matrix.shape
    out = np.empty((len(rows), columns), "float32")
    step = max(1, BLAS_ALONE // matrix.size)
    whole = len(rows) // step * step
    np.matmul(
        rows[:whole].reshape(-1, step, inner), matrix, out=out[:whole].reshape(-1, step, columns)
    )
    np.matmul(rows[whole:], matrix, out=out[whole:])
    return out


class Bands(Transformed):
    """Log energies of bands, weighted sums of the short-time Fourier transform's power.

    Args:
        rows: F of the output.
        filters: number of bands.
        low: in Hz, where the bands begin.
        high: in Hz, where they end; None for half the sample rate.
        sample_rate: of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        **kwargs: frame_length, hop_length, fft_length and those of any Keras layer.
    """

    def __init__(
        self,
        rows: int,
        filters: int,
        low: float,
        high: float | None,
        sample_rate: int,
        log_offset: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(rows, 1, **kwargs)
        high = sample_rate / 2 if high is None else high
        if filters < 1 or not 0 <= low < high <= sample_rate / 2 or not log_offset > 0:
            raise ValueError(
                "filters >= 1, 0 <= low < high <= sample_rate / 2 and log_offset > 0 must hold; "
                f"received filters={filters}, low={low}, high={high}, sample_rate={sample_rate}, "
                f"log_offset={log_offset}."
            )
        self.filters = filters
        self.low = low
        self.high = high
        self.sample_rate = sample_rate
        self.log_offset = log_offset

    def weights_of_bins(self) -> np.ndarray:
        """Weight of every bin in every band, (bins, filters)."""
        raise NotImplementedError

    def build(self, input_shape):
        """Compute the bands."""
        weights = self.weights_of_bins()
        empty = int((weights.max(axis=0) == 0).sum())
        if empty:
            raise ValueError(
                f"{empty} of {self.filters} bands hold no bin of the transform; "
                "take fewer filters or a larger fft_length."
            )
        self._bands = weights.astype("float32")

    def log_energies(self, waveform: Any) -> Any:
        """(N, samples) -> (N, T, filters)."""
        energies = ops.matmul(self.power(waveform), ops.convert_to_tensor(self._bands))
        return ops.log(energies + self.log_offset)

    def call(self, waveform):
        """(N, samples) -> (N, filters, frames, 1)."""
        return plane(self.log_energies(waveform))

    def analyse_frames(self, frames):
        """One channel, (frames, filters), of unweighted frames (frames, frame_length)."""
        power = np.abs(self.fourier(frames))
        energies = on_this_thread(np.square(power, out=power), self._bands)
        energies += np.float32(self.log_offset)
        return [np.log(energies, out=energies)]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "low": self.low,
            "high": self.high,
            "sample_rate": self.sample_rate,
            "log_offset": self.log_offset,
        }


@keras.saving.register_keras_serializable(package="zoo")
class LogMel(Bands):
    """Log energies of mel bands: triangles of height 1 over the power of `Spectrogram`'s transform.

    `log(weights.T @ abs(stft) ** 2 + log_offset)`, natural logarithm, no pre-emphasis.

    Args:
        filters: number of bands.
        low: lower edge of the first triangle, in Hz.
        high: upper edge of the last one, in Hz; None for half the sample rate.
        scale: `"htk"` (2595 log10(1 + f / 700)) or `"slaney"` (linear up to 1 kHz).
        sample_rate: of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        frame_length: window in samples (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
        fft_length: length of the transform (400).

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, filters, frames, 1), always float32.

    Reference: Davis and Mermelstein (1980); Riemens (2015), section 2.2.1.
    """

    def __init__(
        self,
        filters: int = 40,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "htk",
        sample_rate: int = 16000,
        log_offset: float = 1e-4,
        frame_length: int = 267,
        hop_length: int = 147,
        fft_length: int = 400,
        **kwargs: Any,
    ) -> None:
        if scale not in MEL_SCALES:
            raise ValueError(f"scale must be one of {', '.join(MEL_SCALES)}; received {scale!r}.")
        super().__init__(
            filters,
            filters,
            low,
            high,
            sample_rate,
            log_offset,
            frame_length=frame_length,
            hop_length=hop_length,
            fft_length=fft_length,
            **kwargs,
        )
        self.scale = scale

    def weights_of_bins(self) -> np.ndarray:
        """Triangles, (bins, filters)."""
        return mel_weights(
            self.filters, self.fft_length, self.sample_rate, self.low, self.high, self.scale
        )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="zoo")
class MFCC(LogMel):
    """Mel-frequency cepstrum: the orthonormal DCT-II of `LogMel`'s bands, without liftering.

    Args:
        coefficients: how many are kept, the first (c0, the mean log energy) included.
        filters: number of mel bands.
        low: lower edge of the first triangle, in Hz.
        high: upper edge of the last one, in Hz; None for half the sample rate.
        scale: `"htk"` or `"slaney"`.
        sample_rate: of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        frame_length: window in samples (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
        fft_length: length of the transform (400).

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, coefficients, frames, 1), always float32.

    Reference: Davis and Mermelstein (1980); Riemens (2015), section 2.2.1.
    """

    def __init__(
        self,
        coefficients: int = 13,
        filters: int = 40,
        low: float = 20.0,
        high: float | None = None,
        scale: str = "htk",
        sample_rate: int = 16000,
        log_offset: float = 1e-4,
        frame_length: int = 267,
        hop_length: int = 147,
        fft_length: int = 400,
        **kwargs: Any,
    ) -> None:
        if not 1 <= coefficients <= filters:
            raise ValueError(
                "1 <= coefficients <= filters must hold; "
                f"received coefficients={coefficients}, filters={filters}."
            )
        super().__init__(
            filters,
            low,
            high,
            scale,
            sample_rate,
            log_offset,
            frame_length=frame_length,
            hop_length=hop_length,
            fft_length=fft_length,
            **kwargs,
        )
        self.rows = self.coefficients = coefficients
        self._dct = dct_matrix(filters, coefficients).astype("float32")

    def call(self, waveform):
        """(N, samples) -> (N, coefficients, frames, 1)."""
        return plane(ops.matmul(self.log_energies(waveform), ops.convert_to_tensor(self._dct)))

    def analyse_frames(self, frames):
        """One channel, (frames, coefficients), of unweighted frames (frames, frame_length)."""
        (energies,) = super().analyse_frames(frames)
        return [on_this_thread(energies, self._dct)]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "coefficients": self.coefficients}


@keras.saving.register_keras_serializable(package="zoo")
class Gammatone(Bands):
    """Log energies of gammatone bands, evenly spaced on the ERB-rate scale.

    The power of `Spectrogram`'s transform, weighted by the filters' squared magnitude responses,
    rather than a filterbank in the time domain: a filter's energy over a frame is about the same,
    at a fraction of the work. The window limits the resolution, so filters below some 2 kHz, which
    are narrower than its 240 Hz, overlap more than their shapes say.

    Args:
        filters: number of bands.
        low: centre of the first band, in Hz.
        high: centre of the last one, in Hz; None for half the sample rate.
        sample_rate: of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        frame_length: window in samples (267: 1/60 s at 16 kHz).
        hop_length: samples from one frame's start to the next one's (147).
        fft_length: length of the transform (400).

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, filters, frames, 1), always float32.

    Reference: Patterson et al. (1987); Glasberg and Moore (1990); weighting after Ellis (2009),
    "Gammatone-like spectrograms"; Riemens (2015), section 2.2.1.
    """

    def __init__(
        self,
        filters: int = 64,
        low: float = 50.0,
        high: float | None = 7500.0,
        sample_rate: int = 16000,
        log_offset: float = 1e-4,
        frame_length: int = 267,
        hop_length: int = 147,
        fft_length: int = 400,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            filters,
            low,
            high,
            sample_rate,
            log_offset,
            frame_length=frame_length,
            hop_length=hop_length,
            fft_length=fft_length,
            **kwargs,
        )

    def weights_of_bins(self) -> np.ndarray:
        """Squared magnitude responses, (bins, filters)."""
        return gammatone_weights(
            self.filters, self.fft_length, self.sample_rate, self.low, self.high
        )
