"""Folds of speakers who are held out together, each speaker once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.errors import UsageError

ALONE = 8
"""Number of speakers up to which they are held out one by one by default."""

FOLDS = 5
"""Number of folds if there are more speakers."""


def folds(speakers: Sequence[str] | np.ndarray, count: int, seed: int = 0) -> list[np.ndarray]:
    """The names of the speakers held out in each fold, sorted; each speaker is in one fold.

    The same speakers, count and seed give the same folds, in whatever order and how often the
    speakers are named. Sizes differ by one at most.

    Args:
        speakers: names, repeated or not, such as those of every example.
        count: number of folds; with as many as there are speakers, each is held out alone.
        seed: random seed of the draw.

    Returns:
        `count` arrays of names.

    Raises:
        UsageError: `count` is not between 2 and the number of speakers.

    Example:
        >>> [fold.tolist() for fold in folds(["ann", "bob", "cy", "bob"], 2)]
        [['ann', 'cy'], ['bob']]
    """
    people = np.unique(np.asarray(speakers))
    if not 2 <= count <= len(people):
        raise UsageError(
            f"the number of folds must be between 2 and the number of speakers, {len(people)}; "
            f"received {count}."
        )
    drawn = np.random.default_rng(seed).permutation(people)
    return [np.sort(part) for part in np.array_split(drawn, count)]


def usual_count(speakers: Sequence[str] | np.ndarray) -> int:
    """The number of folds unless told otherwise: one a speaker up to `ALONE`, else `FOLDS`."""
    people = len(np.unique(np.asarray(speakers)))
    return people if people <= ALONE else FOLDS
