"""What reconstructions keep of their inputs: similarity, and how networks classify them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.features.frontend import Frontend
from zoo.data.features.representations import STFT_FORMS
from zoo.evaluation.measures import normalised_cross_correlation

if TYPE_CHECKING:
    import keras

MAGNITUDES = tuple(form for form in STFT_FORMS if form.endswith(("magnitude", "power")))
"""Representations from whose first channel magnitudes can be computed."""


def log_spectral_distance(
    inputs: np.ndarray, outputs: np.ndarray, frontend: Frontend
) -> np.ndarray:
    """Root mean square, over bins, of the difference of log magnitudes, averaged over frames.

    Args:
        inputs: centred spectrograms, (N, F, T, C).
        outputs: their reconstructions, (N, F, T, C).
        frontend: front end of both, with one of `MAGNITUDES`. Its offset is the logarithm's floor,
            where it has one; otherwise 0.01.

    Returns:
        In dB, (N,).

    Raises:
        ValueError: the representation is another one.

    Reference: Rabiner and Juang (1993), "Fundamentals of Speech Recognition", section 4.3.
    """
    if frontend.kind not in MAGNITUDES:
        raise ValueError(
            f"log-spectral distances are those of {', '.join(MAGNITUDES)}; received "
            f"{frontend.kind!r}."
        )
    first, second = (_decibels(x, frontend) for x in (inputs, outputs))
    return np.sqrt(np.square(first - second).mean(axis=1)).mean(axis=1)


def _decibels(centred: np.ndarray, frontend: Frontend) -> np.ndarray:
    """Log magnitudes in dB, (N, F, T)."""
    whole = (centred + frontend.mean)[..., 0].astype("float64")
    factor = 10.0 if frontend.kind.endswith("power") else 20.0
    if frontend.kind.startswith("log"):
        # The offset is in these logarithms already.
        return whole * (factor / np.log(10))
    return factor * np.log10(np.maximum(whole, 0) + 0.01)


def answers(inputs: np.ndarray, networks: Mapping[str, keras.Model]) -> dict[str, np.ndarray]:
    """The most probable class of each input (N, ...) by each network, (N,), by their names."""
    from zoo.evaluation.runs import predict

    return {name: predict(network, inputs).argmax(axis=-1) for name, network in networks.items()}


def kept(
    inputs: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    frontend: Frontend,
    networks: Mapping[str, keras.Model],
    answered: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Measures of each reconstruction beside its input.

    Args:
        inputs: centred spectrograms, (N, F, T, C).
        outputs: their reconstructions, (N, F, T, C).
        labels: class of each input, (N,).
        groups: class -> the group that counts as its like, (classes,).
        frontend: front end of both and of all networks.
        networks: classifiers, by what they are called: the one that was reconstructed from,
            others that took no part.
        answered: the networks' `answers` to the inputs, which several reconstructions share.

    Returns:
        Of (N,) each: `correlation`, the maximal normalised cross-correlation; where magnitudes
        are known `log_spectral_distance` in dB; and of each network, whether it answers the
        input right (`NAME_on_inputs`), the reconstruction (`NAME_accuracy`), and both alike
        (`NAME_same_answer`), 1 or 0.
    """
    found = {"correlation": normalised_cross_correlation(inputs, outputs)}
    if frontend.kind in MAGNITUDES:
        found["log_spectral_distance"] = log_spectral_distance(inputs, outputs, frontend)
    for name, answer in answers(outputs, networks).items():
        before, after = groups[answered[name]], groups[answer]
        right = groups[labels]
        found[f"{name}_on_inputs"] = (before == right).astype("float64")
        found[f"{name}_accuracy"] = (after == right).astype("float64")
        found[f"{name}_same_answer"] = (before == after).astype("float64")
    return found
