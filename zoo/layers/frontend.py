"""Layers around a representation: level before it, deltas and mean after it."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.data.features import analysis
from zoo.data.features.frontend import LEVELS, RMS, Frontend, to_level
from zoo.data.features.normalization import statistics
from zoo.data.features.surroundings import heard, marks
from zoo.layers.auditory import MFCC, Gammatone, LogMel
from zoo.layers.spectrogram import Frames, Spectrogram

SEGMENT_LEVELS = ("none", "peak", "rms")


def representation_layers(settings: dict[str, Any]) -> list[keras.layers.Layer]:
    """New layers that, one after the other, turn levelled waveforms into a representation.

    Args:
        settings: as `representation_settings` gives and a front end records them.
    """
    return [
        keras.layers.Reshape((-1, 1))
        if isinstance(step, analysis.Waveform)
        else _LAYERS[type(step)](**dataclasses.asdict(step))
        for step in analysis.representation_steps(settings)
    ]


def level_layer(frontend: Frontend) -> Level:
    """The layer that scales a segment as a front end scales files; a single segment counts as a
    file."""
    return Level(LEVELS[frontend.level][1], RMS, name="level")


def waveform_layers(frontend: Frontend) -> list[keras.layers.Layer]:
    """New layers that, one after the other, turn placed segments into representations that are not
    yet centred.

    A single segment has no file around it. So it is brought to the front end's level by itself, and
    normalised by itself if the front end normalises by recording.
    """
    normalization = [RecordingNormalization(name="normalize")] if frontend.by_recording else []
    chain = [
        level_layer(frontend),
        *representation_layers(frontend.representation),
        *normalization,
    ]
    return [_Marked(chain, frontend.shortest, frontend.hop)] if frontend.context else chain


class _Marked(keras.layers.Layer):
    """What a chain of layers gives for lone segments, and a channel that marks what is heard."""

    def __init__(self, chain: list[keras.layers.Layer], frame_length: int, hop: int) -> None:
        super().__init__(dtype="float32", trainable=False, name="marked")
        self._chain, self._frame_length, self._hop = chain, frame_length, hop

    def call(self, waveform):
        """(N, samples) -> (N, F, T, C + 1)."""
        x = waveform
        for layer in self._chain:
            x = layer(x)
        return marked(x, *heard(waveform, ops), self._frame_length, self._hop)


def marked(x: Any, starts: Any, ends: Any, frame_length: int, hop: int) -> Any:
    """`zoo.data.features.Frontend.marked` in a graph."""
    found = marks(starts, ends, x.shape[2], frame_length, hop, ops)
    channel = ops.broadcast_to(found[:, None, :, None], (*ops.shape(x)[:3], 1))
    return ops.concatenate([x, channel], axis=3)


def centre_layer(frontend: Frontend) -> SubtractMean:
    """The layer that subtracts a front end's mean."""
    return SubtractMean(frontend.mean, name="subtract_mean")


@keras.saving.register_keras_serializable(package="zoo")
class Level(keras.layers.Layer):
    """Bring every waveform of a batch to one level.

    The recording level alone changes the accuracy on real speech by several points, and a served
    segment has no file around it to be scaled by. The result does not depend on padding with zeros:
    they do not change the peak, and the RMS is taken from the first to the last sample that is not
    zero. Silence stays silence.

    Args:
        mode: `"peak"` scales each waveform to a largest magnitude of 1, `"rms"` to a root mean
            square of `rms`, `"none"` leaves it.
        rms: full scale is 1; used by `"rms"` alone.

    Input shape:
        (N, samples), any floating type.

    Output shape:
        (N, samples), always float32.
    """

    def __init__(self, mode: str = "peak", rms: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if mode not in SEGMENT_LEVELS:
            raise ValueError(f"mode must be one of {', '.join(SEGMENT_LEVELS)}; received {mode!r}.")
        if not rms > 0:
            raise ValueError(f"rms must be above 0; received {rms!r}.")
        self.mode = mode
        self.rms = rms

    def call(self, waveform):
        """(N, samples) -> (N, samples)."""
        if self.mode == "none":
            return waveform
        peak = ops.max(ops.abs(waveform), axis=-1, keepdims=True)
        # Scaled by the peak first, the squares of a quiet waveform do not vanish.
        waveform = waveform / ops.where(peak > 0, peak, ops.ones_like(peak))
        if self.mode == "peak":
            return waveform
        samples = ops.shape(waveform)[-1]
        index = ops.cast(ops.arange(samples), "float32")[None, :]
        heard = ops.not_equal(waveform, 0.0)
        last = ops.max(ops.where(heard, index, -1.0), axis=-1, keepdims=True)
        first = ops.min(
            ops.where(heard, index, ops.cast(samples, "float32")), axis=-1, keepdims=True
        )
        energy = ops.sum(ops.square(waveform), axis=-1, keepdims=True)
        energy = ops.where(peak > 0, energy, ops.ones_like(energy))
        return waveform * (self.rms * ops.sqrt(ops.maximum(last - first + 1.0, 1.0) / energy))

    def analyse(self, waveforms: np.ndarray) -> np.ndarray:
        """What calling the layer gives, computed by NumPy, (N, samples) -> (N, samples)."""
        return to_level(np.asarray(waveforms, "float32"), self.mode, self.rms)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "mode": self.mode, "rms": self.rms}


