"""Similarity of a reconstruction and its original."""

from __future__ import annotations

import numpy as np


def normalised_cross_correlation(
    a: np.ndarray, b: np.ndarray, *, absolute: bool = False
) -> np.ndarray:
    """Largest cross-correlation of each pair over all lags, 1 for scaled or shifted copies.

    `max over lags of sum(a[t] * b[t + lag]) / (norm(a) * norm(b))`, beyond the edges zeros, no
    mean subtracted. Arrays of several axes are shifted along each of them.

    Args:
        a: (N, samples), or (N, ...) of any shape.
        b: array of the same shape.
        absolute: compare magnitudes, for reconstructions that are known up to a sign.

    Returns:
        (N,) float64; 0 where one of a pair is silent.

    Raises:
        ValueError: the shapes differ, or there is no axis to shift along.
    """
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.shape != b.shape or a.ndim < 2:
        raise ValueError(f"both must be (N, ...) of one shape; received {a.shape} and {b.shape}.")
    axes = tuple(range(1, a.ndim))
    # 2 n - 1 points keep the circular correlation's ends apart; powers of two are fast.
    sizes = [1 << (2 * n - 2).bit_length() for n in a.shape[1:]]
    product = np.conj(np.fft.rfftn(a, sizes, axes)) * np.fft.rfftn(b, sizes, axes)
    correlation = np.fft.irfftn(product, sizes, axes)
    for axis, (size, n) in enumerate(zip(sizes, a.shape[1:], strict=True), 1):
        # Lags without any overlap, where the correlation is 0, are no candidates.
        lags = [*range(n), *range(size - n + 1, size)]
        correlation = correlation.take(lags, axis)
    if absolute:
        correlation = np.abs(correlation)
    largest = correlation.max(axis=axes)
    norms = np.sqrt(np.sum(a**2, axis=axes) * np.sum(b**2, axis=axes))
    return np.where(norms > 0, largest / np.where(norms > 0, norms, 1), 0.0)
