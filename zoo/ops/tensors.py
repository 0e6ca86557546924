"""Inputs of pooling: checks of tensors, and sequences as planes of width 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.ops.regions import Regions, check_size, regions_over
from zoo.plain import plain


def eager_or_traced(tensor: Any, name: str):
    """A backend tensor; a symbolic Keras tensor is refused."""
    if keras.backend.is_keras_tensor(tensor):
        raise ValueError(
            f"{name} must hold values; received the symbolic {tensor}. "
            "In a functional model use the layer of the same name from zoo.layers."
        )
    return ops.convert_to_tensor(tensor)


def as_floating(tensor):
    """The tensor, integers and booleans cast to Keras' default float."""
    floating = "float" in keras.backend.standardize_dtype(tensor.dtype)
    return tensor if floating else ops.cast(tensor, keras.config.floatx())


def spatial_shape(tensor, name: str) -> tuple[int | None, ...]:
    """(H, W) or (L,), after checking the rank."""
    shape = tuple(tensor.shape)
    if len(shape) not in (3, 4):
        raise ValueError(f"{name} must have the shape (N, H, W, C) or (N, L, C); received {shape}.")
    if shape[-1] is None:
        raise ValueError(f"{name} must have a known number of channels; received {shape}.")
    return shape[1:-1]


def regions_under(values, pool_size, strides, padding, output_size) -> Regions:
    """The regions whose values these are, in a plane of `output_size`."""
    grid = spatial_shape(values, "values")
    output_size = plain(output_size)
    size = (output_size,) if isinstance(output_size, int) else tuple(output_size)
    size = check_size(size, len(grid), name="output_size")
    regions = regions_over(size, pool_size, strides, padding)
    check_grid(regions, grid)
    return regions


def check_grid(regions: Regions, grid: Sequence[int | None], name: str = "output_size") -> None:
    """Refuse values whose rows and columns are not those of the regions."""
    expected = regions.grid[: len(grid)]
    if any(n not in (None, e) for n, e in zip(grid, expected, strict=True)):
        rank = len(grid)
        raise ValueError(
            f"{name} must be the size that was pooled: {regions.size[:rank]} has "
            f"{expected} regions of pool_size={regions.pool[:rank]}, "
            f"strides={regions.strides[:rank]}, padding={regions.padding!r}; received values "
            f"for {tuple(grid)} regions. Pass the spatial shape of the pooling layer's input."
        )


def check_same_shape(values, switches) -> None:
    """Refuse switches that are not one for each value."""
    if len(values.shape) != len(switches.shape) or any(
        None not in (v, s) and v != s for v, s in zip(values.shape, switches.shape, strict=True)
    ):
        raise ValueError(
            "values and switches must have one shape; received "
            f"{tuple(values.shape)} and {tuple(switches.shape)}."
        )


def as_plane(tensor):
    """(N, L, C) -> (N, L, 1, C); planes stay."""
    return tensor if len(tensor.shape) == 4 else ops.expand_dims(tensor, 2)


def like_rank(plane, tensor):
    """Undo `as_plane` where it did something to `tensor`."""
    return plane if len(tensor.shape) == 4 else ops.squeeze(plane, 2)
