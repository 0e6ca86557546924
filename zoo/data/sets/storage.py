"""Examples in the shards of a prepared set, read on demand."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from zoo.data.features.frontend import pad
from zoo.errors import UsageError

Part = tuple[Path, int, int]
"""A shard's file, its examples, and the rows that they take up."""


class Examples(NDArrayOperatorsMixin, abc.ABC):
    """Examples of a split: indexed, iterated and computed with like a float32 array.

    Files are memory-mapped; only the requested examples are read, converted to float32 and centred.
    An index along the first axis may be a number, a slice, a mask or a list of numbers.

    Args:
        parts: the shards.
        first: examples of the shards before the first one of these.
        count: how many these are.
        shape: shape of one example; None for an axis whose length differs.
        mean: what is subtracted; None for nothing.
    """

    dtype = np.dtype("float32")

    def __init__(
        self,
        parts: Sequence[Part],
        first: int,
        count: int,
        shape: Sequence[int | None],
        mean: np.ndarray | None = None,
    ) -> None:
        self._files = [_map(path) for path, _, _ in parts]
        self._ends = np.cumsum([examples for _, examples, _ in parts], dtype=int)
        self._all = np.arange(first, first + count)
        self._shape = tuple(shape)
        self._mean = mean if mean is not None and mean.any() else None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(N, ...); None where lengths differ."""
        return (len(self), *self._shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return 1 + len(self._shape)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            if not key or key[0] is Ellipsis:
                return self[:][key]
            chosen, rest = self[key[0]], key[1:]
            return chosen[rest if np.ndim(self._all[key[0]]) == 0 else (slice(None), *rest)]
        index = self._all[key]
        if np.ndim(index) > 1:
            raise IndexError("examples are chosen by a number, a slice or a list of numbers.")
        return self._gather(np.atleast_1d(index))[0] if np.ndim(index) == 0 else self._gather(index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        inputs = tuple(x[:] if isinstance(x, Examples) else x for x in inputs)
        return getattr(ufunc, method)(*inputs, **kwargs)

    def _located(self, index: np.ndarray) -> Iterator[tuple[int, int]]:
        """The shard of each example, and its place in it."""
        shards = np.searchsorted(self._ends, index, side="right")
        rows = index - np.concatenate([[0], self._ends])[shards]
        return zip(shards.tolist(), rows.tolist(), strict=True)

    @abc.abstractmethod
    def _gather(self, index: np.ndarray) -> np.ndarray:
        """Examples by their numbers in the stored split."""


class FixedExamples(Examples):
    """Examples of one shape, each a row of a file.

    Methods of an array, such as `mean`, read the whole split.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self[:], name)

    def _gather(self, index: np.ndarray) -> np.ndarray:
        out = np.empty((len(index), *(n or 0 for n in self._shape)), "float32")
        mean = np.float32(0) if self._mean is None else self._mean
        # Row by row, each is read, centred and written once, while it is in the cache.
        for place, (shard, row) in zip(out, self._located(index), strict=True):
            np.subtract(self._files[shard][row], mean, out=place)
        return out


