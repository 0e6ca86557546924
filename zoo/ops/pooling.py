"""Max-pooling that remembers where its maxima were, and the ways back.

All functions take planes (N, H, W, C) or sequences (N, L, C), channels last whatever Keras'
`image_data_format` says; the batch may be unknown, the other axes not.

There is no scatter and no argmax here: scatters add up in an order that differs between devices,
and neither XLA, LiteRT nor ONNX takes every form of them. Both directions instead compare the
switches with constant offsets, which every backend fuses into one loop and every export knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import ops

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
    plane = as_plane(inputs)
    pooled, switches = _maxima(ops.stop_gradient(plane), regions)
    pooled = _picked(plane, switches, pooled, regions)
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

    See `zoo.layers.SwitchUnpooling2D` for the overlap rules. A switch that is no offset into the
    region, or that points into padding, puts its value nowhere.
    """
    check_overlap(overlap)
    values = as_floating(eager_or_traced(values, "values"))
    switches = ops.cast(eager_or_traced(switches, "switches"), "int32")
    regions = regions_under(values, pool_size, strides, padding, output_size)
    check_same_shape(values, switches)
    plane, where = as_plane(values), as_plane(switches)
    if overlap == "last" and regions.overlapping:
        # With the losers gone no two values meet, so that the sum is an assignment.
        plane = ops.where(_overwritten(where, regions), ops.zeros_like(plane), plane)
    out = _spread(plane, where, regions)
    if overlap == "mean" and regions.overlapping:
        landed = _spread(ops.ones_like(ops.stop_gradient(plane)), where, regions)
        out = out / ops.maximum(landed, ops.ones_like(landed))
    return like_rank(out, values)


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
    plane = as_plane(values)

    def member(offsets, value):
        return ops.where(offsets >= 0, value, ops.zeros_like(value))

    out = _assemble(regions, [plane], member)
    if regions.overlapping:
        shared = np.maximum(regions.coverage, 1)[None, :, :, None]
        out = out / ops.convert_to_tensor(shared, dtype=out.dtype)
    return like_rank(out, values)


def check_overlap(overlap: str) -> str:
    """The overlap rule, if it is one."""
    if overlap not in OVERLAPS:
        raise ValueError(f'overlap must be "last", "mean" or "sum"; received overlap={overlap!r}.')
    return overlap


def _maxima(plane, regions: Regions):
    views = list(_views(plane, regions, fill=-np.inf))
    pooled = views[0][1]
    for _, view in views[1:]:
        pooled = ops.maximum(pooled, view)
    # A second pass instead of one that selects values and offsets together: fused into what
    # uses the switches, that one takes unpredictable branches. Backwards, so that the first wins;
    # a NaN equals nothing, and a maximum is NaN only where an element is.
    last, _ = views[-1]
    switches = ops.full_like(pooled, last, dtype="int32")
    for offset, view in reversed(views[:-1]):
        here = ops.logical_or(view == pooled, view != view)
        switches = ops.where(here, ops.full_like(switches, offset), switches)
    return pooled, switches


def _picked(plane, switches, pooled, regions: Regions):
    """`pooled`, with its gradient sent to the switches and nowhere else."""

    @ops.custom_gradient
    def attach(plane, switches, pooled):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return _spread(upstream, switches, regions), None, None

        return pooled, gradient

    return attach(plane, switches, pooled)


def _spread(values, switches, regions: Regions):
    """(N, rows, columns, C): the sum of the values whose switch is the element."""

    @ops.custom_gradient
    def spread(values, switches):
        def landing(offsets, value, switch):
            return ops.where(ops.equal(switch, offsets), value, ops.zeros_like(value))

        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            return _collect(upstream, switches, regions), None

        return _assemble(regions, [values, switches], landing), gradient

    return spread(values, switches)


def _collect(plane, switches, regions: Regions):
    """The element of the plane at each switch: the adjoint of `_spread`."""
    out = None
    for offset, view in _views(plane, regions, fill=0.0):
        # A sum of masked views, of which one is not zero, where a chain of selections would do:
        # fused into the next loop that one, too, takes unpredictable branches.
        part = ops.where(switches == offset, view, ops.zeros_like(view))
        out = part if out is None else out + part
    return out


