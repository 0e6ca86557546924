"""Shards: files of bounded size that make up a prepared set, each written in one step."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from zoo.errors import UsageError
from zoo.files import beside, make_folder, put_in_place, sha256
from zoo.machine import cores, keep_freed_memory
from zoo.processes import NotPortable, each
from zoo.progress import progress_bar

SHARDS_A_SPLIT = 16
"""Least number of shards of a split, so that all cores have work to the end; fewer if they were
small."""

SMALL_SHARD_BYTES = 4 * 2**20
"""Size of a shard's features in bytes below which it is not divided further."""

MAX_WORKERS = 8
"""Most processes that write shards at a time, whatever the number of cores."""

FEW_SHARDS = 8
"""Number of shards below which this process writes them itself, which is sooner than others
start."""

WORK = "work"
"""Bookkeeping for resuming an unfinished set."""

_FLOAT16_MAX = float(np.finfo("float16").max)


class Portions(NamedTuple):
    """Division of the work on a set, which does not change its content.

    Attributes:
        shard_bytes: most bytes of features in one file.
        segments: most segments that are turned into examples at a time.
    """

    shard_bytes: int = 64 * 2**20
    segments: int = 128


PORTIONS = Portions()


class Piece(NamedTuple):
    """The examples of a few utterances, or of a pair.

    Attributes:
        arrays: name -> array to be stored, an example a row; or a frame, where examples have
            lengths of their own.
        rows: what each example was cut from, (n,) of the work's `row_type`.
        labels: class of each example, (n,).
        lengths: rows of the arrays that belong to each example, (n,).
        total: float64 sum of the features over their rows.
    """

    arrays: Mapping[str, np.ndarray]
    rows: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    total: np.ndarray


class Work(Protocol):
    """Turns items into pieces, the same bytes in any process, on any machine, in any shard.

    Attributes:
        dtype: type of the stored arrays.
        row_type: type of the rows.
    """

    dtype: str
    row_type: np.dtype

    def pieces(self, items: Iterable[Any]) -> Iterator[Piece]:
        """The examples of each item, one after the other."""
        ...


class Shard(NamedTuple):
    """A part of a split, written as one file for each array.

    Attributes:
        split: where it belongs.
        number: its place in the split, from 0.
        items: what `Work.pieces` turns into examples.
        rows: as many as its arrays are expected to have.
        units: how much work it is, for the progress bar.
    """

    split: str
    number: int
    items: tuple[Any, ...]
    rows: int
    units: int

    @property
    def name(self) -> str:
        """Name of its record in the `work` folder."""
        return f"{self.split}-{self.number:05d}"


def shard_file(folder: Path, split: str, what: str, number: int) -> Path:
    """Where an array of a shard is stored."""
    return folder / split / f"{what}-{number:05d}.npy"


class Item(NamedTuple):
    """An item of work and its size.

    Attributes:
        item: one of what `Work.pieces` takes.
        rows: as many as it is expected to give.
        units: utterances or pairs, for the progress bar.
    """

    item: Any
    rows: int
    units: int


def divide(split: str, items: Iterable[Item], row_bytes: int, shard_bytes: int) -> Iterator[Shard]:
    """Group the items of a split, in order, into shards of up to `shard_bytes`.

    Args:
        split: where they belong.
        items: all of the split.
        row_bytes: size of a row of the features.
        shard_bytes: most bytes of features in one file.
    """
    items = list(items)
    even = sum(item.rows for item in items) * row_bytes / SHARDS_A_SPLIT
    most = min(shard_bytes, max(SMALL_SHARD_BYTES, even))
    group: list[Item] = []
    number = rows = 0
    for item in items:
        if group and (rows + item.rows) * row_bytes > most:
            yield _shard(split, number, group)
            number, group, rows = number + 1, [], 0
        group.append(item)
        rows += item.rows
    if group:
        yield _shard(split, number, group)


def _shard(split: str, number: int, group: Sequence[Item]) -> Shard:
    items, rows, units = zip(*group, strict=True)
    return Shard(split, number, items, sum(rows), sum(units))


