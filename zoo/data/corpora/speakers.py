"""Speaker-disjoint splits: speakers of the test set are not in the training set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from zoo.errors import UsageError

TEST_SHARE = 0.25
"""Share of the speakers for the test set if a corpus names none; TIMIT's own is 168 of 630."""


def held_out(speakers: Iterable[str], seed: int = 0, share: float = TEST_SHARE) -> list[str]:
    """Draw a share of the speakers, at least one and never all of them.

    Args:
        speakers: names, repeated or not.
        seed: random seed of the draw; the order of `speakers` does not matter.
        share: share of the distinct speakers to draw, rounded.

    Returns:
        Their names, sorted.

    Raises:
        UsageError: there are fewer than two speakers.
    """
    names = sorted(set(speakers))
    if len(names) < 2:
        raise UsageError(
            f"two speakers or more are needed to hold some out for a test; there are {len(names)}."
        )
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return sorted(np.random.default_rng([seed, 1]).permutation(names)[:count].tolist())


def speaker_folds(
    speakers: Iterable[str], folds: int, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation over speakers: each is in the test of exactly one fold.

    Args:
        speakers: speaker of every example, (N,), as `Prepared.segments(split).speaker`.
        folds: how many; their numbers of speakers differ by one at most.
        seed: random seed that decides which speaker falls into which fold.

    Returns:
        For each fold the sorted indices of its training and its test examples.

    Raises:
        UsageError: fewer than two folds, or more folds than speakers.

    Example:
        >>> speaker_folds(["a", "a", "b"], 2)[0]
        (array([2]), array([0, 1]))
    """
    of_example = np.asarray(list(speakers))
    names = np.unique(of_example)
    if not 2 <= folds <= len(names):
        raise UsageError(
            f"folds must be 2 to {len(names)}, the number of speakers; received {folds}."
        )
    shuffled = np.random.default_rng([seed, 2]).permutation(names)
    tested = [np.isin(of_example, shuffled[fold::folds]) for fold in range(folds)]
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tested]
