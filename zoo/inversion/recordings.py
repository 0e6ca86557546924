"""Reconstruction of recordings by networks that take them whole, and their sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from zoo.data.features.analysis import Bands, representation_steps
from zoo.data.features.frontend import Frontend
from zoo.data.features.normalization import Statistics
from zoo.errors import UsageError
from zoo.evaluation.measures import normalised_cross_correlation
from zoo.evaluation.reconstruction import LOUDEST
from zoo.inversion.kept import MAGNITUDES, answers
from zoo.inversion.sentences import linear_magnitudes, voiced
from zoo.inversion.sounds import mono
from zoo.ops.inverse import Framing, stft

if TYPE_CHECKING:
    import keras

BANDS = ("log_mel", "gammatone")
"""Representations by energies of bands, from which spectra can be estimated."""

STEPS = 200
"""Default steps of L-BFGS for a whole recording, whose thousands of values are found together."""

REFINED = 100
"""Iterations of the estimate of a spectrum from its bands; more change it by less than 1 %."""


@dataclasses.dataclass(frozen=True)
class WholeRecording:
    """A recording as a network of recordings takes it: every frame, in one example.

    Attributes:
        name: name of the file.
        inputs: centred and normalised, (1, F, T, C).
        statistics: the recording's own, which were taken off; None without normalisation.
        wave: the recording, (samples,), at the front end's rate.
        frontend: front end of the network.
    """

    name: str
    inputs: np.ndarray
    statistics: Statistics | None
    wave: np.ndarray
    frontend: Frontend

    @property
    def about(self) -> str:
        """How the recording was taken, in a sentence or two."""
        text = f"{self.inputs.shape[2]} frames, searched for together."
        if self.statistics is not None:
            text += (
                " The recording's mean and deviation of every bin, which the network is not told, "
                "are put back."
            )
        if self.frontend.kind in BANDS:
            text += (
                f" The input is heard through its {self.inputs.shape[1]} bands as well, which "
                "lose the finest structure."
            )
        return text

    @property
    def framing(self) -> Framing:
        """How the recording is cut, with zeros around it."""
        return Framing.of(self.frontend.representation)

    @property
    def original(self) -> np.ndarray:
        """Complex transform of the recording, (bins, T)."""
        return stft(self._surrounded[None], self.framing)[0]

    @property
    def _surrounded(self) -> np.ndarray:
        return self.frontend.surrounded(self.wave)

    def logarithms(self, inputs: np.ndarray) -> np.ndarray:
        """Centred inputs (1, F, T, C) -> first channel of their representation, (F, T)."""
        whole = (inputs[0] + self.frontend.mean).astype("float64")
        if self.statistics is not None:
            whole = whole * self.statistics.deviation + self.statistics.mean
        return whole[..., 0]

    def magnitudes(self, inputs: np.ndarray) -> np.ndarray:
        """Centred inputs (1, F, T, C) -> magnitudes of the recording, (bins, T).

        Of bands, those of a spectrum that is as smooth as they are.
        """
        found = self.logarithms(inputs)
        if self.frontend.kind not in BANDS:
            return linear_magnitudes(found, self.frontend)
        bands = cast(Bands, representation_steps(self.frontend.representation)[0])
        energies = np.maximum(np.exp(np.minimum(found, LOUDEST)) - bands.log_offset, 0)
        return np.sqrt(spectrum_of_bands(energies, bands.weights_of_bins()))

    def sounds(self, magnitudes: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
        """Waveforms of magnitudes (bins, T), by the keys of `SOUNDS`, (samples,) each."""
        found = voiced(magnitudes, self._surrounded, self.framing, seed)
        margin = self.frontend.margin
        return {name: wave[margin:][: len(self.wave)] for name, wave in found.items()}

    def kept(
        self,
        outputs: np.ndarray,
        networks: Mapping[str, keras.Model],
        answered: Mapping[str, np.ndarray],
    ) -> dict[str, float]:
        """What a reconstruction keeps: correlation, distance in dB, and answers by frame.

        Args:
            outputs: reconstruction of `inputs`, (1, F, T, C).
            networks: recognisers of the same front end, by what they are called.
            answered: their answers to `inputs`.
        """
        kind = self.frontend.kind
        correlation = normalised_cross_correlation(self.inputs, outputs)
        found = {"correlation": float(correlation[0])}
        if kind.startswith("log") or kind in BANDS:
            factor = 20 if kind == "log_magnitude" else 10
            difference = self.logarithms(self.inputs) - self.logarithms(outputs)
            decibels = np.sqrt(np.square(difference * factor / np.log(10)).mean(axis=0)).mean()
            found["log_spectral_distance"] = float(decibels)
        for name, answer in answers(outputs, networks).items():
            found[f"{name}_same_answer"] = float((answer == answered[name]).mean())
        return found


def takes_recordings(model: keras.Model, frontend: Frontend) -> bool:
    """Whether a network of a front end takes whole recordings, of any number of frames."""
    return frontend.whole and len(model.input_shape) == 4 and model.input_shape[2] is None


def whole_recording(path: str | Path, frontend: Frontend) -> WholeRecording:
    """A recording of up to 30 s as a network of recordings takes it.

    Args:
        path: WAV, SPHERE, FLAC, ...: resampled, and of several channels their mean.
        frontend: front end of the network.

    Raises:
        UsageError: it is no recording, too long, or nothing but silence; or the front end's
            representation has no way back to magnitudes.
    """
    if frontend.kind not in (*MAGNITUDES, *BANDS):
        raise UsageError(
            f"recordings are reconstructed by networks of {', '.join((*MAGNITUDES, *BANDS))}; "
            f"this one takes {frontend.kind}."
        )
    wave = mono(path, frontend)
    frames = frontend.frames_of(wave)
    found = frontend.statistics(frames)
    inputs = frontend.normalized(frames, found) - frontend.mean
    return WholeRecording(Path(path).stem, inputs[None].astype("float32"), found, wave, frontend)


def spectrum_of_bands(energies: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Power spectra (bins, T) whose weighted sums are the energies of bands (bands, T).

    Many spectra have the same bands; this one starts as smooth as the bands and is multiplied
    towards their energies, so that it stays above 0. Bins of no band are 0.

    Args:
        energies: 0 or more.
        weights: weight of every bin in every band, (bins, bands).

    Reference: Richardson, "Bayesian-based iterative method of image restoration", 1972.
    """
    in_bins, in_bands = weights.sum(axis=1), weights.sum(axis=0)
    share = weights / np.where(in_bins > 0, in_bins, 1)[:, None]
    power = share @ (energies / in_bands[:, None])
    for _ in range(REFINED):
        reached = weights.T @ power
        power = power * (share @ (energies / np.where(reached > 0, reached, 1)))
    return power
