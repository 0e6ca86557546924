"""Samplers: the examples of an epoch, which depend only on a seed and the epoch's number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo.errors import UsageError, nearest

TRAIN_PER_CLASS = 500
"""Examples of every class in a balanced training epoch (Riemens 2015, section 3.1)."""

TEST_PER_CLASS = 200
"""Examples of every class in a balanced test (Riemens 2015, section 3.1)."""


SAMPLINGS = ("balanced", "natural", "weighted")
"""Rules of `epochs_of`: which examples an epoch has, and the weight of each."""


class Epochs(Protocol):
    """Interface of samplers; `len` gives the number of examples in an epoch."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> np.ndarray:
        """Indices of the examples of epoch `number` (from 0), (len(self),)."""
        ...


class BalancedEpochs:
    """Epochs with the same number of examples of every class that occurs.

    A class with fewer examples than requested is repeated completely as often as it fits, and the
    rest is drawn without replacement. Larger classes are drawn without replacement. An epoch
    depends only on the seed and its number, so a resumed training has the same epochs as an
    uninterrupted one.

    Args:
        labels: class index of every example, (N,) integers.
        per_class: examples of each class in an epoch.
        seed: random seed of the draws and the order.

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
            raise UsageError(f"examples per class must be 1 or more; received {per_class}.")
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


class NaturalEpochs:
    """Epochs with every example once, each in its own order, so that classes keep their
    frequencies.

    Args:
        labels: class index of every example, (N,) integers.
        seed: random seed of the order.

    Raises:
        UsageError: there is no example.
    """

    def __init__(self, labels: np.ndarray, seed: int = 0) -> None:
        if not len(labels):
            raise UsageError("there are no examples to draw an epoch from.")
        self._count = len(labels)
        self.seed = seed

    def __len__(self) -> int:
        return self._count

    def epoch(self, number: int) -> np.ndarray:
        """Indices of the examples of epoch `number` (from 0), shuffled, (N,)."""
        return np.random.default_rng([self.seed, number]).permutation(self._count)


class ExcerptEpochs:
    """Epochs of excerpts that together are about as long as the recordings.

    From a recording of T frames, ceil(T / window) excerpts are taken. Their middles are evenly
    spaced, at different places in every epoch.

    Args:
        lengths: frames of every recording, (R,).
        window: frames of an excerpt.
        seed: random seed of places and order.
        chosen: whether each recording is used, (R,); None: all are.

    Raises:
        UsageError: there is no frame.
    """

    def __init__(
        self, lengths: np.ndarray, window: int, seed: int = 0, chosen: np.ndarray | None = None
    ) -> None:
        lengths = np.asarray(lengths)
        self._first = np.cumsum([0, *lengths[:-1]]) if len(lengths) else lengths
        self._lengths = lengths if chosen is None else lengths * np.asarray(chosen)
        self._excerpts = -(-self._lengths // window)
        if not self._excerpts.sum():
            raise UsageError("there are no examples to draw an epoch from.")
        self.seed = seed

    def __len__(self) -> int:
        return int(self._excerpts.sum())

    def epoch(self, number: int) -> np.ndarray:
        """Indices of the frames in the middle of each excerpt of epoch `number`, (len(self),)."""
        generator = np.random.default_rng([self.seed, number])
        first, lengths, excerpts, offset = (
            np.repeat(a, self._excerpts)
            for a in (
                self._first,
                self._lengths,
                self._excerpts,
                generator.uniform(size=len(self._lengths)),
            )
        )
        place = np.arange(len(first)) - np.repeat(
            np.cumsum(self._excerpts) - self._excerpts, self._excerpts
        )
        middles = first + ((place + offset) * lengths / excerpts).astype(int)
        return generator.permutation(middles)


class Shares(NamedTuple):
    """How often each of several sets is drawn.

    Attributes:
        origins: number of the set that every example is from, (N,) integers.
        weights: weight of every set, above 0.
    """

    origins: np.ndarray
    weights: tuple[float, ...]

    def of(self, chosen: Any) -> Shares:
        """The shares for some of the examples."""
        return self._replace(origins=self.origins[chosen])


class SharedEpochs:
    """Epochs in which every set has the same share, whatever its size.

    A set with fewer examples than its share is repeated completely as often as it fits, and the
    rest is drawn without replacement.

    Args:
        sets: what shows the examples of each set, by their numbers among those of all sets; None:
            a set that has none.
        counts: examples of each set in an epoch.
        seed: random seed of the order.

    Attributes:
        often: how often an epoch shows an example of each set, (sets,).
    """

    def __init__(self, sets: Sequence[Epochs | None], counts: Sequence[int], seed: int = 0) -> None:
        self._sets, self._counts = sets, counts
        self.seed = seed
        self.often = np.array(
            [n / len(one) if one else 0.0 for one, n in zip(sets, counts, strict=True)]
        )

    @classmethod
    def by_weight(
        cls, sets: Sequence[Epochs | None], weights: Sequence[float], seed: int = 0
    ) -> SharedEpochs:
        """Epochs as long as those of all sets together, divided in proportion to `weights`.

        Args:
            sets: as of the class; the weight of one that has no example does not count.
            weights: weight of each set.
            seed: random seed of the order.

        Raises:
            UsageError: there is no example.
        """
        total = sum(len(one) for one in sets if one)
        if not total:
            raise UsageError("there are no examples to draw an epoch from.")
        there = np.array([[bool(one) for one in sets]])
        return cls(sets, apportioned([total], there, weights)[0].tolist(), seed)

    def __len__(self) -> int:
        return sum(self._counts)

    def epoch(self, number: int) -> np.ndarray:
        """Numbers of the examples of epoch `number` (from 0), shuffled, (len(self),)."""
        drawn = []
        for one, count in zip(self._sets, self._counts, strict=True):
            if not one or not count:
                continue
            passes = -(-count // len(one))
            # No pass of an epoch is one of another epoch.
            shown = [one.epoch(number * passes + i) for i in range(passes)]
            drawn.append(np.concatenate(shown)[:count])
        order = np.random.default_rng([self.seed, number, 5])
        return order.permutation(np.concatenate(drawn))


class MemberEpochs:
    """Epochs of some examples, by their numbers among all."""

    def __init__(self, members: np.ndarray, seed: int = 0) -> None:
        self._members = members
        self._natural = NaturalEpochs(members, seed)

    def __len__(self) -> int:
        return len(self._members)

    def epoch(self, number: int) -> np.ndarray:
        """The numbers, shuffled."""
        return self._members[self._natural.epoch(number)]


def apportioned(totals: Sequence[int], there: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """Every total divided among the sets that take part, (totals, sets) integers.

    Each number is within 1 of the exact proportion. Rounding errors of a set are compensated in the
    next totals.

    Args:
        totals: how much there is to divide.
        there: which sets take part in it, (totals, sets).
        weights: weights of the sets.
    """
    counts = np.zeros(there.shape, "int64")
    owed = np.zeros(len(weights))
    for row, (total, taking) in enumerate(zip(totals, there, strict=True)):
        exact = np.where(taking, weights, 0.0)
        exact *= total / exact.sum()
        counts[row] = np.floor(exact + 1e-9)
        owed += exact - counts[row]
        most = np.argsort(np.where(taking, -owed, np.inf), kind="stable")
        more = most[: total - counts[row].sum()]
        counts[row, more] += 1
        owed[more] -= 1
    return counts


def _shared(
    sampling: str, labels: np.ndarray, per_class: int, seed: int, shares: Shares
) -> tuple[Epochs, np.ndarray | None]:
    """`epochs_of` for several sets with weights."""
    sets = range(len(shares.weights))
    if sampling != "balanced":
        members = [np.flatnonzero(shares.origins == s) for s in sets]
        epochs = SharedEpochs.by_weight(
            [MemberEpochs(m, seed) if len(m) else None for m in members], shares.weights, seed
        )
        if sampling == "natural":
            return epochs, None
        return epochs, class_weights(labels, epochs.often[shares.origins])
    if per_class < 1:
        raise UsageError(f"examples per class must be 1 or more; received {per_class}.")
    parts = [
        [np.flatnonzero((labels == c) & (shares.origins == s)) for s in sets]
        for c in np.unique(labels)
    ]
    there = np.array([[len(m) > 0 for m in row] for row in parts])
    divided = apportioned([per_class] * len(parts), there, shares.weights)
    drawn = [
        (MemberEpochs(m, seed), int(n))
        for row, numbers in zip(parts, divided, strict=True)
        for m, n in zip(row, numbers, strict=True)
        if n
    ]
    return SharedEpochs([p for p, _ in drawn], [n for _, n in drawn], seed), None


def epochs_of(
    sampling: str,
    labels: np.ndarray,
    per_class: int = TRAIN_PER_CLASS,
    seed: int = 0,
    shares: Shares | None = None,
) -> tuple[Epochs, np.ndarray | None]:
    """The epochs by one of `SAMPLINGS`, and a weight of every example in the loss, or None.

    Args:
        sampling: `"balanced"`: `per_class` examples of each class an epoch; `"natural"`: every
            example once; `"weighted"`: the same, weighted by `class_weights`.
        labels: class index of every example, (N,) integers.
        per_class: for `"balanced"`.
        seed: random seed of draws and order.
        shares: shares of the sets in every epoch; for `"balanced"`, in every class, among the sets
            that have it. None: each set contributes all its examples.

    Raises:
        UsageError: an unknown rule, or nothing to draw from.
    """
    if sampling not in SAMPLINGS:
        raise UsageError(f"unknown sampling {sampling!r}. {nearest(sampling, SAMPLINGS)}")
    if not len(labels):
        raise UsageError("there are no examples to draw an epoch from.")
    if shares is not None:
        return _shared(sampling, labels, per_class, seed, shares)
    if sampling == "balanced":
        return BalancedEpochs(labels, per_class, seed), None
    return NaturalEpochs(labels, seed), class_weights(labels) if sampling == "weighted" else None


def class_weights(labels: np.ndarray, often: np.ndarray | None = None) -> np.ndarray:
    """Weights (N,) float32 that make every occurring class count equally; their mean is 1.

    Args:
        labels: class index of every example, (N,) integers.
        often: how often an epoch shows each, (N,); None: once.
    """
    labels = np.asarray(labels)
    count = np.bincount(labels, often)
    return (count.sum() / (np.count_nonzero(count) * count[labels])).astype("float32")


def label_subset(labels: np.ndarray, per_class: int, seed: int = 0) -> np.ndarray:
    """Sorted indices of at most `per_class` examples of every class.

    For one seed the subsets are nested: a larger one contains every smaller one.
    """
    if per_class < 1:
        raise UsageError(f"labels per class must be 1 or more; received {per_class}.")
    return _first_of_each(labels, lambda count: per_class, seed)


def label_fraction(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
    """Sorted indices of a `fraction` of the examples of every class, at least one of each.

    For one seed the subsets are nested, as those of `label_subset` are, and drawn in its order.

    Args:
        labels: class index of every example, (N,) integers.
        fraction: above 0, up to 1; a class' share is rounded.
        seed: random seed of the draw.

    Raises:
        UsageError: the fraction is not above 0 and up to 1.
    """
    check_fraction(fraction)
    return _first_of_each(labels, lambda count: max(1, round(fraction * count)), seed)


def check_fraction(fraction: float) -> None:
    """Refuse an invalid fraction of the labels.

    Raises:
        UsageError: it is not above 0, or above 1.
    """
    if not 0 < fraction <= 1:
        raise UsageError(
            f"the fraction of the labels must be above 0, up to 1; received {fraction}."
        )


def _first_of_each(labels: np.ndarray, number: Callable[[int], int], seed: int) -> np.ndarray:
    """Sorted indices of the first `number(count)` of each class' members, in a drawn order."""
    labels = np.asarray(labels)
    chosen = []
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        drawn = np.random.default_rng([seed, int(c)]).permutation(members)
        chosen.append(drawn[: number(len(members))])
    return np.sort(np.concatenate(chosen))


