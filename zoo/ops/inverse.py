"""From spectrograms back to waveforms, in NumPy and double precision: for measures and listening.

Spectrograms are (N, F, T), waveforms (N, samples). Samples before the first and after the last
whole frame come back as zeros.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.features.representations import STFT_FORMS


@dataclasses.dataclass(frozen=True)
class Framing:
    """Framing of a waveform: frame i starts at sample i * hop_length.

    Attributes:
        frame_length: samples of a frame, weighted by a symmetric Hamming window.
        hop_length: samples from one frame's start to the next one's.
        fft_length: length of the transform. Shorter frames are continued by zeros; longer ones
            are folded: sample n is added to sample n modulo `fft_length`, which gives the whole
            frame's spectrum at fewer frequencies.
    """

    frame_length: int = 267
    hop_length: int = 147
    fft_length: int = 400

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Framing:
        """That of a representation's settings."""
        return cls(*(settings[k] for k in ("frame_length", "hop_length", "fft_length")))

    @property
    def window(self) -> np.ndarray:
        """(frame_length,)."""
        return np.hamming(self.frame_length)

    def frames(self, samples: int) -> int:
        """Number of whole frames in `samples` samples."""
        return max(0, (samples - self.frame_length) // self.hop_length + 1)

    def covered(self, frames: int) -> int:
        """Number of samples that `frames` frames cover."""
        return (frames - 1) * self.hop_length + self.frame_length

    def cut(self, waveforms: np.ndarray) -> np.ndarray:
        """(N, samples) -> folded windowed frames (N, T, fft_length)."""
        starts = np.arange(self.frames(waveforms.shape[-1])) * self.hop_length
        frames = waveforms[:, starts[:, None] + np.arange(self.frame_length)] * self.window
        folds = -(-self.frame_length // self.fft_length)
        missing = folds * self.fft_length - self.frame_length
        frames = np.pad(frames, ((0, 0), (0, 0), (0, missing)))
        return frames.reshape(*frames.shape[:2], folds, self.fft_length).sum(axis=2)

    def join(self, frames: np.ndarray, samples: int) -> np.ndarray:
        """Adjoint of `cut`: (N, T, fft_length) -> (N, samples)."""
        whole = frames[..., np.arange(self.frame_length) % self.fft_length] * self.window
        out = np.zeros((len(frames), samples))
        for number in range(frames.shape[1]):
            start = number * self.hop_length
            out[:, start : start + self.frame_length] += whole[:, number]
        return out

    def weight(self, frames: int, samples: int) -> np.ndarray:
        """Sum of the squared windows over each sample, (samples,); 1 where there is none."""
        out = np.zeros(samples)
        for number in range(frames):
            start = number * self.hop_length
            out[start : start + self.frame_length] += self.window**2
        return np.where(out > 0, out, 1.0)


def stft(waveforms: np.ndarray, framing: Framing = Framing()) -> np.ndarray:
    """Short-time Fourier transform, as `zoo.layers.Spectrogram` has it, but complex.

    Args:
        waveforms: (N, samples).
        framing: how they are cut.

    Returns:
        (N, F, T) complex128.
    """
    frames = framing.cut(np.asarray(waveforms, "float64"))
    return np.fft.rfft(frames, axis=-1).swapaxes(1, 2)


def inverse_stft(
    spectrogram: np.ndarray,
    samples: int | None = None,
    framing: Framing = Framing(),
    joint: bool = False,
) -> np.ndarray:
    """Waveforms whose transform comes closest to complex spectrograms, by overlap-add.

    Each frame is transformed back, weighted by the window again, added up and divided by the sum
    of the squared windows. Where frames are not folded this is the least-squares solution, and
    exact for the transform of a waveform. Folded frames are unfolded periodically, with an error.

    Args:
        spectrogram: (N, F, T) complex.
        samples: length of the result; None for what the frames cover.
        framing: how the waveform was cut.
        joint: solve for all frames together, which undoes folding as far as the overlap allows.

    Returns:
        (N, samples) float64.

    Raises:
        ValueError: the shape does not fit the framing or `samples`.

    Reference: Griffin and Lim (1984), "Signal estimation from modified short-time Fourier
    transform", equation 6.
    """
    samples = _samples(spectrogram, samples, framing)
    frames = np.fft.irfft(spectrogram.swapaxes(1, 2), framing.fft_length, axis=-1)
    if joint:
        return _least_squares(frames, samples, framing, even=False)
    return framing.join(frames, samples) / framing.weight(frames.shape[1], samples)


def inverse_real(
    spectrogram: np.ndarray,
    samples: int | None = None,
    framing: Framing = Framing(),
    joint: bool = True,
) -> np.ndarray:
    """Waveforms from the real part of their transform alone.

    The real part is the transform of a frame's even part, (y[n] + y[-n]) / 2 modulo the transform's
    length. A frame of up to half that length is known from it; in a longer one the end is mixed
    with its middle. Since frames overlap, neighbours resolve most of the mixing.

    Args:
        spectrogram: (N, F, T), the real part.
        samples: length of the result; None for what the frames cover.
        framing: how the waveform was cut.
        joint: least squares over all frames together; False doubles each frame's even part, with
            what is mixed into it, and overlap-adds.

    Returns:
        (N, samples) float64.

    Raises:
        ValueError: the shape does not fit the framing or `samples`.
    """
    samples = _samples(spectrogram, samples, framing)
    frames = np.fft.irfft(spectrogram.swapaxes(1, 2), framing.fft_length, axis=-1)
    if joint:
        return _least_squares(frames, samples, framing, even=True)
    own_mirror = (0, framing.fft_length // 2) if framing.fft_length % 2 == 0 else (0,)
    frames[..., [n for n in range(framing.fft_length) if n not in own_mirror]] *= 2
    return framing.join(frames, samples) / framing.weight(frames.shape[1], samples)


def griffin_lim(
    magnitude: np.ndarray,
    samples: int | None = None,
    framing: Framing = Framing(),
    iterations: int = 60,
    seed: int = 0,
) -> np.ndarray:
    """Waveforms from magnitudes alone, up to a sign: phases are found by iteration.

    Starts from random phases. Where frames are not folded, no iteration increases the distance
    between the given magnitudes and those of the result.

    Args:
        magnitude: (N, F, T), 0 or more.
        samples: length of the result; None for what the frames cover.
        framing: how the waveform was cut.
        iterations: 0 or more; with 0 the random phases are kept.
        seed: random seed of the first phases.

    Returns:
        (N, samples) float64.

    Raises:
        ValueError: the shape does not fit the framing or `samples`.

    Reference: Griffin and Lim (1984).
    """
    samples = _samples(magnitude, samples, framing)
    angle = np.random.default_rng(seed).uniform(-np.pi, np.pi, magnitude.shape)
    spectrogram = magnitude * np.exp(1j * angle)
    for _ in range(iterations):
        consistent = stft(inverse_stft(spectrogram, samples, framing), framing)
        size = np.abs(consistent)
        phase = np.where(size > 0, consistent / np.where(size > 0, size, 1), 1)
        spectrogram = magnitude * phase
    return inverse_stft(spectrogram, samples, framing)


def invert(
    features: np.ndarray,
    settings: Mapping[str, Any],
    samples: int | None = None,
    iterations: int = 60,
    seed: int = 0,
) -> np.ndarray:
    """Waveforms from a representation after its mean is added back, if it can be inverted.

    Args:
        features: (N, F, T, C), not centred; channels of deltas are not needed.
        settings: the representation's parameters, as a front end records them.
        samples: length of the result; None for what the frames cover.
        iterations: number of iterations of `griffin_lim`, used where there is no phase.
        seed: random seed of its first phases.

    Returns:
        (N, samples) float64, at the level of the representation; without phases, up to a sign.

    Raises:
        ValueError: the representation has no inverse here.
    """
    form = settings["representation"]
    if form not in STFT_FORMS:
        raise ValueError(
            f"the representation must be one of {', '.join(STFT_FORMS)} to be inverted; "
            f"received {form!r}."
        )
    framing = Framing.of(settings)
    first = np.asarray(features[..., 0], "float64")
    if form == "real":
        return inverse_real(first, samples, framing)
    if form in ("real_imaginary", "magnitude_phase"):
        second = np.asarray(features[..., 1], "float64")
        of_both = first + 1j * second if form == "real_imaginary" else first * np.exp(1j * second)
        return inverse_stft(of_both, samples, framing)
    return griffin_lim(magnitudes_of(first, settings), samples, framing, iterations, seed)


def magnitudes_of(values: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Magnitudes, powers or logarithms of either, by a representation's settings -> magnitudes."""
    form = settings["representation"]
    if form.startswith("log"):
        values = np.exp(values) - settings["log_offset"]
    magnitudes = np.maximum(values, 0.0)
    return np.sqrt(magnitudes) if form.endswith("power") else magnitudes


def _samples(spectrogram: np.ndarray, samples: int | None, framing: Framing) -> int:
    bins = framing.fft_length // 2 + 1
    if spectrogram.ndim != 3 or spectrogram.shape[1] != bins or spectrogram.shape[2] < 1:
        raise ValueError(
            f"the spectrogram must be (N, {bins}, frames) for a transform of "
            f"{framing.fft_length}; received {spectrogram.shape}."
        )
    covered = framing.covered(spectrogram.shape[2])
    samples = covered if samples is None else samples
    if samples < covered:
        raise ValueError(
            f"samples must be {covered} or more, which {spectrogram.shape[2]} frames cover; "
            f"received {samples}."
        )
    return samples


def _least_squares(
    frames: np.ndarray, samples: int, framing: Framing, even: bool, iterations: int = 400
) -> np.ndarray:
    """Waveforms (N, samples) whose frames, or their even parts, come closest to `frames`.

    Conjugate gradients on the normal equations; from a start at zero they find the shortest of
    several solutions.
    """

    def forward(x):
        cut = framing.cut(x)
        # Index -n modulo the length, twice reversed about sample 0.
        return (cut + np.roll(cut[..., ::-1], 1, axis=-1)) / 2 if even else cut

    def backward(y):
        mirrored = (y + np.roll(y[..., ::-1], 1, axis=-1)) / 2 if even else y
        return framing.join(mirrored, samples)

    x = np.zeros((len(frames), samples))
    rest = frames.copy()
    step = gradient = backward(rest)
    size = first = np.sum(gradient**2, axis=1, keepdims=True)
    for _ in range(iterations):
        if (size <= 1e-20 * first).all():
            break
        through = forward(step)
        length = np.sum(through**2, axis=(1, 2))[:, None]
        # Converged examples stand still rather than divide zero by zero.
        rate = np.where(size > 1e-24 * first, size / np.where(length > 0, length, 1), 0)
        x = x + rate * step
        rest = rest - rate[:, :, None] * through
        gradient = backward(rest)
        new = np.sum(gradient**2, axis=1, keepdims=True)
        step = gradient + new / np.where(size > 0, size, 1) * step
        size = new
    return x
