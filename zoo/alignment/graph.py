"""All ways in which a text may be said, as states that follow one another from left to right."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from zoo.alignment.phonesets import FRAMES, State
from zoo.decoding.edits import SILENCE


class Phone(NamedTuple):
    """A phone as it is written, and how it is said.

    Attributes:
        label: what a transcript calls it.
        states: one after another, at least one of which is not optional.
    """

    label: str
    states: tuple[State, ...]


Word = Sequence[Sequence[Phone]]
"""The pronunciations of a word, each of which has a phone."""


class Unit(NamedTuple):
    """A phone at its place in the text, or a silence.

    Attributes:
        label: of the phone; `sil` of a silence.
        word: number of its word; -1 for a silence.
        variant: which of the word's pronunciations it belongs to.
    """

    label: str
    word: int = -1
    variant: int = -1


@dataclasses.dataclass(frozen=True)
class Graph:
    """States in an order in which none comes before one that leads to it.

    Attributes:
        sets: distinct sets of classes.
        heard: (N,), the set that is heard in a state.
        sources: (K, N), states from which a state is reached, itself among them where it may last;
            `start` before the first frame, `none` where there are fewer than K.
        ends: states in which the text may end.
        units: phones and silences.
        unit: (N,), the unit that a state belongs to.
    """

    sets: tuple[tuple[int, ...], ...]
    heard: np.ndarray
    sources: np.ndarray
    ends: np.ndarray
    units: tuple[Unit, ...]
    unit: np.ndarray

    @property
    def start(self) -> int:
        """The source of states in which the text may begin."""
        return len(self.heard)

    @property
    def none(self) -> int:
        """What is no source."""
        return len(self.heard) + 1

    @property
    def shortest(self) -> int:
        """Fewest frames in which all of the text can be said."""
        frames = np.zeros(self.none + 1, "int64")
        frames[self.none] = np.iinfo("int64").max // 2
        for state, sources in enumerate(self.sources.T):
            frames[state] = 1 + min(frames[s] for s in sources if s != state)
        return int(frames[self.ends].min())


def graph_of(words: Iterable[Word], pause: Sequence[State], frames: int = FRAMES) -> Graph:
    """The graph of words said one after another, with or without silence around each.

    Args:
        words: in order; none of them for a recording in which nothing is said.
        pause: how silence is heard; empty: there is none.
        frames: least number that a state lasts.

    Example:
        >>> word = [[Phone("a", (State((1,)),)), Phone("b", (State((2,)),))]]
        >>> graph = graph_of([word], pause=[State((0,))])
        >>> [unit.label for unit in graph.units], graph.shortest
        (['sil', 'a', 'b', 'sil'], 4)
    """
    builder = _Builder(frames)
    ends = [_START]
    for number, pronunciations in enumerate(words):
        ends = builder.pause(ends, pause)
        reached: list[int] = []
        for variant, phones in enumerate(pronunciations):
            last = ends
            for phone in phones:
                last = builder.phone(Unit(phone.label, number, variant), phone.states, last)
            reached += last
        ends = reached
    return builder.graph(builder.pause(ends, pause))


_START = -1


class _Builder:
    """Adds states; what is reached is a list of the states in which one may be."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._sets: dict[tuple[int, ...], int] = {}
        self._heard: list[int] = []
        self._sources: list[list[int]] = []
        self._unit: list[int] = []
        self._units: list[Unit] = []

    def phone(self, unit: Unit, states: Sequence[State], ends: list[int]) -> list[int]:
        self._units.append(unit)
        for state in states:
            last = ends
            for _ in range(self._frames):
                last = [self._add(state.classes, last)]
            (end,) = last
            self._sources[end].append(end)
            ends = [*ends, end] if state.optional else last
        return ends

    def pause(self, ends: list[int], states: Sequence[State]) -> list[int]:
        return [*ends, *self.phone(Unit(SILENCE), states, ends)] if states else ends

    def _add(self, classes: tuple[int, ...], sources: list[int]) -> int:
        self._heard.append(self._sets.setdefault(tuple(sorted(set(classes))), len(self._sets)))
        self._sources.append(list(sources))
        self._unit.append(len(self._units) - 1)
        return len(self._heard) - 1

    def graph(self, ends: list[int]) -> Graph:
        number = len(self._heard)
        most = max(map(len, self._sources), default=1)
        sources = np.full((most, number), number + 1)
        for state, found in enumerate(self._sources):
            sources[: len(found), state] = [number if s < 0 else s for s in found]
        return Graph(
            sets=tuple(self._sets),
            heard=np.array(self._heard, "int64"),
            sources=sources,
            ends=np.array([s for s in ends if s >= 0], "int64"),
            units=tuple(self._units),
            unit=np.array(self._unit, "int64"),
        )
