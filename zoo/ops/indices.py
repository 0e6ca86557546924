"""Conversion between switches and the flat indices that other libraries' poolings return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from zoo.ops.regions import Regions, regions_over
from zoo.ops.tensors import as_plane, check_grid, eager_or_traced, like_rank, spatial_shape
from zoo.plain import plain

CONVENTIONS = ("tensorflow", "torch")


def switches_to_argmax(
    switches: Any,
    *,
    input_size: int | Sequence[int],
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    convention: str = "tensorflow",
) -> Any:
    """Flat int32 indices into the pooled plane.

    Args:
        switches: (N, H', W', C) or (N, L', C) raster offsets inside the pooling regions.
        input_size: spatial size (H, W) or (L,) of what was pooled.
        pool_size: as given to the pooling.
        strides: as given to the pooling.
        padding: as given to the pooling.
        convention: `"tensorflow"` counts `(y * W + x) * C + c`, as `tf.nn.max_pool_with_argmax`
            does with its default `include_batch_in_index=False`; `"torch"` counts `y * W + x`,
            as `torch.nn.MaxPool2d(return_indices=True)` does. PyTorch's own tensors are
            (N, C, H, W); the axes here are channels last under both conventions.

    Returns:
        Indices of the switches' shape.
    """
    switches = eager_or_traced(switches, "switches")
    plane, regions = _prepared(switches, input_size, pool_size, strides, padding, convention)
    first_row, first_column = _first_elements(regions)
    row = first_row + plane // regions.pool[1]
    column = first_column + ops.mod(plane, regions.pool[1])
    flat = row * regions.size[1] + column
    if convention == "tensorflow":
        channels = plane.shape[-1]
        flat = flat * channels + ops.arange(channels, dtype="int32")
    return like_rank(flat, switches)


def argmax_to_switches(
    argmax: Any,
    *,
    input_size: int | Sequence[int],
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    convention: str = "tensorflow",
) -> Any:
    """The inverse of `switches_to_argmax`, with the same arguments."""
    argmax = eager_or_traced(argmax, "argmax")
    plane, regions = _prepared(argmax, input_size, pool_size, strides, padding, convention)
    if convention == "tensorflow":
        plane = plane // plane.shape[-1]
    first_row, first_column = _first_elements(regions)
    row = plane // regions.size[1] - first_row
    column = ops.mod(plane, regions.size[1]) - first_column
    return like_rank(row * regions.pool[1] + column, argmax)


def _prepared(indices, input_size, pool_size, strides, padding, convention) -> tuple[Any, Regions]:
    if convention not in CONVENTIONS:
        raise ValueError(
            f'convention must be "tensorflow" or "torch"; received convention={convention!r}.'
        )
    indices = ops.cast(indices, "int32")
    input_size = plain(input_size)
    size = (input_size,) if isinstance(input_size, int) else tuple(input_size)
    grid = spatial_shape(indices, "indices")
    if len(size) != len(grid):
        raise ValueError(
            f"input_size must have {len(grid)} entries for indices of shape "
            f"{tuple(indices.shape)}; received {input_size!r}."
        )
    regions = regions_over(size, pool_size, strides, padding)
    check_grid(regions, grid, name="input_size")
    return as_plane(indices), regions


def _first_elements(regions: Regions) -> tuple[Any, Any]:
    """Row and column of each region's first element, shaped to meet (N, *grid, C)."""
    row, column = (
        np.arange(grid, dtype="int32") * stride - before
        for grid, stride, (before, _) in zip(
            regions.grid, regions.strides, regions.padded, strict=True
        )
    )
    return (
        ops.convert_to_tensor(row[None, :, None, None], "int32"),
        ops.convert_to_tensor(column[None, None, :, None], "int32"),
    )
