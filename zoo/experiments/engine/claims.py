"""Conclusions of the literature as statements to be checked by numbers."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence

Measures = Mapping[tuple[str, str], Sequence[Mapping[str, float]]]
"""(row, column) -> the measures of each seed."""


class NotRun(Exception):
    """A number that a claim needs is missing: its cell was not run, or diverged."""


@dataclasses.dataclass(frozen=True)
class Numbers:
    """An experiment's numbers, averaged over seeds.

    Attributes:
        measures: measures of every cell that was run.
    """

    measures: Measures

    def __call__(self, row: str, column: str, measure: str) -> float:
        """The mean of a measure over seeds.

        Raises:
            NotRun: there is none.
        """
        found = self.measures.get((row, column), ())
        if not found or any(measure not in one for one in found):
            raise NotRun(f"{measure} of {row}, {column}")
        return statistics.fmean(one[measure] for one in found)


@dataclasses.dataclass(frozen=True)
class Claim:
    """One conclusion.

    Attributes:
        text: what was concluded.
        source: place in the source.
        rule: what must hold for the numbers, in words.
        judge: numbers -> whether it holds, and those it was judged by, in words.
    """

    text: str
    source: str
    rule: str
    judge: Callable[[Numbers], tuple[bool, str]]

    def verdict(self, numbers: Numbers) -> dict[str, str]:
        """The claim with `numbers` and `verdict`: reproduced, not reproduced or not run."""
        try:
            holds, text = self.judge(numbers)
            verdict = "reproduced" if holds else "not reproduced"
        except NotRun as missing:
            verdict, text = "not run", f"missing: {missing}"
        return {
            "claim": self.text,
            "source": self.source,
            "rule": self.rule,
            "numbers": text,
            "verdict": verdict,
        }


def below(
    pairs: Sequence[tuple[tuple[str, str, str], tuple[str, str, str]]], form: str = ".4g"
) -> Callable[[Numbers], tuple[bool, str]]:
    """A judge: the first of each pair of (row, column, measure) is below the second."""

    def judge(numbers: Numbers) -> tuple[bool, str]:
        values = [(numbers(*one), numbers(*other)) for one, other in pairs]
        text = "; ".join(
            f"{_name(one, other)}: {a:{form}} {'<' if a < b else '≥'} {b:{form}}"
            for (one, other), (a, b) in zip(pairs, values, strict=True)
        )
        return all(a < b for a, b in values), text

    return judge


def _name(one: tuple[str, str, str], other: tuple[str, str, str]) -> str:
    rows = one[0] if one[0] == other[0] else f"{one[0]} against {other[0]}"
    columns = one[1] if one[1] == other[1] else f"{one[1]} against {other[1]}"
    return f"{rows}, {columns}"


def claims_table(verdicts: Sequence[Mapping[str, str]]) -> str:
    """Verdicts as Markdown."""
    lines = ["| claim | rule | numbers | verdict |", "|---|---|---|---|"]
    for v in verdicts:
        claim = f"{v['claim']} ({v['source']})"
        lines.append(f"| {claim} | {v['rule']} | {v['numbers']} | **{v['verdict']}** |")
    return "\n".join(lines)
