"""Which examples an epoch shows, decided by a seed and the epoch's number alone."""

from __future__ import annotations

import numpy as np

from zoo.errors import UsageError

TRAIN_PER_CLASS = 500
"""Examples of every class in a balanced training epoch (Riemens 2015, section 3.1)."""

TEST_PER_CLASS = 200
"""Examples of every class in a balanced test (Riemens 2015, section 3.1)."""


class BalancedEpochs:
    """Epochs with the same number of examples of every class that occurs.

    A class with fewer examples than asked for is repeated whole as often as it fits, the rest is
    drawn without replacement; a larger class is drawn from without replacement. An epoch depends
    on the seed and its number only, so a resumed training sees what an unbroken one would.

    Args:
        labels: class index of every example, (N,) integers.
        per_class: examples of each class in an epoch.
        seed: of the draws and the order.

    Raises:
        UsageError: there is nothing to draw from, or `per_class` is not positive.

    Example:
        >>> BalancedEpochs(np.array([0, 0, 0, 1]), per_class=2).epoch(0).shape
        (4,)

    Reference: Riemens (2015), section 3.1.
    """

    def __init__(self, labels: np.ndarray, per_class: int = TRAIN_PER_CLASS, seed: int = 0) -> None:
        labels = np.asarray(labels)
        if per_class < 1:
            raise UsageError(f"examples a class must be 1 or more; received {per_class}.")
        if not len(labels):
            raise UsageError("there are no examples to draw an epoch from.")
        self.per_class = per_class
        self.seed = seed
        self._members = [np.flatnonzero(labels == c) for c in np.unique(labels)]

    def __len__(self) -> int:
        return self.per_class * len(self._members)

    def epoch(self, number: int) -> np.ndarray:
        """Indices of the examples of epoch `number` (from 0), shuffled, (len(self),)."""
        generator = np.random.default_rng([self.seed, number])
        drawn = []
        for members in self._members:
            whole, rest = divmod(self.per_class, len(members))
            drawn += [members] * whole + [generator.permutation(members)[:rest]]
        return generator.permutation(np.concatenate(drawn))


def label_subset(labels: np.ndarray, per_class: int, seed: int = 0) -> np.ndarray:
    """Sorted indices of at most `per_class` examples of every class.

    For one seed the subsets are nested: a larger one contains every smaller one.
    """
    labels = np.asarray(labels)
    if per_class < 1:
        raise UsageError(f"labels a class must be 1 or more; received {per_class}.")
    chosen = [
        np.random.default_rng([seed, int(c)]).permutation(np.flatnonzero(labels == c))[:per_class]
        for c in np.unique(labels)
    ]
    return np.sort(np.concatenate(chosen))
