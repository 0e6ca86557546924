"""The PyTorch twin of a network of the zoo: the same layers, the same weights, the same outputs.

A twin is what somebody would write in PyTorch: channels first, its own convolutions, pooling with
indices, `MaxUnpool2d` and recurrent layers. It walks the Keras model's graph, whatever the network.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import keras
import numpy as np
import torch
from torch.nn import functional

from zoo.layers import (
    BlindUpsampling2D,
    FixedMapPooling2D,
    LearnableFilterbank,
    SegmentPooling,
    SwitchPooling2D,
    SwitchUnpooling2D,
    TiedConv2D,
)

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
}


class Laid(NamedTuple):
    """A tensor, and whether its channels are its second axis or, as in Keras, its last."""

    tensor: torch.Tensor
    first: bool

    @property
    def channels_first(self) -> torch.Tensor:
        """The tensor as PyTorch's layers take it."""
        return self.tensor if self.first else self.tensor.movedim(-1, 1)

    @property
    def channels_last(self) -> torch.Tensor:
        """The tensor in Keras' order."""
        return self.tensor.movedim(1, -1) if self.first else self.tensor


class Twin(torch.nn.Module):
    """A Keras model's network in PyTorch.

    Args:
        model: functional, of layers that the zoo's networks have.
        logits: leave out the softmax at the end, as PyTorch's losses want it.
        exact: `MaxUnpool2d` sends the gradient of an element that several values fell on to each
            of them; correct that, to compare losses. Otherwise it is as PyTorch gives it.

    Raises:
        NotImplementedError: a layer has no twin.
    """

    def __init__(self, model: keras.Model, *, logits: bool = False, exact: bool = False) -> None:
        super().__init__()
        self._exact = exact
        self._input = id(model.inputs[0])
        self._output = id(model.outputs[0])
        self._steps = []
        self.parts = torch.nn.ModuleDict()
        depths = model._nodes_by_depth
        for node in (n for depth in sorted(depths, reverse=True) for n in depths[depth]):
            layer = node.operation
            if isinstance(layer, keras.layers.InputLayer):
                continue
            name = layer.name.replace(".", "_")
            if name not in self.parts:
                self.parts[name] = _weights_of(layer)
            step = _step(layer, self, bool(node.arguments.kwargs.get("reverse")))
            if logits and getattr(layer, "activation", None) is keras.activations.softmax:
                step = _same
            self._steps.append(
                (
                    name,
                    step,
                    [id(t) for t in node.input_tensors],
                    [id(t) for t in node.outputs],
                )
            )

    @property
    def exact(self) -> bool:
        """Whether shared elements send their gradient to one value alone."""
        return self._exact

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Channels first in, channels as Keras has them out."""
        values = {self._input: Laid(x, True)}
        for name, step, inputs, outputs in self._steps:
            found = step(self.parts[name], *(values[i] for i in inputs))
            values.update(zip(outputs, found if isinstance(found, list) else [found], strict=True))
        return values[self._output].channels_last


def torch_input(batch: np.ndarray, device: str, layout: torch.memory_format) -> torch.Tensor:
    """A batch in Keras' order, channels first in PyTorch's memory."""
    x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(batch, -1, 1)))
    layout = layout if x.ndim == 4 else torch.contiguous_format
    return x.to(device).contiguous(memory_format=layout)


def _same(part: Any, x: Laid) -> Laid:
    return x


def _parameter(variable: Any, axes: tuple[int, ...] | None = None) -> torch.nn.Parameter:
    array = keras.ops.convert_to_numpy(variable)
    if axes is not None:
        array = array.transpose(axes)
    return torch.nn.Parameter(torch.tensor(np.ascontiguousarray(array)), variable.trainable)


def _weights_of(layer: Any) -> torch.nn.Module:
    """A module with a layer's weights in PyTorch's order."""
    if isinstance(layer, keras.layers.Bidirectional):
        return _recurrent(layer)
    part = torch.nn.Module()
    for variable in layer.weights:
        axes = None
        if variable.name == "kernel":
            # (outputs, inputs, ...) from (..., inputs, outputs).
            rank = len(variable.shape)
            axes = (rank - 1, rank - 2, *range(rank - 2))
        if variable.name.startswith("moving"):
            part.register_buffer(variable.name, _parameter(variable).data)
        elif "seed" not in variable.name:
            part.register_parameter(variable.name, _parameter(variable, axes))
    return part


def _recurrent(layer: Any) -> torch.nn.Module:
    """`GRU` or `LSTM` of both directions."""
    forward = layer.forward_layer
    gru = isinstance(forward, keras.layers.GRU)
    if gru and not forward.reset_after:
        raise NotImplementedError("GRU with reset_after=False has no twin in PyTorch.")
    kind, inputs = (torch.nn.GRU if gru else torch.nn.LSTM), forward.cell.kernel.shape[0]
    part = kind(inputs, forward.units, batch_first=True, bidirectional=True)
    for end, one in (("l0", forward), ("l0_reverse", layer.backward_layer)):
        kernel, recurrent, bias = map(keras.ops.convert_to_numpy, one.cell.weights)
        gates = np.split(np.arange(kernel.shape[1]), 3 if gru else 4)
        # Keras has the update gate first, PyTorch the reset gate.
        order = np.concatenate([gates[1], gates[0], gates[2]] if gru else gates)
        biases = bias if gru else np.stack([bias, np.zeros_like(bias)])
        with torch.no_grad():
            getattr(part, f"weight_ih_{end}").copy_(torch.tensor(kernel.T[order]))
            getattr(part, f"weight_hh_{end}").copy_(torch.tensor(recurrent.T[order]))
            getattr(part, f"bias_ih_{end}").copy_(torch.tensor(biases[0][order]))
            getattr(part, f"bias_hh_{end}").copy_(torch.tensor(biases[1][order]))
        getattr(part, f"bias_hh_{end}").requires_grad_(gru)
    return part


def _step(layer: Any, twin: Twin, reverse: bool) -> Any:
    """The function (part, *values) of a layer's call."""
    for kind, make in STEPS:
        if isinstance(layer, kind):
            return make(layer, twin, reverse)
    raise NotImplementedError(f"{type(layer).__name__} has no twin in PyTorch.")


