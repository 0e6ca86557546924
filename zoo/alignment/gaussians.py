"""A flat start: phones learnt from recordings and what is said in them, without any times.

Every phone is a hidden Markov model of a few states from left to right, each of which has a normal
distribution of cepstra and their slopes. It hears a few frames at a time, so that it cannot learn
to be early or late, as a network with a wide view does that begins from equal shares.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import scipy.special
from scipy.fft import dct

from zoo.alignment.graph import Graph, Phone, graph_of
from zoo.alignment.phonesets import State
from zoo.alignment.search import search
from zoo.data.corpora.phones import without_stress
from zoo.data.corpora.utterances import at_rate, read_mono
from zoo.data.features.frontend import Frontend
from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import SILENCE
from zoo.errors import UsageError
from zoo.files import replacing
from zoo.transcription import Recognizer

if TYPE_CHECKING:
    import keras

STATES = 3
"""States of a phone in the end; the first is never left out."""

CEPSTRA = 13

ROUNDS = (
    ((1, False), (1, False), (1, False), (1, False))
    + 4 * ((STATES, False),)
    + (4 * ((STATES, True),))
)
"""Of each round how many states a phone has, and whether their cepstra vary together. With one
state, no phone can begin as one sound and end as the next."""

PRIOR_FRAMES = 50.0
"""Frames that a state's variances count as beside those of all speech."""

FLOOR = 0.01
"""Least variance, of all speech's."""

SHARPNESS = 0.1
"""Factor on log densities, which do not tell neighbouring frames apart as if they were independent;
probabilities by them are between 0 and 1 and not nearly all one of the two."""

QUIET = 0.4
"""Share of the way from a recording's quiet level to its loud one below which edges are silence."""

EVENNESS = 3.0
"""What the squared logarithm of a phone's share of the mean length costs at the start, beside
squared deviations from the mean of its frames."""

LONGEST = 40
"""Most frames of a phone at the start, if they suffice."""


def cepstra(x: np.ndarray) -> np.ndarray:
    """Cepstra of log mel bands with their first and second slopes, (T, 3 * CEPSTRA) float32.

    Slopes are over a frame on each side: wider ones smear borders.

    Args:
        x: (bands, T, 1).
    """
    found = dct(x[:, :, 0].T.astype("float64"), norm="ortho", axis=1)[:, :CEPSTRA]
    slopes = _slope(found)
    return np.hstack([found, slopes, _slope(slopes)]).astype("float32")


def input_of(path: Path, frontend: Frontend) -> np.ndarray:
    """Log mel bands (bands, T, 1) of a mono recording, as a network is given them.

    Raises:
        UsageError: the recording is unusable, or has several channels.
    """
    samples, rate = read_mono(path)
    return frontend.recording(at_rate(path, samples, rate, frontend.sample_rate, True))


def _slope(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((1, 1), (0, 0)), mode="edge")
    return (padded[2:] - padded[:-2]) / 2


class Heard(NamedTuple):
    """A recording, and what is said in it.

    Attributes:
        features: (T, D).
        level: (T,), how loud each frame is.
        words: of each word its pronunciations, each a sequence of phones.
    """

    features: np.ndarray
    level: np.ndarray
    words: Sequence[Sequence[Sequence[str]]]


@dataclasses.dataclass(frozen=True)
class Gaussians:
    """Normal distributions of the states of phones; all of silence come first.

    Attributes:
        phones: names, the first of which is silence.
        mean: (D,), of all frames.
        deviation: (D,), of all frames.
        means: (K, D), of each state, in deviations from the mean.
        whitening: (K, D, D), by which a state's deviations become independent and of variance 1.
    """

    phones: tuple[str, ...]
    mean: np.ndarray
    deviation: np.ndarray
    means: np.ndarray
    whitening: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Log density of every state at every frame (T, D), (T, K) float32."""
        x = (features - self.mean) / self.deviation
        states, size = self.means.shape
        stacked = self.whitening.reshape(states * size, size)
        shifts = np.einsum("kde,ke->kd", self.whitening, self.means)
        white = (x @ stacked.T).reshape(len(x), states, size) - shifts
        volumes = np.log(np.einsum("kdd->kd", self.whitening)).sum(axis=1)
        return volumes - 0.5 * np.einsum("tkd,tkd->tk", white, white)

    @property
    def states(self) -> int:
        """States of a phone."""
        return len(self.means) // len(self.phones)

    @functools.cached_property
    def said(self) -> GaussianPhones:
        """How phones are said in the states."""
        return GaussianPhones(self.phones, self.states)

    def way(self, heard: Heard) -> GaussianWay | None:
        """The best way through a recording; None if it is too short."""
        ways = [
            [
                [
                    Phone(label, states)
                    for label, states in zip(variant, self.said.states_of(variant), strict=True)
                ]
                for variant in variants
            ]
            for variants in heard.words
        ]
        graph = graph_of(ways, self.said.pause, self.said.frames)
        if graph.shortest > len(heard.features):
            return None
        scores = self.scores(heard.features)[:, [classes[0] for classes in graph.sets]]
        states = search(scores, graph)
        return None if states is None else GaussianWay(graph, scores, states)

    def recognizer(self, frontend: Frontend) -> Recognizer:
        """What scores the frames of recordings by these distributions."""
        classes = tuple(phone for phone in self.phones for _ in range(self.states))
        return Recognizer(
            sample_rate=frontend.sample_rate,
            classes=classes,
            groups={phone: phone for phone in self.phones},
            hop=frontend.hop,
            frontend=frontend,
            decoder=Decoder.count([], classes),
            window=None,
            context=2,
            model=cast("keras.Model", _Posteriors(self)),
        )

    def save(self, path: Path) -> None:
        """Write a file that `load` reads; nothing half-written is ever seen."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Gaussians:
        """What `save` wrote."""
        with np.load(path) as found:
            arrays = {name: found[name] for name in found.files}
        return cls(**{**arrays, "phones": tuple(map(str, arrays["phones"]))})


