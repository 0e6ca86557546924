"""The best path through a recording's states, and one decision for the recording."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.errors import UsageError

STAY = 0.8
"""Chance of staying in a state for one more frame: five frames a state on average, 50 ms."""


def viterbi(
    scores: np.ndarray,
    transitions: np.ndarray,
    initial: np.ndarray,
    final: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """The sequence of states with the greatest total score.

    Of equal paths the one with the lower state at the last frame where they differ wins.

    Args:
        scores: (T, S), logarithm of each state's likelihood at each frame.
        transitions: (S, S), logarithm of the chance of going from row to column.
        initial: (S,), logarithm of the chance of starting in a state.
        final: (S,), logarithm of the chance of ending in a state; None: 0 for all.

    Returns:
        The states (T,) and their score; minus infinity where no path is possible.

    Raises:
        UsageError: the arrays do not fit one another, or there is no frame.

    Reference: Aalto ELEC-C5220, lecture 3, "Feature-based classification", step 3.
    """
    scores = np.asarray(scores, "float64")
    transitions = np.asarray(transitions, "float64")
    states = scores.shape[-1]
    ends = np.zeros(states) if final is None else np.asarray(final, "float64")
    initial = np.asarray(initial, "float64")
    shapes = (transitions.shape, initial.shape, ends.shape)
    if scores.ndim != 2 or not len(scores) or shapes != ((states,) * 2, (states,), (states,)):
        raise UsageError(
            "scores must be (T, S) with T from 1 on, transitions (S, S), initial and final (S,); "
            f"received {scores.shape}, {', '.join(str(s) for s in shapes)}."
        )
    best = initial + scores[0]
    came_from = np.zeros(scores.shape, "int64")
    for frame in range(1, len(scores)):
        reached = best[:, None] + transitions
        came_from[frame] = reached.argmax(axis=0)
        best = reached.max(axis=0) + scores[frame]
    best = best + ends
    path = np.empty(len(scores), "int64")
    path[-1] = best.argmax()
    for frame in range(len(scores) - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path, float(best.max())


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a recording was recognised as.

    Attributes:
        class_index: the class.
        scores: of every class, (classes,).
        path: (T,), states of the best class at every frame, 0 to states - 1.
    """

    class_index: int
    scores: np.ndarray
    path: np.ndarray


def recognise(probabilities: np.ndarray, states: int = 3, stay: float = STAY) -> Decision:
    """Decide for one class, each a chain of states passed from left to right.

    A recording starts in the first state of its class and ends in the last one. One that has fewer
    frames than a class has states may end anywhere.

    Args:
        probabilities: (T, classes * states), as `digits_frames` gives them for one recording;
            padding after its last frame is to be cut off.
        states: of each class.
        stay: chance of staying in a state for another frame.

    Raises:
        UsageError: the number of outputs is no multiple of `states`, or `stay` no chance.
    """
    probabilities = np.asarray(probabilities, "float64")
    if probabilities.ndim != 2 or states < 1 or probabilities.shape[1] % states:
        raise UsageError(
            "probabilities must be (T, classes * states) of one recording; received "
            f"{probabilities.shape} and states={states}."
        )
    if not 0 < stay < 1:
        raise UsageError(f"stay must be a chance between 0 and 1; received {stay}.")
    log = np.log(np.maximum(probabilities, 1e-30))
    transitions = np.full((states, states), -np.inf)
    np.fill_diagonal(transitions, np.log(stay))
    np.fill_diagonal(transitions[:, 1:], np.log1p(-stay))
    initial = np.where(np.arange(states) == 0, 0.0, -np.inf)
    final = None
    if len(log) >= states:
        final = np.where(np.arange(states) == states - 1, 0.0, -np.inf)
    chains = log.reshape(len(log), -1, states)  # (T, classes, states)
    paths, scores = [], []
    for number in range(chains.shape[1]):
        path, score = viterbi(chains[:, number], transitions, initial, final)
        paths.append(path)
        scores.append(score)
    best = int(np.argmax(scores))
    return Decision(best, np.array(scores), paths[best])


def uniform_states(label: int, frames: int, states: int = 3) -> np.ndarray:
    """Targets (frames,) for `digits_frames`: the class's states in turn, for equally long."""
    return label * states + np.arange(frames) * states // frames
