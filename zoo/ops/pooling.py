"""Max-pooling that remembers where its maxima were, and the ways back.

All functions take planes (N, H, W, C) or sequences (N, L, C), channels last whatever Keras'
`image_data_format` says; the batch may be unknown, the other axes not.

There is no scatter and no argmax here: scatters add up in an order that differs between devices,
and neither XLA, LiteRT nor ONNX takes every form of them. Instead, both directions compare the
switches with constant offsets, which every backend fuses into one loop and every export supports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.ops.compilation import fused
from zoo.ops.regions import Regions, regions_over
from zoo.ops.tensors import (
    as_floating,
    as_plane,
    check_same_shape,
    eager_or_traced,
    like_rank,
    regions_under,
    spatial_shape,
)

OVERLAPS = ("last", "mean", "sum")

REPEATED_CHANNELS = 16
"""Channels from which repeating what tiles a plane is faster than putting it together from pieces,
compiled on a CPU (benchmarks/unpooling.py): twice as fast with 16, slower by a third with 8."""


def switch_pool(
    inputs: Any,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
) -> tuple[Any, Any]:
    """Maxima of the pooling regions and their int32 raster offsets inside the regions.

    See `zoo.layers.SwitchPooling2D` for behaviour and edge cases.
    """
    inputs = as_floating(eager_or_traced(inputs, "inputs"))
    regions = regions_over(spatial_shape(inputs, "inputs"), pool_size, strides, padding)
    columns = regions.size[1]
    regions, plane = _folded(regions, as_plane(inputs))

    def pool(plane):
        pooled, switches = _maxima(ops.stop_gradient(plane), regions)
        return _picked(plane, switches, pooled, regions), switches

    pooled, switches = (_unfolded(regions, columns, x) for x in fused(pool, plane))
    return like_rank(pooled, inputs), like_rank(switches, inputs)


def switch_unpool(
    values: Any,
    switches: Any,
    *,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    output_size: int | Sequence[int],
    overlap: str = "last",
) -> Any:
    """Each value at its switch, zero elsewhere.

    See `zoo.layers.SwitchUnpooling2D` for the overlap rules. The value of a switch that is not an
    offset into the region, or points into padding, is dropped.
    """
    check_overlap(overlap)
    values = as_floating(eager_or_traced(values, "values"))
    switches = ops.cast(eager_or_traced(switches, "switches"), "int32")
    regions = regions_under(values, pool_size, strides, padding, output_size)
    check_same_shape(values, switches)
    columns = regions.size[1]
    regions, plane, where = _folded(regions, as_plane(values), as_plane(switches))

    def unpool(plane, where):
        out = _spread(plane, where, regions, "last" if overlap == "last" else "sum")
        if overlap == "mean" and regions.overlapping:
            landed = _spread(ops.ones_like(ops.stop_gradient(plane)), where, regions, "sum")
            out = out / ops.maximum(landed, ops.ones_like(landed))
        return out

    out = fused(unpool, plane, where)
    return like_rank(_unfolded(regions, columns, out), values)


def blind_upsample(
    values: Any,
    *,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    output_size: int | Sequence[int],
) -> Any:
    """Each element is the mean of the values of the regions it belongs to, 0 where none."""
    values = as_floating(eager_or_traced(values, "values"))
    regions = regions_under(values, pool_size, strides, padding, output_size)
    columns = regions.size[1]
    regions, plane = _folded(regions, as_plane(values))

    def add(sofar, offset, value):
        return value if sofar is None else sofar + value

    out = _assemble(regions, [plane], add)
    if regions.overlapping:
        shared = np.maximum(regions.coverage, 1)[None, :, :, None]
        out = out / ops.convert_to_tensor(shared, dtype=out.dtype)
    return like_rank(_unfolded(regions, columns, out), values)


def check_overlap(overlap: str) -> str:
    """The overlap rule, if it is valid."""
    if overlap not in OVERLAPS:
        raise ValueError(f'overlap must be "last", "mean" or "sum"; received overlap={overlap!r}.')
    return overlap


def _folded(regions: Regions, *planes: Any) -> tuple[Any, ...]:
    """The regions and planes (N, rows, columns, C), with columns taken for channels where no region
    spans two of them: loops over few channels alone are short for a processor's vectors."""
    if regions.size[1] == 1 or (regions.pool[1], regions.strides[1]) != (1, 1):
        return regions, *planes
    folded = dataclasses.replace(regions, size=(regions.size[0], 1))
    return folded, *(ops.reshape(x, (-1, x.shape[1], 1, x.shape[2] * x.shape[3])) for x in planes)


