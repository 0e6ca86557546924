"""The callable signatures of an exported phone classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from export.wav import decode_wavs
from zoo.data.frontend import Frontend

if TYPE_CHECKING:
    import keras

TOP = 5
"""How many phones an answer names."""


def place(waveform, length: int):
    """Centre waveforms (N, samples) in `length` samples: `zoo.data.frontend.place` as a graph."""
    samples = tf.shape(waveform)[1]
    first = tf.maximum(samples - length, 0) // 2
    waveform = waveform[:, first : first + length]
    missing = length - tf.shape(waveform)[1]
    waveform = tf.pad(waveform, [[0, 0], [missing // 2, missing - missing // 2]])
    return tf.ensure_shape(waveform, [None, length])


class ClassifierModule(tf.Module):
    """A classifier with its preprocessing, as functions that a SavedModel's signatures are.

    Args:
        model: network, (N, F, T, C) centred representations -> (N, classes) probabilities.
        frontend: what lies between a waveform and the network.
        classes: names of the outputs.
    """

    def __init__(self, model: keras.Model, frontend: Frontend, classes: Sequence[str]) -> None:
        super().__init__(name="classifier")
        self._frontend = frontend
        self._classes = list(classes)
        centre = frontend.centre_layer()
        centre.build((None, *frontend.shape))
        # Held as plain functions: a SavedModel would otherwise carry Keras objects that nothing
        # but Keras can revive. The variables alone are what the functions need.
        self._represent = _Function(frontend.level_layer(), *frontend.representation_layers())
        self._classify = _Function(centre, model)
        self.parameters = [v.value for layer in (centre, model) for v in layer.variables]

    def _answer(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> the three named outputs."""
        probabilities = tf.cast(self._classify(representation), tf.float32)
        scores, best = tf.math.top_k(probabilities, k=min(TOP, len(self._classes)))
        return {
            "probabilities": probabilities,
            "phones": tf.gather(tf.constant(self._classes), best),
            "scores": scores,
        }

    def _heard(self, waveform) -> dict[str, Any]:
        """(N, length) at the front end's rate -> the three named outputs."""
        return self._answer(self._represent(waveform))

    def signatures(self) -> dict[str, Any]:
        """Signature name -> function with a fixed input signature."""
        frontend = self._frontend

        def representation_signature(spectrogram):
            return self._answer(_checked(spectrogram, "spectrogram"))

        def waveform_signature(waveform):
            return self._heard(place(_checked(waveform, "waveform"), frontend.length))

        def wav_signature(wav):
            wav = _checked(wav, "wav")
            return self._heard(decode_wavs(wav, frontend.sample_rate, frontend.length))

        shape = [None, *frontend.shape]
        specs = {
            "serving_default": (
                representation_signature,
                tf.TensorSpec(shape, tf.float32, "spectrogram"),
            ),
            "waveform": (waveform_signature, tf.TensorSpec([None, None], tf.float32, "waveform")),
            "wav_bytes": (wav_signature, tf.TensorSpec([None], tf.string, "wav")),
        }
        return {
            name: tf.function(function, input_signature=[spec])
            for name, (function, spec) in specs.items()
        }


class _Function:
    """Calls layers in turn, in inference mode, without being an object that TensorFlow tracks."""

    def __init__(self, *layers: Any) -> None:
        self._layers = layers

    def __call__(self, x):
        for layer in self._layers:
            x = layer(x, training=False)
        return x


def _checked(x, name: str):
    """`x` where it holds something, and finite numbers if it holds numbers; else an error."""
    # Convolutions of an empty batch fail with a message that explains nothing.
    checks = [
        tf.debugging.Assert(tf.size(x) > 0, [f"{name} is empty; one row or more is expected"])
    ]
    if x.dtype.is_floating:
        message = f"{name} holds values that are NaN or infinite; finite numbers are expected"
        checks.append(tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(x)), [message]))
    with tf.control_dependencies(checks):
        return tf.identity(x)