def _margins(size: int, window: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Zeros before and after an axis of `size`."""
    reach = dilation * (window - 1)
    if padding == "causal":
        return reach, 0
    if padding == "valid":
        return 0, 0
    total = max((math.ceil(size / stride) - 1) * stride + reach + 1 - size, 0)
    return total // 2, total - total // 2


def _padded(x: torch.Tensor, margins: list[tuple[int, int]], value: float = 0.0) -> torch.Tensor:
    flat = [n for pair in reversed(margins) for n in pair]
    return functional.pad(x, flat, value=value) if any(flat) else x


def _convolution(layer: Any, twin: Twin, reverse: bool) -> Any:
    if reverse:
        return _transposed(layer)
    tied = isinstance(layer, TiedConv2D)
    strides = (1, 1) if tied else layer.strides
    dilation = (1, 1) if tied else layer.dilation_rate
    name = "linear" if tied else layer.activation.__name__
    activation, rank = ACTIVATIONS[name], len(layer.kernel_size)
    convolve = functional.conv2d if rank == 2 else functional.conv1d
    padding, kernel = layer.padding, layer.kernel_size
    native = padding == "valid" or (padding == "same" and set(strides) == {1})

    def step(part: Any, x: Laid) -> Laid:
        y = x.channels_first
        if not native:
            margins = [
                _margins(n, k, s, d, padding)
                for n, k, s, d in zip(y.shape[2:], kernel, strides, dilation, strict=True)
            ]
            y = _padded(y, margins)
        y = convolve(
            y,
            part.kernel,
            getattr(part, "bias", None),
            strides,
            padding if native else "valid",
            dilation,
        )
        return Laid(activation(y), True)

    return step


def _transposed(layer: Any) -> Any:
    same, kernel = layer.padding == "same", layer.kernel_size
    edges = [(k - 1) // 2 if same else 0 for k in kernel]

    def step(part: Any, x: Laid) -> Laid:
        y = x.channels_first
        rows, columns = y.shape[2:]
        bias = getattr(part, "reverse_bias", None)
        y = functional.conv_transpose2d(y, part.kernel, bias, padding=edges)
        # "same" padding of an even filter is one longer behind, so that the adjoint is cut there.
        return Laid(y[..., :rows, :columns] if same else y, True)

    return step


def _pooling(layer: Any, twin: Twin, reverse: bool) -> Any:
    pool = functional.max_pool2d if len(layer.pool_size) == 2 else functional.max_pool1d
    size, strides, padding = layer.pool_size, layer.strides, layer.padding

    def step(part: Any, x: Laid) -> Laid:
        y = x.channels_first
        margins = [
            _margins(n, k, s, 1, padding)
            for n, k, s in zip(y.shape[2:], size, strides, strict=True)
        ]
        return Laid(pool(_padded(y, margins, -math.inf), size, strides), True)

    return step


def _only_valid(layer: Any) -> None:
    if layer.padding != "valid":
        raise NotImplementedError(f"{type(layer).__name__} with padding={layer.padding!r}")


def _switch_pooling(layer: Any, twin: Twin, reverse: bool) -> Any:
    _only_valid(layer)
    size, strides = layer.pool_size, layer.strides

    def step(part: Any, x: Laid) -> list[Laid]:
        y, where = functional.max_pool2d(x.channels_first, size, strides, return_indices=True)
        return [Laid(y, True), Laid(where, True)]

    return step


def _switch_unpooling(layer: Any, twin: Twin, reverse: bool) -> Any:
    _only_valid(layer)
    if layer.overlap != "last":
        raise NotImplementedError(f"SwitchUnpooling2D with overlap={layer.overlap!r}")
    size, strides, output = layer.pool_size, layer.strides, layer.output_size

    def step(part: Any, values: Laid, where: Laid) -> Laid:
        y = values.channels_first
        if twin.exact:
            y = _without_losers(y, where.tensor, output)
        return Laid(
            functional.max_unpool2d(y, where.tensor, size, strides, output_size=output), True
        )

    return step


def _without_losers(values: torch.Tensor, where: torch.Tensor, size: Any) -> torch.Tensor:
    """The values, with those that a later region overwrites set to zero without a gradient."""
    order = torch.arange(values[0, 0].numel(), device=values.device)
    order = order.reshape(values.shape[2:]).expand(where.shape)
    last = torch.full((*values.shape[:2], math.prod(size)), -1, device=values.device)
    last.scatter_reduce_(2, where.flatten(2), order.flatten(2), "amax")
    won = last.gather(2, where.flatten(2)).reshape(where.shape) == order
    return torch.where(won, values, torch.zeros_like(values))


def _blind(layer: Any, twin: Twin, reverse: bool) -> Any:
    _only_valid(layer)
    size, strides, output = layer.pool_size, layer.strides, layer.output_size

    def step(part: Any, x: Laid) -> Laid:
        y = x.channels_first
        ones = y.new_ones((y.shape[1], 1, *size))
        sums = functional.conv_transpose2d(y, ones, stride=strides, groups=y.shape[1])
        counts = functional.conv_transpose2d(
            torch.ones_like(y[:1, :1]), ones[:1], stride=strides
        ).clamp(min=1)
        up = sums / counts
        missing = [(0, n - m) for n, m in zip(output, up.shape[2:], strict=True)]
        return Laid(_padded(up, missing), True)

    return step


def _dense(layer: Any, twin: Twin, reverse: bool) -> Any:
    softmax = layer.activation is keras.activations.softmax
    activation = None if softmax else ACTIVATIONS[layer.activation.__name__]

    def step(part: Any, x: Laid) -> Laid:
        y = functional.linear(x.channels_last, part.kernel, getattr(part, "bias", None))
        return Laid(y.softmax(-1) if softmax else activation(y), False)

    return step


def _normalization(layer: Any, twin: Twin, reverse: bool) -> Any:
    momentum, epsilon = 1 - layer.momentum, layer.epsilon

    def step(part: Any, x: Laid) -> Laid:
        y = functional.batch_norm(
            x.channels_first if x.tensor.ndim > 2 else x.tensor,
            part.moving_mean,
            part.moving_variance,
            getattr(part, "gamma", None),
            getattr(part, "beta", None),
            twin.training,
            momentum,
            epsilon,
        )
        return Laid(y, x.tensor.ndim > 2)

    return step


def _activation(layer: Any, twin: Twin, reverse: bool) -> Any:
    if layer.activation is keras.activations.softmax:
        return lambda part, x: Laid(x.channels_last.softmax(-1), False)
    activation = ACTIVATIONS[layer.activation.__name__]
    return lambda part, x: Laid(activation(x.tensor), x.first)


def _dropout(layer: Any, twin: Twin, reverse: bool) -> Any:
    rate = layer.rate
    return lambda part, x: Laid(functional.dropout(x.tensor, rate, twin.training), x.first)


def _flatten(layer: Any, twin: Twin, reverse: bool) -> Any:
    return lambda part, x: Laid(x.channels_last.flatten(1), False)


def _permute(layer: Any, twin: Twin, reverse: bool) -> Any:
    axes = (0, *layer.dims)
    return lambda part, x: Laid(x.channels_last.permute(axes), False)


def _reshape(layer: Any, twin: Twin, reverse: bool) -> Any:
    shape = layer.target_shape
    return lambda part, x: Laid(x.channels_last.reshape(len(x.tensor), *shape), False)


def _merge(combine: Any) -> Any:
    def make(layer: Any, twin: Twin, reverse: bool) -> Any:
        def step(part: Any, *values: Laid) -> Laid:
            first = values[0].first
            same = [v.channels_first if first else v.channels_last for v in values]
            y = same[0]
            for other in same[1:]:
                y = combine(y, other)
            return Laid(y, first)

        return step

    return make


def _global(reduce: Any) -> Any:
    def make(layer: Any, twin: Twin, reverse: bool) -> Any:
        keep, first = layer.keepdims, layer.data_format == "channels_first"

        def step(part: Any, x: Laid) -> Laid:
            y = x.channels_last if first else x.channels_first
            return Laid(reduce(y, tuple(range(2, y.ndim)), keep), keep)

        return step

    return make


def _both_directions(layer: Any, twin: Twin, reverse: bool) -> Any:
    sequences = layer.forward_layer.return_sequences
    units = layer.forward_layer.units

    def step(part: Any, x: Laid) -> Laid:
        y, _ = part(x.channels_last)
        if not sequences:
            y = torch.cat([y[:, -1, :units], y[:, 0, units:]], -1)
        return Laid(y, False)

    return step


def _filterbank(layer: Any, twin: Twin, reverse: bool) -> Any:
    filters, hop, offset = layer.filters, layer.hop_length, layer.log_offset

    def step(part: Any, x: Laid) -> Laid:
        y = functional.conv1d(x.channels_first, part.kernel, stride=hop).square()
        y = torch.log(y[:, :filters] + y[:, filters:] + offset)
        return Laid(y[:, None], True)

    return step


def _fixed_map(layer: Any, twin: Twin, reverse: bool) -> Any:
    size = layer.output_size
    return lambda part, x: Laid(functional.adaptive_avg_pool2d(x.channels_first, size), True)


def _segment(layer: Any, twin: Twin, reverse: bool) -> Any:
    parts, around = layer.parts, layer.around

    def step(part: Any, x: Laid, *marked: Laid) -> Laid:
        if marked:
            raise NotImplementedError("SegmentPooling of marked segments")
        y = x.channels_last
        frames = y.shape[1]
        share = frames / parts
        bounds = [share * n for n in range(parts + 1)]
        lows = torch.tensor([*bounds[:-1], -around, bounds[-1]], device=y.device)
        highs = torch.tensor([*bounds[1:], 0, bounds[-1] + around], device=y.device)
        frame = torch.arange(frames, device=y.device)
        covered = torch.minimum(frame + 1, highs[:, None]) - torch.maximum(frame, lows[:, None])
        weights = covered.clamp(min=0) / (highs - lows).clamp(min=1e-3)[:, None]
        means = torch.einsum("pt,ntd->npd", weights.to(y.dtype), y).flatten(1)
        duration = math.log(frames) - 2
        known = y.new_tensor([duration, duration**2]).expand(len(y), 2)
        return Laid(torch.cat([means, known], 1), False)

    return step


# The first kind that a layer is of counts.
STEPS = (
    ((keras.layers.Conv1D, keras.layers.Conv2D, TiedConv2D), _convolution),
    ((keras.layers.MaxPooling1D, keras.layers.MaxPooling2D), _pooling),
    (SwitchPooling2D, _switch_pooling),
    (SwitchUnpooling2D, _switch_unpooling),
    (BlindUpsampling2D, _blind),
    (keras.layers.Dense, _dense),
    (keras.layers.BatchNormalization, _normalization),
    (keras.layers.Activation, _activation),
    (keras.layers.Dropout, _dropout),
    (keras.layers.Flatten, _flatten),
    (keras.layers.Permute, _permute),
    (keras.layers.Reshape, _reshape),
    (keras.layers.Identity, lambda layer, twin, reverse: _same),
    (keras.layers.Add, _merge(torch.add)),
    (keras.layers.Multiply, _merge(torch.mul)),
    ((keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D), _global(torch.amax)),
    (
        (keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D),
        _global(torch.mean),
    ),
    (keras.layers.Bidirectional, _both_directions),
    (LearnableFilterbank, _filterbank),
    (FixedMapPooling2D, _fixed_map),
    (SegmentPooling, _segment),
)
