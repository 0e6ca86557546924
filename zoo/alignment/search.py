"""The search for the best path of a text through the frames of a recording."""

from __future__ import annotations

import numpy as np

from zoo.alignment.graph import Graph

BEAM = 2000.0
"""How far below the best state, in natural logarithms, states are followed. A wrong phone costs a
few a frame, so that this leaves out what is off by several seconds."""


PRUNED = 16
"""Of so many frames, at one the states that are followed are chosen anew, which takes as long as a
step does."""


def set_scores(log_posteriors: np.ndarray, graph: Graph, offsets: np.ndarray) -> np.ndarray:
    """What every set of classes scores at every frame, (T, sets).

    Args:
        log_posteriors: (T, C), natural logarithms.
        graph: of states that hear sets.
        offsets: (C,), logarithms by which the classes' probabilities are divided. Those of a set
            are added, and divided by what they have together.
    """
    scores = np.empty((len(log_posteriors), len(graph.sets)))
    for number, classes in enumerate(graph.sets):
        chosen = list(classes)
        heard = np.logaddexp.reduce(log_posteriors[:, chosen].astype("float64"), axis=1)
        scores[:, number] = heard - np.logaddexp.reduce(offsets[chosen])
    return scores


def search(scores: np.ndarray, graph: Graph, beam: float = BEAM) -> np.ndarray | None:
    """The state of every frame (T,) on the best way, by Viterbi's recursion; None: there is none.

    Of equally good ways the one wins that comes from the earlier of a state's sources.

    Args:
        scores: (T, sets), of every set of classes of the graph at every frame; finite.
        graph: what is said.
        beam: states that score less than the best by this are left out.
    """
    number = len(graph.heard)
    # Two more places: before the first frame, and what is never reached.
    best = np.full(number + 2, -np.inf)
    best[graph.start] = 0
    before = np.where(graph.sources < number, graph.sources, number)
    reach = int((np.arange(number) - before).max(initial=0))
    began = np.flatnonzero((graph.sources == graph.start).any(axis=0))
    low, high = 0, int(began.max(initial=0)) + 1
    steps: list[tuple[int, np.ndarray]] = []
    columns = np.arange(number)
    for frame, row in enumerate(scores):
        ways = best[graph.sources[:, low:high]]
        which = ways.argmax(axis=0)
        new = ways[which, columns[: high - low]]
        new += row[graph.heard[low:high]]
        steps.append((low, which.astype("uint8")))
        best[graph.start] = -np.inf
        best[low:high] = new
        if frame % PRUNED:
            high = min(high + reach, number)
            continue
        top = new.max(initial=-np.inf)
        if top == -np.inf:
            return None
        alive = np.flatnonzero(new >= top - beam)
        first, last = low + int(alive[0]), low + int(alive[-1]) + 1
        # What lies outside is never looked at again, or is not reached.
        best[low:first] = -np.inf
        best[last:high] = -np.inf
        low, high = first, min(last + reach, number)
    state = int(graph.ends[best[graph.ends].argmax()])
    if best[state] == -np.inf:
        return None
    states = np.empty(len(scores), "int64")
    for frame in range(len(scores) - 1, -1, -1):
        states[frame] = state
        first, which = steps[frame]
        state = int(graph.sources[which[state - first], state])
    return states
