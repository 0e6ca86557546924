"""Augmentation: random changes of spectrograms, drawn for every batch.

Prepared sets hold spectrograms, so what happens to a waveform is approximated here. `gain` is
exact, `noise` has the level and the distribution of white noise but is independent from bin to bin
and frame to frame, `pitch` stretches the axis of frequencies or bands, formants with it, `shift`
moves by whole frames, `tempo` stretches time between frames, and `lowpass` cuts without a slope.
`mask` and `mixup` are defined on spectrograms.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError, nearest

SNR_RANGE = 20.0
"""dB above the lowest signal-to-noise ratio up to which `noise` draws."""

_BANDS = ("log_mel", "gammatone")
_LINEAR = ("real", "real_imaginary")
_SPECTRA = (*_LINEAR, "magnitude", "power", "log_magnitude", "log_power")


def pitch(x: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Stretch every spectrogram's frequency axis by up to `largest` (share of 1), up or down.

    Args:
        x: (N, F, T, C), linear in frequency; row f is taken from f / factor, between two rows
            linearly, past the last row from it.
        largest: the factors are drawn evenly from 1 - largest to 1 + largest.
        rng: draws the factors.
    """
    factors = 1 + rng.uniform(-largest, largest, len(x))
    position = np.minimum(np.arange(x.shape[1]) / factors[:, None], x.shape[1] - 1)  # (N, F)
    low = position.astype(int)
    high = np.minimum(low + 1, x.shape[1] - 1)
    share = (position - low)[:, :, None, None]
    example = np.arange(len(x))[:, None]
    return x[example, low] * (1 - share) + x[example, high] * share