class VariableExamples(Examples):
    """Examples of different lengths, one frame in each row; several together are padded with zeros.

    Args:
        parts: the shards.
        first: examples of the shards before the first one of these.
        count: how many these are.
        shape: shape of one example; None for the axis whose length differs.
        mean: what is subtracted of every frame, 1 long along that axis; None for nothing.
        offsets: where in the stored split each example begins, and where the last one ends, in
            rows, (all examples + 1,).
    """

    def __init__(
        self,
        parts: Sequence[Part],
        first: int,
        count: int,
        shape: Sequence[int | None],
        mean: np.ndarray | None,
        offsets: np.ndarray,
    ) -> None:
        super().__init__(parts, first, count, shape, mean)
        self._offsets = offsets
        self._rows_before = np.cumsum([0, *(rows for _, _, rows in parts)])

    @property
    def lengths(self) -> np.ndarray:
        """Frames (or samples) of every example, (N,)."""
        return self._offsets[self._all + 1] - self._offsets[self._all]

    def padded(self, index: Any, length: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Examples of one batch, followed by zeros, which is their mean.

        Args:
            index: index of the examples.
            length: frames of the result, if more than the longest one has.

        Returns:
            Examples (n, *shape) float32, and a mask (n, frames), True where an example is.
        """
        chosen = np.atleast_1d(self._all[index])
        examples = self._list(chosen)
        out = pad(examples, self._shape, length)
        axis = self._shape.index(None)
        ends = np.array([x.shape[axis] for x in examples])
        return out, np.arange(out.shape[1 + axis]) < ends[:, None]

    def _gather(self, index: np.ndarray) -> np.ndarray:
        return pad(self._list(index), self._shape)

    def _list(self, index: np.ndarray) -> list[np.ndarray]:
        axis = self._shape.index(None)
        found = []
        for number, (shard, _) in zip(index.tolist(), self._located(index), strict=True):
            begin, end = self._offsets[number : number + 2] - self._rows_before[shard]
            frames = self._files[shard][begin:end].astype("float32")
            example = np.moveaxis(frames, 0, axis)
            found.append(example if self._mean is None else example - self._mean)
        return found


class WindowedExamples(Examples):
    """Windows around frames of recordings, as `VariableExamples` stores them; nothing is copied.

    Args:
        parts: the shards.
        frames: number, in the stored split, of the frame in the middle of each window, (N,).
        shape: (F, frames, C) of a window; its middle is frame `frames // 2`.
        mean: what is subtracted of every frame, (F, 1, C); None for nothing. Outside a recording
            are zeros, its mean.
        offsets: where in the stored split each recording begins, and where the last one ends.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        frames: np.ndarray,
        shape: Sequence[int],
        mean: np.ndarray | None,
        offsets: np.ndarray,
    ) -> None:
        super().__init__([(path, rows, rows) for path, _, rows in parts], 0, 0, shape, mean)
        self._all = np.asarray(frames)
        self._offsets = np.asarray(offsets)

    def _gather(self, index: np.ndarray) -> np.ndarray:
        window = self._shape[1] or 0
        out = np.zeros((len(index), *(n or 0 for n in self._shape)), "float32")
        recording = np.searchsorted(self._offsets, index, side="right")
        starts = index - window // 2
        begins = np.maximum(starts, self._offsets[recording - 1])
        ends = np.minimum(starts + window, self._offsets[recording])
        for place, middle, start, begin, end, (shard, row) in zip(
            out, index, starts, begins, ends, self._located(index), strict=True
        ):
            first = row - (middle - begin)
            # Stored are frames (T, F, C); a window is (F, T, C).
            frames = self._files[shard][first : first + end - begin].swapaxes(0, 1)
            if self._mean is not None:
                frames = frames - self._mean
            place[:, begin - start : end - start] = frames
        return out


class WindowedLabels:
    """Labels of every frame of windows, an array-like (N, frames); -1 outside a recording.

    Args:
        labels: labels of every frame of the stored split.
        frames: as in `WindowedExamples`.
        window: frames of one.
        offsets: as in `WindowedExamples`.
    """

    def __init__(
        self, labels: np.ndarray, frames: np.ndarray, window: int, offsets: np.ndarray
    ) -> None:
        self._labels = labels
        self._frames = np.asarray(frames)
        self._window = window
        self._offsets = np.asarray(offsets)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, key: Any) -> np.ndarray:
        middle = np.asarray(self._frames[key])
        recording = np.searchsorted(self._offsets, middle, side="right")
        index = middle[..., None] - self._window // 2 + np.arange(self._window)
        inside = (index >= self._offsets[recording - 1][..., None]) & (
            index < self._offsets[recording][..., None]
        )
        return np.where(inside, self._labels[index.clip(0, len(self._labels) - 1)], -1)


def _map(path: Path) -> np.ndarray:
    try:
        # Viewed as a plain array: a memory map's own type would cling to everything cut from it.
        return np.load(path, mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}); remove {path.parent.parent} and run zoo prepare "
            "again."
        ) from None
