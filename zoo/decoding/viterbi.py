"""Viterbi search over classes that are chains of states, on every Keras backend and in NumPy.

One recursion serves sequences of phones (a chain as long as the phone's minimum duration) and
single words (a chain of the word's states, which no other chain follows).
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import UsageError
from zoo.extras import installed
from zoo.ops import numpy_ops
from zoo.startup import configured_backend, start_backend

IMPOSSIBLE = -1e30
"""Log weight of impossible steps; finite, since differences of infinities are undefined."""

LANES = 8
"""Number of recordings that `find_paths` searches together."""

CHUNKS = (64, 512)
"""Numbers of frames that `find_paths` passes at once; few shapes, so that little is compiled."""

BY_NUMPY = 2**15
"""Frames that a process without Keras searches in NumPy, which takes a tenth of a millisecond for
each; of more it is worth importing Keras, which searches faster once it has compiled."""

KEPT = 2**27
"""Bytes of weights that the forward search keeps for the backward one; older ones are computed
again."""


@dataclasses.dataclass(frozen=True)
class Chains:
    """Classes, each passed from left to right through its states, as logarithms of weights.

    A chain is left from its last state. Shorter chains stand to the right, that is, they are
    entered later. Minus infinity forbids a step.

    Attributes:
        stay: (C, S), of staying in a state for another frame.
        advance: (C, S), of coming into a state from the one before it in its chain; what is given
            for the first state does not matter.
        enter: (C, S), of coming into a state from outside its chain.
        jumps: (C, C), of going from a class (row) to another (column).
        initial: (C,), of beginning with a class.
        shortest: frames from which on a recording must end in a chain's last state; one that has
            fewer may end anywhere.
    """

    stay: np.ndarray
    advance: np.ndarray
    enter: np.ndarray
    jumps: np.ndarray
    initial: np.ndarray
    shortest: int

    def __post_init__(self) -> None:
        shape = np.shape(self.stay)
        expected = {
            "stay": shape,
            "advance": shape,
            "enter": shape,
            "jumps": shape[:1] * 2,
            "initial": shape[:1],
        }
        found = {name: np.shape(getattr(self, name)) for name in expected}
        if len(shape) != 2 or 0 in shape or found != expected:
            received = ", ".join(f"{name} {size}" for name, size in found.items())
            raise UsageError(
                "stay, advance and enter must be (classes, states), jumps (classes, classes) and "
                f"initial (classes,); received {received}."
            )

    @classmethod
    def of_durations(
        cls, durations: Sequence[int], jumps: np.ndarray, initial: np.ndarray
    ) -> Chains:
        """Classes that last a minimum number of frames each, and longer ones at no cost.

        Args:
            durations: durations of each class, from 1 on.
            jumps: (C, C), logarithm of the weight of going from row to column.
            initial: (C,), logarithm of the weight of beginning with a class.

        Raises:
            UsageError: a duration below 1, or arrays that do not fit one another.
        """
        least = np.asarray(durations)
        if least.ndim != 1 or not len(least) or least.dtype.kind != "i" or least.min() < 1:
            raise UsageError(f"durations must be whole numbers from 1 on; received {durations!r}.")
        longest = int(least.max())
        state = np.arange(longest)
        entrance = longest - least[:, None]
        return cls(
            stay=_allowed(np.broadcast_to(state == longest - 1, (len(least), longest))),
            advance=_allowed(state > entrance),
            enter=_allowed(state == entrance),
            jumps=jumps,
            initial=initial,
            shortest=longest,
        )

    @functools.cached_property
    def constants(self) -> tuple[np.ndarray, ...]:
        """`stay`, `advance`, `enter` and `jumps`, with the start as a last chain of its own."""
        within = ((0, 1), (0, 0))
        square = np.pad(np.asarray(self.jumps, "float64"), (0, 1), constant_values=IMPOSSIBLE)
        square[-1, :-1] = self.initial
        padded = [
            np.pad(np.asarray(a, "float64"), within, constant_values=IMPOSSIBLE)
            for a in (self.stay, self.advance, self.enter)
        ]
        padded[1][:, 0] = IMPOSSIBLE
        return tuple(np.maximum(a, IMPOSSIBLE).astype("float32") for a in (*padded, square))

    def start(self, batch: int) -> np.ndarray:
        """The log weights (batch, C + 1, S) before the first frame, when all paths are at the
        start."""
        classes, states = np.shape(self.stay)
        before = np.full((batch, classes + 1, states), IMPOSSIBLE, "float32")
        before[:, -1, -1] = 0
        return before


def _allowed(where: np.ndarray) -> np.ndarray:
    return np.where(where, 0.0, -np.inf)


class Path(NamedTuple):
    """The best way through one recording.

    Attributes:
        classes: (T,), the class of every frame.
        states: (T,), the state of its chain.
        score: sum of all scores and weights on the way; minus infinity where no way is possible.
    """

    classes: np.ndarray
    states: np.ndarray
    score: float


def best_paths(scores: Any, chains: Chains, lengths: Any = None) -> tuple[Any, Any, Any]:
    """The best path through each recording of a batch; usable inside a compiled graph.

    Of equally good paths, the one that stays longest, seen from the end, is taken. A recording ends
    in the last state of a chain, if it has `chains.shortest` frames or more. The loops run as often
    as there are frames.

    Args:
        scores: (B, T, C), log weight of each class at each frame; or (B, T, C, S), of each state.
            Finite, T from 1 on.
        chains: the classes.
        lengths: (B,), frames of each recording from 1 on; what follows them is padding. None: T.

    Returns:
        Classes (B, T) and states (B, T), both int32 and meaningless from a recording's length on,
        and scores (B,), `IMPOSSIBLE` where no way is possible.
    """
    from keras import ops

    from zoo.ops.scanning import scan

    emissions, batch, frames = _emissions(ops, scores)
    if lengths is None:
        lengths = ops.full((batch,), frames, "int32")
    lengths = ops.cast(lengths, "int32")
    real = ops.expand_dims(ops.arange(frames, dtype="int32"), 1) < ops.expand_dims(lengths, 0)
    constants = [ops.convert_to_tensor(a) for a in chains.constants]
    # A batch of unknown size takes as many copies of the start as there are recordings.
    start = ops.convert_to_tensor(chains.start(1)) + ops.zeros((batch, 1, 1))
    last, history = _forward(ops, scan, emissions, real, start, *constants)
    end_class, end_state, possible = _ends(ops, last, lengths, chains.shortest)
    (classes, states, gains), _ = _traceback(
        ops, scan, emissions, real, history, end_class, end_state, *constants
    )
    totals = ops.sum(gains, axis=0)
    totals = ops.where(possible, totals, ops.full_like(totals, IMPOSSIBLE))
    return ops.transpose(classes), ops.transpose(states), totals


def _emissions(ops: Any, scores: Any) -> tuple[Any, Any, Any]:
    """Scores as (T, B, C + 1, 1 or S), nothing for the start; B and T, numbers or tensors."""
    scores = ops.cast(scores, "float32")
    if len(scores.shape) == 3:
        scores = ops.expand_dims(scores, -1)
    batch, frames = ops.shape(scores)[:2]
    scores = ops.transpose(ops.maximum(scores, IMPOSSIBLE), (1, 0, 2, 3))
    return ops.pad(scores, ((0, 0), (0, 0), (0, 1), (0, 0))), batch, frames


def _forward(ops, scan, emissions, real, start, stay, advance, enter, jumps):
    """Log weights after the last frame (B, C + 1, S), and before each frame (T, B, C + 1, S).

    At every frame the best state's is taken off all, which keeps them exact in hours of frames.
    """

    def step(best, frame):
        emission, heard = ops.take(emissions, frame, axis=0), ops.take(real, frame, axis=0)
        reached = ops.max(ops.expand_dims(best[:, :, -1], 2) + jumps, axis=1)
        entering = ops.expand_dims(reached, 2) + enter
        # What comes round from the last state to the first is forbidden by `constants`.
        advancing = ops.concatenate([best[:, :, -1:], best[:, :, :-1]], axis=2) + advance
        new = ops.maximum(ops.maximum(best + stay, advancing), entering) + emission
        top = ops.max(new, axis=(1, 2), keepdims=True)
        # Where no way is possible, nothing may become so.
        top = ops.where(top < IMPOSSIBLE / 2, ops.zeros_like(top), top)
        new = ops.maximum(new - top, IMPOSSIBLE)
        return ops.where(ops.reshape(heard, (-1, 1, 1)), new, best), best

    # Only the weights are kept, not where each came from: an argmax over all pairs of classes
    # takes several times as long as the maximum, and is needed on the best way alone.
    return scan(step, start, ops.shape(real)[0])


def _ends(ops, last, lengths, shortest: int):
    """Class (B,) and state (B,) in which the best way ends, and whether there is one (B,)."""
    states = last.shape[-1]
    anywhere = ops.reshape(lengths < shortest, (-1, 1, 1))
    final = ops.equal(ops.arange(states), states - 1)
    # Twice impossible: worse than what the recursion found to be so.
    allowed = ops.where(ops.logical_or(final, anywhere), last, 2 * IMPOSSIBLE)
    allowed = ops.reshape(allowed, (-1, last.shape[1] * states))
    best = ops.cast(ops.argmax(allowed, axis=1), "int32")
    return best // states, best % states, ops.max(allowed, axis=1) > IMPOSSIBLE / 2


def _traceback(
    ops, scan, emissions, real, history, end_class, end_state, stay, advance, enter, jumps
):
    """Classes, states, gains (T, B) of the best ways, and class, state (B,) before frame 0."""
    classes, states = history.shape[2:]
    flat = [ops.reshape(a, (-1,)) for a in (stay, advance, enter)]
    into = ops.transpose(jumps)

    def at(values, index):
        return ops.take_along_axis(values, ops.expand_dims(index, 1), axis=1)[:, 0]

    def step(carry, frame):
        label, state, _ = carry
        emission, heard, before = (ops.take(a, frame, axis=0) for a in (emissions, real, history))
        place = label * states + state
        # From state 0 nothing advances; which other weight is looked at there does not matter.
        previous = label * states + ops.maximum(state - 1, 0)
        weights = ops.reshape(before, (-1, classes * states))
        leaving = before[:, :, -1] + ops.take(into, label, axis=0)
        source = ops.cast(ops.argmax(leaving, axis=1), "int32")
        jump = at(ops.take(into, label, axis=0), source)
        costs = [ops.take(a, place) for a in flat]
        costs[2] = costs[2] + jump
        ways = [
            at(weights, place) + costs[0],
            at(weights, previous) + costs[1],
            at(before[:, :, -1], source) + costs[2],
        ]
        stays = ops.logical_and(ways[0] >= ways[1], ways[0] >= ways[2])
        advances = ops.logical_and(ops.logical_not(stays), ways[1] >= ways[2])
        # A score for each state, or one for all of them.
        own = ops.reshape(emission, (-1, classes * emission.shape[-1]))
        gain = at(own, place if emission.shape[-1] == states else label)
        gain = gain + ops.where(stays, costs[0], ops.where(advances, costs[1], costs[2]))
        gain = ops.where(heard, gain, ops.zeros_like(gain))
        moved = ops.logical_and(heard, ops.logical_not(stays))
        jumped = ops.logical_and(moved, ops.logical_not(advances))
        came_class = ops.where(jumped, source, label)
        came_state = ops.where(jumped, states - 1, ops.where(moved, state - 1, state))
        return (came_class, came_state, gain), (label, state, gain)

    carry = (end_class, end_state, ops.zeros_like(history[0, :, 0, 0]))
    before, along = scan(step, carry, ops.shape(real)[0], reverse=True)
    return along, before[:2]


class _Searchers(NamedTuple):
    """What searches, of Keras' backend or of NumPy.

    Attributes:
        ops: `keras.ops`, or what stands for it.
        forward: `_forward` with it.
        traceback: `_traceback` with it.
    """

    ops: Any
    forward: Callable[..., Any]
    traceback: Callable[..., Any]


@functools.cache
def _compiled() -> _Searchers:
    start_backend()
    from keras import ops

    from zoo.ops.compilation import compiled
    from zoo.ops.scanning import scan

    forward, traceback = (functools.partial(f, ops, scan) for f in (_forward, _traceback))
    return _Searchers(ops, compiled(forward, xla=True), compiled(traceback, xla=True))


_IN_NUMPY = _Searchers(
    numpy_ops, *(functools.partial(f, numpy_ops, numpy_ops.scan) for f in (_forward, _traceback))
)

_searched = 0
"""Frames that this process has searched in NumPy."""


def _searchers(frames: int) -> _Searchers:
    """What searches so many frames sooner; both find the same."""
    global _searched
    _searched += frames
    imported = sys.modules.get("keras") is not None
    worth_it = _searched > BY_NUMPY and installed(configured_backend())
    return _compiled() if imported or worth_it else _IN_NUMPY


def find_paths(scores: Sequence[Any], chains: Chains) -> list[Path]:
    """The best way through each of several recordings, of any length.

    Gives what `best_paths` gives. A long recording is read in chunks, forwards and then backwards;
    beside the scores it takes bounded memory, and all chunks together find the one best way through
    all of it.

    Args:
        scores: scores of each recording (T, C) or all (T, C, S), T at least 1: log weights, no NaN.
            Arrays, or what has a shape and is read by slices like one.
        chains: the classes.

    Raises:
        UsageError: scores of another shape, of no frame, or that are not a number.
    """
    arrays = [_checked(array, chains, number) for number, array in enumerate(scores)]
    found: dict[int, Path] = {}
    # Recordings of like length lie beside one another, so that few frames are padding.
    order = sorted(range(len(arrays)), key=lambda i: arrays[i].shape[0])
    for first in range(0, len(order), LANES):
        group = order[first : first + LANES]
        paths = _search({i: arrays[i] for i in group}, chains)
        found.update(zip(group, paths, strict=True))
    return [found[i] for i in range(len(arrays))]


def _checked(array: Any, chains: Chains, number: int) -> Any:
    array = array if hasattr(array, "shape") else np.asarray(array, "float32")
    given, shape = tuple(array.shape), np.shape(chains.stay)
    if len(given) not in (2, 3) or given[1:] not in (shape[:1], shape) or not given[0]:
        raise UsageError(
            f"scores must be (T, {shape[0]}) or (T, {shape[0]}, {shape[1]}), T from 1 on; "
            f"received {given} for recording {number}."
        )
    return array


def _part(array: Any, number: int, start: int, end: int) -> np.ndarray:
    """Scores (T, C, 1 or S) of some frames of recording `number`, finite."""
    part = np.asarray(array[start:end], "float32")
    unusable = np.isnan(part).any(axis=tuple(range(1, part.ndim)))
    if unusable.any():
        frame = start + int(unusable.argmax())
        raise UsageError(f"the scores of recording {number} are not numbers at frame {frame}.")
    return np.maximum(part[..., None] if part.ndim == 2 else part, IMPOSSIBLE)


def _search(arrays: dict[int, Any], chains: Chains) -> list[Path]:
    """`find_paths` for recordings, by their numbers, that are searched beside one another."""
    frames = [a.shape[0] for a in arrays.values()]
    ops, forward, traceback = _searchers(sum(frames))
    lengths = np.array(frames + [0] * (len(arrays) > 1) * (LANES - len(arrays)))
    longest = int(lengths.max())
    chunk = next((n for n in CHUNKS if longest <= n), CHUNKS[-1])
    if ops is numpy_ops:
        chunk = min(chunk, longest)
    constants = [ops.convert_to_tensor(a) for a in chains.constants]
    classes, states = _part(*next((a, n) for n, a in arrays.items()), 0, 1).shape[1:]

    def piece(start: int) -> tuple[Any, Any]:
        """Scores of all recordings (chunk, B, C + 1, S) from `start` on, and which are there."""
        part = np.zeros((chunk, len(lengths), classes + 1, states), "float32")
        for lane, (number, array) in enumerate(arrays.items()):
            there = _part(array, number, start, start + chunk)
            part[: len(there), lane, :-1] = there
        real = np.arange(start, start + chunk)[:, None] < lengths
        return ops.convert_to_tensor(part), ops.convert_to_tensor(real)

    starts = range(0, longest, chunk)
    weights = [ops.convert_to_tensor(chains.start(len(lengths)))]
    size = 4 * chunk * math.prod(weights[0].shape)
    kept: collections.deque[Any] = collections.deque(maxlen=max(1, KEPT // size))
    for start in starts:
        last, history = forward(*piece(start), weights[-1], *constants)
        weights.append(last)
        kept.append(history)
    ends = _ends(ops, weights[-1], ops.convert_to_tensor(lengths), chains.shortest)
    label, state = ends[:2]
    possible = ops.convert_to_numpy(ends[2])
    parts = []
    for number, start in reversed(list(enumerate(starts))):
        given = piece(start)
        history = kept.pop() if kept else forward(*given, weights[number], *constants)[1]
        along, (label, state) = traceback(*given, history, label, state, *constants)
        parts.append([ops.convert_to_numpy(a) for a in along])
    whole = [np.concatenate(found) for found in zip(*reversed(parts), strict=True)]
    paths = []
    for lane, length in enumerate(frames):
        labels, places, gains = (a[:length, lane] for a in whole)
        score = float(gains.sum(dtype="float64")) if possible[lane] else -np.inf
        paths.append(Path(labels, places, score))
    return paths