Written = Sequence[tuple[Path, Path]]
"""Temporary and final names of written files, in this order."""


def write_shard(work: Work, shard: Shard, out: Path) -> None:
    """Compute one shard and write its files; the record in `work`, written last, marks it as
    finished.

    Args:
        work: computes the pieces.
        shard: shard to compute.
        out: the set's folder.
    """
    finish_shard(begin_shard(work, shard, out))


def begin_shard(work: Work, shard: Shard, out: Path) -> Written:
    """The first part of `write_shard`: all but waiting for the disk."""
    make_folder(out / shard.split)
    files: dict[str, _RowsFile] = {}
    # The pieces without their arrays, which would fill the memory.
    pieces: list[Piece] = []
    with contextlib.ExitStack() as stack:
        for piece in work.pieces(shard.items):
            for what, array in piece.arrays.items():
                if what not in files:
                    path = shard_file(out, shard.split, what, shard.number)
                    temporary = stack.enter_context(beside(path))
                    # Plain writes rather than a memory map: on a full disk these raise, a map
                    # kills the process. Rows come in large pieces, which a buffer would only copy.
                    file = stack.enter_context(open(temporary, "wb", buffering=0))
                    expected = (shard.rows, *array.shape[1:])
                    files[what] = _RowsFile(path, file, work.dtype, expected)
                files[what].add(array)
            pieces.append(piece._replace(arrays={}))
        for rows in files.values():
            rows.complete()
        record = _record(out, shard)
        temporary = stack.enter_context(beside(record))
        hashes = [f"{f.path.relative_to(out).as_posix()} {f.sha256}" for f in files.values()]
        with open(temporary, "wb") as npz:
            np.savez(
                npz,
                rows=np.concatenate([piece.rows for piece in pieces]),
                labels=np.concatenate([piece.labels for piece in pieces]),
                lengths=np.concatenate([piece.lengths for piece in pieces]),
                total=np.sum([piece.total for piece in pieces], axis=0),
                hashes=np.array(hashes),
            )
        return [*((f.temporary, f.path) for f in files.values()), (temporary, record)]


def finish_shard(written: Written) -> None:
    """The second part of `write_shard`: make sure that the files lie on disk under their final
    names."""
    try:
        for temporary, path in written:
            put_in_place(temporary, path)
    except BaseException:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)
        raise


def _record(out: Path, shard: Shard) -> Path:
    return out / WORK / f"{shard.name}.npz"


class _RowsFile:
    """An .npy file that rows are added to as they are computed.

    Args:
        path: where it is to lie when it is whole.
        file: unbuffered, where it lies now.
        dtype: type of the rows.
        shape: shape of the array; the final number of rows may differ.

    Attributes:
        temporary: where it lies now.
        sha256: SHA-256 of the whole file, once it is complete.
    """

    def __init__(self, path: Path, file: FileIO, dtype: str, shape: tuple[int, ...]) -> None:
        self.path = path
        self.temporary = Path(os.fsdecode(file.name))
        self.sha256 = ""
        self._dtype = np.dtype(dtype)
        self._shape = shape
        self._rows = 0
        self._digest = hashlib.sha256()
        self._file = file
        self._put(self._header(shape[0]))

    def complete(self) -> None:
        """Let the header name the rows that there are, and hash it all."""
        as_expected = self._rows == self._shape[0]
        if not as_expected:
            # As long as the first one: NumPy leaves room for the largest number of rows.
            self._file.seek(0)
            self._put(self._header(self._rows))
        self.sha256 = self._digest.hexdigest() if as_expected else sha256(self.temporary)

    def add(self, array: np.ndarray) -> None:
        """Add rows below those that are there."""
        self._put(np.ascontiguousarray(array, self._dtype))
        self._rows += len(array)

    def _header(self, rows: int) -> bytes:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (rows, *self._shape[1:]),
            },
        )
        return header.getvalue()

    def _put(self, data: Any) -> None:
        left = memoryview(data).cast("B") if len(data) else b""
        self._digest.update(left)
        while left:
            left = left[self._file.write(left) :]


