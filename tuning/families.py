"""Search spaces of the zoo's families, around the values of a model's card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras_tuner

ACTIVATIONS = ("relu", "elu", "silu", "tanh", "sigmoid")
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
WIDTHS = (32, 64, 96, 128, 192, 256)
NONE = "none"


class Draw:
    """Declares hyperparameters with keras-tuner and gives their values.

    Args:
        hp: keras-tuner's container; new names are added to it.
        narrowed: name -> the only values to try.
        only: names that vary; every other one keeps its default. None: all vary.
    """

    def __init__(
        self,
        hp: keras_tuner.HyperParameters,
        narrowed: Mapping[str, Sequence[Any]] | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        self._hp = hp
        self._narrowed = dict(narrowed or {})
        self._only = None if only is None else set(only)
        self.names: list[str] = []

    def choice(self, name: str, values: Sequence[Any], default: Any) -> Any:
        """One of `values`; `default` is added if it is missing."""
        known = list(values) if default in values else [default, *values]
        if all(isinstance(v, (int, float)) for v in known):
            known = sorted(known)
        return self._declare(name, known, default)

    def rate(self, name: str, low: float, high: float, default: float) -> float:
        """A positive number, evenly spread over its logarithm."""
        if self._is_free(name):
            self.names.append(name)
            return self._hp.Float(name, low, high, sampling="log", default=default)
        return self._declare(name, [default], default)

    def _is_free(self, name: str) -> bool:
        return name not in self._narrowed and (self._only is None or name in self._only)

    def _declare(self, name: str, values: list[Any], default: Any) -> Any:
        self.names.append(name)
        if name in self._narrowed:
            values = [type(default)(v) for v in self._narrowed[name]]
            default = default if default in values else values[0]
        elif not self._is_free(name):
            values = [default]
        if len(values) == 1:
            return self._hp.Fixed(name, values[0])
        if isinstance(default, bool):
            return self._hp.Boolean(name, default=default)
        return self._hp.Choice(name, values, default=default)


Family = Callable[[Draw, Mapping[str, Any], tuple[int | None, ...]], dict[str, Any]]
"""(draw, all arguments of the model itself, input shape) -> arguments of the builder."""


def classifier(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Units of convolution over frequency, over time, or over both, then dense layers."""
    return {
        **_units(draw, config, shape),
        "normalization": _normalization(draw, config),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        **_dense(draw, config),
    }


