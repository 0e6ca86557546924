"""Objectives of a search: one measure or a weighted sum, and the front between measures."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

from zoo.data.corpora.phones import PHONE_ACCURACIES, AccuracyNames
from zoo.errors import UsageError, nearest
from zoo.models.card import NAMING

# measure -> whether more is better
COSTS = {"parameters": False, "multiply_adds": False, "latency_ms": False}
SCORE = "score"


def quality_of(family: str, names: AccuracyNames = PHONE_ACCURACIES) -> tuple[str, bool]:
    """A family's measure of quality, and whether more of it is better.

    Args:
        family: family of the model.
        names: what the accuracies over the set's labels are called.
    """
    return (names.accuracy, True) if family in NAMING else ("euclidean_error", False)


@dataclasses.dataclass(frozen=True)
class Objective:
    """One measure to maximise or minimise, or a weighted sum to maximise.

    Attributes:
        text: as the user wrote it.
        weights: measure -> weight.
        direction: `"max"` or `"min"`.
    """

    text: str
    weights: Mapping[str, float]
    direction: str

    @property
    def name(self) -> str:
        """The measure's name, or `score` for a sum."""
        return SCORE if len(self.weights) > 1 else next(iter(self.weights))

    def value(self, measures: Mapping[str, float]) -> float:
        """The objective's value of a trial.

        Raises:
            UsageError: a measure is missing.
        """
        for name in self.weights:
            if name not in measures:
                raise UsageError(
                    f"training reports no {name!r} for the objective. "
                    + nearest(name, measures, "measure")
                )
        return math.fsum(weight * measures[name] for name, weight in self.weights.items())

    def better(self, a: float, b: float) -> bool:
        """Whether `a` is better than `b`."""
        return a > b if self.direction == "max" else a < b


def parse_objective(
    text: str | None, family: str, names: AccuracyNames = PHONE_ACCURACIES
) -> Objective:
    """Read `accuracy_39`, or a sum such as `accuracy_39:1,parameters:-1e-7`, which is maximised.

    `accuracy_39` stands for the accuracy over any labels, as in earlier versions.

    Args:
        text: None for the family's default.
        family: family of the model.
        names: what the accuracies over the set's labels are called.

    Raises:
        UsageError: an unknown measure, one given twice, or a weight that is no number or has the
            sign that makes worse networks win.
    """
    if family not in (*NAMING, "autoencoder"):
        raise UsageError(
            "zoo tune searches classifiers, recognizers and autoencoders, not the family "
            f"{family!r}."
        )
    quality, raised = quality_of(family, names)
    known = {quality: raised, "loss": False, **COSTS}
    text = text or quality
    if family in NAMING and quality != PHONE_ACCURACIES.accuracy:
        text = re.sub(rf"\b{PHONE_ACCURACIES.accuracy}\b", quality, text)
    weights: dict[str, float] = {}
    parts = text.split(",")
    for part in parts:
        name, colon, number = part.strip().partition(":")
        if name not in known:
            raise UsageError(f"unknown objective {name!r}. {nearest(name, known, 'objective')}")
        if name in weights:
            raise UsageError(f"the objective names {name!r} twice.")
        if not colon:
            if len(parts) > 1:
                raise UsageError(
                    "an objective of several measures takes a weight for each, as in "
                    f"{quality}:{'1' if raised else '-1'},parameters:-1e-7; received {text!r}."
                )
            return Objective(text, {name: 1.0}, "max" if known[name] else "min")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = math.nan
        if not math.isfinite(weights[name]) or (weights[name] > 0) != known[name]:
            sign = "positive" if known[name] else "negative"
            raise UsageError(
                f"the weight of {name} in the objective must be a {sign} number, since "
                f"the sum is maximised; received {number!r}."
            )
    return Objective(text, weights, "max")


def pareto_front(points: Sequence[Mapping[str, float]], more: Mapping[str, bool]) -> list[int]:
    """Indices of the points that no other point dominates (as good in all measures and better in
    one).

    Args:
        points: measures of each trial.
        more: measure -> whether more is better; only these count.
    """
    signed = [tuple(p[n] if up else -p[n] for n, up in more.items()) for p in points]

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(
            other != mine and all(o >= m for o, m in zip(other, mine, strict=True))
            for other in signed
        )

    return [i for i, mine in enumerate(signed) if not beaten(mine)]