def tempo(x: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Stretch every example in time about its middle by up to `largest` (share of 1).

    Args:
        x: (N, F, T, C); frames are taken between two neighbours linearly, past the first or the
            last one from it.
        largest: the logarithms of the factors are drawn evenly from -log(1 + largest) to
            log(1 + largest).
        rng: draws the factors.
    """
    frames = x.shape[2]
    position = _stretched(len(x), frames, largest, rng)
    low = position.astype(int)
    share = (position - low)[:, None, :, None]
    early = np.take_along_axis(x, low[:, None, :, None], axis=2)
    late = np.take_along_axis(x, np.minimum(low + 1, frames - 1)[:, None, :, None], axis=2)
    return early * (1 - share) + late * share


def tempo_of_labels(labels: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Stretch labels of frames (N, T) as `tempo` does spectrograms, by the same draws."""
    position = _stretched(len(labels), labels.shape[1], largest, rng)
    return np.take_along_axis(labels, np.rint(position).astype(int), axis=1)


def _stretched(examples: int, frames: int, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Where every frame of the stretched examples is taken from, (examples, frames)."""
    factors = np.exp(rng.uniform(-1, 1, examples) * np.log1p(largest))
    middle = (frames - 1) / 2
    position = middle + (np.arange(frames) - middle) / factors[:, None]
    return np.clip(position, 0, frames - 1)


def shift(x: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Move every example in time by up to `largest` frames; its first or last one fills the gap.

    Args:
        x: (N, F, T, C).
        largest: whole number of frames.
        rng: draws how many, later (positive) or earlier.
    """
    by = rng.integers(-int(largest), int(largest) + 1, len(x))
    source = np.clip(np.arange(x.shape[2]) - by[:, None], 0, x.shape[2] - 1)  # (N, T)
    return np.take_along_axis(x, source[:, None, :, None], axis=2)


def gain(x: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Make every example louder or softer by up to `largest` dB.

    Args:
        x: amplitudes (N, F, T, C).
        largest: in dB.
        rng: draws the gains, evenly in dB.
    """
    decibels = rng.uniform(-largest, largest, len(x))
    return x * (10 ** (decibels / 20))[:, None, None, None]


def noise(
    x: np.ndarray, lowest: float, rng: np.random.Generator, signed: bool = True
) -> np.ndarray:
    """Add white noise at a signal-to-noise ratio of `lowest` to `lowest` + 20 dB.

    Args:
        x: amplitudes (N, F, T, C): parts of a complex spectrum, or (`signed` False) magnitudes.
        lowest: in dB, of the mean powers of example and noise, padding included.
        rng: draws ratios, evenly in dB, and noise.
        signed: noise is added to signed parts as it is; to magnitudes as a complex number, since
            they may cancel each other.
    """
    ratio = 10 ** (rng.uniform(lowest, lowest + SNR_RANGE, len(x)) / 10)
    scale = np.sqrt((x**2).mean(axis=(1, 2, 3)) / ratio)[:, None, None, None]
    if signed:
        return x + scale * rng.standard_normal(x.shape)
    scale = scale / np.sqrt(2)
    return np.hypot(x + scale * rng.standard_normal(x.shape), scale * rng.standard_normal(x.shape))


def lowpass(x: np.ndarray, lowest: float, rng: np.random.Generator) -> np.ndarray:
    """Silence every example above a cut-off frequency, as a telephone or a low sample rate does.

    Args:
        x: amplitudes (N, F, T, C), linear in frequency.
        lowest: share of the frequency axis; cut-offs are drawn evenly from it to 1.
        rng: draws them.
    """
    cutoff = rng.uniform(lowest, 1, len(x)) * x.shape[1]
    return x * (np.arange(x.shape[1]) < cutoff[:, None])[:, :, None, None]


def mask(x: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    """Set one band of frequencies and one stretch of time of every example to 0 (SpecAugment).

    Args:
        x: centred (N, F, T, C), where 0 is the mean.
        largest: share of an axis that a band may cover; widths are drawn evenly from 0 on.
        rng: draws widths and places.

    Reference: Park et al., "SpecAugment", Interspeech 2019.
    """
    kept = np.ones(x.shape[:3], bool)
    for axis, size in ((1, x.shape[1]), (2, x.shape[2])):
        width = rng.integers(0, int(largest * size) + 1, len(x))
        first = rng.integers(0, size - width + 1)
        place = np.arange(size)
        band = (place >= first[:, None]) & (place < (first + width)[:, None])
        kept &= ~np.expand_dims(band, 3 - axis)
    return np.where(kept[..., None], x, 0)


def mixup(
    x: np.ndarray, labels: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mix every example, and its label, with another of the batch.

    Args:
        x: (N, F, T, C).
        labels: shares of the classes (N, classes).
        alpha: parameter of the Beta distribution from which the weight of the first one is drawn.
        rng: draws partners and weights.

    Reference: Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
    """
    partner = rng.permutation(len(x))
    weight = rng.beta(alpha, alpha, len(x))
    w = weight[:, None, None, None]
    mixed = weight[:, None] * labels + (1 - weight[:, None]) * labels[partner]
    return w * x + (1 - w) * x[partner], mixed


@dataclasses.dataclass(frozen=True)
class _Kind:
    default: float
    low: float
    high: float
    unit: str
    change: Callable[..., Any]
    stream: int
    """Of random numbers: a further augmentation leaves the draws of the others alone."""


# In the order in which they are applied: the voice, the recording, then what only a network sees.
AUGMENTATIONS: Mapping[str, _Kind] = {
    "pitch": _Kind(0.04, 0, 0.5, "largest stretch, a share of 1", pitch, 1),
    "tempo": _Kind(0.15, 0, 1, "largest stretch in time, a share of 1", tempo, 8),
    "shift": _Kind(2, 0, 1000, "largest shift in frames", shift, 2),
    "gain": _Kind(6, 0, 60, "largest change in dB", gain, 3),
    "noise": _Kind(10, -20, 60, "lowest signal-to-noise ratio in dB", noise, 4),
    "lowpass": _Kind(0.5, 0.05, 1, "lowest cut-off, a share of the frequency axis", lowpass, 7),
    "mask": _Kind(0.15, 0, 1, "largest share of an axis", mask, 5),
    "mixup": _Kind(0.2, 0.001, 100, "alpha of the Beta distribution", mixup, 6),
}
"""Name -> default, bounds and meaning of its number, and the function."""


def parse(text: str) -> dict[str, float]:
    """Read a list like `mask,noise=15`; an augmentation without a number has its default.

    Returns:
        Name -> number, in the order of `AUGMENTATIONS`, in which they are applied.

    Raises:
        UsageError: an unknown name, one given twice, or a number out of its bounds.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.strip().partition("=")
        if name not in AUGMENTATIONS:
            close = nearest(name, AUGMENTATIONS, "augmentation")
            raise UsageError(f"unknown augmentation {name!r}. {close}")
        if name in found:
            raise UsageError(f"the augmentation {name!r} is given twice.")
        kind = AUGMENTATIONS[name]
        try:
            value = float(number) if equals else kind.default
        except ValueError:
            value = float("nan")
        if not kind.low <= value <= kind.high:
            raise UsageError(
                f"{name} takes a number from {kind.low:g} to {kind.high:g} ({kind.unit}); "
                f"received {number!r}."
            )
        found[name] = value
    return {name: found[name] for name in AUGMENTATIONS if name in found}


class Augmenter:
    """Changes batches of centred spectrograms; the same for the same seed, epoch and batch.

    Args:
        text: what to do, for `parse`.
        frontend: front end of the prepared set: its representation and its mean.
        classes: number of classes, for mixed labels.
        seed: random seed of all draws.

    Raises:
        UsageError: `text` is wrong, or asks for what the representation does not allow: pitch,
            gain, noise and lowpass act on the parts, magnitudes and powers of the STFT, without
            deltas, the last three not where recordings are normalised; pitch also on bands, whose
            axis it stretches.

    Example:
        >>> prepared = zoo.data.Prepared("timit-real")
        >>> x, y = prepared.features("train")[:8], prepared.labels("train")[:8]
        >>> augment = Augmenter("mask,noise=15", prepared.frontend, len(prepared.classes))
        >>> x, y = augment(x, y, epoch=0, batch=0)
    """

    def __init__(self, text: str, frontend: Frontend, classes: int, seed: int = 0) -> None:
        self.chosen = parse(text)
        self._kind = frontend.kind
        self._offset = frontend.representation.get("log_offset", 0.0)
        self._marked = frontend.context > 0
        self._mean = frontend.mean
        self._speech_mean = frontend.mean[..., :-1] if self._marked else frontend.mean
        self._classes = classes
        self._seed = seed
        amplitudes = [n for n in ("gain", "noise", "lowpass") if n in self.chosen]
        stretched = ["pitch"] if "pitch" in self.chosen and self._kind not in _BANDS else []
        physical = [*stretched, *amplitudes]
        if physical and (self._kind not in _SPECTRA or frontend.deltas):
            deltas = " with deltas" if frontend.deltas else ""
            raise UsageError(
                f"{physical[0]} acts on {', '.join(_SPECTRA)} without deltas, not on "
                f"{self._kind}{deltas}; tempo, shift, mask and mixup act on all."
            )
        if frontend.by_recording and amplitudes:
            raise UsageError(
                f"{amplitudes[0]} changes amplitudes, which normalisation by recording "
                "removes; leave it out."
            )

    @property
    def mixes_labels(self) -> bool:
        """Whether labels come back as shares of the classes, (N, classes)."""
        return "mixup" in self.chosen

    def __call__(
        self, x: np.ndarray, labels: np.ndarray, epoch: int, batch: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change one batch.

        Args:
            x: centred examples (N, F, T, C) float32; left as they are.
            labels: class indices (N,), or of every frame (N, T), which move with their frames.
            epoch: number of the epoch, from 0.
            batch: number of the batch in it, from 0.

        Returns:
            Centred examples like `x`, and labels: as given, or with mixup shares of the classes
            (N, classes) float32.
        """
        for name, kind in AUGMENTATIONS.items():
            if name not in self.chosen:
                continue
            # The last number is not 0: a shorter seed, such as the sampler's, could stand for it.
            rng = np.random.default_rng([self._seed, epoch, batch, kind.stream])
            number = self.chosen[name]
            if name == "mixup":
                x, labels = mixup(x, np.eye(self._classes)[labels], number, rng)
            elif name in ("shift", "tempo"):
                if name == "tempo" and labels.ndim > 1:
                    labels = tempo_of_labels(labels, number, copy.deepcopy(rng))
                # Marks, whose mean is 0, move with what they mark.
                x = kind.change(x + self._mean, number, rng) - self._mean
            elif self._marked:
                speech = self._changed(name, x[..., :-1], number, rng)
                x = np.concatenate([speech, x[..., -1:]], axis=-1)
            else:
                x = self._changed(name, x, number, rng)
        return x.astype("float32"), labels.astype("float32") if self.mixes_labels else labels

    def _changed(
        self, name: str, x: np.ndarray, number: float, rng: np.random.Generator
    ) -> np.ndarray:
        """What is done to the channels of a representation alone."""
        if name == "mask":
            return mask(x, number, rng)
        if name == "pitch":
            return pitch(x + self._speech_mean, number, rng) - self._speech_mean
        options = {"signed": self._kind in _LINEAR} if name == "noise" else {}
        change = AUGMENTATIONS[name].change
        return self._from_amplitude(change(self._amplitude(x), number, rng, **options))

    def _amplitude(self, x: np.ndarray) -> np.ndarray:
        raw = x + self._speech_mean
        if self._kind.startswith("log_"):
            raw = np.maximum(np.exp(raw) - self._offset, 0)
        return np.sqrt(np.maximum(raw, 0)) if self._kind.endswith("power") else raw

    def _from_amplitude(self, amplitude: np.ndarray) -> np.ndarray:
        raw = amplitude**2 if self._kind.endswith("power") else amplitude
        if self._kind.startswith("log_"):
            raw = np.log(raw + self._offset)
        return raw - self._speech_mean
