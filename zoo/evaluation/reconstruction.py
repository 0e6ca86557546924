"""Scores of an autoencoder: distance, similarity, and whether the output depends on the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.features.frontend import Frontend
from zoo.data.features.representations import STFT_FORMS
from zoo.data.sets.samplers import TEST_PER_CLASS, BalancedEpochs
from zoo.evaluation.measures import normalised_cross_correlation
from zoo.ops.inverse import invert

CORRELATED = 1000
"""Most examples over which the cross-correlation of spectrograms is averaged."""

INVERTED = 100
"""Most examples that are turned back into waveforms."""

LOUDEST = 30.0
"""Limit of reconstructed logarithms (natural) before they are inverted."""

CONSTANT = 0.01
"""Output variation below which a network's output counts as constant."""


def reconstruction_scores(
    inputs: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    frontend: Frontend,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures of reconstructions against their inputs.

    Args:
        inputs: centred spectrograms, (N, F, T, C).
        outputs: what the autoencoder made of them, (N, F, T, C).
        labels: class indices, (N,), for the class-balanced draw.
        frontend: front end of the run, for the way back to waveforms.
        seed: random seed of the draws.

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


def likeness(
    inputs: np.ndarray,
    outputs: np.ndarray,
    frontend: Frontend,
    input_waves: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Measures of each reconstruction against its input, as in Churchman (2015).

    Args:
        inputs: centred spectrograms, (N, F, T, C).
        outputs: their reconstructions, (N, F, T, C).
        frontend: front end of both, for the way back to waveforms.
        input_waves: what `waveforms` gives of the inputs, if it is at hand.

    Returns:
        Of (N,) each: `euclidean_error`; `null_distance`, that of the average spectrogram;
        `cross_correlation`, the maximal normalised one of the spectrograms read column by column
        as vectors; `waveform_cross_correlation`, that of waveforms turned back from both (left out
        of representations without a way back); `intensity`, the output's root mean square as a
        share of the input's; `time_spread`, the share of the input's and `output_time_spread` that
        of the output's frames that their energy is spread over.

    Reference: Churchman (2015), sections 6.2 and 7.
    """
    distances, lengths = _lengths(outputs - inputs), _lengths(inputs)
    columns = [x.transpose(0, 3, 2, 1).reshape(len(x), -1) for x in (inputs, outputs)]
    found = {
        "euclidean_error": distances,
        "null_distance": lengths,
        "cross_correlation": normalised_cross_correlation(*columns),
        "intensity": _lengths(outputs) / np.maximum(lengths, 1e-30),
        "time_spread": time_spread(inputs),
        "output_time_spread": time_spread(outputs),
    }
    if _is_invertible(frontend):
        if input_waves is None:
            input_waves = waveforms(inputs, frontend)
        found["waveform_cross_correlation"] = waveform_correlation(
            input_waves, waveforms(outputs, frontend), frontend
        )
    return found


def time_spread(x: np.ndarray) -> np.ndarray:
    """Share of the frames that the energy of spectrograms is spread over, (N,).

    The exponential of the entropy of the frames' shares of the energy, divided by the number of
    frames: 1 if all frames have the same energy, 1 / T if one frame has it all.

    Args:
        x: (N, F, T, C).
    """
    energy = np.square(x, dtype="float64").sum(axis=(1, 3))
    total = energy.sum(axis=1, keepdims=True)
    share = np.where(total > 0, energy / np.where(total > 0, total, 1), 1 / x.shape[2])
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1)), axis=1)
    return np.exp(entropy) / x.shape[2]


def average_waveform_threshold(input_waves: np.ndarray, frontend: Frontend) -> float:
    """Mean cross-correlation of waveforms with the average waveform.

    The average waveform is computed from the average spectrogram. A reconstruction below this
    threshold is worse than no reconstruction.

    Args:
        input_waves: what `waveforms` gives of inputs, (N, samples).
        frontend: which has the average.

    Raises:
        ValueError: its representation has no way back.

    Reference: Churchman (2015), section 7.1.1, where it is 0.12.
    """
    average = waveforms(np.zeros((1, *frontend.mean.shape), "float32"), frontend)
    repeated = np.repeat(average, len(input_waves), axis=0)
    return float(waveform_correlation(input_waves, repeated, frontend).mean())


def _lengths(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x.reshape(len(x), -1).astype("float64"), axis=1)


def waveforms(centred: np.ndarray, frontend: Frontend, seed: int = 0) -> np.ndarray:
    """Waveforms of centred spectrograms: the phase is kept or estimated by Griffin-Lim.

    Args:
        centred: (N, F, T, C).
        frontend: front end of both.
        seed: random seed of Griffin-Lim's first phases.

    Returns:
        (N, samples) float64, of the front end's length, or of what the frames cover.

    Raises:
        ValueError: the representation has no inverse.
    """
    # A network that overshoots in the logarithm is not to overflow.
    highest = LOUDEST if frontend.kind.startswith("log") else np.inf
    whole = np.minimum(centred + frontend.mean, highest)
    return invert(whole, frontend.representation, frontend.length, seed=seed)


def waveform_correlation(inputs: np.ndarray, outputs: np.ndarray, frontend: Frontend) -> np.ndarray:
    """Maximal normalised cross-correlation of waveforms (N, samples) from `waveforms`, (N,)."""
    # Without phases a waveform is known up to its sign.
    signed = frontend.kind in ("real", "real_imaginary", "magnitude_phase")
    return normalised_cross_correlation(inputs, outputs, absolute=not signed)


def _is_invertible(frontend: Frontend) -> bool:
    """Whether examples can be turned back into waveforms of the length that their front end has.

    Of a recording's statistics, which were taken off, an example knows nothing.
    """
    return frontend.kind in STFT_FORMS and not frontend.by_recording and not frontend.whole


def _waveforms(
    inputs: np.ndarray, outputs: np.ndarray, frontend: Frontend, seed: int
) -> float | None:
    if not _is_invertible(frontend):
        return None
    first, second = (waveforms(x, frontend, seed) for x in (inputs, outputs))
    return float(waveform_correlation(first, second, frontend).mean())
