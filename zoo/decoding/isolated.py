"""One decision for a recording of a single word, whose states come one after another."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.decoding.viterbi import Chains, find_paths
from zoo.errors import UsageError

STAY = 0.8
"""Chance of staying in a state for one more frame: five frames a state on average, 50 ms."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Class that a recording was recognised as.

    Attributes:
        class_index: the class.
        scores: scores of every class, (classes,).
        path: (T,), states of the best class at every frame, 0 to states - 1.
    """

    class_index: int
    scores: np.ndarray
    path: np.ndarray


def recognise(probabilities: np.ndarray, states: int = 3, stay: float = STAY) -> Decision:
    """Decide for one class; each class is a chain of states passed from left to right.

    A recording starts in the first state of its class and ends in the last one. One that has fewer
    frames than a class has states may end anywhere.

    Args:
        probabilities: (T, classes * states), as `digits_frames` gives them for one recording;
            padding after its last frame is to be cut off.
        states: number of states of each class.
        stay: chance of staying in a state for another frame.

    Raises:
        UsageError: the number of outputs is not a multiple of `states`, `stay` is not a chance,
            or there is no frame.

    Reference: Aalto ELEC-C5220, lecture 3, "Feature-based classification", step 3.
    """
    probabilities = np.asarray(probabilities, "float64")
    if (
        probabilities.ndim != 2
        or not len(probabilities)
        or states < 1
        or probabilities.shape[1] % states
    ):
        raise UsageError(
            "probabilities must be (T, classes * states) of one recording; received "
            f"{probabilities.shape} and states={states}."
        )
    if not 0 < stay < 1:
        raise UsageError(f"stay must be a chance between 0 and 1; received {stay}.")
    log = np.log(np.maximum(probabilities, 1e-30))
    chain = Chains(
        stay=np.full((1, states), np.log(stay)),
        advance=np.full((1, states), np.log1p(-stay)),
        enter=np.where(np.arange(states) == 0, 0.0, -np.inf)[None],
        jumps=np.full((1, 1), -np.inf),
        initial=np.zeros(1),
        shortest=states,
    )
    # (classes, T, 1, states): each class is looked for alone.
    each = log.reshape(len(log), -1, states).transpose(1, 0, 2)[:, :, None]
    paths = find_paths(list(each), chain)
    scores = np.array([path.score for path in paths])
    best = int(scores.argmax())
    return Decision(best, scores, paths[best].states)


def uniform_states(label: int, frames: int, states: int = 3) -> np.ndarray:
    """Targets (frames,) for `digits_frames`: the class's states in turn, for equally long."""
    return label * states + np.arange(frames) * states // frames
