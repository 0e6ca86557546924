"""The callable signatures of exported networks of segments: classifiers and autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inference import TOP, fixed_length
from zoo.layers import centre_layer, waveform_layers
from zoo.ops.resampling import moved, resample_to_length

from .recordings import Recordings
from .resampling import resample_whole
from .wav import MAX_SECONDS, checked_recordings, decode_wavs, read_samples

if TYPE_CHECKING:
    import keras

CLASSIFY = "classify"
"""The signature that takes serialised tf.Example, as TensorFlow Serving's classify does."""

SEGMENTS = "segments"
"""The signature that takes segments of a recording."""


def place(waveform, lengths, length: int):
    """Centre each waveform in `length` samples: `zoo.data.features.frontend.place` as a graph.

    Args:
        waveform: (N, samples); a row counts up to its length.
        lengths: (N,) int32, 1 to samples.
        length: samples of the result.

    Returns:
        (N, length).
    """
    first = _first(lengths, length)
    index = tf.range(length)[None, :] + first[:, None]  # (N, length)
    inside = (index >= 0) & (index < lengths[:, None])
    last = tf.shape(waveform)[1] - 1
    values = tf.gather(waveform, tf.clip_by_value(index, 0, last), batch_dims=1)
    return tf.ensure_shape(tf.where(inside, values, 0.0), [None, length])


def _first(durations, length: int):
    """Samples (N,) from the start of a segment to that of its window of `length`."""
    # Two magnitudes are halved: a negative difference would round the other way.
    return tf.maximum(durations - length, 0) // 2 - tf.maximum(length - durations, 0) // 2


def cut_out(samples, starts, ends, length: int, surroundings: bool = False):
    """Windows around segments (S,) of one recording's samples (n,), as `place` centres them.

    Args:
        samples: samples of the recording.
        starts, ends: starts and ends of the segments, int32.
        length: length of a window in samples.
        surroundings: keep what lies beside a segment; else there are zeros.

    Returns:
        (S, length), and the sample of each window at which its segment starts, (S,).
    """
    first = starts + _first(ends - starts, length)
    index = tf.range(length)[None, :] + first[:, None]  # (S, length)
    if surroundings:
        inside = (index >= 0) & (index < tf.size(samples))
    else:
        inside = (index >= starts[:, None]) & (index < ends[:, None])
    values = tf.gather(samples, tf.clip_by_value(index, 0, tf.size(samples) - 1))
    return tf.ensure_shape(tf.where(inside, values, 0.0), [None, length]), starts - first


