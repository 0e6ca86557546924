"""Positions of pooling regions, shared by pooling, unpooling and indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from zoo.plain import plain

PADDINGS = ("valid", "same")


@dataclass(frozen=True)
class Regions:
    """The pooling regions over a plane of `size` elements; all pairs are (rows, columns).

    Padding follows TensorFlow: "valid" drops what no whole region covers, "same" makes
    `ceil(size / strides)` regions and pads the smaller half of what is missing in front.
    A sequence of one spatial axis is a plane of width 1.
    """

    pool: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    size: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """Number of regions along each axis."""
        if self.padding == "same":
            return _pair(-(-n // s) for n, s in zip(self.size, self.strides, strict=True))
        axes = zip(self.size, self.pool, self.strides, strict=True)
        return _pair((n - k) // s + 1 for n, k, s in axes)

    @property
    def padded(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Padding (before, after) of each axis."""
        if self.padding == "valid":
            return (0, 0), (0, 0)
        total = [
            max((g - 1) * s + k - n, 0)
            for g, s, k, n in zip(self.grid, self.strides, self.pool, self.size, strict=True)
        ]
        return (total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2)

    @property
    def reach(self) -> tuple[int, int]:
        """How many regions can share one element along each axis; 1 where none overlap."""
        return _pair(-(-k // s) for k, s in zip(self.pool, self.strides, strict=True))

    @property
    def overlapping(self) -> bool:
        """Whether some element can belong to more than one region."""
        return self.reach != (1, 1)

    @property
    def offsets(self) -> Iterator[tuple[int, int, int]]:
        """(raster offset, row, column) of every position of a region, in raster order."""
        for row, column in product(range(self.pool[0]), range(self.pool[1])):
            yield row * self.pool[1] + column, row, column

    @property
    def coverage(self) -> np.ndarray:
        """(rows, columns) int: how many regions each element of the plane belongs to."""
        counts = []
        for axis in (0, 1):
            before, after = self.padded[axis]
            count = np.zeros(before + self.size[axis] + after, int)
            for region in range(self.grid[axis]):
                start = region * self.strides[axis]
                count[start : start + self.pool[axis]] += 1
            counts.append(count[before : before + self.size[axis]])
        return np.outer(*counts)


def regions_over(
    size: Sequence[int | None],
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str,
) -> Regions:
    """Check the arguments of a pooling of a plane or a sequence, and describe its regions."""
    rank = len(size)
    pool, steps, padding = check_window(pool_size, strides, padding, rank)
    extent = check_size(size, rank, name="the input's size")
    if padding == "valid" and any(n < k for n, k in zip(extent, pool, strict=True)):
        raise ValueError(
            'A pooling region must fit into its input under padding="valid": received '
            f"an input of size {extent} and pool_size={pool}. "
            'Use a smaller pool_size or padding="same".'
        )
    widen = (1,) * (2 - rank)
    return Regions(_pair(pool + widen), _pair(steps + widen), padding, _pair(extent + widen))


def check_window(
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str,
    rank: int,
    name: str = "pool_size",
) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Pool size and strides (the pool size where None) as tuples, and the padding, checked."""
    pool = _positive(name, pool_size, rank)
    steps = pool if strides is None else _positive("strides", strides, rank)
    if padding not in PADDINGS:
        raise ValueError(f'padding must be "valid" or "same"; received padding={padding!r}.')
    return pool, steps, padding


def check_size(size: Sequence[int | None], rank: int, name: str) -> tuple[int, ...]:
    """`size` as a tuple of `rank` known positive integers."""
    if any(n is None for n in size):
        raise ValueError(
            f"{name} must be known when the operation is built; received {tuple(size)}. "
            "Give the model's Input its height and width; only the batch may be None."
        )
    return _positive(name, size, rank)


def _positive(name: str, value, rank: int) -> tuple[int, ...]:
    value = plain(value)
    entries = (value,) * rank if isinstance(value, int) else value
    try:
        result = tuple(int(entry) for entry in entries)
        whole = all(r == entry for r, entry in zip(result, entries, strict=True))
    except (TypeError, ValueError):
        result, whole = (), False
    if len(result) != rank or not whole or min(result) < 1:
        wanted = "a positive integer" + (f" or {rank} of them" if rank > 1 else "")
        raise ValueError(f"{name} must be {wanted}; received {value!r}.")
    return result


def _pair(values) -> tuple[int, int]:
    first, second = values
    return first, second
