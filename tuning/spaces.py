"""Search spaces: what may vary in each family of the zoo, around the model that a search starts at.

Every hyperparameter has the model's own value among its candidates, and as its default: the first
trial of a search is the model itself, so that a report compares with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.engine.hyperparameters import Boolean

import zoo
from tuning.costs import NO_BUDGET, Budget
from zoo.data.augmentation import Augmenter
from zoo.data.prepared import Prepared
from zoo.errors import UsageError, nearest
from zoo.registry import ModelCard
from zoo.training.objectives import OBJECTIVES

ACTIVATIONS = ("relu", "elu", "silu", "tanh", "sigmoid")
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
WIDTHS = (32, 64, 96, 128, 192, 256)
NO_AUGMENTATION = "none"
ATTEMPTS = 300
"""Networks that may be refused before a space counts as impossible."""

AUGMENTATIONS = (NO_AUGMENTATION, "mask", "shift,mask", "pitch,shift,mask,noise")


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What one trial builds and how it trains.

    Attributes:
        overrides: arguments of the model's builder.
        settings: of its training.
    """

    overrides: dict[str, Any]
    settings: dict[str, Any]


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
"""(draw, the card's config, input shape) -> arguments of the builder."""


def classifier(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Units of convolution over frequency, over time, or over both, then dense layers."""
    return {
        **_units(draw, config, shape),
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        **_dense(draw, config),
    }


def residual_classifier(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`freq_best`: a stem, then stages of residual blocks with batch normalisation."""
    return {
        "stem_filters": draw.choice("stem_filters", (8, 12, 16, 24), 16),
        "filters": _widths(draw, "stages", (2, 3, 4), (16, 32, 64)),
        "activation": draw.choice("activation", ACTIVATIONS[:3], "relu"),
        "dense_units": draw.choice("dense_units", WIDTHS, 128),
        "dropout": draw.choice("dropout", DROPOUTS, 0.5),
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
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "dropout": draw.choice("dropout", DROPOUTS, 0.5),
    }


def recurrent(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """`crnn`: convolutions, then a recurrent layer over the frames."""
    return {
        "filters": _widths(draw, "units", (1, 2, 3), (16, 32)),
        "recurrent_units": draw.choice("recurrent_units", (24, 32, 48, 64, 96), 48),
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "dropout": draw.choice("dropout", DROPOUTS, 0.5),
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
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "dropout": draw.choice("dropout", DROPOUTS, 0.5),
    }


def digits_residual(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Residual blocks on a spectrogram of any length."""
    return {
        "filters": _widths(draw, "blocks", (2, 3, 4), (16, 32, 64)),
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "dropout": draw.choice("dropout", DROPOUTS, 0.2),
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
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "dropout": draw.choice("dropout", DROPOUTS, 0.2),
    }


def autoencoder(
    draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]
) -> dict[str, Any]:
    """Units of convolution and pooling, and their inverses."""
    return {
        **_units(draw, config, shape),
        "activation": draw.choice("activation", ACTIVATIONS, "relu"),
        "unpooling": draw.choice(
            "unpooling", ("switch", "blind"), config.get("unpooling", "switch")
        ),
        "overlap": draw.choice("overlap", ("last", "mean", "sum"), "last"),
        "decoder": draw.choice("decoder", ("free", "transpose_init", "tied"), "free"),
        "decoder_relu": draw.choice("decoder_relu", (False, True), True),
    }


# The builder decides what can vary, its card around which values.
FAMILIES: Mapping[str, Family] = {
    "zoo.models.classifiers:classifier": classifier,
    "zoo.models.best:residual_classifier": residual_classifier,
    "zoo.models.audio:any_size": any_size,
    "zoo.models.audio:convolution_recurrence": recurrent,
    "zoo.models.audio:framed_waveform": waveform,
    "zoo.models.digits:residual": digits_residual,
    "zoo.models.digits:filterbank": digits_filterbank,
    "zoo.models.digits:long_term_average": digits_dense,
    "zoo.models.digits:framewise": digits_dense,
    "zoo.models.autoencoders:autoencoder": autoencoder,
}


class Space:
    """What a search may vary in a model of the zoo, and what it must not exceed.

    Args:
        model: its name.
        input_shape: of the examples to search on.
        classes: number of their classes, for a classifier.
        budget: limits of every network that is tried.
        augmentations: for `zoo.data.augmentation.parse`, or "none".
        narrowed: hyperparameter -> the only values to try.
        only: hyperparameters that vary; the others keep the model's own values. None: all vary.

    Raises:
        UsageError: a model without a space, or a hyperparameter that it does not have.

    Example:
        >>> space = Space("freq_fullpad", (201, 16, 1), 48, only=["units", "learning_rate"])
        >>> space.configuration(space.hyperparameters()).overrides["filters"]
        (8, 16, 32, 64)
    """

    def __init__(
        self,
        model: str,
        input_shape: tuple[int | None, ...],
        classes: int | None = None,
        budget: Budget = NO_BUDGET,
        *,
        augmentations: Sequence[str] = (NO_AUGMENTATION,),
        narrowed: Mapping[str, Sequence[Any]] | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        self.card: ModelCard = zoo.describe(model)
        if self.card.builder not in FAMILIES:
            known = [n for n in zoo.list_models() if zoo.describe(n).builder in FAMILIES]
            raise UsageError(
                f"there is no search space for {model}; there are for {', '.join(known)}."
            )
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.budget = budget
        self._augmentations = tuple(augmentations)
        self._narrowed = {name: list(values) for name, values in (narrowed or {}).items()}
        self._only = None if only is None else list(only)
        self._judged: dict[str, str | None] = {}
        draw = Draw(keras_tuner.HyperParameters())
        self._declare(draw)
        for name in (*self._narrowed, *(self._only or ())):
            if name not in draw.names:
                raise UsageError(
                    f"{model} has no hyperparameter {name!r}. "
                    + nearest(name, draw.names, "hyperparameter")
                )
        try:
            self.hyperparameters()
        except (TypeError, ValueError) as error:
            raise UsageError(f"the values for {model}'s space are of no use: {error}.") from error

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """All hyperparameters, at the model's own values."""
        hp = keras_tuner.HyperParameters()
        self._declare(Draw(hp, self._narrowed, self._only))
        return hp

    def configuration(self, hp: keras_tuner.HyperParameters) -> Configuration:
        """What the values in `hp` mean; missing ones are declared."""
        return self._declare(Draw(hp, self._narrowed, self._only))

    def configuration_of(self, values: Mapping[str, Any]) -> Configuration:
        """What these values mean."""
        hp = self.hyperparameters()
        hp.values = {**hp.values, **values}
        return self.configuration(hp)

    def build(self, configuration: Configuration) -> keras.Model:
        """The configuration's network, untrained.

        Raises:
            UsageError: its layers do not fit into each other.
        """
        return zoo.build(self.card.name, **configuration.overrides)

    def problem(self, values: Mapping[str, Any]) -> str | None:
        """Why these values are not worth a trial, or None: layers that do not fit, or the budget.

        A network's verdict is kept: a measured latency is not measured twice.
        """
        configuration = self.configuration_of(values)
        key = repr(configuration.overrides)
        if key not in self._judged:
            try:
                self._judged[key] = self.budget.exceeded(self.build(configuration))
            except UsageError as error:
                self._judged[key] = str(error)
        return self._judged[key]

    def first(self, seed: int = 0) -> Configuration:
        """The model itself if it keeps the budget, or else one that does.

        Raises:
            UsageError: none of many random ones does.
        """
        hp = self.hyperparameters()
        state = np.random.default_rng(seed)
        for _ in range(ATTEMPTS):
            problem = self.problem(hp.values)
            if problem is None:
                return self.configuration(hp)
            drawn = state.integers(2**31, size=len(hp.space))
            for entry, number in zip(hp.space, drawn, strict=True):
                hp.values[entry.name] = entry.random_sample(int(number))
        raise UsageError(
            f"no network of {self.card.name}'s search space can be tried; of {ATTEMPTS} drawn, the "
            f"last: {problem}. Raise the limits, or widen the space."
        )

    def record(self) -> list[dict[str, Any]]:
        """Every hyperparameter's name and range, as JSON."""
        found = []
        for hp in self.hyperparameters().space:
            config = hp.get_config()
            kept = ("values", "value", "min_value", "max_value", "sampling")
            found.append(
                {"name": hp.name}
                | {k: config[k] for k in kept if config.get(k) is not None}
                | ({"values": [False, True]} if isinstance(hp, Boolean) else {})
            )
        return found

    def _declare(self, draw: Draw) -> Configuration:
        family = FAMILIES[self.card.builder]
        overrides = family(draw, self.card.config, self.input_shape)
        overrides["input_shape"] = self.input_shape
        if self.classes is not None:
            overrides["classes"] = self.classes
        settings: dict[str, Any] = {
            "learning_rate": draw.rate("learning_rate", 1e-3, 5e-2, 0.01),
            "initial_accumulator": draw.choice("initial_accumulator", (0.0, 0.1), 0.0),
            "l2": draw.choice("l2", (0.0, 1e-5, 1e-4), 0.0),
        }
        if self.card.family == "autoencoder":
            settings |= {
                "objective": draw.choice("objective", tuple(OBJECTIVES), "euclidean"),
                "sparse": draw.choice("sparse", (0.0, 1e-4, 1e-3), 0.0),
                "contractive": draw.choice("contractive", (0.0, 1e-4, 1e-3), 0.0),
            }
        if len(self._augmentations) > 1:
            chosen = draw.choice("augment", self._augmentations, NO_AUGMENTATION)
            settings["augment"] = None if chosen == NO_AUGMENTATION else chosen
        return Configuration(overrides, settings)


def augmentations_for(prepared: Prepared) -> tuple[str, ...]:
    """Those of `AUGMENTATIONS` that the set's representation allows."""
    allowed = []
    for text in AUGMENTATIONS:
        if text != NO_AUGMENTATION:
            try:
                Augmenter(text, prepared.frontend, len(prepared.classes))
            except UsageError:
                continue
        allowed.append(text)
    return tuple(allowed)


def _units(draw: Draw, config: Mapping[str, Any], shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Units of convolution and pooling, alike but for their widths and the first one's kernel."""
    kernels, pools, strides = (config[k] for k in ("kernel_sizes", "pool_sizes", "pool_strides"))
    later = kernels[min(1, len(kernels) - 1)]
    # Over which axes the model's filters are smaller than the map.
    frequency, time = (size is not None for size in kernels[0])
    count = draw.choice("units", (1, 2, 3, 4, 5), len(kernels))
    first = draw.choice("first_filters", (4, 8, 12, 16, 24, 32), config["filters"][0])
    growth = draw.choice("filter_growth", (1.0, 1.5, 2.0), 2.0)
    padding = draw.choice("padding", ("same", "valid"), config["padding"])
    bins: _Axis = ((None, 1), 1, 1)
    if frequency:
        bins = (
            (
                draw.choice("kernel_bins", (3, 5, 8, 11, 16), kernels[0][0]),
                draw.choice("later_kernel_bins", (3, 5, 8, 11), later[0]),
            ),
            draw.choice("pool_bins", (2, 3, 5), pools[0][0]),
            draw.choice("stride_bins", (1, 2, 3), strides[0][0]),
        )
    frames: _Axis
    if time:
        frames = (
            (
                draw.choice("kernel_frames", (2, 3, 5), kernels[0][1]),
                draw.choice("later_kernel_frames", (2, 3, 5), later[1]),
            ),
            draw.choice("pool_frames", (1, 2, 3), pools[0][1]),
            draw.choice("stride_frames", (1, 2), strides[0][1]),
        )
    else:
        pool = draw.choice("pool_frames", (1, 2), pools[0][1])
        frames = ((None, None), pool, pool)
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


def _dense(draw: Draw, config: Mapping[str, Any]) -> dict[str, Any]:
    widths = config["dense_units"]
    width = draw.choice("dense_units", WIDTHS, widths[0])
    return {
        "dense_units": (width,) * draw.choice("dense_layers", (1, 2, 3), len(widths)),
        "dropout": draw.choice("dropout", DROPOUTS, config.get("dropout", 0.5)),
    }


def _widths(
    draw: Draw, count: str, counts: Sequence[int], default: Sequence[int]
) -> tuple[int, ...]:
    number = draw.choice(count, counts, len(default))
    first = draw.choice("first_filters", (8, 16, 24, 32), default[0])
    growth = draw.choice("filter_growth", (1.0, 1.5, 2.0), 2.0)
    return tuple(round(first * growth**unit) for unit in range(number))
