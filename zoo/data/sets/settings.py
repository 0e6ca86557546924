"""Settings of prepared sets."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from zoo.data.corpora.utterances import SPLITS
from zoo.data.features.frontend import LEVELS, Frontend
from zoo.data.features.normalization import NORMALIZATIONS
from zoo.data.features.representations import DELTAS, MEANS, REPRESENTATIONS, WAVEFORM
from zoo.errors import UsageError
from zoo.seeds import seed_option
from zoo.settings import Rule, again, at_least, between, option

ANY = "any"
"""Value of `length` for sets whose examples keep their own lengths."""

PERCENTILE = "p95"
"""Value of `length` for the 95th percentile of the training segments' lengths."""

MAX_RATE = 192_000
"""Highest sample rate of a set, in Hz."""

EXAMPLES = ("segments", "frames")
"""Kinds of examples: labelled segments, or whole recordings with a label for every frame."""

HOP = 10.0
"""Default milliseconds from one frame to the next, for whole recordings."""

RATES = Rule(f"1000 to {MAX_RATE} Hz", lambda rate: 1000 <= rate <= MAX_RATE)

_RATIOS = Rule(
    "two numbers from -100 to 100 dB, the lower first",
    lambda snr: -100 <= _bounds(snr)[0] <= _bounds(snr)[1] <= 100,
)


