"""Inputs to reconstruct: phones of a prepared set, generated chirps, a recording of one's own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.prepared import Prepared

BANDS = {
    "low": (0.03, 0.2),
    "lower": (0.15, 0.4),
    "upper": (0.35, 0.65),
    "high": (0.6, 0.9),
    "whole": (0.03, 0.9),
}
"""Name -> lowest and highest frequency, as shares of half the sample rate."""

DIRECTIONS = ("up", "down")

SWEEPS = (1, 2)
"""How often a chirp runs through its band in the length of one example."""

MOST_SECONDS = 30.0
"""Longest recording that is cut into pieces."""


@dataclasses.dataclass(frozen=True)
class Sounds:
    """Inputs of a network with their names and labels.

    Attributes:
        inputs: centred, (N, F, T, C).
        names: name of each input.
        labels: the phone's class of each, or `"chirp"`.
    """

    inputs: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.inputs)


def sweep_waves(first: np.ndarray, last: np.ndarray, samples: int, rate: int) -> np.ndarray:
    """Sines whose frequency moves linearly from one value to another.

    Args:
        first: frequencies at the first sample, in Hz, (N,).
        last: at the last sample, (N,).
        samples: number of samples of each.
        rate: samples a second.

    Returns:
        (N, samples) float64 of amplitude 1.
    """
    time = np.arange(samples) / rate
    first, last = (np.asarray(x, "float64")[:, None] for x in (first, last))
    slope = (last - first) / max(time[-1], 1 / rate)
    return np.sin(2 * np.pi * (first * time + slope / 2 * time**2))


def chirp_waves(samples: int, rate: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Chirps up and down, in five bands, sweeping once or twice.

    Args:
        samples: number of samples of each wave.
        rate: samples a second.

    Returns:
        (20, samples) float64 of amplitude 1, and their names, such as `"up, low, 2 sweeps"`.
    """
    waves, names = [], []
    for band, edges in BANDS.items():
        low, high = (share * rate / 2 for share in edges)
        for direction in DIRECTIONS:
            ends = (low, high) if direction == "up" else (high, low)
            for sweeps in SWEEPS:
                each = -(-samples // sweeps)
                one = sweep_waves(np.array(ends[:1]), np.array(ends[1:]), each, rate)[0]
                waves.append(np.tile(one, sweeps)[:samples])
                names.append(f"{direction}, {band}, {sweeps} sweep{'s' if sweeps > 1 else ''}")
    return np.stack(waves), tuple(names)


def chirps(frontend: Frontend, rms: float = 0.1) -> Sounds:
    """The chirps of `chirp_waves` as a network sees them.

    Args:
        frontend: front end of the network; one of segments of one length.
        rms: root mean square of the waveforms. A front end whose level is the segment's undoes it;
            that of a file, which a chirp is cut from as little as a phone, does not.

    Raises:
        UsageError: the front end's examples have lengths of their own.
    """
    waves, names = chirp_waves(segment_length(frontend), frontend.sample_rate)
    waves *= rms / np.sqrt(np.mean(waves**2, axis=1, keepdims=True))
    inputs = frontend.represent(waves.astype("float32")) - frontend.mean
    return Sounds(inputs.astype("float32"), names, ("chirp",) * len(names))


def phones(
    prepared: Prepared,
    per_class: int = 5,
    seed: int = 0,
    split: str = "test",
    features: Any = None,
) -> Sounds:
    """Phones of every class that a split has, in the order of the classes.

    Args:
        prepared: where they are.
        per_class: examples of each class, drawn without replacement; fewer where there are fewer.
        seed: random seed of the draw.
        split: which part of the set.
        features: the split's, centred by another mean than the set's own; None: the set's.

    Raises:
        UsageError: no such split, one without examples, or a set without labels.
    """
    if prepared.kind == "frames":
        raise UsageError(f"{prepared.path} holds whole recordings; labelled segments are needed.")
    labels = prepared.labels(split)
    if not len(labels):
        raise UsageError(f"the split {split!r} of {prepared.path} holds no segments.")
    rng = np.random.default_rng(seed)
    chosen = np.concatenate(
        [
            np.sort(rng.permutation(np.flatnonzero(labels == number))[:per_class])
            for number in range(len(prepared.classes))
        ]
    )
    classes = tuple(prepared.classes[n] for n in labels[chosen])
    segments = prepared.segments(split)[chosen]
    names = tuple(
        f"{c}, {speaker}" for c, speaker in zip(classes, segments["speaker"], strict=True)
    )
    features = prepared.features(split) if features is None else features
    return Sounds(np.asarray(features[chosen]), names, classes)


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording cut into consecutive pieces.

    Attributes:
        sounds: the pieces that are not digital silence.
        starts: first sample of each, (N,).
        samples: number of samples of the whole.
    """

    sounds: Sounds
    starts: np.ndarray
    samples: int

    def join(self, waves: np.ndarray) -> np.ndarray:
        """Waveforms of the pieces (N, samples) -> one of the whole (samples,), silence between."""
        whole = np.zeros(self.samples + waves.shape[1])
        ends = np.append(self.starts[1:], len(whole))
        for wave, start, end in zip(waves, self.starts, ends, strict=True):
            wave = wave[: end - start]
            whole[start : start + len(wave)] = wave
        return whole[: self.samples]


def recording(path: str | Path, frontend: Frontend) -> Recording:
    """A recording cut into consecutive pieces of the length that a network takes.

    A shorter recording is put into the middle of a piece. In a longer one, each piece begins where
    the frames of the last one ended.

    Args:
        path: WAV, SPHERE, FLAC, ...: resampled, and of several channels their mean.
        frontend: front end of the network.

    Raises:
        UsageError: it is no recording, too long, or nothing but silence.
    """
    length = segment_length(frontend)
    samples = mono(path, frontend)
    if len(samples) <= length:
        samples = frontend.place(samples)
    hop = _covered(frontend)
    starts = np.arange(0, max(1, len(samples) - (length - hop)), hop)
    padded = np.concatenate([samples, np.zeros(length, "float32")])
    waves = padded[starts[:, None] + np.arange(length)].astype("float32")
    heard = np.flatnonzero(waves.any(axis=1))
    inputs = frontend.represent(waves[heard]) - frontend.mean
    name = Path(path).stem
    names = tuple(f"{name}, {start / frontend.sample_rate:.2f} s" for start in starts[heard])
    sounds = Sounds(inputs.astype("float32"), names, (name,) * len(heard))
    return Recording(sounds, starts[heard], len(samples))


def mono(path: str | Path, frontend: Frontend) -> np.ndarray:
    """A recording's samples (n,) at a front end's rate, levelled if the front end levels files.

    Raises:
        UsageError: it is no recording, too long, or nothing but silence.
    """
    from zoo.data.corpora.audio import read_audio, resample
    from zoo.data.features.frontend import level_file

    samples, rate = read_audio(path)
    samples = samples if samples.ndim == 1 else samples.mean(axis=1)
    seconds = len(samples) / rate
    if seconds > MOST_SECONDS:
        raise UsageError(
            f"{path} lasts {seconds:.1f} s; the limit is {MOST_SECONDS:g} s: cut out a part."
        )
    if not np.any(samples):
        raise UsageError(f"{path} is silence: there is nothing to reconstruct.")
    return level_file(resample(samples, rate, frontend.sample_rate), frontend.level)


def joined(*parts: Sounds) -> Sounds:
    """Several `Sounds` as one, in their order."""
    return Sounds(
        np.concatenate([part.inputs for part in parts]),
        sum((part.names for part in parts), ()),
        sum((part.labels for part in parts), ()),
    )


def segment_length(frontend: Frontend) -> int:
    """Samples of an example.

    Raises:
        UsageError: examples have lengths of their own.
    """
    if frontend.length is None:
        raise UsageError(
            "reconstruction requires a network whose examples have one length; this "
            "one takes any length (prepare with --length)."
        )
    return frontend.length


def _covered(frontend: Frontend) -> int:
    """Samples that the frames of an example cover; of representations without any all of them."""
    from zoo.data.features.representations import STFT_FORMS
    from zoo.ops.inverse import Framing

    length = segment_length(frontend)
    if frontend.kind not in STFT_FORMS:
        return length
    framing = Framing.of(frontend.representation)
    return framing.covered(framing.frames(length))
