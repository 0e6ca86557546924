"""Choosing a decoder's settings on recordings kept for development."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import SILENCE, phone_errors
from zoo.decoding.settings import Settings
from zoo.errors import UsageError
from zoo.settings import as_record, changed

GRID: Mapping[str, tuple[Any, ...]] = {
    "min_duration": (1, 2, 3),
    "prior_exponent": (0.0, 0.3, 0.6, 1.0),
    "bigram_weight": (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0),
    "insertion_penalty": (-1.0, 0.0, 1.0, 2.0, 4.0, 8.0),
}
"""Settings that `tune` tries, in this order."""


class Trial(NamedTuple):
    """Settings that were tried, and their phone error rates without and with silence."""

    settings: Settings
    phone_error_rate: float
    phone_error_rate_with_silence: float


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes:
        decoder: with the best settings.
        best: the trial of these.
        trials: all that were tried, in order; each was decoded once.
    """

    decoder: Decoder
    best: Trial
    trials: tuple[Trial, ...]

    def as_dict(self) -> dict[str, Any]:
        """Number of trials and the best rates, as values for JSON."""
        return {
            "tried": len(self.trials),
            "settings": as_record(self.best.settings),
            "phone_error_rate": self.best.phone_error_rate,
            "phone_error_rate_with_silence": self.best.phone_error_rate_with_silence,
        }


def tune(
    decoder: Decoder,
    log_posteriors: Sequence[np.ndarray],
    references: Sequence[Sequence[str]],
    groups: Mapping[str, str],
    *,
    silence: str | None = SILENCE,
    grid: Mapping[str, Sequence[Any]] = GRID,
    rounds: int = 2,
    progress: Callable[[Trial], object] | None = None,
) -> Tuning:
    """Choose settings by phone error rate, one setting after another, in two passes.

    The rate without silence decides, then the one with silence, then what was tried first.

    Args:
        decoder: with its counts; its settings are tried first.
        log_posteriors: log posteriors of each development recording (T, C).
        references: class names of each recording's phones, in order.
        groups: class -> scored group.
        silence: group of the silences; None: there is none.
        grid: setting -> the values to try.
        rounds: times through the grid; it ends earlier if one changes nothing.
        progress: called after every trial.

    Raises:
        UsageError: no recording, no phone in the references, an unknown setting, or a label
            without a group.
    """
    if not log_posteriors:
        raise UsageError("tuning needs at least one recording.")
    tried: dict[Settings, Trial] = {}

    def trial(settings: Settings) -> Trial:
        if settings not in tried:
            paths = dataclasses.replace(decoder, settings=settings).decode(log_posteriors)
            found = [phones_of(path.classes, decoder.classes) for path in paths]
            without, with_silence = phone_errors(references, found, groups, silence)
            if without.rate is None or with_silence.rate is None:
                raise UsageError("the references hold no phone; tuning needs labelled speech.")
            tried[settings] = Trial(settings, without.rate, with_silence.rate)
            if progress:
                progress(tried[settings])
        return tried[settings]

    best = trial(decoder.settings)
    for _ in range(rounds):
        before = best
        for name, values in grid.items():
            candidates = [changed(best.settings, {name: v}) for v in values]
            best = min([best, *map(trial, candidates)], key=lambda t: t[1:])
        if best is before:
            break
    return Tuning(dataclasses.replace(decoder, settings=best.settings), best, tuple(tried.values()))


def phones_of(path: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Names of the phones of a path (T,), one for each run of equal labels; -1 is left out."""
    path = np.asarray(path)
    starts = np.flatnonzero(np.diff(path, prepend=-2))
    return [classes[label] for label in path[starts] if label >= 0]