class Exemplar(Protocol):
    """A prepared set or a run, as a model for preparing another set."""

    @property
    def frontend(self) -> Frontend:
        """The front end, which turns waveforms into inputs."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def groups(self) -> dict[str, str]:
        """Class -> scored group."""
        ...


def _length(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _check_length(length: str | int) -> None:
    if length in (ANY, PERCENTILE):
        return
    if not str(length).isdecimal() or int(length) < 1:
        raise UsageError(
            f"length must be {PERCENTILE!r}, {ANY!r} or a number of samples, 1 or more; "
            f"received {length!r}."
        )


def _ratio(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"takes DB or DB:DB, as in 0:10; received {text!r}"
        ) from None


def _bounds(snr: float | tuple[float, float]) -> tuple[float, float]:
    return (snr, snr) if isinstance(snr, int | float) else snr


def _counts(text: str) -> dict[str, int]:
    counts = text.split(",")
    if not 2 <= len(counts) <= 3 or not all(count.isdecimal() for count in counts):
        raise argparse.ArgumentTypeError(
            f"takes TRAIN,TEST or TRAIN,TEST,DEV, as in 250,50; received {text!r}"
        )
    return dict(zip(SPLITS, map(int, counts), strict=False))


@dataclasses.dataclass(frozen=True)
class SetSettings:
    """How any prepared set is made.

    Attributes:
        length: samples of an example.
        level: one of `zoo.data.features.frontend.LEVELS`: `"segment"` scales every segment to
            peak 1, `"file"` every file, `"none"` neither; `"segment-rms"` and `"file-rms"` scale
            to a root mean square of 0.1. Both of a pair are scaled as the noisy one is. Where
            recordings are examples, or normalised each by itself, files are scaled in place of
            segments.
        sample_rate: sample rate of the set, in Hz.
        resample: accept recordings of other rates than the set's.
        dtype: `"float32"` or `"float16"`, as which examples are stored; they are read as float32.
        dev_speakers: so many training speakers, evenly spaced, become a split `dev`.
    """

    length: str | int | None = option(
        None,
        metavar="p95|any|N",
        parse=_length,
        check=_check_length,
        help=(
            "Samples per example: the 95th percentile of the training segments (p95), a "
            "number, or any, so that every example keeps its own length. Pairs take a "
            "number"
        ),
        shown="p95; any for spoken digits; one second for pairs",
        group="what an example is",
    )
    level: str = option(
        "segment",
        choices=LEVELS,
        help=(
            "What is scaled to peak 1, or with -rms to a root mean square of 0.1: each "
            "segment, each file, or nothing. The clean excerpt of a pair is scaled like "
            "the noisy one"
        ),
        group="representation",
    )
    sample_rate: int | None = option(
        None,
        metavar="HZ",
        check=RATES,
        help="Sample rate of the set",
        shown="16000; the corpus' own rate for pairs and for --length any",
        group="representation",
    )
    resample: bool = option(
        False,
        help="Resample recordings of other rates instead of refusing them",
        group="representation",
    )
    dtype: str = option(
        "float32",
        choices=("float32", "float16"),
        help="Type of the stored examples; float16 takes half the space and is read as float32",
        group="splits and storage",
    )
    dev_speakers: int = option(
        0,
        metavar="N",
        check=at_least(0),
        help="Number of training speakers to hold out as the split dev",
        group="splits and storage",
    )


@dataclasses.dataclass(frozen=True)
class Preparation(SetSettings):
    """How a set of labelled segments, or of whole recordings, is prepared.

    Attributes:
        examples: `"segments"`: each labelled segment is one; `"frames"`: each recording is one,
            whole, with a label for every frame.
        hop: milliseconds from one frame to the next. With it frames last 25 ms, or one hop if that
            is longer, and an encoder serves recordings and segments alike. None: 10 of recordings;
            of segments frames of 16.7 ms every 9.2 ms (Riemens 2015).
        normalize: `"set"`: the training set's mean is subtracted and nothing else; `"recording"`:
            before, every bin's mean and standard deviation over its recording are taken off. None:
            `"recording"` for recordings, `"set"` for segments.
        unlabelled: a folder of recordings without labels, which join the training part.
        length: `"p95"`: the 95th percentile of the training segments' durations; a number of
            samples; or `"any"`: every example has its own. None: `"any"` for spoken digits,
            `"p95"` for the rest.
        sample_rate: sample rate in Hz; None: 16 kHz, or the corpus' own where lengths differ.
        representation: one of `zoo.data.features.REPRESENTATIONS`, whose frames last as long at
            every sample rate; or `"waveform"`, from which nothing is subtracted. None: `"real"`
            for segments, `"log_mel"` for recordings.
        context: seconds of what surrounds a segment that are heard on either side of it; a last
            channel then marks the frames that are the segment's own.
        deltas: highest order of the temporal derivatives that follow as channels, 0 to 2.
        mean: what is subtracted: the training set's mean of every `"element"`, of every `"bin"`
            over all frames (and channel by channel), or `"none"`. None: of every element, or of
            every bin where lengths differ.
        too_long: `"drop"` leaves longer segments out, `"crop"` keeps their centre.
        like: a prepared set, or the path of one, whose length, level, representation, deltas,
            mean, sample rate and classes to use. `zoo.data.prepare` takes runs as well.
    """

    examples: str = option(
        "segments",
        choices=EXAMPLES,
        help=(
            "What an example is. segments: a labelled segment; frames: a whole "
            "recording with a label for every frame, for networks that transcribe"
        ),
        group="what an example is",
    )
    hop: float | None = option(
        None,
        metavar="MS",
        check=between(1, 100),
        help="Time from one frame to the next in milliseconds; frames last 25 ms, or one hop if "
        "that is longer",
        shown=f"{HOP:g} of recordings; of segments frames of 16.7 ms every 9.2 ms",
        group="representation",
    )
    normalize: str | None = option(
        None,
        choices=NORMALIZATIONS,
        help=(
            "Normalisation. set: subtract the training set's mean; recording: first "
            "normalise every bin by its mean and standard deviation over the recording"
        ),
        shown="set; recording with --examples frames",
        group="representation",
    )
    unlabelled: str | Path | None = option(
        None,
        metavar="FOLDER",
        help=(
            "Folder of recordings without labels, for training autoencoders; requires "
            "--examples frames"
        ),
        group="what an example is",
    )
    representation: str | None = option(
        None,
        choices=(*REPRESENTATIONS, WAVEFORM),
        help="Representation of the speech",
        shown="real; log_mel with --examples frames",
        group="representation",
    )
    context: float = option(
        0.0,
        metavar="SECONDS",
        check=between(0, 5),
        help=(
            "Seconds of speech to include on either side of each segment; an additional "
            "channel marks the segment itself"
        ),
        shown="",
        group="what an example is",
    )
    deltas: int = option(
        0,
        choices=DELTAS,
        help="Highest order of temporal derivatives to append as channels",
        group="representation",
    )
    mean: str | None = option(
        None,
        choices=MEANS,
        help=(
            "Mean to subtract, over the training set: one for every element, one for "
            "every bin over all frames, or none"
        ),
        shown="element; bin where lengths differ",
        group="representation",
    )
    too_long: str = option(
        "drop",
        choices=("drop", "crop"),
        help=(
            "What to do with segments longer than --length: leave them out, or crop "
            "them to their centre"
        ),
        group="what an example is",
    )
    like: Exemplar | str | Path | None = option(
        None,
        metavar="RUN",
        help=(
            "Run or prepared set whose length, level, representation, mean, sample rate "
            "and classes to use"
        ),
        group="representation",
    )


@dataclasses.dataclass(frozen=True)
class PairSettings(SetSettings):
    """How a set of pairs of noisy and clean excerpts is prepared.

    Attributes:
        length: samples of a pair; None: one second.
        sample_rate: sample rate in Hz; None: the corpus' own.
        noise: `"white"`, `"pink"`, or a recording of noise or a folder of them.
        snr: signal-to-noise ratio in dB, of the mean powers of the excerpts, or its two bounds.
        pairs: number of pairs of each split; None: 250 of train, 50 of each other one.
        seed: random seed of all draws.
    """

    length: int | None = again(SetSettings, "length", check=at_least(1))
    noise: str | Path = option(
        "white",
        metavar="white|pink|PATH",
        help=(
            "Make pairs of clean excerpts and the same with this noise: white, pink, a "
            "recording or a folder of recordings"
        ),
        shown="",
        group="pairs of noisy and clean excerpts",
    )
    snr: float | tuple[float, float] = option(
        0.0,
        metavar="DB[:DB]",
        parse=_ratio,
        check=_RATIOS,
        help="Signal-to-noise ratio of the pairs in dB, or its lower and upper bound",
        group="pairs of noisy and clean excerpts",
    )
    pairs: Mapping[str, int] | None = option(
        None,
        metavar="TRAIN,TEST[,DEV]",
        parse=_counts,
        help="Number of pairs in each split",
        shown="250,50,50",
        group="pairs of noisy and clean excerpts",
    )
    seed: int = seed_option()

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest signal-to-noise ratio in dB."""
        low, high = _bounds(self.snr)
        return float(low), float(high)
