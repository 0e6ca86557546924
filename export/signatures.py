"""The callable signatures of exported classifiers and autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inference import fixed_length
from zoo.layers import centre_layer, level_layer, representation_layers

from .wav import MAX_SECONDS, decode_wavs

if TYPE_CHECKING:
    import keras

TOP = 5
"""How many phones an answer names."""

CLASSIFY = "classify"
"""The signature that takes serialised tf.Example, as TensorFlow Serving's classify does."""


def place(waveform, lengths, length: int):
    """Centre each waveform in `length` samples: `zoo.data.features.frontend.place` as a graph.

    Args:
        waveform: (N, samples); a row counts up to its length.
        lengths: (N,) int32, 1 to samples.
        length: samples of the result.

    Returns:
        (N, length).
    """
    # Two magnitudes are halved: a negative difference would round the other way.
    first = tf.maximum(lengths - length, 0) // 2 - tf.maximum(length - lengths, 0) // 2
    index = tf.range(length)[None, :] + first[:, None]  # (N, length)
    inside = (index >= 0) & (index < lengths[:, None])
    last = tf.shape(waveform)[1] - 1
    values = tf.gather(waveform, tf.clip_by_value(index, 0, last), batch_dims=1)
    return tf.ensure_shape(tf.where(inside, values, 0.0), [None, length])


