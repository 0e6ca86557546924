"""Representations on the ear's frequency scales: mel bands, mel cepstrum and gammatone bands."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.data.features import analysis
from zoo.layers.spectrogram import Transformed, plane


class Bands(Transformed):
    """Log energies of bands, weighted sums of the short-time Fourier transform's power.

    Args:
        formula: dataclass of the layer's arguments.
        given: all variables of the layer's constructor.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    formula: analysis.Bands

    def log_energies(self, waveform: Any) -> Any:
        """(N, samples) -> (N, T, filters)."""
        energies = ops.matmul(self.power(waveform), ops.convert_to_tensor(self.formula.weights))
        return ops.log(energies + self.formula.log_offset)

    def call(self, waveform):
        """(N, samples) -> (N, filters, frames, 1)."""
        return plane(self.log_energies(waveform))


@keras.saving.register_keras_serializable(package="zoo")
class LogMel(Bands):
    """Log energies of mel bands: triangles of height 1 over the power of `Spectrogram`'s transform.

    `log(weights.T @ abs(stft) ** 2 + log_offset)`, natural logarithm, no pre-emphasis.

    Args:
        filters: number of bands.
        low: lower edge of the first triangle, in Hz.
        high: upper edge of the last one, in Hz; None for half the sample rate.
        scale: `"htk"` (2595 log10(1 + f / 700)) or `"slaney"` (linear up to 1 kHz).
        sample_rate: sample rate of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        frame_length, hop_length, fft_length: as in `Spectrogram`.

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
        super().__init__(analysis.LogMel, locals(), **kwargs)


@keras.saving.register_keras_serializable(package="zoo")
class MFCC(Bands):
    """Mel-frequency cepstrum: the orthonormal DCT-II of `LogMel`'s bands, without liftering.

    Args:
        coefficients: how many are kept, the first (c0, the mean log energy) included.
        filters, low, high, scale, sample_rate, log_offset: as in `LogMel`.
        frame_length, hop_length, fft_length: as in `Spectrogram`.

    Input shape:
        (N, samples) floats, full scale 1.

    Output shape:
        (N, coefficients, frames, 1), always float32.

    Reference: Davis and Mermelstein (1980); Riemens (2015), section 2.2.1.
    """

    formula: analysis.MFCC

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
        super().__init__(analysis.MFCC, locals(), **kwargs)

    def call(self, waveform):
        """(N, samples) -> (N, coefficients, frames, 1)."""
        return plane(
            ops.matmul(self.log_energies(waveform), ops.convert_to_tensor(self.formula.cosines))
        )


@keras.saving.register_keras_serializable(package="zoo")
class Gammatone(Bands):
    """Log energies of gammatone bands, evenly spaced on the ERB-rate scale.

    The power of `Spectrogram`'s transform, weighted by the filters' squared magnitude responses,
    rather than a filterbank in the time domain: a filter's energy over a frame is about the same,
    at a fraction of the work. The window limits the resolution to 240 Hz, so that narrower filters,
    those below some 2 kHz, overlap more than their shapes do.

    Args:
        filters: number of bands.
        low: centre of the first band, in Hz.
        high: centre of the last one, in Hz; None for half the sample rate.
        sample_rate: sample rate of the waveform, in Hz.
        log_offset: floor of the logarithm, in units of the power.
        frame_length, hop_length, fft_length: as in `Spectrogram`.

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
        super().__init__(analysis.Gammatone, locals(), **kwargs)
