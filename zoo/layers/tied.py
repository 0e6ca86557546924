"""A convolution and the transposed convolution that shares its filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import ops

from zoo.ops.convolution import conv, conv_transpose
from zoo.ops.regions import check_window
from zoo.plain import plain

PARTS = ("kernel", "bias", "reverse_bias")


@keras.saving.register_keras_serializable(package="zoo")
class TiedConv2D(keras.layers.Layer):
    """A convolution that also decodes, with the same filters: `layer(y, reverse=True)`.

    Both directions use one kernel, which this layer alone owns. So they stay tied through saving,
    `clone_model`, `from_config` and training; a decoder layer with a reference to its encoder would
    not. The reverse direction is the exact adjoint of the forward one, biases
    aside: the filters flipped, the channels swapped, and for a filter of even size under
    `padding="same"` the padding on the other side. Strides are 1.

    `trainable_parts` can be set again later (then compile again); `trainable=False` freezes all.

    Args:
        filters: channels of the encoded side.
        kernel_size: height and width of the filters; one integer for both.
        padding: `"valid"` or `"same"`. In reverse, `"valid"` grows by the kernel size less 1.
        use_bias: whether the forward direction has a bias (of `filters` entries).
        use_reverse_bias: whether the reverse direction has a bias (of the input's channels).
        kernel_initializer: initializer of the shared filters.
        bias_initializer: initializer of both biases.
        kernel_regularizer: regularizer of the shared filters, counted once.
        trainable_parts: those of `"kernel"`, `"bias"`, `"reverse_bias"` that training changes.
        input_channels: channels of the decoded side; None takes them from the first forward
            input. Needed only where the first call is in reverse.

    Input shape:
        (N, H, W, input_channels), in reverse (N, H, W, filters).

    Output shape:
        (N, H', W', filters), in reverse (N, H', W', input_channels).

    Reference:
        Riemens, "Convolutional autoencoders" (2015), sections 4.2.1 and B.8.1.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        padding: str = "valid",
        use_bias: bool = True,
        use_reverse_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        trainable_parts: Iterable[str] = PARTS,
        input_channels: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        filters, input_channels = plain((filters, input_channels))
        if not isinstance(filters, int) or filters < 1:
            raise ValueError(f"filters must be a positive integer; received {filters!r}.")
        self.filters = filters
        self.kernel_size, _, self.padding = check_window(
            kernel_size, None, padding, 2, name="kernel_size"
        )
        self.use_bias = use_bias
        self.use_reverse_bias = use_reverse_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.input_channels = input_channels
        self.kernel = self.bias = self.reverse_bias = None
        self.trainable_parts = trainable_parts

    @property
    def trainable_parts(self) -> tuple[str, ...]:
        """The parts that training changes while `trainable` is true."""
        return self._trainable_parts

    @trainable_parts.setter
    def trainable_parts(self, parts: Iterable[str]) -> None:
        parts = (parts,) if isinstance(parts, str) else tuple(parts)
        if set(parts) - set(PARTS):
            raise ValueError(
                f"trainable_parts must be among {', '.join(PARTS)}; received {parts!r}."
            )
        self._trainable_parts = tuple(part for part in PARTS if part in parts)
        self._freeze_parts()

    @property
    def trainable(self) -> bool:
        """Whether any part is trained; `trainable_parts` says which."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        self._freeze_parts()

    def _freeze_parts(self) -> None:
        for part in PARTS:
            variable = getattr(self, part, None)
            if variable is not None:
                variable.trainable = self._trainable and part in self._trainable_parts

    def __call__(self, inputs: Any, reverse: bool = False, **kwargs: Any) -> Any:
        """Encode, or decode with `reverse=True`."""
        if reverse and not self.built and self.input_channels is None:
            raise ValueError(
                f"{self.name} was first called in reverse, where its input does not tell "
                "input_channels. Call it forward first or pass input_channels."
            )
        return super().__call__(inputs, reverse=reverse, **kwargs)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel and both biases, whichever direction is called first."""
        if self.input_channels is None:
            self._check_input(input_shape, channels=None)
            self.input_channels = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.input_channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer=self.bias_initializer
            )
        if self.use_reverse_bias:
            self.reverse_bias = self.add_weight(
                name="reverse_bias",
                shape=(self.input_channels,),
                initializer=self.bias_initializer,
            )
        # Every weight is created trainable, so that the order of saved weights does not depend
        # on what was frozen.
        self._freeze_parts()

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Convolve, or apply the adjoint."""
        convolve = conv_transpose if reverse else conv
        out = convolve(inputs, self.kernel, self.padding)
        bias = self.reverse_bias if reverse else self.bias
        return out if bias is None else ops.add(out, ops.cast(bias, out.dtype))

    def compute_output_shape(self, input_shape, reverse: bool = False):
        """Shape of the encoded, or in reverse of the decoded side."""
        channels = self.filters if reverse else self.input_channels
        self._check_input(input_shape, channels)
        grow = 0 if self.padding == "same" else (1 if reverse else -1)
        height, width = (
            None if n is None else n + grow * (k - 1)
            for n, k in zip(input_shape[1:3], self.kernel_size, strict=True)
        )
        if any(n is not None and n < 1 for n in (height, width)):
            raise ValueError(
                f"The filters must fit into the input: received kernel_size={self.kernel_size} "
                f'for an input of shape {tuple(input_shape)}. Use padding="same" or smaller ones.'
            )
        return (input_shape[0], height, width, self.input_channels if reverse else self.filters)

    def compute_output_spec(self, inputs, reverse: bool = False):
        """As `compute_output_shape`, with the layer's dtype."""
        shape = self.compute_output_shape(inputs.shape, reverse=reverse)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def _check_input(self, shape: Sequence[int | None], channels: int | None) -> None:
        if len(shape) != 4 or shape[-1] is None or channels not in (None, shape[-1]):
            raise ValueError(
                f"{self.name} needs an input of shape (N, H, W, {channels or 'C'}), "
                f"channels known; received {tuple(shape)}."
            )

    def get_config(self) -> dict[str, Any]:
        """Every argument of the constructor."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "padding": self.padding,
            "use_bias": self.use_bias,
            "use_reverse_bias": self.use_reverse_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "trainable_parts": self.trainable_parts,
            "input_channels": self.input_channels,
        }


class TiedConv2DTranspose:
    """The decoder end of a `TiedConv2D`: `TiedConv2DTranspose(conv)(y)` is `conv(y, reverse=True)`.

    It is not a layer and has no weights: a model that calls it, saved or cloned, holds `conv`
    alone. The decoder has its own bias, which can be trainable or not by itself.

    Args:
        conv: the `TiedConv2D` that encodes.

    Example:
        >>> conv = TiedConv2D(8, (8, 16), padding="same")
        >>> code = conv(np.ones((2, 201, 16, 1)))
        >>> tuple(code.shape), tuple(TiedConv2DTranspose(conv)(code).shape)
        ((2, 201, 16, 8), (2, 201, 16, 1))
    """

    def __init__(self, conv: TiedConv2D) -> None:
        if not isinstance(conv, TiedConv2D):
            raise ValueError(
                "TiedConv2DTranspose decodes with the filters of a zoo.layers.TiedConv2D; received "
                f"{conv!r}. Replace the encoder's convolution by a TiedConv2D: a tie to any other "
                "layer is lost when the model is cloned."
            )
        self.conv = conv

    def __call__(self, inputs: Any) -> Any:
        """(N, H, W, filters) -> (N, H', W', input_channels)."""
        return self.conv(inputs, reverse=True)

    @property
    def kernel(self) -> Any:
        """(height, width, filters, input channels): the encoder's filters, flipped and swapped."""
        return ops.transpose(ops.flip(self.conv.kernel, axis=(0, 1)), (0, 1, 3, 2))

    @property
    def bias(self) -> Any:
        """The decoder's own bias, None without one."""
        return self.conv.reverse_bias

    @property
    def trainable(self) -> bool:
        """Whether training changes the decoder's bias; the filters follow the encoder."""
        return self.conv.trainable and "reverse_bias" in self.conv.trainable_parts

    @trainable.setter
    def trainable(self, value: bool) -> None:
        rest = tuple(part for part in self.conv.trainable_parts if part != "reverse_bias")
        self.conv.trainable_parts = (*rest, "reverse_bias") if value else rest
