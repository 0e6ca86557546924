"""The callable signatures of exported networks that name the phones of whole recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from zoo.data.features.frontend import Frontend
from zoo.decoding.edits import SILENCE
from zoo.decoding.posteriors import LEAST
from zoo.decoding.viterbi import best_paths

from .alignment import Alignment
from .intervals import Intervals
from .recordings import Recordings
from .resampling import resample_whole
from .signatures import TOP, NetworkModule, checked, floats, named, signature
from .wav import MAX_TRANSCRIBE_SECONDS, checked_recordings, read_samples

if TYPE_CHECKING:
    import keras

    from zoo.decoding.decoder import Decoder

TRANSCRIBE = "transcribe"

ALIGN = "align"

WINDOWS = 256
"""Windows that are classified at once."""

RECORDINGS = 2
"""Recordings of a batch that are transcribed at the same time."""


class TranscriberModule(NetworkModule):
    """A network that scores every frame of a recording, with its preprocessing and its decoder.

    Args:
        model: network; a recogniser, (N, F, T, C) -> (N, T, classes) probabilities, or a classifier
            of windows, (N, F, window, C) -> (N, classes).
        frontend: what lies between a recording and the network; its frames cover recordings.
        classes: names of the outputs.
        groups: class -> scored group, which tells silences.
        window: frames of a window; None of a recogniser.
        decoder: from scores of frames to phones.
    """

    def __init__(
        self,
        model: keras.Model,
        frontend: Frontend,
        classes: Sequence[str],
        groups: Mapping[str, str],
        window: int | None,
        decoder: Decoder,
    ) -> None:
        super().__init__(model, frontend)
        self._recordings = Recordings(frontend)
        self._classes, self._groups = list(classes), dict(groups)
        self._window = window
        self._decoder = decoder
        # One function for all signatures: each would hold its constants again. Not an attribute, as
        # what a module has is saved as something to call.
        shared = signature(self._scored, floats("waveform", None))
        self._of_frames = lambda waveform: shared(waveform)

    def numbers(self, representation: Any) -> dict[str, Any]:
        """(N, F, T, C), not centred -> `probabilities`; of windows one for each of them."""
        return {"probabilities": tf.cast(self._network(representation), tf.float32)}

    def numeric_functions(self, rows: int | None = None) -> dict[str, Any]:
        """Of a representation."""
        return {
            "spectrogram": signature(
                lambda spectrogram: self.numbers(spectrogram), self._input(rows)
            )
        }

    def _input(self, rows: int | None = None) -> tf.TensorSpec:
        bins, _, channels = self._frontend.shape
        return floats("spectrogram", bins, self._window, channels, rows=rows)

    def _scored(self, waveform: Any) -> Any:
        """Recordings (N, samples), one a row, -> probabilities (N, T, classes) of every frame."""
        x = self._recordings.represent(waveform)
        if self._window is None:
            return self.numbers(x)["probabilities"]
        # Outside a recording a network finds the training set's mean, which is 0 once centred.
        before = self._window // 2
        x = tf.pad(x - self._mean(), [[0, 0], [0, 0], [before, self._window - 1 - before], [0, 0]])
        return tf.map_fn(
            self._of_windows,
            x,
            fn_output_signature=tf.TensorSpec([None, len(self._classes)], tf.float32),
            parallel_iterations=1,
        )

    def _of_windows(self, x: Any) -> Any:
        """A centred, padded recording (F, T + window - 1, C) -> probabilities (T, classes)."""
        frames = tf.shape(x)[1] - self._window + 1

        def part(first):
            # Views of all windows would take the memory of `window` recordings.
            count = tf.minimum(WINDOWS, frames - first)
            index = first + tf.range(count)[:, None] + tf.range(self._window)
            windows = tf.transpose(tf.gather(x, index, axis=1), [1, 0, 2, 3])
            return tf.cast(self._centred_network(windows), tf.float32)

        parts = tf.map_fn(
            part,
            tf.range(0, frames, WINDOWS),
            fn_output_signature=tf.RaggedTensorSpec(
                [None, len(self._classes)], tf.float32, ragged_rank=0
            ),
            parallel_iterations=1,
        )
        return parts.values

    def _read(self, contents: Any) -> tuple[Any, Any]:
        """A WAV file's contents -> samples at the network's rate; their duration in seconds."""
        given, rate = read_samples(contents)
        duration = tf.cast(tf.size(given), tf.float64) / tf.cast(rate, tf.float64)
        return resample_whole(given, rate, self._frontend.sample_rate), duration

    def _transcribed(self, contents: Any) -> Intervals:
        """A WAV file's contents -> the intervals of the recording."""
        samples, duration = self._read(contents)
        path, posteriors = self._decoded(samples)
        return Intervals.of_path(
            path,
            posteriors,
            tf.size(samples),
            classes=self._classes,
            groups=self._groups,
            hop=self._frontend.hop,
            sample_rate=self._frontend.sample_rate,
            duration=duration,
            alternatives=min(TOP, len(self._classes)),
        )

    def _decoded(self, samples: Any) -> tuple[Any, Any]:
        """A recording (samples,) -> the class of every frame (T,), and posteriors (T, classes)."""

        def heard() -> tuple[Any, Any]:
            posteriors = self._posteriors(samples)
            scores = self._decoder.scores(tf.math.log(posteriors))
            return best_paths(scores[None], self._decoder.chains)[0][0], posteriors

        silences = [i for i, name in enumerate(self._classes) if self._group(name) == SILENCE]
        if not silences:
            return heard()

        def silent() -> tuple[Any, Any]:
            frames = -(-tf.size(samples) // self._frontend.hop)
            path = tf.fill([frames], silences[0])
            return path, tf.one_hot(path, len(self._classes))

        # What a network makes of nothing at all is anybody's guess.
        return tf.cond(tf.reduce_any(samples != 0), heard, silent)

    def _posteriors(self, samples: Any) -> Any:
        """A recording (samples,) -> probabilities (T, classes) of every frame, none of them 0."""
        return tf.maximum(self._of_frames(samples[None])[0], LEAST)

    def _aligned(self, alignment: Alignment, contents: Any, phones: Any) -> dict[str, Any]:
        """A WAV file's contents and the phones of each word -> what `Alignment.align` gives."""
        said = alignment.said(phones)
        samples, duration = self._read(contents)
        heard = tf.debugging.Assert(
            tf.reduce_any(samples != 0), ["the recording is silent throughout"]
        )
        # What is wrong with the text is told before the network has heard the recording.
        with tf.control_dependencies([heard, *said]):
            posteriors = self._posteriors(tf.identity(samples))
        best = min(TOP, len(self._classes))
        return alignment.align(said, posteriors, tf.size(samples), duration, best)

    def _group(self, name: str) -> str:
        return self._groups.get(name, name)

    def signatures(self) -> dict[str, Any]:
        """Signature name -> function with a fixed input signature."""
        rate, best = self._frontend.sample_rate, min(TOP, len(self._classes))

        def of_wav(wav):
            found = tf.map_fn(
                self._transcribed,
                checked_recordings(checked(wav, "wav")),
                fn_output_signature=Intervals(
                    phones=_ragged(tf.string),
                    starts=_ragged(tf.float32),
                    ends=_ragged(tf.float32),
                    scores=_ragged(tf.float32),
                    alternatives=_ragged(tf.string, best),
                    alternative_scores=_ragged(tf.float32, best),
                ),
                parallel_iterations=RECORDINGS,
            )
            padded = {name: value.to_tensor() for name, value in found._asdict().items()}
            return {**padded, "counts": tf.cast(found.starts.row_lengths(), tf.int32)}

        def of_waveform(waveform):
            waveform = _checked_waveform(waveform, rate)
            return {"probabilities": self._of_frames(waveform)}

        # Its table of phones is saved with what holds it.
        self._alignment = alignment = Alignment(
            self._classes, self._groups, self._decoder, self._frontend.hop, rate
        )

        def of_text(wav, phones):
            contents = checked_recordings(wav[None])[0]
            return self._aligned(alignment, contents, checked(phones, "phones"))

        return {
            **self._of_representation(self._input()),
            "frames": signature(of_waveform, floats("waveform", None)),
            TRANSCRIBE: signature(of_wav, tf.TensorSpec([None], tf.string, "wav")),
            ALIGN: signature(
                of_text,
                tf.TensorSpec([], tf.string, "wav"),
                tf.TensorSpec([None], tf.string, "phones"),
            ),
        }

    def _answer(self, representation: Any) -> dict[str, Any]:
        answer = self.numbers(representation)
        # A window's frame in the middle is named as a segment is.
        return named(answer["probabilities"], self._classes) if self._window else answer


def _ragged(dtype: tf.DType, *inner: int) -> tf.RaggedTensorSpec:
    return tf.RaggedTensorSpec([None, *inner], dtype, ragged_rank=0)


def _checked_waveform(waveform: Any, rate: int) -> Any:
    limit = MAX_TRANSCRIBE_SECONDS * rate
    message = (
        f"waveform has more than {limit} samples ({MAX_TRANSCRIBE_SECONDS} s); send it in parts"
    )
    check = tf.debugging.Assert(tf.shape(waveform)[1] <= limit, [message])
    with tf.control_dependencies([check]):
        return checked(waveform, "waveform")