def check_range(array: np.ndarray, dtype: str, source: Path) -> None:
    """Refuse values beyond what `dtype` holds.

    Raises:
        UsageError: there is one; the message names `source`.
    """
    if dtype == "float16" and array.size and np.abs(array).max() > _FLOAT16_MAX:
        raise UsageError(
            f"{source} gives values beyond {_FLOAT16_MAX:.0f}, the largest that float16 holds; "
            "prepare with --dtype float32."
        )


def unfinished(shards: Sequence[Shard], out: Path) -> list[Shard]:
    """The shards that are not written yet."""
    return [shard for shard in shards if not _record(out, shard).exists()]


def write_shards(
    work: Work,
    shards: Sequence[Shard],
    out: Path,
    unit: str,
    progress: bool = False,
    *,
    workers: int = MAX_WORKERS,
    few: int = FEW_SHARDS,
) -> None:
    """Write every missing shard: many by one process for each core, a few by this process.

    This process alone also writes them if the work cannot be sent to another process, for example
    because a script or a notebook defines a corpus' classes.

    Args:
        work: computes them.
        shards: all of the set.
        out: the set's folder.
        unit: what an item is, for the progress bar.
        progress: show it on stderr.
        workers: most processes at a time, on however many cores.
        few: fewer shards are written by this process.
    """
    todo = unfinished(shards, out)
    bar = progress_bar(sum(shard.units for shard in todo), unit, shown=progress and bool(todo))
    workers = min(cores(), workers)
    with bar:
        if workers > 1 and len(todo) >= few:
            try:
                # The processes go on with the next shards while this one waits for the disk.
                begun = each(
                    functools.partial(_begin_elsewhere, work, out=out),
                    todo,
                    workers,
                    "a process that prepares data",
                    folders=[out],
                    # BLAS' own threads would only stand in the way of the other processes.
                    environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                    advice="run the same command again to resume",
                )
                for shard, written in begun:
                    finish_shard(written)
                    bar.update(shard.units)
            except NotPortable:
                todo = unfinished(todo, out)
            else:
                return
        for shard in todo:
            write_shard(work, shard, out)
            bar.update(shard.units)


def _begin_elsewhere(work: Work, shard: Shard, out: Path) -> Written:
    """`begin_shard` in a process that does nothing else."""
    keep_freed_memory()
    return begin_shard(work, shard, out)


WriteShards = Callable[[Any, Sequence[Shard], Path, str, bool], None]
"""Function that writes shards, with the arguments of `write_shards`."""


class Records(NamedTuple):
    """The combined records of a split's shards.

    Attributes:
        rows: rows of the examples.
        labels: labels of the examples.
        lengths: lengths of the examples.
        total: sum of the features, or None without any.
        shards: [examples, rows of the arrays] of each shard.
        hashes: file below the set's folder -> SHA-256.
    """

    rows: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray
    total: np.ndarray | None
    shards: list[list[int]]
    hashes: dict[str, str]


def records(work: Work, shards: Sequence[Shard], out: Path, split: str) -> Records:
    """Read what the finished shards of `split` have recorded."""
    found = []
    for shard in shards:
        if shard.split == split:
            with np.load(_record(out, shard)) as arrays:
                found.append({name: arrays[name] for name in arrays.files})
    hashes = [str(line) for record in found for line in record["hashes"]]
    return Records(
        np.concatenate([np.zeros(0, work.row_type), *(r["rows"] for r in found)]),
        np.concatenate([np.zeros(0, "int64"), *(r["labels"] for r in found)]),
        np.concatenate([np.zeros(0, "int64"), *(r["lengths"] for r in found)]),
        np.sum([r["total"] for r in found], axis=0) if found else None,
        [[len(r["rows"]), int(r["lengths"].sum())] for r in found],
        dict(line.rsplit(" ", 1) for line in hashes),
    )
