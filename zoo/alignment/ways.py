"""Intervals and scores of the best path of a text through a recording."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zoo.alignment.graph import Graph
from zoo.decoding.formats import Interval

WORST = -6.0
"""Least logarithm that a frame adds to the agreement of text and recording."""


class Place(NamedTuple):
    """Where frames lie in a recording.

    Attributes:
        first: number of the first.
        hop: samples from one to the next; the centre of frame i is half a hop after i hops.
        rate: in Hz.
        samples: of the recording.
    """

    first: int
    hop: int
    rate: int
    samples: int


class Way:
    """The way of a text through some frames of a recording.

    Args:
        log_posteriors: (T, C), of a network's classes.
        scores: (T, sets), of the sets of classes in the graph.
        graph: of the text.
        states: (T,), the state of every frame.
    """

    def __init__(
        self, log_posteriors: np.ndarray, scores: np.ndarray, graph: Graph, states: np.ndarray
    ) -> None:
        self._log_posteriors, self._scores, self._graph = log_posteriors, scores, graph
        self._sets = graph.heard[states]
        self._units = graph.unit[states]

    @functools.cached_property
    def _heard(self) -> np.ndarray:
        """Logarithm of the probability of what is heard in each frame, (T,)."""
        heard = np.empty(len(self._sets))
        for number, classes in enumerate(self._graph.sets):
            there = self._sets == number
            rows = self._log_posteriors[there][:, list(classes)].astype("float64")
            heard[there] = np.logaddexp.reduce(rows, axis=1)
        return heard

    @property
    def agreement(self) -> tuple[float, int]:
        """Sum over the frames of the logarithm by which their best class beats what is said.

        Wrong texts show in it even where a network is unsure of everything.
        """
        beaten = self._heard - self._log_posteriors.max(axis=1)
        return float(np.clip(beaten, WORST, 0).sum()), len(beaten)

    def words(self, words: Sequence[str], place: Place) -> list[Interval]:
        """Intervals of words; silences are gaps."""
        number = np.array([unit.word for unit in self._graph.units])[self._units]
        starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
        labels = [words[n] if n >= 0 else "" for n in number[starts]]
        return self._intervals(starts, labels, place)

    def phones(self, place: Place) -> list[Interval]:
        """Intervals of phones and silences."""
        starts = np.flatnonzero(np.diff(self._units, prepend=self._units[0] - 1))
        labels = [self._graph.units[n].label for n in self._units[starts]]
        return self._intervals(starts, labels, place)

    def classes(self, names: Sequence[str], place: Place) -> list[Interval]:
        """Intervals of a network's classes: of those that a stretch may be, the likeliest."""
        new = np.diff(self._units, prepend=self._units[0] - 1) != 0
        new |= np.diff(self._sets, prepend=self._sets[0]) != 0
        starts = np.flatnonzero(new)
        labels = []
        for first, last in zip(starts, [*starts[1:], len(new)], strict=True):
            classes = list(self._graph.sets[self._sets[first]])
            likeliest = self._log_posteriors[first:last, classes].sum(axis=0).argmax()
            labels.append(names[classes[likeliest]])
        return self._intervals(starts, labels, place)

    def _intervals(self, starts: np.ndarray, labels: Sequence[str], place: Place) -> list[Interval]:
        """Intervals that begin with some frames; those without a label are left out."""
        edges = np.append(self._borders(starts), len(self._sets))
        edges = np.rint((place.first + edges) * place.hop).astype("int64").clip(0, place.samples)
        lengths = np.diff(starts, append=len(self._sets))
        means = np.add.reduceat(np.exp(self._heard), starts) / lengths
        return [
            Interval(start / place.rate, end / place.rate, label, float(np.clip(mean, 0, 1)))
            for label, start, end, mean in zip(
                labels, edges[:-1].tolist(), edges[1:].tolist(), means, strict=True
            )
            if label and start < end
        ]

    def _borders(self, starts: np.ndarray) -> np.ndarray:
        """Where the stretches that begin with some frames begin, in frames.

        Between the centres of two frames it is where the scores of what is heard in them are
        equal, if they grow and fall evenly.
        """
        borders = starts.astype("float64")
        inner = np.flatnonzero(starts > 0)
        after = starts[inner]
        old, new = self._sets[after - 1], self._sets[after]
        ahead = self._scores[after - 1, old] - self._scores[after - 1, new]
        behind = self._scores[after, new] - self._scores[after, old]
        even = (ahead > 0) & (behind > 0)
        share = np.where(even, ahead, 1) / np.where(even, ahead + behind, 2)
        borders[inner] = after - 0.5 + share
        return borders
