"""Scores of an autoencoder: how far, how alike, and whether the input matters at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.frontend import Frontend
from zoo.data.representations import STFT_FORMS
from zoo.data.samplers import TEST_PER_CLASS, BalancedEpochs
from zoo.evaluation.measures import normalised_cross_correlation
from zoo.ops.inverse import invert

CORRELATED = 1000
"""Examples, at most, over which the cross-correlation of spectrograms is averaged."""

INVERTED = 100
"""Examples, at most, that are turned back into waveforms."""

LOUDEST = 30.0
"""Natural logarithm to which reconstructions of logarithms are limited before they are inverted."""

CONSTANT = 0.01
"""Output variation below which a network counts as giving the same output whatever its input."""


def reconstruction_scores(
    inputs: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    frontend: Frontend,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures of reconstructions beside their inputs.

    Args:
        inputs: centred spectrograms, (N, F, T, C).
        outputs: what the autoencoder made of them, (N, F, T, C).
        labels: class indices, (N,), for the class-balanced draw.
        frontend: of the run, for the way back to waveforms.
        seed: of the draws.

    Returns:
        `examples`; `euclidean_error`, the mean Euclidean distance a spectrogram, and
        `null_distance`, that of the null spectrogram (the average one, since inputs are centred),
        both also over 200 examples of each class (`..._uniform`), as Riemens (2015) counts;
        `output_variation`, the variance of the outputs over inputs as a share of that of the
        inputs, and `constant_output`, whether it is so small (below 1 %) that the network answers
        every input alike; `cross_correlation`, the mean maximal normalised cross-correlation of
        centred spectrograms (1 for scaled or shifted copies), over 1000 examples at most; and
        `waveform_cross_correlation`, the same of waveforms turned back from input and output, over
        100 at most, None for representations without a way back. Both lie on a Griffin-Lim
        estimate where there is no phase.

    Reference: Riemens (2015), sections 6 and 7; Churchman (2015), section 5.
    """
    distances = _lengths(outputs - inputs)
    lengths = _lengths(inputs)
    uniform = BalancedEpochs(labels, TEST_PER_CLASS, seed).epoch(0)
    variation = output_variation(inputs, outputs)
    drawn = np.random.default_rng(seed).permutation(len(inputs))
    some = drawn[:CORRELATED]
    likeness = normalised_cross_correlation(inputs[some], outputs[some])
    return {
        "examples": len(inputs),
        "euclidean_error": float(distances.mean()),
        "null_distance": float(lengths.mean()),
        "euclidean_error_uniform": float(distances[uniform].mean()),
        "null_distance_uniform": float(lengths[uniform].mean()),
        "output_variation": variation,
        "constant_output": variation < CONSTANT,
        "cross_correlation": float(likeness.mean()),
        "waveform_cross_correlation": _waveforms(
            inputs[drawn[:INVERTED]], outputs[drawn[:INVERTED]], frontend, seed
        ),
    }


def output_variation(inputs: np.ndarray, outputs: np.ndarray) -> float:
    """Variance of the outputs over examples, summed over elements, as a share of the inputs'.

    0 for a network that gives the same output for every input, 1 for the identity.

    Args:
        inputs: (N, ...).
        outputs: (N, ...).
    """
    varied = inputs.var(axis=0, dtype="float64").sum()
    return float(outputs.var(axis=0, dtype="float64").sum() / varied) if varied else 0.0


def _lengths(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x.reshape(len(x), -1).astype("float64"), axis=1)


def _waveforms(
    inputs: np.ndarray, outputs: np.ndarray, frontend: Frontend, seed: int
) -> float | None:
    if frontend.kind not in STFT_FORMS:
        return None
    # A network that overshoots in the logarithm is not to overflow.
    highest = LOUDEST if frontend.kind.startswith("log") else np.inf
    waves = [
        invert(np.minimum(x + frontend.mean, highest), frontend.representation, seed=seed)
        for x in (inputs, outputs)
    ]
    # Without phases a waveform is known up to its sign.
    signed = frontend.kind in ("real", "real_imaginary", "magnitude_phase")
    return float(normalised_cross_correlation(*waves, absolute=not signed).mean())
