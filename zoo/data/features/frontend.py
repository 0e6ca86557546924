"""Front ends, which convert waveforms to a network's input; saved with every prepared set and
run."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.data.corpora.audio import SAMPLE_RATE
from zoo.data.features.analysis import Shape, Step, representation_steps
from zoo.data.features.normalization import NORMALIZATIONS, Statistics, statistics_of
from zoo.data.features.representations import WAVEFORM
from zoo.data.features.surroundings import first_sample, heard, marks
from zoo.errors import UsageError
from zoo.files import read_json, write_array, write_json

FILE_NAME = "frontend.json"
MEAN_NAME = "mean.npy"

LEVELS = {
    "none": ("none", "none"),
    "segment": ("segment", "peak"),
    "file": ("file", "peak"),
    "segment-rms": ("segment", "rms"),
    "file-rms": ("file", "rms"),
}
"""Name -> what is scaled, and the mode of `zoo.layers.Level`."""

RMS = 0.1
"""Root mean square that the `-rms` levels scale to; full scale is 1."""


@dataclasses.dataclass(frozen=True)
class Frontend:
    """Settings and mean that turn one segment's samples into a network's input.

    Attributes:
        FILES: names of the files that `save` writes.
        sample_rate: sample rate in Hz.
        length: samples that every segment is zero-padded (both sides) or centre-cropped to; None:
            examples have lengths of their own.
        level: `"segment"` scales every segment to peak 1, `"file"` every file, `"none"` neither;
            `"segment-rms"` and `"file-rms"` scale to a root mean square of 0.1, taken from the
            first to the last sample that is not zero.
        representation: all parameters, as `representation_settings` gives them.
        mean: what is subtracted element by element, (F, T, C); with lengths of their own of every
            bin, (F, 1, C). Of waveforms nothing is: zeros (samples or 1, 1).
        normalize: `"recording"`: before the mean is subtracted, every bin's mean and standard
            deviation over its recording are taken off; `"set"`: nothing else is.
        whole: frames cover a recording from its first to its last sample, with zeros around it:
            frame i has its centre at sample (i + 1/2) hops. Else only whole frames within it count.
        context: samples on each side, among those of `length`, in which what surrounds a segment
            is heard; a last channel then marks which frames are the segment's (`marks`).
    """

    FILES: ClassVar = (FILE_NAME, MEAN_NAME)

    sample_rate: int
    length: int | None
    level: str
    representation: dict[str, Any]
    mean: np.ndarray = dataclasses.field(repr=False, compare=False)
    normalize: str = NORMALIZATIONS[0]
    whole: bool = False
    context: int = 0

    @property
    def kind(self) -> str:
        """Name of the representation, as `zoo prepare --representation` takes it."""
        return self.representation["representation"]

    @property
    def deltas(self) -> int:
        """Highest order of the temporal derivatives among the channels, 0 if there are none."""
        return self.representation.get("deltas", {}).get("order", 0)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the mean, as plain values."""
        settings = {
            "sample_rate": self.sample_rate,
            "length": self.length,
            "level": self.level,
            "representation": self.representation,
        }
        # Left out at their defaults: front ends from before there was a choice stay the same.
        if self.by_recording:
            settings["normalize"] = self.normalize
        if self.whole:
            settings["whole"] = True
        if self.context:
            settings["context"] = self.context
        return settings

    @property
    def by_recording(self) -> bool:
        """Whether every recording is normalised by its own statistics."""
        return self.normalize == "recording"

    @property
    def needs_recording(self) -> bool:
        """Whether a segment's input depends on the rest of its recording."""
        return self.by_recording or self.context > 0

    @property
    def hop(self) -> int:
        """Samples from one frame to the next; 1 of waveforms."""
        return self.representation.get("hop_length", 1)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the settings and the mean."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.mean, "<f4").tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def shape(self) -> tuple[int | None, ...]:
        """(F, T, C) of one example, (samples, 1) of a waveform; None where lengths differ."""
        shape: Shape = (None, self.length)
        for step in self._steps:
            shape = step.shape(shape)
        if self.context:
            shape = (*shape[:-1], (shape[-1] or 0) + 1)
        return shape[1:]

    @functools.cached_property
    def _steps(self) -> list[Step]:
        """From levelled waveforms to the representation."""
        return representation_steps(self.representation)

    @property
    def shortest(self) -> int:
        """Samples of one frame, to which shorter segments are padded where lengths differ."""
        return self.representation.get("frame_length", 1)

    def with_mean(self, mean: np.ndarray) -> Frontend:
        """The same front end with another mean; that of marks, which are not centred, becomes 0."""
        if self.context:
            mean = mean.copy()
            mean[..., -1] = 0
        return dataclasses.replace(self, mean=mean)

    def place(self, samples: np.ndarray) -> np.ndarray:
        """Centre `samples` (n,) in `length` float32 samples: zeros on both sides, or a crop."""
        length = max(len(samples), self.shortest) if self.length is None else self.length
        return place(samples, length)

    def examples(self, segments: list[np.ndarray]) -> np.ndarray:
        """Centred network inputs (N, *shape) for sample arrays already cut out of their files.

        If lengths differ, examples are padded at the end with zeros up to the longest one.
        """
        levelled = [level_file(s, self.level) for s in segments]
        if self.length is None:
            each = [self._alone(self.represent(self.place(s)[None])[0]) for s in levelled]
            return pad(each, self.shape)
        placed = place_all(levelled, self.length)
        x = self.represent(placed)
        if self.by_recording:
            x = np.stack([self.normalized(example, self.statistics(example)) for example in x])
        # Of a lone segment nothing is known but what is heard.
        return (self.marked(x, *heard(placed)) if self.context else x) - self.mean

    def _alone(self, x: np.ndarray) -> np.ndarray:
        """A network's input by a representation (F, T, C) that is all of its recording."""
        return self.normalized(x, self.statistics(x)) - self.mean

    def recording(self, samples: np.ndarray) -> np.ndarray:
        """A network's input (F, T, C) for all of a recording's samples (n,) at `sample_rate`."""
        return self._alone(self.frames_of(level_file(samples, self.level)))

    def of_recording(self, samples: np.ndarray, segments: Sequence[tuple[int, int]]) -> np.ndarray:
        """Network inputs (N, *shape) for segments of a recording, normalised by all of it.

        Args:
            samples: samples of the recording (n,), at `sample_rate`.
            segments: (start, end) of each, within it.
        """
        samples = level_file(samples, self.level)
        found = self.statistics(self.frames_of(samples))
        return self.of_cuts(self.cuts(samples, segments), segments, found)

    def cuts(self, samples: np.ndarray, segments: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """The part of a recording (n,) within `heard_around` of each segment."""
        return [samples[max(a, 0) : b] for a, b in map(self.heard_around, segments)]

    def heard_around(self, segment: tuple[int, int]) -> tuple[int, int]:
        """The samples that a segment's input is made of; the first may lie before the recording."""
        start, end = segment
        if not self.context:
            return start, end
        first = first_sample(start, end, self.length or 0)
        return first, first + (self.length or 0)

    def of_cuts(
        self,
        cuts: Sequence[np.ndarray],
        segments: Sequence[tuple[int, int]],
        found: Statistics | None,
    ) -> np.ndarray:
        """Network inputs (N, *shape) for levelled samples of one recording, each (n,).

        Args:
            cuts: what there is of `heard_around` of each segment.
            segments: (start, end) of each.
            found: the recording's statistics.
        """
        if self.context:
            return self.surrounded_segments(cuts, segments, found) - self.mean
        each = [
            self.normalized(self.represent(self.place(cut)[None])[0], found) - self.mean
            for cut in cuts
        ]
        return pad(each, self.shape) if self.length is None else np.stack(each)

    def surrounded_segments(
        self,
        cuts: Sequence[np.ndarray],
        segments: Sequence[tuple[int, int]],
        found: Statistics | None,
    ) -> np.ndarray:
        """As `of_cuts`, for a front end that includes surroundings; not centred."""
        first = np.array([self.heard_around(segment)[0] for segment in segments], "int64")
        starts, ends = np.array(segments, "int64").reshape(-1, 2).T
        windows = np.zeros((len(cuts), self.length or 0), "float32")
        for window, begin, cut in zip(windows, first, cuts, strict=True):
            window[max(-begin, 0) :][: len(cut)] = cut
        x = self.normalized(self.represent(windows), found)
        return self.marked(x, starts - first, ends - first)

    def marked(self, x: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Representations (N, F, T, C) and, as a last channel, the marks of their segments.

        Args:
            x: representations of windows.
            starts, ends: starts and ends of the segments within their windows, in samples (N,).
        """
        found = marks(starts, ends, x.shape[2], self.shortest, self.hop)
        channel = np.broadcast_to(found[:, None, :, None], (*x.shape[:3], 1))
        return np.concatenate([x, channel], axis=3)

    def frames_of(self, samples: np.ndarray) -> np.ndarray:
        """The representation (F, T, C) of all of a recording's levelled samples (n,), n > 0.

        Neither normalised nor centred. Recordings shorter than a frame are padded to one.
        """
        samples = np.asarray(samples, "float32")
        padded = (
            self.surrounded(samples)
            if self.whole
            else place(samples, max(len(samples), self.shortest))
        )
        return self.analysed(padded[None])[0]

    def frames_in(self, samples: int) -> int:
        """T of `frames_of` for so many samples."""
        if self.whole:
            return -(-samples // self.hop)
        return max(samples - self.shortest, 0) // self.hop + 1

    @property
    def margin(self) -> int:
        """Zeros before the first sample where frames cover a recording."""
        return (self.shortest - self.hop) // 2 if self.whole else 0

    def surrounded(self, samples: np.ndarray) -> np.ndarray:
        """Samples (n,) with the zeros around them that `whole` asks for."""
        length = (self.frames_in(len(samples)) - 1) * self.hop + self.shortest
        return np.pad(samples, (self.margin, length - self.margin - len(samples)))

    def statistics(self, x: np.ndarray) -> Statistics | None:
        """Statistics to normalise a recording's representation (F, T, C) by; None: no
        normalisation."""
        return statistics_of(x) if self.by_recording else None

    def normalized(self, x: np.ndarray, found: Statistics | None) -> np.ndarray:
        """Part of a recording's representation, (F, T, C), normalised by the recording's
        statistics."""
        return x if found is None else (x - found.mean) / found.deviation

    def represent(self, waveforms: np.ndarray) -> np.ndarray:
        """Placed waveforms (N, samples) -> (N, *shape) before the mean is subtracted.

        By NumPy on the calling thread's core: whichever backend Keras has, the numbers are the
        same, and what a model's own layers give differs from them by rounding alone.
        """
        return self.analysed(self.levelled(waveforms))

    def levelled(self, waveforms: np.ndarray) -> np.ndarray:
        """Waveforms (N, samples) of levelled files, each scaled if the level is a segment's."""
        scaled, mode = LEVELS[self.level]
        return to_level(waveforms, mode if scaled == "segment" else "none")

    def analysed(self, waveforms: np.ndarray) -> np.ndarray:
        """Levelled waveforms (N, samples) -> their frames (N, F, T, C)."""
        x = waveforms
        for step in self._steps:
            x = step.analyse(x)
        return x

    def save(self, folder: str | Path) -> None:
        """Write `frontend.json` and `mean.npy` into `folder`."""
        folder = Path(folder)
        write_array(folder / MEAN_NAME, self.mean)
        write_json(folder / FILE_NAME, {**self.settings, "fingerprint": self.fingerprint})

    @staticmethod
    def is_in(folder: str | Path) -> bool:
        """Whether a folder holds a saved front end."""
        return (Path(folder) / FILE_NAME).is_file()

    @classmethod
    def load(cls, folder: str | Path) -> Frontend:
        """Read what `save` wrote.

        Raises:
            UsageError: there is no front end in `folder`, or its mean is not the one it names.
        """
        folder = Path(folder)
        if not cls.is_in(folder):
            raise UsageError(
                f"{folder} has no {FILE_NAME}: it is neither a prepared set nor a run."
            )
        settings = read_json(folder / FILE_NAME)
        fingerprint = settings.pop("fingerprint")
        frontend = cls(**settings, mean=np.load(folder / MEAN_NAME))
        if frontend.fingerprint != fingerprint:
            raise UsageError(
                f"{folder / MEAN_NAME} is not the mean that {FILE_NAME} was written with; "
                "prepare or train again."
            )
        return frontend


def level_file(samples: np.ndarray, level: str) -> np.ndarray:
    """A file's samples (n,), scaled if `level` is one of files; else as they are."""
    scaled, mode = LEVELS[level]
    return to_level(samples[None], mode)[0] if scaled == "file" else samples


def to_level(waveforms: np.ndarray, mode: str, rms: float = RMS) -> np.ndarray:
    """Waveforms (N, samples) float32 by the rule of `zoo.layers.Level`, in NumPy."""
    if mode == "none":
        return waveforms
    if mode == "peak":
        peak = np.maximum(
            waveforms.max(axis=-1, keepdims=True), -waveforms.min(axis=-1, keepdims=True)
        )
        return waveforms / np.where(peak > 0, peak, np.float32(1))
    heard = waveforms != 0
    first = heard.argmax(axis=-1)
    last = heard.shape[-1] - 1 - heard[:, ::-1].argmax(axis=-1)
    # In float32 the squares of a quiet waveform vanish.
    energy = np.square(waveforms, dtype="float64").sum(axis=-1)
    scale = rms / np.sqrt(np.where(energy > 0, energy, 1) / (last - first + 1))
    return (waveforms * scale[:, None]).astype("float32")


def pad(examples: list[np.ndarray], shape: Sequence[int | None], length: int = 0) -> np.ndarray:
    """Examples of different lengths as one array, followed by zeros.

    Args:
        examples: each of `shape`.
        shape: None along the axis of different lengths.
        length: length of that axis in the result, if it is larger than the longest example's.

    Returns:
        (N, *shape) float32.
    """
    axis = shape.index(None)
    longest = max([length, *(x.shape[axis] for x in examples)])
    out = np.zeros((len(examples), *(longest if n is None else n for n in shape)), "float32")
    for row, example in zip(out, examples, strict=True):
        row[(slice(None),) * axis + (slice(example.shape[axis]),)] = example
    return out


CONTINUOUS_FRAME = 0.025
"""Seconds that a frame lasts where recordings are transformed whole."""


def continuous_framing(representation: str, sample_rate: int, hop: float) -> dict[str, Any]:
    """Arguments of a representation's layer for recordings that are transformed whole.

    Args:
        representation: its name.
        sample_rate: sample rate in Hz.
        hop: seconds from one frame to the next.
    """
    arguments = framing(representation, sample_rate)
    frame = max(round(CONTINUOUS_FRAME * sample_rate), round(hop * sample_rate))
    arguments |= {"frame_length": frame, "hop_length": max(1, round(hop * sample_rate))}
    if representation != "frames":
        arguments["fft_length"] = max(arguments.get("fft_length", 400), frame + frame % 2)
    return arguments


def framing(representation: str, sample_rate: int) -> dict[str, Any]:
    """Arguments of a representation's layer for the durations and bands that it has at 16 kHz.

    Args:
        representation: its name.
        sample_rate: sample rate in Hz.

    Returns:
        For `representation_settings`; empty at 16 kHz, whose values are the defaults.
    """
    if sample_rate == SAMPLE_RATE or representation == WAVEFORM:
        return {}
    scale = sample_rate / SAMPLE_RATE
    arguments: dict[str, Any] = {
        "frame_length": round(267 * scale),
        "hop_length": round(147 * scale),
    }
    if representation != "frames":
        arguments["fft_length"] = 2 * round(200 * scale)
    if representation in ("log_mel", "mfcc", "gammatone"):
        arguments["sample_rate"] = sample_rate
    if representation == "gammatone":
        arguments["high"] = 7500 * scale
    return arguments


def place(samples: np.ndarray, length: int) -> np.ndarray:
    """Centre `samples` (n,) in `length` float32 samples: zeros on both sides, or a crop.

    With an odd difference the extra sample is at the end.

    Example:
        >>> place(np.array([1.0, 2.0]), 5)
        array([0., 1., 2., 0., 0.], dtype=float32)
    """
    return place_all([samples], length)[0]


def place_all(waveforms: Sequence[np.ndarray], length: int) -> np.ndarray:
    """`place` applied to each of several waveforms, (N, length) float32."""
    out = np.zeros((len(waveforms), length), "float32")
    for row, samples in zip(out, waveforms, strict=True):
        first = first_sample(0, len(samples), length)
        kept = samples[max(first, 0) :][:length]
        row[max(-first, 0) :][: len(kept)] = kept
    return out