class _Posteriors:
    """The distributions as a network: of recordings (1, bands, T, 1) the states (1, T, K)."""

    def __init__(self, model: Gaussians) -> None:
        self._model = model

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        densities = SHARPNESS * self._model.scores(cepstra(x[0]))
        return scipy.special.softmax(densities, axis=1)[None]


@dataclasses.dataclass(frozen=True)
class GaussianPhones:
    """How phones are said in the states of distributions; see `zoo.alignment.phonesets.Phones`.

    Attributes:
        phones: names, the first of which is silence.
        states: of each.
        frames: least number that a state lasts.
    """

    phones: tuple[str, ...]
    states: int
    frames: int = 1

    @property
    def pause(self) -> tuple[State, ...]:
        """The states of silence between words."""
        return self._of(0)

    def states_of(
        self, phones: Sequence[str], where: str = "the pronunciation"
    ) -> list[tuple[State, ...]]:
        """The states of each phone, stressed or not.

        Raises:
            UsageError: a phone was not learnt.
        """
        return [self._of(self._number(phone, where)) for phone in phones]

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {phone: number for number, phone in enumerate(self.phones)}

    def _number(self, phone: str, where: str) -> int:
        found = self._numbers.get(without_stress(phone))
        if found is None:
            raise UsageError(
                f"{where}: the phone {phone!r} does not occur in the training recordings."
            )
        return found

    def _of(self, number: int) -> tuple[State, ...]:
        first = self.states * number
        return tuple(State((first + n,), optional=n > 0) for n in range(self.states))


class GaussianWay(NamedTuple):
    """The best way of words through a recording.

    Attributes:
        graph: of the words.
        scores: (T, sets), log densities.
        states: (T,), of the graph.
    """

    graph: Graph
    scores: np.ndarray
    states: np.ndarray

    @property
    def score(self) -> float:
        """Sum of the log densities on the way."""
        heard = self.graph.heard[self.states]
        return float(self.scores[np.arange(len(heard)), heard].sum())

    def distributions(self) -> np.ndarray:
        """Which of the model's distributions belongs to every frame, (T,)."""
        of_sets = np.array([classes[0] for classes in self.graph.sets])
        return of_sets[self.graph.heard[self.states]]

    def in_parts(self) -> np.ndarray:
        """The same where phones had one state and each is divided into `STATES` equal parts."""
        units = self.graph.unit[self.states]
        starts = np.flatnonzero(np.diff(units, prepend=-1))
        lengths = np.diff(starts, append=len(units))
        places = np.arange(len(units)) - np.repeat(starts, lengths)
        return STATES * self.distributions() + STATES * places // np.repeat(lengths, lengths)


def flat_start(
    recordings: Sequence[Heard], progress: Callable[[str], object] | None = None
) -> Gaussians:
    """Learn phones from recordings of known words, at first divided where their sound changes.

    Args:
        recordings: at least one of which is long enough for what is said in it.
        progress: is told of each round.

    Raises:
        ValueError: there is none.
    """
    names = {p for r in recordings for word in r.words for variant in word for p in variant}
    phones = (SILENCE, *sorted({without_stress(name) for name in names} - {SILENCE}))
    frames = np.concatenate([r.features for r in recordings])
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    number = {phone: place for place, phone in enumerate(phones)}
    known = [(r, _divided(r, number)) for r in recordings]
    assigned = [(r, states) for r, states in known if states is not None]
    if not assigned:
        raise ValueError("no recording is long enough for its words.")
    model = fitted(assigned, phones, mean, deviation, *ROUNDS[0])
    for states, full in ROUNDS[1:]:
        assigned, total, length = [], 0.0, 0
        for recording in recordings:
            way = model.way(recording)
            if way is not None:
                total += way.score
                length += len(way.states)
                divides = states > model.states
                found = way.in_parts() if divides else way.distributions()
                assigned.append((recording, found))
        model = fitted(assigned, phones, mean, deviation, states, full)
        if progress is not None:
            progress(f"log density {total / length:.3f} a frame")
    return model