@keras.saving.register_keras_serializable(package="zoo")
class Deltas(keras.layers.Layer):
    """Append temporal derivatives as channels: slopes of a regression over neighbouring frames.

    `d[t] = sum(n * (x[t + n] - x[t - n])) / (2 * sum(n ** 2))` for n from 1 to `width // 2`. Past
    the edges the first and the last frame are repeated. The second order is the same formula
    applied to the first. The unit is that of the representation per frame.

    Args:
        order: 1 for deltas, 2 for deltas and delta-deltas.
        width: frames that a slope is taken over, odd, 3 or more.

    Input shape:
        (N, F, T, C), T known or not.

    Output shape:
        (N, F, T, C * (order + 1)): all channels, then their deltas, then delta-deltas; float32.

    Reference: Young et al., The HTK Book, "Delta, acceleration and third differential
    coefficients"; Riemens (2015), section 2.3.
    """

    def __init__(self, order: int = 1, width: int = 5, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.formula = analysis.Deltas(order=order, width=width)
        self.order = order
        self.width = width

    def call(self, x):
        """(N, F, T, C) -> (N, F, T, C * (order + 1))."""
        return self.formula.appended(x, ops.concatenate)

    def analyse(self, x: np.ndarray) -> np.ndarray:
        """What calling the layer gives, computed by NumPy."""
        return self.formula.analyse(x)

    def compute_output_shape(self, input_shape):
        """(N, F, T, C) -> (N, F, T, C * (order + 1))."""
        return self.formula.shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "order": self.order, "width": self.width}


@keras.saving.register_keras_serializable(package="zoo")
class RecordingNormalization(keras.layers.Layer):
    """Normalise every bin by its mean and standard deviation over the recording.

    Both depend on microphone and voice; for unseen speakers the accuracy rises by several points.
    Deviations have a floor and, for few frames, are pulled towards those of all bins: see
    `zoo.data.features.normalization.statistics`. Silence becomes zeros.

    Input shape:
        (N, F, T, C), T known or not, 1 or more: whole recordings, without padding.

    Output shape:
        The input's, always float32.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})

    def call(self, x):
        """(N, F, T, C) -> (N, F, T, C)."""
        found = statistics(x, ops)
        return (x - found.mean) / found.deviation

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="zoo")
class SubtractMean(keras.layers.Layer):
    """Subtract a training set's mean, element by element.

    Args:
        mean: array-like of one example's shape, 1 along axes of unknown length; or None for
            zeros until weights are loaded. Kept with the weights, not in the configuration.

    Input shape:
        (N, ...), of which axes may be unknown.

    Output shape:
        The input's, always float32.
    """

    def __init__(self, mean: Any = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self._initial = None if mean is None else np.asarray(mean, "float32")

    def build(self, input_shape):
        """Create the `mean` weight of one example's shape, 1 where that is unknown."""
        shape = tuple(1 if size is None else size for size in input_shape[1:])
        if self._initial is not None and self._initial.shape != shape:
            raise ValueError(
                f"The mean's shape must be that of one example, {shape}; "
                f"received {self._initial.shape}."
            )
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        if self._initial is not None:
            self.mean.assign(self._initial)

    def call(self, x):
        """(N, ...) -> (N, ...)."""
        return x - self.mean

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments but the mean, which is among the weights."""
        return {**super().get_config()}


_LAYERS = {
    analysis.Spectrogram: Spectrogram,
    analysis.LogMel: LogMel,
    analysis.MFCC: MFCC,
    analysis.Gammatone: Gammatone,
    analysis.Frames: Frames,
    analysis.Deltas: Deltas,
}
