"""Max-pooling with switches, switch unpooling and blind upsampling, for planes and sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from zoo import ops as zoo_ops
from zoo.ops.pooling import check_overlap
from zoo.ops.regions import Regions, check_size, check_window, regions_over
from zoo.ops.tensors import check_grid, check_same_shape
from zoo.plain import plain

Size = int | Sequence[int]


class _RegionLayer(keras.layers.Layer):
    """What the layers share: the window, its checks and its place in the config."""

    rank: ClassVar[int]

    def __init__(
        self, pool_size: Size, strides: Size | None = None, padding: str = "valid", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size, self.strides, self.padding = check_window(
            pool_size, strides, padding, self.rank
        )

    def get_config(self) -> dict[str, Any]:
        """Every argument of the constructor."""
        window = {
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }
        return {**super().get_config(), **window}

    def _regions(self, size: Sequence[int | None]) -> Regions:
        return regions_over(size, self.pool_size, self.strides, self.padding)

    def _check_rank(self, shape: Sequence[int | None]) -> None:
        if len(shape) != self.rank + 2:
            axes = "(N, H, W, C)" if self.rank == 2 else "(N, L, C)"
            raise ValueError(
                f"{type(self).__name__} needs inputs of shape {axes}; received {tuple(shape)}."
            )


class _SwitchPooling(_RegionLayer):
    def call(self, inputs: Any) -> tuple[Any, Any]:
        self._check_rank(inputs.shape)
        inputs = ops.cast(inputs, self.compute_dtype)
        return zoo_ops.switch_pool(inputs, self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape):
        self._check_rank(input_shape)
        grid = self._regions(input_shape[1:-1]).grid[: self.rank]
        shape = (input_shape[0], *grid, input_shape[-1])
        return shape, shape

    def compute_output_spec(self, inputs):
        pooled, switches = self.compute_output_shape(inputs.shape)
        return (
            keras.KerasTensor(pooled, dtype=self.compute_dtype),
            keras.KerasTensor(switches, dtype="int32"),
        )


class _ToSize(_RegionLayer):
    """A way back up, to the size that was pooled."""

    def __init__(
        self,
        pool_size: Size,
        strides: Size | None = None,
        padding: str = "valid",
        *,
        output_size: Size,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, **kwargs)
        output_size = plain(output_size)
        size = (output_size,) if isinstance(output_size, int) else tuple(output_size)
        self.output_size = check_size(size, self.rank, name="output_size")
        self._regions(self.output_size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_size": self.output_size}

    def _unpooled_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        self._check_rank(shape)
        check_grid(self._regions(self.output_size), shape[1:-1])
        return (shape[0], *self.output_size, shape[-1])

    @property
    def _window(self) -> dict[str, Any]:
        return {
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "output_size": self.output_size,
        }


class _SwitchUnpooling(_ToSize):
    def __init__(
        self,
        pool_size: Size,
        strides: Size | None = None,
        padding: str = "valid",
        *,
        output_size: Size,
        overlap: str = "last",
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, output_size=output_size, **kwargs)
        self.overlap = check_overlap(overlap)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "overlap": self.overlap}

    def build(self, input_shape: Any) -> None:
        self._pair(input_shape)

    def call(self, inputs: Sequence[Any]) -> Any:
        values, switches = self._pair(inputs)
        self._check_rank(values.shape)
        values = ops.cast(values, self.compute_dtype)
        return zoo_ops.switch_unpool(values, switches, **self._window, overlap=self.overlap)

    def compute_output_shape(self, input_shape):
        return self._unpooled_shape(self._pair(input_shape)[0])

    def compute_output_spec(self, inputs):
        values, switches = self._pair(inputs)
        shape = self._unpooled_shape(values.shape)
        check_same_shape(values, switches)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def _pair(self, inputs):
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise ValueError(
                f"{type(self).__name__} is called on [values, switches]; received {inputs}. "
                "The switches are the second output of the pooling layer."
            )
        return inputs


class _BlindUpsampling(_ToSize):
    def call(self, values: Any) -> Any:
        self._check_rank(values.shape)
        values = ops.cast(values, self.compute_dtype)
        return zoo_ops.blind_upsample(values, **self._window)

    def compute_output_shape(self, input_shape):
        return self._unpooled_shape(input_shape)

    def compute_output_spec(self, values):
        return keras.KerasTensor(self._unpooled_shape(values.shape), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="zoo")
class SwitchPooling2D(_SwitchPooling):
    """Max-pooling that also returns its switches: where in each region the maximum was.

    A switch is the raster offset (row by row) of the maximum inside its pooling region; of equal
    maxima the first counts. The gradient of a pooled value goes to the element at its switch
    alone. The regions may overlap or leave gaps.

    Under `padding="same"` (TensorFlow's geometry) the plane is padded with minus infinity, and
    offsets count the padded positions of a region too. Under `"valid"`, rows and columns that
    fill no whole region are ignored. A NaN counts as greater than everything, so that it is not
    hidden: the region's value is NaN and the switch its first NaN. A region with nothing above
    minus infinity has its first position as switch, which may be padding.

    Args:
        pool_size: height and width of a region; one integer for both.
        strides: steps between regions; the pool size if None.
        padding: `"valid"` or `"same"`.
        **kwargs: name, dtype and so on, as for any Keras layer.

    Input shape:
        (N, H, W, C), channels last; H, W and C known. Integers are cast to floats.

    Output shape:
        Two of (N, H', W', C): the values, and the switches as int32. H' is
        `floor((H - pool) / stride) + 1` for `"valid"`, `ceil(H / stride)` for `"same"`.

    Example:
        >>> x = np.array([[1, 5, 2, 0], [5, 3, 4, 4]], "float32").reshape(1, 2, 4, 1)
        >>> values, switches = SwitchPooling2D(2)(x)
        >>> np.ravel(values).tolist(), np.ravel(switches).tolist()
        ([5.0, 4.0], [1, 2])
        >>> restored = SwitchUnpooling2D(2, output_size=(2, 4))([values, switches])
        >>> keras.ops.convert_to_numpy(restored)[0, :, :, 0]
        array([[0., 5., 0., 0.],
               [0., 0., 4., 0.]], dtype=float32)

    Reference:
        - Riemens, "Convolutional autoencoders" (2015), sections 4.2.2 and B.8.2.
        - Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014).
    """

    rank = 2


@keras.saving.register_keras_serializable(package="zoo")
class SwitchPooling1D(_SwitchPooling):
    """`SwitchPooling2D` for sequences: (N, L, C) to twice (N, L', C)."""

    rank = 1


@keras.saving.register_keras_serializable(package="zoo")
class SwitchUnpooling2D(_SwitchUnpooling):
    """Put each value back at its switch, with zero elsewhere; called on `[values, switches]`.

    Where regions overlap, several values can fall on one element, and in a decoder they differ.
    The result is the same bit for bit on every run and device. The gradient follows the rule:
    under `"last"` it reaches the winning value alone.

    Args:
        pool_size: as for the pooling layer.
        strides: as for the pooling layer.
        padding: as for the pooling layer.
        output_size: (H, W) of the pooling layer's input, which pooled sizes do not tell.
        overlap: `"last"` assigns in raster order of the regions, so that the later wins;
            `"mean"` and `"sum"` take the mean or the sum of the values that fell on the element.

    Input shape:
        `[values, switches]`, both (N, H', W', C).

    Output shape:
        (N, H, W, C).
    """

    rank = 2


@keras.saving.register_keras_serializable(package="zoo")
class SwitchUnpooling1D(_SwitchUnpooling):
    """`SwitchUnpooling2D` for sequences: twice (N, L', C) to (N, L, C)."""

    rank = 1


@keras.saving.register_keras_serializable(package="zoo")
class BlindUpsampling2D(_BlindUpsampling):
    """Give each element the mean of the values of the regions it belongs to.

    An element of no region (a last row that "valid" pooling ignored, a gap between regions
    further apart than they are wide) is 0. Arguments are those of `SwitchUnpooling2D`, less
    `overlap`; maps (N, H', W', C) to (N, H, W, C).

    Reference:
        Riemens, "Convolutional autoencoders" (2015), section B.8.3.
    """

    rank = 2


@keras.saving.register_keras_serializable(package="zoo")
class BlindUpsampling1D(_BlindUpsampling):
    """`BlindUpsampling2D` for sequences: (N, L', C) to (N, L, C)."""

    rank = 1