def residual_classifier(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`freq_best`: a stem, then stages of residual blocks with batch normalisation."""
    return {
        "stem_filters": draw.choice("stem_filters", (8, 12, 16, 24), 16),
        "filters": _widths(draw, "stages", (2, 3, 4), (16, 32, 64)),
        "activation": draw.choice("activation", ACTIVATIONS[:3], config["activation"]),
        "dense_units": draw.choice("dense_units", WIDTHS, 128),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def any_size(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`spectrogram_any`: convolutions, then a map of a fixed size."""
    side = draw.choice("map_bins", (5, 9, 13), 9), draw.choice("map_frames", (5, 9), 9)
    return {
        "filters": _widths(draw, "units", (1, 2, 3), (16, 32)),
        "map_size": side,
        "dense_units": draw.choice("dense_units", WIDTHS, 64),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def recurrent(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`crnn`: convolutions, then a recurrent layer over the frames."""
    return {
        "filters": _widths(draw, "units", (1, 2, 3), (16, 32)),
        "recurrent_units": draw.choice("recurrent_units", (24, 32, 48, 64, 96), 48),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def tdnn(draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]) -> dict[str, Any]:
    """`tdnn`: a front end over frequency, then residual blocks of dilated convolutions."""
    return {
        **tdnn_encoder(draw, config, shape),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def tdnn_segments(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`tdnn_segments`: `tdnn`, and the spans of a segment that it is averaged over."""
    return {
        **tdnn(draw, config, shape),
        "parts": draw.choice("parts", (1, 2, 3, 4), config["parts"]),
        "around": draw.choice("around", (2, 5, 10), config["around"]),
    }


def tdnn_encoder(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """The part that `tdnn` and `tdnn_ae` have in common."""
    own = config["dilations"]
    blocks = draw.choice("blocks", (2, 3, 4, 5, 6), len(own))
    first = draw.choice("first_dilation", (1, 2, 3), own[0])
    ratio = (own[-1] / own[0]) ** (1 / (len(own) - 1)) if len(own) > 1 else 1.6
    growth = draw.choice("dilation_growth", (1.0, 1.3, 1.6, 2.0), round(ratio, 1))
    return {
        "filters": _widths(draw, "units", (1, 2, 3), config["filters"]),
        "block_filters": draw.choice("block_filters", WIDTHS, config["block_filters"]),
        "dilations": tuple(round(first * growth**block) for block in range(blocks)),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
    }


def recurrent_frames(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`crnn_frames`: a front end over frequency, then a recurrent layer over the frames."""
    return {
        **recurrent_encoder(draw, config, shape),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def recurrent_encoder(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """The part that `crnn_frames` and `crnn_frames_ae` have in common."""
    return {
        "filters": _widths(draw, "units", (1, 2, 3), config["filters"]),
        "recurrent_units": draw.choice("recurrent_units", WIDTHS, config["recurrent_units"]),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
    }


def waveform(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`waveform`: convolutions in each frame, then over the frames."""
    taps = draw.choice("first_taps", (16, 24, 32, 48), 32), draw.choice("later_taps", (4, 8, 16), 8)
    strides = draw.choice("first_stride", (2, 4, 6), 4), draw.choice("later_stride", (1, 2), 2)
    return {
        "filters": (
            draw.choice("first_filters", (8, 16, 24, 32), 16),
            draw.choice("later_filters", (16, 32, 48, 64), 32),
        ),
        "taps": taps,
        "strides": strides,
        "frame_filters": draw.choice("frame_filters", (32, 64, 96, 128), 64),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def digits_residual(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Residual blocks on a spectrogram of any length."""
    return {
        "filters": _widths(draw, "blocks", (2, 3, 4), (16, 32, 64)),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def digits_filterbank(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """The same behind a learnt filterbank."""
    return {
        "bands": draw.choice("bands", (24, 32, 40, 64), 40),
        "taps": draw.choice("taps", (100, 200, 300), 200),
        "hop_length": draw.choice("hop_length", (40, 80, 160), 80),
        **digits_residual(draw, config, shape),
    }


def digits_dense(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Dense layers on an average spectrum, or on each frame."""
    width = draw.choice("dense_units", WIDTHS, 64)
    return {
        "dense_units": (width,) * draw.choice("dense_layers", (1, 2, 3), 2),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def autoencoder(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Units of convolution and pooling, and their inverses."""
    return {
        **_units(draw, config, shape),
        "activation": draw.choice("activation", ACTIVATIONS, config["activation"]),
        "unpooling": draw.choice("unpooling", ("switch", "blind"), config["unpooling"]),
        "overlap": draw.choice("overlap", ("last", "mean", "sum"), "last"),
        "decoder": draw.choice("decoder", ("free", "transpose_init", "tied"), "free"),
        "decoder_relu": draw.choice("decoder_relu", (False, True), True),
    }


def general(draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]) -> dict[str, Any]:
    """The usual options of any builder, for builders without their own space."""
    found = {}
    if isinstance(config.get("activation"), str):
        found["activation"] = draw.choice("activation", ACTIVATIONS, config["activation"])
    if isinstance(config.get("dropout"), float):
        found["dropout"] = draw.choice("dropout", DROPOUTS, config["dropout"])
    return found


# The builder decides what can vary, its card around which values; of others see `general`.
FAMILIES: Mapping[str, Family] = {
    "zoo.models.classifiers:classifier": classifier,
    "zoo.models.residual:residual_classifier": residual_classifier,
    "zoo.models.audio:any_size": any_size,
    "zoo.models.audio:convolution_recurrence": recurrent,
    "zoo.models.audio:framed_waveform": waveform,
    "zoo.models.digits:residual": digits_residual,
    "zoo.models.digits:filterbank": digits_filterbank,
    "zoo.models.digits:long_term_average": digits_dense,
    "zoo.models.digits:framewise": digits_dense,
    "zoo.models.autoencoders:autoencoder": autoencoder,
    "zoo.models.recognizers:tdnn": tdnn,
    "zoo.models.recognizers:tdnn_autoencoder": tdnn_encoder,
    "zoo.models.segments:tdnn_segments": tdnn_segments,
    "zoo.models.recognizers:crnn_frames": recurrent_frames,
    "zoo.models.recognizers:crnn_frames_autoencoder": recurrent_encoder,
}


def _units(draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Units of convolution and pooling, alike but for their widths and the first one's kernel."""
    kernels, pools, strides = (config[k] for k in ("kernel_sizes", "pool_sizes", "pool_strides"))
    later = kernels[min(1, len(kernels) - 1)]
    # Over which axes the model's filters are smaller than the map.
    frequency, time = (size is not None for size in kernels[0])
    count = draw.choice("units", (1, 2, 3, 4, 5), len(kernels))
    pool, stride = (s[0] if s[0][0] is not None else (2, 2) for s in (pools, strides))
    first, growth = _filters(draw, (4, 8, 12, 16, 24, 32), config["filters"])
    padding = draw.choice("padding", ("same", "valid"), config["padding"])
    bins: _Axis = ((None, 1), 1, 1)
    if frequency:
        bins = (
            (
                draw.choice("kernel_bins", (3, 5, 8, 11, 16), kernels[0][0]),
                draw.choice("later_kernel_bins", (3, 5, 8, 11), later[0]),
            ),
            draw.choice("pool_bins", (2, 3, 5), pool[0]),
            draw.choice("stride_bins", (1, 2, 3), stride[0]),
        )
    frames: _Axis
    if time:
        frames = (
            (
                draw.choice("kernel_frames", (2, 3, 5), kernels[0][1]),
                draw.choice("later_kernel_frames", (2, 3, 5), later[1]),
            ),
            draw.choice("pool_frames", (1, 2, 3), pool[1]),
            draw.choice("stride_frames", (1, 2), stride[1]),
        )
    else:
        width = draw.choice("pool_frames", (1, 2), pool[1])
        frames = ((None, None), width, width)
    sizes = [
        _kernels(axis, count, length, padding)
        for axis, length in ((bins, shape[0]), (frames, shape[1]))
    ]
    found = {
        "filters": tuple(round(first * growth**unit) for unit in range(count)),
        "kernel_sizes": tuple(zip(*sizes, strict=True)),
        "pool_sizes": ((bins[1], frames[1]),) * count,
        "pool_strides": ((bins[2], frames[2]),) * count,
        "padding": padding,
    }
    if draw.choice("global_pool", (False, True), pools[-1][0] is None):
        for key in ("pool_sizes", "pool_strides"):
            found[key] = (*found[key][:-1], (None, None))
    return found


_Axis = tuple[tuple[int | None, int | None], int, int]
"""Along one axis: the first and the later kernels' size, the pooling's size and its stride."""


def _kernels(axis: _Axis, count: int, length: int | None, padding: str) -> list[int | None]:
    """Each unit's kernel size along an axis; padded ones are cut to the map that they see."""
    (first, later), pool, stride = axis
    sizes = [first] + [later] * (count - 1)
    if padding == "valid" or length is None:
        return sizes
    for unit, size in enumerate(sizes):
        if size is not None:
            sizes[unit] = min(size, max(length, 1))
        length = (length - pool) // stride + 1
    return sizes


def _filters(draw: Draw, firsts: Sequence[int], own: Sequence[int]) -> tuple[int, float]:
    """The first layer's filters, and how many times as many each later one has."""
    growth = own[1] / own[0] if len(own) > 1 else 2.0
    return (
        draw.choice("first_filters", firsts, own[0]),
        draw.choice("filter_growth", (1.0, 1.5, 2.0), growth),
    )


def _normalization(draw: Draw, config: Mapping[str, Any]) -> str | None:
    # keras-tuner has no None among its choices.
    chosen = draw.choice("normalization", (NONE, "batch"), config["normalization"] or NONE)
    return None if chosen == NONE else chosen


def _dense(draw: Draw, config: Mapping[str, Any]) -> dict[str, Any]:
    widths = config["dense_units"]
    width = draw.choice("dense_units", WIDTHS, widths[0])
    return {
        "dense_units": (width,) * draw.choice("dense_layers", (1, 2, 3), len(widths)),
        "dropout": draw.choice("dropout", DROPOUTS, config["dropout"]),
    }


def _widths(
    draw: Draw, count: str, counts: Sequence[int], default: Sequence[int]
) -> tuple[int, ...]:
    number = draw.choice(count, counts, len(default))
    first, growth = _filters(draw, (8, 16, 24, 32), default)
    return tuple(round(first * growth**unit) for unit in range(number))
