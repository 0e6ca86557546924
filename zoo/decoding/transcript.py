"""A transcript: labels of a recording with their times, as Praat, Kaldi and Audacity know them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from zoo.data.corpora.audio import SAMPLE_RATE
from zoo.data.corpora.intervals import MAX_NAME, is_name
from zoo.decoding import formats
from zoo.decoding.formats import Interval
from zoo.errors import UsageError, nearest


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What is said in a recording, and when.

    Attributes:
        tiers: name -> intervals in order, without overlap; gaps are allowed. The first is what
            formats of one tier hold.
        duration: duration of the recording, in seconds.
        sample_rate: sample rate of the recording, in Hz.
        name: name of the recording; empty: that of the file it is saved as.
        score: how well a text and the recording agree, 0 to 1; None where no text was given.

    Raises:
        UsageError: an impossible or overlapping interval, or a label that is not printable.

    Example:
        >>> transcript = Transcript({"phones": [(0, 0.5, "sil"), (0.5, 0.71, "aa")]}, 0.71)
        >>> path = transcript.save("a.TextGrid")
        >>> Transcript.load(path).intervals[1].label
        'aa'
    """

    tiers: Mapping[str, tuple[Interval, ...]]
    duration: float
    sample_rate: int = SAMPLE_RATE
    name: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        duration, rate = self.duration, self.sample_rate
        if not (isinstance(duration, int | float) and 0 < duration < math.inf):
            raise UsageError(f"duration must be seconds above 0; received {duration!r}.")
        if type(rate) is not int or rate < 1:
            raise UsageError(f"sample_rate must be Hz, a whole number; received {rate!r}.")
        if self.name and not is_name(self.name):
            raise UsageError(f"{self.name[:60]!r} is not a recording's name; it must be printable.")
        if self.score is not None and not _is_share(self.score):
            raise UsageError(f"the transcript has the score {self.score!r}; 0 to 1 was expected.")
        if not self.tiers:
            raise UsageError("a transcript has at least one tier.")
        tiers = {tier: _checked(tier, rows, duration) for tier, rows in self.tiers.items()}
        object.__setattr__(self, "tiers", tiers)
        object.__setattr__(self, "duration", float(duration))

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The first tier."""
        return next(iter(self.tiers.values()))

    def save(self, path: str | Path, *, tier: str | None = None) -> Path:
        """Write a file whose suffix says the format; nothing half-written is ever seen.

        | suffix | holds | times | scores |
        |---|---|---|---|
        | `.TextGrid` | all tiers, duration | exact | no |
        | `.json` | everything | exact | yes |
        | `.csv` | one tier, the recording's name | exact | yes |
        | `.ctm` | one tier, the recording's name | exact | yes |
        | `.txt` | one tier, as Audacity's labels | exact | no |
        | `.phn` | one tier, as TIMIT's labels | to the sample | no |

        Args:
            path: the file.
            tier: which tier a format of one tier holds; None for the first.

        Raises:
            UsageError: another suffix, no such tier, or a label that the format cannot hold: one
                with a space in `.ctm` and `.phn`.
            RunError: the file cannot be written.
        """
        tiers = dict(self.tiers)
        if tier is not None:
            if tier not in tiers:
                raise UsageError(
                    f"the transcript has no tier {tier!r}. {nearest(tier, tiers, 'tier')}"
                )
            # Formats of one tier hold the first.
            tiers = {tier: tiers.pop(tier), **tiers}
        path = Path(path)
        name = self.name or path.stem
        formats.save(
            formats.Contents(tiers, self.duration, self.sample_rate, name, self.score), path
        )
        return path

    @classmethod
    def load(cls, path: str | Path, *, sample_rate: int = SAMPLE_RATE) -> Transcript:
        """Read what `save` wrote, or another program's file of these formats.

        What a format does not hold: the duration is then the last interval's end, the name that of
        the file, the tier `phones`. Intervals without a label are gaps.

        Args:
            path: the file.
            sample_rate: in Hz, for all formats but `.json`, which knows it.

        Raises:
            UsageError: with file and line: another suffix, or a file that is not of its format.
        """
        contents = formats.load(Path(path), sample_rate)
        try:
            return cls(*contents)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None


def _is_share(score: object) -> bool:
    return isinstance(score, int | float) and 0 <= score <= 1


def _checked(tier: str, rows: Iterable[tuple], duration: float) -> tuple[Interval, ...]:
    """Intervals of one tier, which are possible and in order."""
    if not is_name(tier):
        raise UsageError(f"{tier[:60]!r} is not a tier's name; it must be printable.")
    found: list[Interval] = []
    last = 0.0
    for number, row in enumerate(rows):
        start, end, label, score = Interval(*row)
        where = f"interval {number} of the tier {tier!r}"
        if not (isinstance(label, str) and is_name(label)):
            raise UsageError(
                f"{where} is labelled {str(label)[:60]!r}; printable text of up to {MAX_NAME} "
                "characters was expected."
            )
        if not all(isinstance(time, int | float) for time in (start, end)) or not (
            last <= start < end <= duration
        ):
            raise UsageError(
                f"{where} goes from {start} to {end} s; intervals must follow one another from "
                f"{last} to {duration} s."
            )
        if score is not None and not _is_share(score):
            raise UsageError(f"{where} has the score {score!r}; 0 to 1 was expected.")
        last = float(end)
        found.append(Interval(float(start), last, label, None if score is None else float(score)))
    return tuple(found)
