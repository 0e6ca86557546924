"""From recorded audio to phones: a run or an exported model, applied to segments of a recording."""

from __future__ import annotations

import dataclasses
import io
import itertools
import numbers
import os
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.corpora.labels import groups_of
from zoo.data.features.frontend import Frontend
from zoo.data.features.streaming import Samples, Source, segments_of
from zoo.errors import UsageError
from zoo.extras import require
from zoo.files import read_json
from zoo.given_audio import checked_audio, checked_rate, to_mono
from zoo.runs import Run, find
from zoo.startup import start_backend

if TYPE_CHECKING:
    import keras

    from zoo.twins import Twin

MAX_WHOLE_SECONDS = 1.0
"""Longest recording that is taken as one segment when no segments are given."""

TOP = 5
"""Default number of classes that an answer names; all, if the model has fewer."""

CARD_NAME = "card.json"
LABELS_NAME = "labels.json"
ASSETS_FOLDER = "assets"

_TRANSCRIBES = "which transcribes recordings; use zoo transcribe."

_BATCH = 128

_TOGETHER = 4 * _BATCH
"""Number of segments whose samples are in memory at a time."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a classifier says of one segment.

    Attributes:
        start: first sample of the segment, in samples of the given audio.
        end: the sample after its last one.
        phones: names of the most probable classes, best first.
        scores: their probabilities, 0..1.
    """

    start: int
    end: int
    phones: tuple[str, ...]
    scores: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A loaded phone classifier with the form of its input.

    Attributes:
        sample_rate: sample rate in Hz.
        length: samples of one input waveform.
        classes: names of the outputs.
        probabilities: function of waveforms (N, length) float32 that gives (N, classes).
        of_recording: function of a recording at `sample_rate` and of (start, end) pairs within it,
            in the order of their starts, that gives (N, classes); None: segments need not know
            their recording.
        groups: class -> the group that it is scored as.
    """

    sample_rate: int
    length: int
    classes: tuple[str, ...]
    probabilities: Callable[[np.ndarray], np.ndarray] = dataclasses.field(repr=False)
    of_recording: Callable[[Source, list[tuple[int, int]]], np.ndarray] | None = dataclasses.field(
        default=None, repr=False
    )
    groups: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


def top_of(top_k: Any, classes: int, what: str = "top_k") -> int:
    """Number of classes that an answer names: `top_k`, by default `TOP`, or all if there are fewer.

    Raises:
        UsageError: it is not a whole number from 1 to `classes`.
    """
    if top_k is None:
        return min(TOP, classes)
    if not isinstance(top_k, numbers.Integral) or not 1 <= int(top_k) <= classes:
        raise UsageError(f"{what} must be 1 to {classes}; received {top_k!r}.")
    return int(top_k)


def waveform_model(model: keras.Model, frontend: Frontend) -> keras.Model:
    """Put a run's preprocessing before its network: waveforms (N, length) -> `model`'s output."""
    import keras

    from zoo.layers import centre_layer, waveform_layers

    waveform = x = keras.Input((frontend.length,), name="waveform")
    for layer in waveform_layers(frontend):
        x = layer(x)
    return keras.Model(waveform, model(centre_layer(frontend)(x)))


def newest_version(folder: str | Path) -> Path | None:
    """The SavedModel in `folder`: itself, or its highest numbered sub-folder; None if none."""
    folder = Path(folder)
    if (folder / "saved_model.pb").is_file():
        return folder
    numbered = [f for f in folder.glob("*/") if f.name.isdecimal()]
    versions = [f for f in numbered if (f / "saved_model.pb").is_file()]
    return max(versions, key=lambda f: int(f.name), default=None)


def load_classifier(path: str | Path) -> Classifier:
    """Load a classifier once, to call `zoo.classify` with it many times.

    Args:
        path: a run folder, a preset's name or that of weights that ship, an export's base folder
            (its newest version) or a version's folder.

    Raises:
        UsageError: `path` is something else, or its model is not a phone classifier.
    """
    found = find(path)
    if found is None:
        raise UsageError(
            f"{path} does not exist; a run folder, an exported model or the name of weights that "
            "ship was expected."
        )
    path = found
    if Frontend.is_in(path):
        return _from_run(Run.open(path))
    version = newest_version(path) if path.is_dir() else None
    if version is None:
        raise UsageError(
            f"{path} is neither a run folder (zoo train) nor an exported SavedModel (zoo export)."
        )
    return _from_export(version)


def _from_run(run: Run) -> Classifier:
    classes = classifier_classes(run)
    return from_model(run.applied, run.frontend, classes, run.groups)


def classifier_classes(run: Run) -> tuple[str, ...]:
    """Names of the outputs of the classifier that a run trained.

    Raises:
        UsageError: the run's model is not a classifier.
    """
    if run.transcribes:
        raise UsageError(f"{run.path} holds {run.model_name}, {_TRANSCRIBES}")
    if not run.classes or run.is_autoencoder:
        raise UsageError(f"{run.path} holds {run.model_name}, which is not a phone classifier.")
    return run.classes


def fixed_length(frontend: Frontend) -> int:
    """Number of samples that every segment is placed in.

    Raises:
        UsageError: segments keep lengths of their own.
    """
    if frontend.length is None:
        raise UsageError(
            "this front end gives every segment its own length; a model that is "
            "served or applied to recordings requires one length for all (zoo "
            "prepare --length)."
        )
    return frontend.length


def from_model(
    model: keras.Model | Twin,
    frontend: Frontend,
    classes: Sequence[str],
    groups: Mapping[str, str] | None = None,
) -> Classifier:
    """A classifier from a network that takes centred representations, and its front end.

    Args:
        model: the network.
        frontend: what lies between a waveform and the network.
        classes: names of the outputs.
        groups: class -> the group that it is scored as; None: the 39 of the 48 phones, or each
            class on its own.

    Raises:
        UsageError: network, front end and classes do not fit together.
    """
    length = fixed_length(frontend)
    if tuple(model.input_shape[1:]) != frontend.shape:
        raise UsageError(
            f"the network takes inputs of shape {tuple(model.input_shape[1:])}, the "
            f"front end gives {frontend.shape}; they belong to different runs."
        )
    if model.output_shape[1:] != (len(classes),):
        raise UsageError(
            f"the network's output is {tuple(model.output_shape[1:])}, not one probability for "
            f"each of {len(classes)} classes."
        )

    answer = _answering(model)

    def asked(x: np.ndarray) -> np.ndarray:
        return np.concatenate([answer(x[i : i + _BATCH]) for i in range(0, len(x), _BATCH)])

    def probabilities(waveforms: np.ndarray) -> np.ndarray:
        return asked(frontend.examples(list(waveforms)))

    def of_recording(recording: Source, segments: list[tuple[int, int]]) -> np.ndarray:
        return np.concatenate([asked(x) for x in segments_of(frontend, recording, segments)])

    return Classifier(
        frontend.sample_rate,
        length,
        tuple(classes),
        probabilities,
        of_recording if frontend.needs_recording else None,
        groups_of(classes) if groups is None else groups,
    )


def _answering(model: keras.Model | Twin) -> Callable[[np.ndarray], np.ndarray]:
    from zoo.twins import Twin

    if isinstance(model, Twin):
        return model.predict_on_batch
    from zoo.ops.compilation import answering

    return answering(model)


def _from_export(version: Path) -> Classifier:
    require("tensorflow", "an exported model", ("tensorflow",))
    # It imports TensorFlow quietly, unless Keras runs on another backend.
    start_backend()
    import tensorflow as tf

    assets = version / ASSETS_FOLDER
    if not (assets / CARD_NAME).is_file():
        raise UsageError(
            f"{version} is a SavedModel, but not one that zoo export wrote: "
            f"it has no {ASSETS_FOLDER}/{CARD_NAME}."
        )
    card = read_json(assets / CARD_NAME)
    if not (assets / LABELS_NAME).is_file():
        raise UsageError(f"{version} holds {card['model']}, which is not a phone classifier.")
    if card["length"] is None:
        raise UsageError(f"{version} holds {card['model']}, {_TRANSCRIBES}")
    loaded = tf.saved_model.load(version)

    def asked(signature: str, name: str, inputs: np.ndarray) -> np.ndarray:
        # Held by this function, `loaded` keeps the variables alive; a signature would not.
        function = loaded.signatures[signature]
        parts = [
            function(**{name: tf.constant(inputs[i : i + _BATCH])})["probabilities"].numpy()
            for i in range(0, len(inputs), _BATCH)
        ]
        return np.concatenate(parts)

    settings = {key: value for key, value in card["frontend"].items() if key != "fingerprint"}
    labels = read_json(assets / LABELS_NAME)
    # The mean is inside the model.
    frontend = Frontend(**settings, mean=np.zeros((), "float32"))

    def of_recording(recording: Source, segments: list[tuple[int, int]]) -> np.ndarray:
        inputs = segments_of(frontend, recording, segments)
        return np.concatenate([asked("serving_default", "spectrogram", x) for x in inputs])

    return Classifier(
        card["sample_rate"],
        card["length"],
        tuple(labels["classes"]),
        lambda waveforms: asked("waveform", "waveform", waveforms),
        of_recording if frontend.needs_recording else None,
        labels.get("groups") or groups_of(labels["classes"]),
    )


def classify(
    model_or_path: Any,
    audio: np.ndarray,
    sample_rate: int,
    segments: Sequence[tuple[int, int]] | None = None,
    top_k: int | None = None,
    *,
    frontend: Frontend | None = None,
    classes: Sequence[str] | None = None,
) -> list[Answer]:
    """Name the phone in each segment of a recording.

    Each segment is cut out, mixed to one channel, resampled to the model's rate and centred in the
    model's length (zeros on both sides, or a crop): a WAV file of the segment sent to the exported
    model's `wav_bytes` signature gets the same answer. If the model was trained on segments
    normalised by their recording, these are normalised by all of `audio`, as by the `segments`
    signature.

    Args:
        model_or_path: a run folder, an exported model's folder, what `load_classifier` returned,
            or a Keras model, together with its `frontend`.
        audio: (samples,) or (samples, channels); floats of any precision with full scale 1, or
            int16, in either byte order.
        sample_rate: sample rate of `audio`, in Hz.
        segments: (start, end) pairs, half-open, in samples of `audio`; None takes the whole as
            one segment, up to `MAX_WHOLE_SECONDS`.
        top_k: how many classes to name; None: 5, or all of a model of fewer.
        frontend: only for a bare Keras model, `zoo.data.Frontend.load` of its run.
        classes: only for a bare Keras model, names of its outputs; None: the 48 phones.

    Returns:
        One `Answer` a segment, in the given order.

    Raises:
        UsageError (a ValueError): the audio is empty, not finite or of a wrong shape or type, a
            rate or a segment is out of range, a long recording has no segments, or there is no
            such model.
    """
    from zoo.ops.resampling import moved, resample

    rate = checked_rate(sample_rate)
    audio = checked_audio(audio)
    pairs = _checked_segments(segments, len(audio), rate)
    classifier = _resolve(model_or_path, frontend, classes)
    count = top_of(top_k, len(classifier.classes))
    if not pairs:
        return []

    if segments is None or classifier.of_recording is None:
        probabilities = classify_alone(classifier, (audio[a:b] for a, b in pairs), rate)
    else:
        target = classifier.sample_rate
        samples = Samples(resample(to_mono(audio), rate, target))
        probabilities = classifier.of_recording(
            samples, [moved(a, b, rate, target) for a, b in pairs]
        )
    return best_of(classifier, pairs, probabilities, count)


def classify_alone(
    classifier: Classifier, cuts: Iterable[np.ndarray], sample_rate: int
) -> np.ndarray:
    """Probabilities (N, classes) of segments for which nothing around them counts.

    Args:
        classifier: what `load_classifier` returned.
        cuts: samples of each segment, (n,) or (n, channels).
        sample_rate: sample rate of the segments, in Hz.
    """
    placed = (_placed(cut, sample_rate, classifier) for cut in cuts)
    batches = iter(lambda: list(itertools.islice(placed, _TOGETHER)), [])
    return np.concatenate([classifier.probabilities(np.stack(batch)) for batch in batches])


def best_of(
    classifier: Classifier, pairs: Sequence[tuple[int, int]], probabilities: np.ndarray, count: int
) -> list[Answer]:
    """Answers for segments that name the `count` most probable of (N, classes)."""
    answers = []
    for (start, end), scores in zip(pairs, probabilities, strict=True):
        best = np.argsort(-scores, kind="stable")[:count]
        phones = tuple(classifier.classes[i] for i in best)
        answers.append(Answer(start, end, phones, tuple(float(scores[i]) for i in best)))
    return answers


def wav_contents(audio: np.ndarray, sample_rate: int) -> bytes:
    """A WAV file's contents, 16-bit PCM.

    Args:
        audio: (samples,) or (samples, channels); floats with full scale 1, which are rounded and
            clipped, or int16.
        sample_rate: sample rate in Hz.
    """
    if audio.dtype.kind == "f":
        # Beyond full scale, half precision would overflow.
        audio = np.round(audio.astype("float64") * 32768).clip(-32768, 32767)
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((channels, 2, sample_rate, 0, "NONE", "not compressed"))
        file.writeframes(audio.astype("<i2").tobytes())
    return buffer.getvalue()


def _placed(segment: np.ndarray, rate: int, classifier: Classifier) -> np.ndarray:
    from zoo.ops.resampling import resample_to_length

    return resample_to_length(to_mono(segment), rate, classifier.sample_rate, classifier.length)


def _resolve(
    model_or_path: Any, frontend: Frontend | None, classes: Sequence[str] | None
) -> Classifier:
    if classes is not None and not hasattr(model_or_path, "output_shape"):
        raise UsageError("classes= is for a bare Keras model; a run or an export has its own.")
    if isinstance(model_or_path, Classifier):
        return model_or_path
    if isinstance(model_or_path, str | os.PathLike):
        return load_classifier(Path(model_or_path))
    if not hasattr(model_or_path, "output_shape"):
        raise UsageError(
            "model_or_path must be a run folder, an exported model, a Classifier or a Keras "
            f"model; received {type(model_or_path).__name__}."
        )
    if frontend is None:
        raise UsageError(
            "a bare Keras model has no front end and no mean to subtract; give the "
            "run folder, or frontend=zoo.data.Frontend.load(run)."
        )
    from zoo.data.corpora.phones import CLASSES

    return from_model(model_or_path, frontend, CLASSES if classes is None else _names(classes))


def _names(classes: Any) -> tuple[str, ...]:
    names = tuple(map(str, classes)) if isinstance(classes, Iterable) else ()
    if isinstance(classes, str) or not names or len(set(names)) < len(names):
        raise UsageError(
            f"classes must be a list of different names, one for each output; received {classes!r}."
        )
    return names


def _checked_segments(segments: Any, samples: int, rate: int) -> list[tuple[int, int]]:
    if segments is None:
        if samples > MAX_WHOLE_SECONDS * rate:
            raise UsageError(
                f"the recording lasts {samples / rate:.2f} s; without segments, one segment of up "
                f"to {MAX_WHOLE_SECONDS:g} s is expected: say where the segments are, or find them "
                "with zoo.transcribe."
            )
        return [(0, samples)]
    pairs = []
    if not isinstance(segments, Iterable):
        raise UsageError(f"segments must be (start, end) pairs; received {segments!r}.")
    for number, segment in enumerate(segments):
        try:
            start, end = segment[0], segment[1]
        except (TypeError, IndexError):
            raise UsageError(
                f"segment {number} must be a (start, end) pair; received {segment!r}."
            ) from None
        if not all(isinstance(x, numbers.Integral) for x in (start, end)):
            raise UsageError(
                f"segment {number} must be given in whole samples; received {segment!r}."
            )
        if not 0 <= start < end <= samples:
            raise UsageError(
                f"segment {number} is {start} to {end}; 0 <= start < end <= {samples}, the "
                "recording's samples, must hold."
            )
        pairs.append((int(start), int(end)))
    return pairs
