"""Weights of filter banks over the bins of a Fourier transform: mel bands, gammatone, the DCT."""

from __future__ import annotations

from typing import Any

import numpy as np

MEL_SCALES = ("htk", "slaney")

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