def _divided(recording: Heard, number: dict[str, int]) -> np.ndarray | None:
    """The phone of every frame (T,) where edges are silence and each phone sounds like itself."""
    phones = [phone for variants in recording.words for phone in variants[0]]
    level, frames = recording.level, len(recording.level)
    if not phones or frames < len(phones):
        return None
    quiet, loud = np.percentile(level, [10, 90])
    sounding = np.flatnonzero(level > quiet + QUIET * (loud - quiet))
    first = max(int(sounding[0]) - 1, 0) if len(sounding) else 0
    last = min(int(sounding[-1]) + 2, frames) if len(sounding) else frames
    if last - first < len(phones):
        first, last = 0, frames
    found = np.full(frames, number[SILENCE])
    lengths = np.diff(_borders(recording.features[first:last, :CEPSTRA], len(phones)))
    found[first:last] = np.repeat([number[without_stress(phone)] for phone in phones], lengths)
    return found


def _borders(x: np.ndarray, parts: int) -> np.ndarray:
    """Where frames (T, D) are best divided, (parts + 1,), so that each part varies little."""
    frames = len(x)
    x = x.astype("float64") / np.maximum(x.std(axis=0), 1e-6)
    sums = np.vstack([np.zeros(x.shape[1]), np.cumsum(x, axis=0)])
    squares = np.append(0.0, np.cumsum((x * x).sum(axis=1)))
    longest = min(max(LONGEST, 2 * -(-frames // parts)), frames)
    # Of a part that has so many frames (row, from 1 on) and ends before a frame (column).
    cost = np.full((longest, frames + 1), np.inf)
    for length in range(1, longest + 1):
        total = sums[length:] - sums[:-length]
        varies = squares[length:] - squares[:-length] - (total * total).sum(axis=1) / length
        uneven = EVENNESS * np.log(length * parts / frames) ** 2
        cost[length - 1, length:] = varies + uneven
    best = np.full(frames + 1, np.inf)
    best[0] = 0
    chosen = []
    for _ in range(parts):
        ways = np.full_like(cost, np.inf)
        for length in range(1, longest + 1):
            ways[length - 1, length:] = best[:-length] + cost[length - 1, length:]
        chosen.append(ways.argmin(axis=0) + 1)
        best = ways.min(axis=0)
    borders = [frames]
    for lengths in reversed(chosen):
        borders.append(borders[-1] - int(lengths[borders[-1]]))
    return np.array(borders[::-1])


def fitted(
    assigned: Iterable[tuple[Heard, np.ndarray]],
    phones: tuple[str, ...],
    mean: np.ndarray,
    deviation: np.ndarray,
    states_of_phone: int,
    full: bool,
) -> Gaussians:
    """Distributions of the frames that belong to each state."""
    number, size = states_of_phone * len(phones), len(mean)
    counts = np.zeros(number)
    sums = np.zeros((number, size))
    squares = np.zeros((number, size, size))
    for recording, states in assigned:
        x = ((recording.features - mean) / deviation).astype("float64")
        order = np.argsort(states, kind="stable")
        firsts = np.flatnonzero(np.diff(states[order], prepend=-1))
        for begin, end in zip(firsts, [*firsts[1:], len(order)], strict=True):
            rows, state = x[order[begin:end]], states[order[begin]]
            counts[state] += len(rows)
            sums[state] += rows.sum(axis=0)
            squares[state] += rows.T @ rows
    all_frames = squares.sum(axis=0) / counts.sum()
    common = all_frames - np.outer(sums.sum(axis=0), sums.sum(axis=0)) / counts.sum() ** 2
    means = sums / np.maximum(counts, 1)[:, None]
    whitening = np.empty((number, size, size), "float32")
    for state in range(number):
        own = squares[state] / max(counts[state], 1) - np.outer(means[state], means[state])
        share = counts[state] / (counts[state] + PRIOR_FRAMES)
        variances = np.diag(share * own + (1 - share) * common)
        covariance = share * own if full else np.zeros_like(own)
        np.fill_diagonal(covariance, variances + FLOOR)
        whitening[state] = np.linalg.inv(np.linalg.cholesky(covariance))
    return Gaussians(
        phones,
        mean.astype("float32"),
        deviation.astype("float32"),
        means.astype("float32"),
        whitening,
    )