class _Module(tf.Module):
    """A network with its preprocessing, as functions that a SavedModel's signatures are.

    Args:
        model: network, takes (N, F, T, C) centred representations.
        frontend: what lies between a waveform and the network.
    """

    def __init__(self, model: keras.Model, frontend: Frontend) -> None:
        super().__init__(name="exported")
        self._frontend = frontend
        self._length = fixed_length(frontend)
        centre = centre_layer(frontend)
        centre.build((None, *frontend.shape))
        encoder = _encoder(model)
        # Held as plain functions: a SavedModel would otherwise carry Keras objects that nothing
        # but Keras can revive. The variables alone are what the functions need.
        self._represent = _Function(
            level_layer(frontend), *representation_layers(frontend.representation)
        )
        self._network = _Function(centre, model)
        self._encode = None if encoder is None else _Function(centre, encoder)
        self._mean = lambda: tf.convert_to_tensor(centre.mean)
        self.parameters = [v.value for layer in (centre, model) for v in layer.variables]

    def _answer(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> named outputs."""
        raise NotImplementedError

    def _heard(self, waveform) -> dict[str, Any]:
        """(N, length) at the front end's rate -> named outputs."""
        return self._answer(self._represent(waveform))

    def numbers(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> the outputs that are numbers and need nothing else."""
        raise NotImplementedError

    def numeric_functions(self) -> dict[str, Any]:
        """Input name -> function of that input alone, with operations that every runtime has.

        What checks its inputs, names phones or reads files is left out.
        """
        frontend = self._frontend
        return {
            "spectrogram": tf.function(
                lambda spectrogram: self.numbers(spectrogram),
                input_signature=[_floats("spectrogram", *frontend.shape)],
            ),
            "waveform": tf.function(
                lambda waveform: self.numbers(self._represent(waveform)),
                input_signature=[_floats("waveform", self._length)],
            ),
        }

    def signatures(self) -> dict[str, Any]:
        """Signature name -> function with a fixed input signature."""
        rate, length = self._frontend.sample_rate, self._length
        spectrogram = _floats("spectrogram", *self._frontend.shape)
        waveform = _floats("waveform", None)

        def of_waveform(waveform):
            waveform = _checked_waveform(waveform, rate)
            rows, samples = tf.unstack(tf.shape(waveform))
            return self._heard(place(waveform, tf.fill([rows], samples), length))

        def of_lengths(waveform, lengths):
            waveform = _checked_waveform(waveform, rate)
            return self._heard(place(waveform, _checked_lengths(lengths, waveform), length))

        def of_wav(wav):
            return self._heard(decode_wavs(_checked(wav, "wav"), rate, length))

        made = {
            "serving_default": _signature(
                lambda spectrogram: self._answer(_checked(spectrogram, "spectrogram")), spectrogram
            ),
            "waveform": _signature(of_waveform, waveform),
            "waveform_lengths": _signature(
                of_lengths, waveform, tf.TensorSpec([None], tf.int32, "lengths")
            ),
            "wav_bytes": _signature(of_wav, tf.TensorSpec([None], tf.string, "wav")),
        }
        if self._encode is not None:
            encode = self._encode
            made["encode"] = _signature(
                lambda spectrogram: {"code": encode(_checked(spectrogram, "spectrogram"))},
                spectrogram,
            )
        return made


class ClassifierModule(_Module):
    """A classifier with its preprocessing.

    Args:
        model: network, (N, F, T, C) centred representations -> (N, classes) probabilities.
        frontend: what lies between a waveform and the network.
        classes: names of the outputs.
    """

    def __init__(self, model: keras.Model, frontend: Frontend, classes: Sequence[str]) -> None:
        super().__init__(model, frontend)
        self._classes = list(classes)

    def numbers(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> `probabilities`."""
        return {"probabilities": tf.cast(self._network(representation), tf.float32)}

    def _answer(self, representation) -> dict[str, Any]:
        answer = self.numbers(representation)
        phones, scores = self._best(answer["probabilities"], min(TOP, len(self._classes)))
        return {**answer, "phones": phones, "scores": scores}

    def _best(self, probabilities, count: int):
        scores, best = tf.math.top_k(probabilities, k=count)
        return tf.gather(tf.constant(self._classes), best), scores

    def signatures(self) -> dict[str, Any]:
        """Those of every export, and `classify`."""
        rate, length = self._frontend.sample_rate, self._length

        def of_examples(inputs):
            waveform = _waveforms_of_examples(_checked(inputs, "inputs"), rate, length)
            answer = self.numbers(self._represent(waveform))
            classes, scores = self._best(answer["probabilities"], len(self._classes))
            return {"classes": classes, "scores": scores}

        return {
            **super().signatures(),
            CLASSIFY: _signature(of_examples, tf.TensorSpec([None], tf.string, "inputs")),
        }


class AutoencoderModule(_Module):
    """An autoencoder with its preprocessing; what it gives back is in units of what it takes.

    Args:
        model: network, (N, F, T, C) centred representations -> the same shape.
        frontend: what lies between a waveform and the network.
    """

    def numbers(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> `reconstruction`, the mean added again, and `distance`."""
        restored = tf.cast(self._network(representation), tf.float32) + self._mean()
        axes = list(range(1, len(restored.shape)))
        distance = tf.sqrt(tf.reduce_sum(tf.square(restored - representation), axis=axes))
        return {"reconstruction": restored, "distance": distance}

    def _answer(self, representation) -> dict[str, Any]:
        return self.numbers(representation)

    def _heard(self, waveform) -> dict[str, Any]:
        representation = self._represent(waveform)
        return {"spectrogram": representation, **self.numbers(representation)}

    def signatures(self) -> dict[str, Any]:
        """Those of every export, and `reconstruct`, which is the default one."""
        made = super().signatures()
        return {**made, "reconstruct": made["serving_default"]}


class _Function:
    """Calls layers in turn, in inference mode, without being an object that TensorFlow tracks."""

    def __init__(self, *layers: Any) -> None:
        self._layers = layers

    def __call__(self, x):
        for layer in self._layers:
            x = layer(x, training=False)
        return x


def _encoder(model: keras.Model) -> keras.Model | None:
    from zoo.models.encoders import encoder_of

    try:
        return encoder_of(model)
    except UsageError:
        return None  # a network of another kind, such as a recurrent one, has no code


def _signature(function: Callable[..., dict[str, Any]], *specs: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=list(specs))


def _floats(name: str, *shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], tf.float32, name)


def _waveforms_of_examples(serialised, sample_rate: int, length: int):
    """Serialised tf.Example (N,) -> waveforms (N, length).

    Each has either `waveform`, samples at `sample_rate`, or `wav`, a WAV file's contents.
    """
    parsed = tf.io.parse_example(
        serialised,
        {
            "waveform": tf.io.RaggedFeature(tf.float32),
            "wav": tf.io.FixedLenFeature([], tf.string, ""),
        },
    )
    lengths = tf.cast(parsed["waveform"].row_lengths(), tf.int32)
    is_file = parsed["wav"] != ""
    either = tf.debugging.Assert(
        tf.reduce_all(is_file != (lengths > 0)),
        ["every example must have one of the features waveform (floats) and wav (bytes)"],
    )
    with tf.control_dependencies([either]):
        # A column more, so that there is one where no row has samples.
        samples = tf.pad(parsed["waveform"].to_tensor(), [[0, 0], [0, 1]])
    samples = _checked_waveform(samples, sample_rate)
    placed = place(samples, lengths, length)
    rows = tf.where(is_file)
    files = tf.gather_nd(parsed["wav"], rows)
    return tf.tensor_scatter_nd_update(placed, rows, decode_wavs(files, sample_rate, length))


def _checked_lengths(lengths, waveform):
    """`lengths` of `waveform`'s rows, with the whole row's in place of 0."""
    rows, samples = tf.unstack(tf.shape(waveform))
    checks = [
        tf.debugging.Assert(
            tf.equal(tf.size(lengths), rows),
            ["lengths must have one entry for each row of waveform"],
        ),
        tf.debugging.Assert(
            tf.reduce_all((lengths >= 0) & (lengths <= samples)),
            ["lengths must be 1 to the samples of a row of waveform, or 0 for the whole row"],
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.where(lengths > 0, lengths, samples)


def _checked_waveform(waveform, rate: int):
    limit = MAX_SECONDS * rate
    message = f"waveform has more than {limit} samples ({MAX_SECONDS} s); send one segment a row"
    check = tf.debugging.Assert(tf.shape(waveform)[1] <= limit, [message])
    with tf.control_dependencies([check]):
        return _checked(waveform, "waveform")


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