def _overwritten(switches, regions: Regions):
    """True where a region later in raster order has the same element for its switch."""
    (rows, columns), (down, right) = regions.grid, regions.reach
    stride_down, stride_right = regions.strides
    width = regions.pool[1]
    ahead = ops.pad(
        switches, [[0, 0], [0, down - 1], [right - 1, right - 1], [0, 0]], constant_values=-1
    )
    lost = None
    for i, j in product(range(down), range(1 - right, right)):
        if (i, j) <= (0, 0):
            continue
        later = ahead[:, i : i + rows, right - 1 + j : right - 1 + j + columns, :]
        offset = switches - (i * stride_down * width + j * stride_right)
        same = ops.logical_and(later == offset, offset >= 0)
        if j:
            # Without this an offset past the region's edge would wrap into its next row.
            column = ops.mod(switches, width) - j * stride_right
            same = ops.logical_and(same, ops.logical_and(column >= 0, column < width))
        lost = same if lost is None else ops.logical_or(lost, same)
    return lost


def _views(plane, regions: Regions, fill: float) -> Iterator[tuple[int, Any]]:
    """(offset, (N, *grid, C)) for every offset: that element of every region."""
    (rows, columns), (down, right) = regions.grid, regions.strides
    if any(any(pads) for pads in regions.padded):
        plane = ops.pad(plane, [(0, 0), *regions.padded, (0, 0)], constant_values=fill)
    for offset, row, column in regions.offsets:
        yield (
            offset,
            plane[
                :,
                row : row + down * (rows - 1) + 1 : down,
                column : column + right * (columns - 1) + 1 : right,
                :,
            ],
        )


def _assemble(regions: Regions, tensors: Sequence[Any], contribution: Callable[..., Any]):
    """Build the plane in blocks of one stride, adding what each region in reach contributes.

    `contribution(offsets, *views)` gets the raster offsets that the positions of a block have in
    the region so many blocks back (-2 where they lie outside it), and each of the `tensors`
    (N, *grid, C) as (N * blocks, 1, blocks, 1, C), aligned so that this region's entry lies on
    the block. It returns (N * blocks, stride, blocks, stride, C).
    """
    (down, right), (stride_down, stride_right) = regions.reach, regions.strides
    blocks_down, blocks_right = (
        g + r - 1 for g, r in zip(regions.grid, regions.reach, strict=True)
    )
    channels = tensors[0].shape[-1]
    if regions.overlapping:
        edges = [[0, 0], [down - 1, down - 1], [right - 1, right - 1], [0, 0]]
        tensors = [ops.pad(t, edges, constant_values=-1 if _whole(t) else 0) for t in tensors]
    out = None
    for back_down, back_right in product(range(down), range(right)):
        row = np.arange(stride_down)[:, None] + back_down * stride_down
        column = np.arange(stride_right) + back_right * stride_right
        inside = (row < regions.pool[0]) & (column < regions.pool[1])
        offsets = np.where(inside, row * regions.pool[1] + column, -2).astype("int32")
        top, left = down - 1 - back_down, right - 1 - back_right
        views = [
            ops.reshape(
                t[:, top : top + blocks_down, left : left + blocks_right, :],
                (-1, 1, blocks_right, 1, channels),
            )
            for t in tensors
        ]
        part = contribution(offsets[:, None, :, None], *views)
        out = part if out is None else out + part
    rows, columns = blocks_down * stride_down, blocks_right * stride_right
    out = ops.reshape(out, (-1, rows, columns, channels))
    (top, _), (left, _) = regions.padded
    height, width = regions.size
    out = out[:, top : top + height, left : left + width, :]
    # What no region covers is left over at the far edges.
    short = [(0, height - out.shape[1]), (0, width - out.shape[2])]
    return ops.pad(out, [(0, 0), *short, (0, 0)]) if any(n for _, n in short) else out


def _whole(tensor) -> bool:
    return "int" in keras.backend.standardize_dtype(tensor.dtype)
