"""What lies between a waveform and a network, written beside every prepared set and every run."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import UsageError
from zoo.files import read_json, write_array, write_json

FILE_NAME = "frontend.json"
MEAN_NAME = "mean.npy"

LEVELS = ("none", "segment", "file")


@dataclasses.dataclass(frozen=True)
class Frontend:
    """Settings and mean that turn one segment's samples into a network's input.

    Attributes:
        sample_rate: in Hz.
        length: samples that every segment is zero-padded (both sides) or centre-cropped to.
        level: `"segment"` scales every segment to peak 1, `"file"` every file, `"none"` neither.
        representation: configuration of the `zoo.layers.Spectrogram` layer.
        mean: the training set's mean representation, subtracted element by element, (F, T, C).
    """

    sample_rate: int
    length: int
    level: str
    representation: dict[str, Any]
    mean: np.ndarray = dataclasses.field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """Name of the representation, as `zoo prepare --representation` takes it."""
        return self.representation["representation"]

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the mean, as plain values."""
        return {
            "sample_rate": self.sample_rate,
            "length": self.length,
            "level": self.level,
            "representation": self.representation,
        }

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the settings and the mean."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.mean, "<f4").tobytes())
        return digest.hexdigest()

    @functools.cached_property
    def shape(self) -> tuple[int, int, int]:
        """(F, T, C) of one example."""
        return tuple(self.representation_model.output_shape[1:])

    def level_layer(self):
        """The layer that scales a segment; a lone segment is its own file."""
        from zoo.layers import Level

        return Level("none" if self.level == "none" else "peak", name="level")

    @functools.cached_property
    def representation_model(self):
        """Keras model: (N, length) waveforms, levelled where `level` says so -> (N, F, T, C)."""
        import keras

        from zoo.layers import Level, Spectrogram

        waveform = keras.Input((self.length,), name="waveform")
        # Files are levelled before they are cut, so only "segment" is left for the model to do.
        level = Level("peak" if self.level == "segment" else "none")
        return keras.Model(waveform, Spectrogram(**self.representation)(level(waveform)))

    def centre_layer(self):
        """The layer that subtracts `mean`."""
        from zoo.layers import SubtractMean

        return SubtractMean(self.mean, name="subtract_mean")

    def place(self, samples: np.ndarray) -> np.ndarray:
        """Centre `samples` (n,) in `length` float32 samples: zeros on both sides, or a crop."""
        return place(samples, self.length)

    def examples(self, segments: list[np.ndarray]) -> np.ndarray:
        """Centred network inputs (N, F, T, C) for sample arrays already cut out of their files."""
        if self.level == "file":
            segments = [s / (np.abs(s).max(initial=0) or 1) for s in segments]
        batch = np.stack([self.place(s) for s in segments])
        return np.asarray(self.representation_model.predict(batch, verbose=0)) - self.mean

    def save(self, folder: str | Path) -> None:
        """Write `frontend.json` and `mean.npy` into `folder`."""
        folder = Path(folder)
        write_array(folder / MEAN_NAME, self.mean)
        write_json(folder / FILE_NAME, {**self.settings, "fingerprint": self.fingerprint})

    @classmethod
    def load(cls, folder: str | Path) -> Frontend:
        """Read what `save` wrote.

        Raises:
            UsageError: there is no front end in `folder`, or its mean is not the one it names.
        """
        folder = Path(folder)
        if not (folder / FILE_NAME).is_file():
            raise UsageError(f"{folder} has no {FILE_NAME}: it is no prepared set and no run.")
        settings = read_json(folder / FILE_NAME)
        fingerprint = settings.pop("fingerprint")
        frontend = cls(**settings, mean=np.load(folder / MEAN_NAME))
        if frontend.fingerprint != fingerprint:
            raise UsageError(
                f"{folder / MEAN_NAME} is not the mean that {FILE_NAME} was written with; "
                "prepare or train again."
            )
        return frontend


def place(samples: np.ndarray, length: int) -> np.ndarray:
    """Centre `samples` (n,) in `length` float32 samples: zeros on both sides, or a crop.

    With an odd difference the extra sample is at the end.

    Example:
        >>> place(np.array([1.0, 2.0]), 5)
        array([0., 1., 2., 0., 0.], dtype=float32)
    """
    surplus = len(samples) - length
    if surplus >= 0:
        start = surplus // 2
        return np.asarray(samples[start : start + length], "float32")
    left = -surplus // 2
    out = np.zeros(length, "float32")
    out[left : left + len(samples)] = samples
    return out