def _unfolded(regions: Regions, columns: int, plane: Any) -> Any:
    """A plane with its columns again; they are as many as before if they were folded."""
    if regions.size[1] == columns:
        return plane
    return ops.reshape(plane, (-1, plane.shape[1], columns, plane.shape[3] // columns))


def _maxima(plane, regions: Regions):
    views = [view for _, view in _views(plane, regions, fill=-np.inf)]
    numbers = [view == view for view in views]
    pooled, complete = views[0], numbers[0]
    for view, number in zip(views[1:], numbers[1:], strict=True):
        pooled = ops.maximum(pooled, view)
        complete = ops.logical_and(complete, number)
    # TensorFlow lets XLA drop the NaNs of a maximum. (A scalar, here and below: the exporter to
    # ONNX multiplies and adds where a selection's alternatives have one shape.)
    pooled = ops.where(complete, pooled, np.nan)
    # A second pass instead of one that selects values and offsets together: fused into what
    # uses the switches, that one takes unpredictable branches. A switch is the number of elements
    # in front of the first maximum; where the maximum is NaN, in front of the first NaN.
    count, waiting = ops.zeros_like(pooled, dtype="float32"), None
    for view, number in zip(views[:-1], numbers[:-1], strict=True):
        # Floats, since a chain of truths takes XLA up to 1.6 times as long.
        other = ops.cast(ops.logical_and(view != pooled, number), "float32")
        waiting = other if waiting is None else waiting * other
        count = count + waiting
    # The root of (n + 1/2)^2 loses its half in the cast. XLA computes a root once, where it would
    # count again in each of the loops that use the switches.
    return pooled, ops.cast(ops.sqrt(count * count + count + 0.25), "int32")


def _picked(plane, switches, pooled, regions: Regions):
    """`pooled`, with its gradient sent to the switches and nowhere else."""

    @ops.custom_gradient
    def attach(plane, switches, pooled):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return _spread(upstream, switches, regions, "sum"), None, None

        return pooled, gradient

    return attach(plane, switches, pooled)


def _spread(values, switches, regions: Regions, overlap: str):
    """(N, rows, columns, C): the `"last"` or the `"sum"` of the values whose switch is there."""

    @ops.custom_gradient
    def spread(values, switches):
        def land(sofar, offset, value, switch):
            here = switch == offset
            if sofar is None or overlap == "last":
                return ops.where(here, value, 0.0 if sofar is None else sofar)
            return sofar + ops.where(here, value, 0.0)

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            kept = switches
            if overlap == "last" and regions.overlapping:
                lost = _overwritten(switches, regions)
                kept = ops.where(lost, -1, switches)
            return _collect(upstream, kept, regions), None

        if regions.pool == regions.strides and values.shape[-1] >= REPEATED_CHANNELS:
            return _repeated(values, switches, regions), gradient
        return _assemble(regions, [values, switches], land), gradient

    return spread(values, switches)


def _repeated(values, switches, regions: Regions):
    """`_spread` of regions that tile the plane, without pieces to be put together."""
    values, switches = (_with_edges(t, regions) for t in (values, switches))
    down, right = regions.strides
    offsets = np.arange(down * right, dtype="int32").reshape((1, 1, down, 1, right, 1))
    here = switches[:, :, None, :, None, :] == offsets
    out = ops.where(here, values[:, :, None, :, None, :], 0.0)
    rows, columns = (n * s for n, s in zip(values.shape[1:3], regions.strides, strict=True))
    return _fitted(ops.reshape(out, (-1, rows, columns, values.shape[-1])), regions)


def _collect(plane, switches, regions: Regions):
    """The element of the plane at each switch: the adjoint of summing in `_spread`."""
    out = None
    for offset, view in _views(plane, regions, fill=0.0):
        # A sum of masked views, of which one is not zero, where a chain of selections would do:
        # fused into the next loop that one, too, takes unpredictable branches.
        part = ops.where(switches == offset, view, 0.0)
        out = part if out is None else out + part
    return out


def _overwritten(switches, regions: Regions):
    """True where a region later in raster order has the same element for its switch."""
    (rows, columns), (down, right) = regions.grid, regions.reach
    stride_down, stride_right = regions.strides
    width = regions.pool[1]
    ahead = _with_edges(switches, regions)
    lost = None
    for i, j in product(range(down), range(1 - right, right)):
        if (i, j) <= (0, 0):
            continue
        top, left = down - 1 + i, right - 1 + j
        later = ahead[:, top : top + rows, left : left + columns, :]
        offset = switches - (i * stride_down * width + j * stride_right)
        same = ops.logical_and(later == offset, offset >= 0)
        if j:
            # Without this an offset past the region's edge would wrap into its next row.
            column = ops.mod(switches, width) - j * stride_right
            same = ops.logical_and(same, ops.logical_and(column >= 0, column < width))
        lost = same if lost is None else ops.logical_or(lost, same)
    return lost


def _views(plane, regions: Regions, fill: float) -> Iterator[tuple[int, Any]]:
    """(offset, (N, *grid, C)) for every offset: that element of every region.

    Outside XLA a strided slice takes many times as long as a maximum. So the plane is taken apart
    once, into one piece for each position within a stride, and every view is a dense slice of one.
    """
    (rows, columns), (down, right) = regions.grid, regions.strides
    plane = _padded(plane, regions, fill)
    whole = [n // s for n, s in zip(plane.shape[1:3], regions.strides, strict=True)]
    pieces: dict[tuple[int, int], Any] = {}
    for offset, row, column in regions.offsets:
        # Strides are counted from the front, or for the last views from the end.
        top = 0 if row // down + rows <= whole[0] else plane.shape[1] % down
        left = 0 if column // right + columns <= whole[1] else plane.shape[2] % right
        if (top, left) not in pieces:
            part = plane[:, top : top + whole[0] * down, left : left + whole[1] * right, :]
            part = ops.reshape(part, (-1, whole[0], down, whole[1], right, plane.shape[-1]))
            lines = _unstack(part, down, axis=2)
            pieces[top, left] = [_unstack(line, right, axis=3) for line in lines]
        (i, a), (j, b) = divmod(row - top, down), divmod(column - left, right)
        yield offset, pieces[top, left][a][b][:, i : i + rows, j : j + columns, :]


def _padded(plane, regions: Regions, fill: float):
    """The plane with the regions' padding, and no less than a whole stride for each of them."""
    edges = [
        (before, max(after, g * s - n - before))
        for (before, after), g, s, n in zip(
            regions.padded, regions.grid, regions.strides, regions.size, strict=True
        )
    ]
    if not any(any(pads) for pads in edges):
        return plane
    return ops.pad(plane, [(0, 0), *edges, (0, 0)], constant_values=fill)


def _assemble(regions: Regions, tensors: Sequence[Any], contribution: Callable[..., Any]):
    """Build the plane from one piece for each position within a stride.

    `contribution(sofar, offset, *views)` adds to a piece what one region has at its raster
    `offset`: it gets the piece so far, None at first, and each of the `tensors` (N, *grid, C) as
    (N, *blocks, C), aligned so that this region's entry lies on the block. The regions in reach
    come in raster order.
    """
    reach, strides = regions.reach, regions.strides
    tensors = [_with_edges(t, regions) for t in tensors]
    blocks = [n - r + 1 for n, r in zip(tensors[0].shape[1:3], reach, strict=True)]

    def piece(row: int, column: int):
        out = None
        for i, j in product(range(reach[0]), range(reach[1])):
            # The region of the block before the last comes first and has the element further on.
            inner = row + (reach[0] - 1 - i) * strides[0]
            across = column + (reach[1] - 1 - j) * strides[1]
            if inner < regions.pool[0] and across < regions.pool[1]:
                views = [t[:, i : i + blocks[0], j : j + blocks[1], :] for t in tensors]
                out = contribution(out, inner * regions.pool[1] + across, *views)
        if out is None:
            out = ops.zeros_like(tensors[0][:, : blocks[0], : blocks[1], :])
        return out

    lines = [
        _stack([piece(row, column) for column in range(strides[1])], axis=3)
        for row in range(strides[0])
    ]
    rows, columns = (n * s for n, s in zip(blocks, strides, strict=True))
    out = ops.reshape(_stack(lines, axis=2), (-1, rows, columns, tensors[0].shape[-1]))
    return _fitted(out, regions)


def _fitted(plane, regions: Regions):
    """A plane made of whole strides, brought to the size that was pooled."""
    (top, _), (left, _) = regions.padded
    height, width = regions.size
    plane = plane[:, top : top + height, left : left + width, :]
    # What no region covers is left over at the far edges.
    short = [(0, height - plane.shape[1]), (0, width - plane.shape[2])]
    return ops.pad(plane, [(0, 0), *short, (0, 0)]) if any(n for _, n in short) else plane


def _with_edges(tensor, regions: Regions):
    """(N, *grid, C) with regions of nothing around it, as many as can share an element.

    At least one below: XLA writes a padded tensor out once, where it would compute what leads to
    it again for each of the pieces. It makes up for rows that fill no region, too.
    """
    (down, right) = regions.reach
    edges = [(0, 0), (down - 1, max(down - 1, 1)), (right - 1, right - 1), (0, 0)]
    return ops.pad(tensor, edges, constant_values=-1 if _whole(tensor) else 0)


def _unstack(tensor, count: int, axis: int) -> list[Any]:
    return [ops.squeeze(tensor, axis)] if count == 1 else ops.unstack(tensor, count, axis)


def _stack(tensors: list[Any], axis: int):
    return ops.expand_dims(tensors[0], axis) if len(tensors) == 1 else ops.stack(tensors, axis)


def _whole(tensor) -> bool:
    return "int" in keras.backend.standardize_dtype(tensor.dtype)
