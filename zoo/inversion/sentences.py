"""Reconstruction of whole recordings: overlapping windows, averaged frame by frame, and their
sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.features.frontend import Frontend
from zoo.data.sets.recordings import unlabelled_recordings
from zoo.errors import UsageError
from zoo.inversion.kept import MAGNITUDES, kept
from zoo.inversion.sounds import mono, segment_length
from zoo.ops.inverse import Framing, griffin_lim, inverse_stft, magnitudes_of, stft

if TYPE_CHECKING:
    import keras

SHIFT = 4
"""Frames from one window's start to the next one's."""

RECORDINGS = 100
"""Most recordings that windows are drawn from."""

ITERATIONS = 200
"""Iterations of Griffin-Lim; more make no audible difference."""

SOUNDS = {
    "griffin_lim": "phases by Griffin-Lim",
    "original_phases": "phases of the original",
}
"""Ways back from magnitudes to sound -> their names on a page."""


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A recording in windows that overlap, as a network of segments takes them.

    Attributes:
        name: name of the file.
        inputs: centred, (N, F, T, C), of the windows that are not digital silence.
        starts: first frame of each window, (N,).
        gains: what each window's samples were divided by when it was levelled, (N,).
        wave: the recording, (samples,), at the front end's rate.
        frontend: front end of the network.
    """

    name: str
    inputs: np.ndarray
    starts: np.ndarray
    gains: np.ndarray
    wave: np.ndarray
    frontend: Frontend

    @property
    def about(self) -> str:
        """How the recording was taken, in a sentence or two."""
        return (
            f"{len(self.inputs)} windows. Each is brought back to its own loudness, which networks "
            "of levelled segments are not told."
        )

    @property
    def framing(self) -> Framing:
        """How the recording is cut."""
        return Framing.of(self.frontend.representation)

    @property
    def original(self) -> np.ndarray:
        """Complex transform of the recording, (F, frames)."""
        return stft(self.wave[None], self.framing)[0]

    def magnitudes(self, windows: np.ndarray) -> np.ndarray:
        """Centred windows, as many as `inputs` -> magnitudes of the whole recording, (F, frames).

        Each window is brought back to its own loudness, which its input does not contain. Frames
        are means over the windows that hold them, weighted by how far inside a window they lie.
        Frames in no window are silence.
        """
        whole = (windows + self.frontend.mean)[..., 0].astype("float64")
        linear = linear_magnitudes(whole, self.frontend) * self.gains[:, None, None]
        count = linear.shape[-1]
        weight = np.minimum(np.arange(count) + 1, count - np.arange(count)).astype("float64")
        frames = self.framing.frames(len(self.wave))
        total, weights = np.zeros((linear.shape[1], frames)), np.zeros(frames)
        for window, start in zip(linear, self.starts, strict=True):
            here = slice(start, min(start + count, frames))
            inside = here.stop - here.start
            total[:, here] += (window * weight)[:, :inside]
            weights[here] += weight[:inside]
        return total / np.where(weights > 0, weights, 1)

    def kept(
        self,
        outputs: np.ndarray,
        networks: Mapping[str, keras.Model],
        answered: Mapping[str, np.ndarray],
    ) -> dict[str, float]:
        """What reconstructions keep: correlation, distance in dB, and answers; means of windows.

        Args:
            outputs: reconstructions of `inputs`, (N, F, T, C).
            networks: classifiers of the same front end, by what they are called.
            answered: their answers to `inputs`.
        """
        classes = max((network.output_shape[-1] for network in networks.values()), default=0)
        unknown, alone = np.zeros(len(outputs), int), np.arange(classes)
        found = kept(self.inputs, outputs, unknown, alone, self.frontend, networks, answered)
        names = ("correlation", "log_spectral_distance", *(f"{n}_same_answer" for n in networks))
        return {name: float(found[name].mean()) for name in names}

    def sounds(self, magnitudes: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
        """Waveforms of magnitudes (F, frames), by the keys of `SOUNDS`, (samples,) each."""
        return voiced(magnitudes, self.wave, self.framing, seed)


def sentence(path: str | Path, frontend: Frontend) -> Sentence:
    """A recording in windows of the length that a network takes, four frames apart.

    Args:
        path: WAV, SPHERE, FLAC, ...: resampled, and of several channels their mean.
        frontend: front end of the network, with one of `MAGNITUDES`.

    Raises:
        UsageError: it is no recording, too long, or nothing but silence; or the front end is not
            one of magnitudes of segments of one length.
    """
    if frontend.kind not in MAGNITUDES:
        raise UsageError(
            f"sentences are reconstructed by networks of {', '.join(MAGNITUDES)}; this one takes "
            f"{frontend.kind}."
        )
    length = segment_length(frontend)
    wave = mono(path, frontend)
    settings = frontend.representation
    hop = settings["hop_length"]
    step = SHIFT * hop
    if len(wave) < length:
        wave = np.pad(wave, (0, length - len(wave)))
    # Zeros behind, so that the last frames lie in a window, too.
    count = -(-max(0, len(wave) - length) // step) + 1
    padded = np.pad(wave, (0, (count - 1) * step + length - len(wave)))
    starts = np.arange(count) * SHIFT
    cut = padded[(starts * hop)[:, None] + np.arange(length)].astype("float32")
    framing = Framing.of(settings)
    covered = framing.covered(framing.frames(length))
    heard = np.flatnonzero(np.abs(cut[:, :covered]).max(axis=1) > 0)
    cut, starts = cut[heard], starts[heard]
    inputs = frontend.represent(cut) - frontend.mean
    levelled = np.linalg.norm(frontend.levelled(cut), axis=1)
    return Sentence(
        Path(path).stem,
        inputs.astype("float32"),
        starts,
        np.linalg.norm(cut, axis=1) / levelled,
        wave,
        frontend,
    )


def voiced(
    magnitudes: np.ndarray, wave: np.ndarray, framing: Framing, seed: int = 0
) -> dict[str, np.ndarray]:
    """Waveforms of magnitudes (bins, frames), by the keys of `SOUNDS`, (samples,) each.

    Args:
        magnitudes: of the whole recording.
        wave: the original, (samples,), whose phases one of the waveforms has.
        framing: how it is cut.
        seed: random seed of Griffin-Lim's first phases.
    """
    phases = np.exp(1j * np.angle(stft(wave[None], framing)))
    both = (
        griffin_lim(magnitudes[None], len(wave), framing, ITERATIONS, seed),
        inverse_stft(magnitudes * phases, len(wave), framing),
    )
    return dict(zip(SOUNDS, (found[0] for found in both), strict=True))


def windows(folder: str | Path, frontend: Frontend, count: int, seed: int = 0) -> np.ndarray:
    """Windows of recordings as inputs, (up to `count`, F, T, C), as many from each recording.

    Args:
        folder: with the recordings, of any format that is read, in it and below.
        frontend: as `sentence` takes it.
        count: windows.
        seed: random seed for drawing recordings and windows.

    Raises:
        UsageError: there are no recordings, or one of them is unusable.
    """
    paths = sorted(found.audio for found in unlabelled_recordings(folder))
    rng = np.random.default_rng(seed)
    drawn = [paths[n] for n in rng.permutation(len(paths))[:RECORDINGS]]
    each = -(-count // len(drawn))
    found = []
    for path in drawn:
        inputs = sentence(path, frontend).inputs
        found.append(inputs[np.sort(rng.permutation(len(inputs))[:each])])
    return np.concatenate(found)[:count]


def linear_magnitudes(values: np.ndarray, frontend: Frontend) -> np.ndarray:
    """Values of one of `MAGNITUDES` -> magnitudes, of the same shape; logarithms are limited."""
    from zoo.evaluation.reconstruction import LOUDEST

    if frontend.kind.startswith("log"):
        values = np.minimum(values, LOUDEST)
    return magnitudes_of(values, frontend.representation)