class NetworkModule(tf.Module):
    """A network with its preprocessing, as functions that a SavedModel's signatures are.

    Args:
        model: network, takes (N, F, T, C) centred representations.
        frontend: what lies between a waveform and the network.
    """

    def __init__(self, model: keras.Model, frontend: Frontend) -> None:
        super().__init__(name="exported")
        self._frontend = frontend
        centre = centre_layer(frontend)
        centre.build((None, *frontend.shape))
        encoder = _encoder(model)
        # Held as plain functions: a SavedModel would otherwise carry Keras objects that nothing
        # but Keras can revive. The variables alone are what the functions need.
        self._network = _Function(centre, model)
        self._centred_network = _Function(model)
        self._encode = None if encoder is None else _Function(centre, encoder)
        self._mean = lambda: tf.convert_to_tensor(centre.mean)
        self.parameters = [v.value for layer in (centre, model) for v in layer.variables]

    def _answer(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> named outputs."""
        raise NotImplementedError

    def numbers(self, representation) -> dict[str, Any]:
        """(N, F, T, C), not centred -> the outputs that are numbers and need nothing else."""
        raise NotImplementedError

    def numeric_functions(self, rows: int | None = None) -> dict[str, Any]:
        """Input name -> function of that input alone, with operations that every runtime has.

        Functions that check inputs, name phones or read files are left out.

        Args:
            rows: examples of an input; None: any number.
        """
        raise NotImplementedError

    def signatures(self) -> dict[str, Any]:
        """Signature name -> function with a fixed input signature."""
        raise NotImplementedError

    def _of_representation(self, spectrogram: tf.TensorSpec) -> dict[str, Any]:
        """The signatures that take a representation: the default one, and that of the code."""

        def answered(spectrogram):
            return self._answer(checked(spectrogram, "spectrogram"))

        made = {"serving_default": signature(answered, spectrogram)}
        if self._encode is not None:
            encode = self._encode
            made["encode"] = signature(
                lambda spectrogram: {"code": encode(checked(spectrogram, "spectrogram"))},
                spectrogram,
            )
        return made


class SegmentModule(NetworkModule):
    """A network of segments of one length."""

    def __init__(self, model: keras.Model, frontend: Frontend) -> None:
        super().__init__(model, frontend)
        self._length = fixed_length(frontend)
        self._represent = _Function(*waveform_layers(frontend))

    def _heard(self, waveform) -> dict[str, Any]:
        """(N, length) at the front end's rate -> named outputs."""
        return self._answer(self._represent(waveform))

    def numeric_functions(self, rows: int | None = None) -> dict[str, Any]:
        """Of a representation, and of a waveform of the front end's length."""
        frontend = self._frontend
        return {
            "spectrogram": signature(
                lambda spectrogram: self.numbers(spectrogram),
                floats("spectrogram", *frontend.shape, rows=rows),
            ),
            "waveform": signature(
                lambda waveform: self.numbers(self._represent(waveform)),
                floats("waveform", self._length, rows=rows),
            ),
        }

    def signatures(self) -> dict[str, Any]:
        """Those of representations, waveforms and files."""
        rate, length = self._frontend.sample_rate, self._length
        waveform = floats("waveform", None)

        def of_waveform(waveform):
            waveform = _checked_waveform(waveform, rate)
            rows, samples = tf.unstack(tf.shape(waveform))
            return self._heard(place(waveform, tf.fill([rows], samples), length))

        def of_lengths(waveform, lengths):
            waveform = _checked_waveform(waveform, rate)
            return self._heard(place(waveform, _checked_lengths(lengths, waveform), length))

        def of_wav(wav):
            return self._heard(decode_wavs(checked(wav, "wav"), rate, length))

        return {
            **self._of_representation(floats("spectrogram", *self._frontend.shape)),
            "waveform": signature(of_waveform, waveform),
            "waveform_lengths": signature(
                of_lengths, waveform, tf.TensorSpec([None], tf.int32, "lengths")
            ),
            "wav_bytes": signature(of_wav, tf.TensorSpec([None], tf.string, "wav")),
        }


class ClassifierModule(SegmentModule):
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
        return named(self.numbers(representation)["probabilities"], self._classes)

    def _of_recording(self, contents, starts, ends):
        """A WAV file's contents, seconds (S,) -> representations (S, F, T, C), not centred."""
        frontend, length = self._frontend, self._length
        mono, rate = read_samples(contents)
        starts, ends = _in_samples(starts, ends, tf.size(mono), rate)
        if not frontend.needs_recording:

            def cut(segment):
                heard = mono[segment[0] : segment[1]]
                return resample_to_length(heard, rate, frontend.sample_rate, length)

            waveforms = tf.map_fn(
                cut,
                tf.stack([starts, ends], axis=1),
                fn_output_signature=tf.TensorSpec([length], tf.float32),
            )
            return self._represent(waveforms)
        samples = resample_whole(mono, rate, frontend.sample_rate)
        starts, ends = (
            tf.cast(sample, tf.int32)
            for sample in moved(starts, ends, tf.cast(rate, tf.int64), frontend.sample_rate)
        )
        surroundings = frontend.context > 0
        return Recordings(frontend).of_segments(
            samples,
            lambda levelled: cut_out(levelled, starts, ends, length, surroundings),
            ends - starts,
        )

    def signatures(self) -> dict[str, Any]:
        """Those of every network of segments, `classify` and `segments`."""
        rate, length = self._frontend.sample_rate, self._length

        def of_examples(inputs):
            waveform = _waveforms_of_examples(checked(inputs, "inputs"), rate, length)
            probabilities = self.numbers(self._represent(waveform))["probabilities"]
            classes, scores = _best(probabilities, self._classes, len(self._classes))
            return {"classes": classes, "scores": scores}

        def of_segments(wav, starts, ends):
            contents = checked_recordings(wav[None])[0]
            starts, ends = checked(starts, "starts"), checked(ends, "ends")
            return self._answer(self._of_recording(contents, starts, ends))

        return {
            **super().signatures(),
            CLASSIFY: signature(of_examples, tf.TensorSpec([None], tf.string, "inputs")),
            SEGMENTS: signature(
                of_segments,
                tf.TensorSpec([], tf.string, "wav"),
                floats("starts"),
                floats("ends"),
            ),
        }


class AutoencoderModule(SegmentModule):
    """An autoencoder with its preprocessing; outputs have the units of the inputs.

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


def named(probabilities, classes: Sequence[str]) -> dict[str, Any]:
    """Probabilities (N, classes) as `probabilities`, with the best `phones` and their `scores`."""
    phones, scores = _best(probabilities, classes, min(TOP, len(classes)))
    return {"probabilities": probabilities, "phones": phones, "scores": scores}


def _best(probabilities, classes: Sequence[str], count: int):
    scores, best = tf.math.top_k(probabilities, k=count)
    return tf.gather(tf.constant(list(classes)), best), scores


def signature(function: Callable[..., dict[str, Any]], *specs: tf.TensorSpec) -> Any:
    """A function of these inputs with named outputs, as a SavedModel takes it."""
    # Nothing here is written for AutoGraph, whose rewriting takes half as long as everything else.
    return tf.function(function, input_signature=list(specs), autograph=False)


def floats(name: str, *shape: int | None, rows: int | None = None) -> tf.TensorSpec:
    """A batch of float32 arrays of one shape; any number of them, unless `rows` says."""
    return tf.TensorSpec([rows, *shape], tf.float32, name)


def _in_samples(starts, ends, samples, rate):
    """Seconds (S,) as samples of a recording, int64; an error where they are not within it."""
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.equal(tf.size(starts), tf.size(ends)),
                ["starts and ends must have as many entries as each other"],
            )
        ]
    ):
        # Hours in samples are more than float32 can tell apart.
        per_second = tf.cast(rate, tf.float64)
        first, last = (
            tf.cast(tf.round(tf.cast(seconds, tf.float64) * per_second), tf.int64)
            for seconds in (starts, ends)
        )
        wrong = tf.concat(
            [(first < 0) | (first >= last) | (last > tf.cast(samples, tf.int64)), [True]], 0
        )
    row = tf.argmax(tf.cast(wrong, tf.int32))
    bounds = [tf.concat([seconds, [0.0]], 0)[row] for seconds in (starts, ends)]
    duration = tf.cast(samples, tf.float64) / per_second
    message = tf.strings.join(
        [
            "segment ",
            tf.strings.as_string(row),
            " goes from ",
            tf.strings.as_string(bounds[0], precision=3),
            " to ",
            tf.strings.as_string(bounds[1], precision=3),
            " s; 0 <= start < end <= ",
            tf.strings.as_string(duration, precision=3),
            ", the recording's length, must hold",
        ]
    )
    fits = tf.debugging.Assert(tf.equal(row, tf.size(starts, tf.int64)), [message])
    with tf.control_dependencies([fits]):
        return tf.identity(first), tf.identity(last)


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
        return checked(waveform, "waveform")


def checked(x, name: str):
    """`x` if it is not empty and its numbers are finite; else an error."""
    # Convolutions of an empty batch fail with a message that explains nothing.
    checks = [
        tf.debugging.Assert(tf.size(x) > 0, [f"{name} is empty; one row or more is expected"])
    ]
    if x.dtype.is_floating:
        message = f"{name} holds values that are NaN or infinite; finite numbers are expected"
        checks.append(tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(x)), [message]))
    with tf.control_dependencies(checks):
        return tf.identity(x)
