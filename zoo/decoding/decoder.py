"""A decoder: what is known about sequences of phones, and how much it counts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.decoding.bigram import Bigram
from zoo.decoding.settings import Settings
from zoo.decoding.viterbi import Chains, Path, find_paths
from zoo.errors import UsageError
from zoo.settings import as_record, changed, from_record

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Finds the phones of a recording from the log posteriors of its frames.

    Attributes:
        classes: names, in the order of the network's outputs.
        bigram: which phones follow one another.
        priors: (C,), share of each class among the training's frames.
        settings: how much each part counts.

    Raises:
        UsageError: the parts do not fit one another.

    Example:
        >>> decoder = Decoder.count([[0, 0, 1, 1, 1, 0, 0]], ("sil", "aa"))
        >>> posteriors = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9], [0.6, 0.4]])
        >>> (path,) = decoder.decode([np.log(posteriors)])
        >>> path.classes.tolist()
        [0, 0, 1, 1, 1]
    """

    classes: tuple[str, ...]
    bigram: Bigram
    priors: np.ndarray
    settings: Settings = dataclasses.field(default_factory=Settings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        priors = np.asarray(self.priors, "float64")
        number = len(self.classes)
        if self.bigram.classes != number or priors.shape != (number,):
            raise UsageError(
                f"the decoder has {number} classes, its bigram {self.bigram.classes} and its "
                f"priors the shape {priors.shape}; all must agree."
            )
        if not (np.all(priors > 0) and math.isclose(priors.sum(), 1, rel_tol=1e-6)):
            raise UsageError("priors must be above 0 and sum to 1.")
        least = self.settings.min_duration
        if isinstance(least, tuple) and len(least) != number:
            raise UsageError(
                f"min_duration has {len(least)} numbers; one, or one for each of the {number} "
                "classes, was expected."
            )
        object.__setattr__(self, "priors", priors)

    @classmethod
    def count(
        cls,
        frames: Iterable[Sequence[int] | np.ndarray],
        classes: Sequence[str],
        settings: Settings | None = None,
        smoothing: float = 1.0,
    ) -> Decoder:
        """Count bigram and priors from the labels of every frame of the training's recordings.

        Args:
            frames: classes of the frames of each recording (T,), as indices; -1 where unlabelled.
            classes: names.
            settings: None for the defaults; `zoo.decoding.tune` chooses them.
            smoothing: added to every count.

        Raises:
            UsageError: an index that is not a class.
        """
        sequences = [np.asarray(sequence, "int64").reshape(-1) for sequence in frames]
        bigram = Bigram.count(sequences, len(classes), smoothing)
        counts = np.full(len(classes), float(smoothing))
        for sequence in sequences:
            counts += np.bincount(sequence[sequence >= 0], minlength=len(classes))
        return cls(tuple(classes), bigram, counts / counts.sum(), settings or Settings())

    def with_settings(self, **changes: Any) -> Decoder:
        """The same counts with other settings.

        Raises:
            UsageError: a setting that there is not, or a value outside its range.
        """
        return dataclasses.replace(self, settings=changed(self.settings, changes))

    @property
    def chains(self) -> Chains:
        """The classes as `zoo.decoding.best_paths` takes them."""
        weight = self.settings.bigram_weight
        jumps = np.zeros((len(self.classes),) * 2)
        if weight:
            # Off the diagonal nothing is minus infinity.
            jumps = weight * self.bigram.log_probabilities()
        jumps -= self.settings.insertion_penalty
        np.fill_diagonal(jumps, -np.inf)
        least = self.settings.min_duration
        durations = least if isinstance(least, tuple) else (least,) * len(self.classes)
        return Chains.of_durations(durations, jumps, weight * self.bigram.log_initial())

    def scores(self, log_posteriors: Any) -> Any:
        """Log posteriors (..., C), an array or a tensor, divided by the priors."""
        offsets = self.settings.prior_exponent * np.log(self.priors)
        return log_posteriors - offsets.astype("float32")

    def decode(self, log_posteriors: Sequence[Any]) -> list[Path]:
        """The best way through each recording.

        Args:
            log_posteriors: log posteriors of each recording (T, C), T at least 1; natural
                logarithms. Arrays, or what has a shape and is read by slices like one.

        Raises:
            UsageError: arrays of another shape, without frames or not numbers.
        """
        return find_paths([_Scores(self, a) for a in log_posteriors], self.chains)

    def as_dict(self) -> dict[str, Any]:
        """The decoder as values for JSON; `from_dict` reads them."""
        return {
            "version": _VERSION,
            "classes": list(self.classes),
            "priors": self.priors.tolist(),
            "bigram": self.bigram.as_dict(),
            "settings": as_record(self.settings),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Decoder:
        """What `as_dict` gave.

        Raises:
            UsageError: it is not of that form, or of a later version.
        """
        try:
            if record["version"] != _VERSION:
                raise UsageError(
                    f"the decoder has version {record['version']!r}; this program reads {_VERSION}."
                )
            return cls(
                tuple(str(name) for name in record["classes"]),
                Bigram.from_dict(record["bigram"]),
                np.asarray(record["priors"], "float64"),
                from_record(Settings, record["settings"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"the decoder is damaged ({error!r}).") from None


class _Scores:
    """Scores of a recording's frames, computed where they are looked at."""

    def __init__(self, decoder: Decoder, log_posteriors: Any) -> None:
        if not hasattr(log_posteriors, "shape"):
            log_posteriors = np.asarray(log_posteriors)
        self._decoder, self._log_posteriors = decoder, log_posteriors
        self.shape = tuple(log_posteriors.shape)

    def __getitem__(self, part: slice) -> np.ndarray:
        return self._decoder.scores(np.asarray(self._log_posteriors[part]))
