"""What every corpus is made of: utterances, their labelled segments, and the problems with them."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.audio import SAMPLE_RATE, read_audio, resample
from zoo.errors import UsageError


class Segment(NamedTuple):
    """One labelled slice of an utterance: samples `start` to `end` (half-open), a label."""

    start: int
    end: int
    label: str


class Problem(NamedTuple):
    """Something wrong with a corpus: in which file, in which line (from 1; None: all of it)."""

    file: Path
    line: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.file}{' ' if self.line is None else f', line {self.line}: '}{self.text}"


Report = Callable[[Path, int | None, str], object]
"""Takes (file, line or None, what is wrong); readers leave out what they had to report."""


def refuse(file: Path, line: int | None, text: str) -> None:
    """The report that stops at the first problem.

    Raises:
        UsageError: always, naming file, line and problem.
    """
    raise UsageError(str(Problem(file, line, text)))


@dataclasses.dataclass(frozen=True)
class Utterance(abc.ABC):
    """One recording with its labels.

    Attributes:
        name: what the corpus calls it; no other utterance has the same name.
        audio: the recording.
        speaker: whoever speaks.
        split: `"train"`, `"test"` or `"dev"`.
    """

    name: str
    audio: Path
    speaker: str
    split: str

    @property
    def partition(self) -> str:
        """The part of a split that is counted apart, or the split."""
        return self.split

    @abc.abstractmethod
    def segments(self, samples: int | None = None, report: Report = refuse) -> list[Segment]:
        """The labelled segments, in order, without overlap, in samples of the recording.

        Args:
            samples: the recording's length; segments must end within it. None: what its header
                says, where segments cannot be told without it.
            report: takes each problem; segments that have one are left out.
        """

    def read(self, resampling: bool = False) -> tuple[np.ndarray, list[Segment]]:
        """Samples at 16 kHz (n,) float32 in [-1, 1), and the labelled segments.

        Args:
            resampling: convert other rates, segment bounds with them, rather than refuse them.

        Raises:
            UsageError: the recording or its labels are unusable; the message names the file.
        """
        samples, rate = read_audio(self.audio)
        if samples.ndim != 1:
            raise UsageError(
                f"{self.audio} has {samples.shape[1]} channels; a mono recording was expected."
            )
        segments = self.segments(len(samples))
        if rate != SAMPLE_RATE:
            if not resampling:
                raise UsageError(
                    f"{self.audio} is sampled at {rate} Hz, not {SAMPLE_RATE} Hz; "
                    "--resample converts it."
                )
            samples = resample(samples, rate, SAMPLE_RATE)
            segments = [rescaled(s, SAMPLE_RATE / rate, len(samples)) for s in segments]
        return samples, segments


def rescaled(segment: Segment, scale: float, samples: int | None = None) -> Segment:
    """`segment` in a recording resampled by `scale`, which then has `samples` samples."""
    end = round(segment.end * scale)
    return Segment(
        round(segment.start * scale), end if samples is None else min(end, samples), segment.label
    )
