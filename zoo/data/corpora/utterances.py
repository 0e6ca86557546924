"""Parts of every corpus: utterances, their labelled segments, and problems with them."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.corpora.audio import SAMPLE_RATE, read_audio, resample
from zoo.errors import UsageError

SPLITS = ("train", "test", "dev")


class Segment(NamedTuple):
    """One labelled slice of an utterance: samples `start` to `end` (half-open), a label."""

    start: int
    end: int
    label: str


class Problem(NamedTuple):
    """A problem of a corpus with its file and line (from 1; None: the whole file)."""

    file: Path
    line: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.file}{' ' if self.line is None else f', line {self.line}: '}{self.text}"


Report = Callable[[Path, int | None, str], object]
"""Function of (file, line or None, problem); readers leave out what they report."""


def refuse(file: Path, line: int | None, text: str) -> None:
    """The report that raises an error at the first problem.

    Raises:
        UsageError: always, naming file, line and problem.
    """
    raise UsageError(str(Problem(file, line, text)))


class Findings:
    """A report that also records how a corpus was read, and may leave out unusable parts.

    Args:
        report: takes each problem.
        skip: count problems instead of reporting them; what has one is left out.

    Attributes:
        strict: takes problems that nothing can be left out for.
        said: sentences about choices that were made.
    """

    def __init__(self, report: Report = refuse, skip: bool = False) -> None:
        self.strict, self.skip = report, skip
        self.said: list[str] = []
        # Keyed, so that looking at the same labels twice counts once.
        self._left_out: dict[Problem, None] = {}
        self._clipped: dict[tuple[Path, int | None], float] = {}

    @classmethod
    def of(cls, report: Report) -> Findings:
        """`report` itself if it is one, else one that passes everything on to it."""
        return report if isinstance(report, Findings) else cls(report)

    def __call__(self, file: Path, line: int | None, text: str) -> None:
        """Take a problem."""
        if self.skip:
            self._left_out[Problem(file, line, text)] = None
        else:
            self.strict(file, line, text)

    def unreadable(self, audio: Path, error: UsageError) -> None:
        """Record the problem of reading a recording."""
        text = str(error).removeprefix(f"{audio} ")
        self(audio, None, text.replace(f"cannot read {audio}", "cannot be read"))

    def clipped(self, file: Path, line: int | None, seconds: float) -> None:
        """Record a segment that ended some seconds past its recording and was clipped."""
        self._clipped[file, line] = seconds

    @property
    def first(self) -> Problem | None:
        """The first problem that something was left out for."""
        return next(iter(self._left_out), None)

    def remarks(self) -> list[str]:
        """Sentences on what was chosen, clipped and left out."""
        found = list(self.said)
        if self._clipped:
            (file, line), most = next(iter(self._clipped)), max(self._clipped.values())
            found.append(
                f"segments that ended up to {most:.3f} s past their recording and were "
                f"cut at its end: {len(self._clipped)}; the first: {file}, line {line}."
            )
        if self.first is not None:
            found.append(
                f"unusable labels and recordings that were left out: {len(self._left_out)}; the "
                f"first: {self.first}"
            )
        return found


@dataclasses.dataclass(frozen=True)
class Utterance(abc.ABC):
    """One recording with its labels.

    Attributes:
        name: what the corpus calls it; no other utterance has the same name.
        audio: the recording.
        speaker: name of the speaker.
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

    def read(
        self, resampling: bool = False, rate: int = SAMPLE_RATE
    ) -> tuple[np.ndarray, list[Segment]]:
        """Samples at `rate` Hz (n,) float32 in [-1, 1), and the labelled segments.

        Args:
            resampling: convert other rates, segment bounds with them, rather than refuse them.
            rate: wanted, in Hz.

        Raises:
            UsageError: the recording or its labels are unusable; the message names the file.
        """
        samples, found = read_mono(self.audio)
        segments = self.segments(len(samples))
        if found != rate:
            samples = at_rate(self.audio, samples, found, rate, resampling)
            segments = [rescaled(s, rate / found, len(samples)) for s in segments]
        return samples, segments

    def samples(self, resampling: bool, rate: int, end: int) -> np.ndarray:
        """Samples at `rate` Hz (n,) float32 in [-1, 1), of labels that have been read before.

        Args:
            resampling: convert other rates rather than refuse them.
            rate: wanted, in Hz.
            end: end of the last segment, at that rate; it may exceed a converted recording's length
                by what rounding makes of it.

        Raises:
            UsageError: the recording is unusable, or ends before its labels do.
        """
        samples, found = read_mono(self.audio)
        recorded = len(samples)
        samples = at_rate(self.audio, samples, found, rate, resampling)
        if end > len(samples):
            # Names the line, if there is one to blame.
            self.segments(recorded)
            if end - len(samples) > (found != rate):
                raise UsageError(
                    f"{self.audio} ends after {len(samples)} samples at {rate} Hz, before its "
                    f"labels do, at {end}; it is damaged, or they belong to another recording."
                )
        return samples

    def without_labels(self) -> Utterance:
        """The same utterance without its labels, which may be much smaller."""
        return self


def read_mono(path: Path) -> tuple[np.ndarray, int]:
    """Samples (n,) float32 in [-1, 1) and rate in Hz of a recording of one channel.

    Raises:
        UsageError: the recording is unusable or has more channels.
    """
    samples, rate = read_audio(path)
    if samples.ndim != 1:
        raise UsageError(f"{path} has {samples.shape[1]} channels; a mono recording was expected.")
    return samples, rate


def at_rate(
    path: Path, samples: np.ndarray, rate: int, wanted: int, resampling: bool
) -> np.ndarray:
    """The samples of `path` at `wanted` Hz.

    Raises:
        UsageError: they are at another rate and `resampling` is False.
    """
    if rate != wanted and not resampling:
        raise UsageError(
            f"{path} is sampled at {rate} Hz, not {wanted} Hz; --resample converts it."
        )
    return resample(samples, rate, wanted)


def rescaled(segment: Segment, scale: float, samples: int | None = None) -> Segment:
    """`segment` in a recording resampled by `scale`, which then has `samples` samples."""
    end = round(segment.end * scale)
    return Segment(
        round(segment.start * scale), end if samples is None else min(end, samples), segment.label
    )