class LengthBuckets:
    """Batches of examples of similar lengths, so that padding is little and shapes are few.

    Lengths are divided into buckets with about the same number of examples. A batch is from one
    bucket and padded to the bucket's longest example, so that a network that is compiled for each
    shape is compiled once for each bucket.

    Args:
        lengths: frames (or samples) of every example, (N,), as `VariableExamples.lengths`.
        sampler: which examples an epoch shows.
        batch_size: examples a batch; the last one of a bucket may be smaller.
        buckets: at most so many.
        seed: random seed of the order of the batches.

    Raises:
        UsageError: fewer than one bucket, or than one example a batch.

    Example:
        >>> prepared = zoo.data.prepare("digits", "prepared-digits", representation="real")
        >>> features = prepared.features("train")
        >>> buckets = LengthBuckets(features.lengths, NaturalEpochs(prepared.labels("train")))
        >>> for index, length in buckets.epoch(0):
        ...     x, mask = features.padded(index, length)
    """

    def __init__(
        self,
        lengths: np.ndarray,
        sampler: Epochs,
        batch_size: int = 128,
        buckets: int = 8,
        seed: int = 0,
    ) -> None:
        if batch_size < 1 or buckets < 1:
            raise UsageError(
                f"batch_size and buckets must be 1 or more; received {batch_size} and {buckets}."
            )
        lengths = np.asarray(lengths)
        shares = np.arange(1, buckets + 1) / buckets
        self.bounds = np.unique(np.quantile(lengths, shares, method="lower").astype(int))
        self._bucket = np.searchsorted(self.bounds, lengths)
        self._sampler = sampler
        self._batch_size = batch_size
        self._seed = seed

    def epoch(self, number: int) -> list[tuple[np.ndarray, int]]:
        """The batches of epoch `number` (from 0): indices of examples, and the length to pad to."""
        order = self._sampler.epoch(number)
        bucket = self._bucket[order]
        batches = []
        for b in np.unique(bucket):
            members = order[bucket == b]
            batches += [
                (members[first : first + self._batch_size], int(self.bounds[b]))
                for first in range(0, len(members), self._batch_size)
            ]
        shuffled = np.random.default_rng([self._seed, number, 4]).permutation(len(batches))
        return [batches[place] for place in shuffled]
