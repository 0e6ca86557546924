"""Learning from whole recordings: excerpts of them, and the decoder at the end."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import (
    Epochs,
    ExcerptEpochs,
    SharedEpochs,
    class_weights,
    epochs_of,
)
from zoo.data.sets.storage import WindowedExamples, WindowedLabels
from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import silence_of
from zoo.decoding.posteriors import log_posteriors
from zoo.decoding.tuning import tune
from zoo.models.recognizers import context
from zoo.progress import progress_bar
from zoo.training.batches import labels_and_weights
from zoo.training.inputs import EXCERPT
from zoo.training.settings import TrainingSettings

VALIDATION_EXCERPTS = 1000
"""Most excerpts that are scored after each epoch."""

TUNING_RECORDINGS = 150
"""Most recordings on which a decoder's settings are chosen."""


class TrainingExcerpts(NamedTuple):
    """Excerpts of recordings that a network learns from.

    Attributes:
        features: array-like (N, F, frames, C), an excerpt around each of N frames.
        labels: array-like (N, frames), -1 where nobody labelled.
        epochs: which of the N excerpts an epoch shows.
        class_weights: weight of every class in the loss, (classes,); None: all alike.
    """

    features: WindowedExamples
    labels: WindowedLabels
    epochs: Epochs
    class_weights: np.ndarray | None


def excerpts_of(
    prepared: Prepared, split: str, settings: TrainingSettings, unlabelled: bool = False
) -> TrainingExcerpts:
    """Excerpts of recordings, and their epochs by a rule of sampling.

    `"natural"` and `"weighted"` epochs are as long as the recordings. In `"balanced"` ones the
    middles of the excerpts are balanced over the classes, and an epoch has as many frames as it
    would have examples.

    Args:
        prepared: set of whole recordings.
        split: name of the split.
        settings: sampling, examples of a class, frames of an excerpt, seed.
        unlabelled: recordings without labels are used too.
    """
    window = settings.window or EXCERPT
    labels = prepared.labels(split)
    labelled = labels[labels >= 0]
    balanced = settings.sampling == "balanced"
    excerpts = prepared.windows(split, window, labelled=balanced)
    shares = prepared.shares(split)
    if balanced:
        per_class = max(1, settings.per_class // window)
        of_labelled = None if shares is None else shares.of(labels >= 0)
        epochs, _ = epochs_of("balanced", labelled, per_class, settings.seed, of_labelled)
        return TrainingExcerpts(*excerpts, epochs, None)
    lengths = _lengths(prepared, split)
    ends = np.cumsum(lengths)
    chosen = np.ones(len(lengths), bool)
    if not unlabelled:
        known = np.concatenate([[0], np.cumsum(labels >= 0)])
        chosen = known[ends] > known[ends - lengths]
    whole: Epochs
    often = None
    if shares is None:
        whole = ExcerptEpochs(lengths, window, settings.seed, chosen)
    else:
        of_recording = shares.origins[ends - lengths]
        drawn = [chosen & (of_recording == number) for number in range(len(shares.weights))]
        sets = [
            ExcerptEpochs(lengths, window, settings.seed, some) if some.any() else None
            for some in drawn
        ]
        whole = SharedEpochs.by_weight(sets, shares.weights, settings.seed)
        often = whole.often[shares.origins[labels >= 0]]
    if settings.sampling != "weighted":
        return TrainingExcerpts(*excerpts, whole, None)
    weights = np.ones(len(prepared.classes), "float32")
    weights[labelled] = class_weights(labelled, often)
    return TrainingExcerpts(*excerpts, whole, weights)


def _lengths(prepared: Prepared, split: str) -> np.ndarray:
    """Frames of every recording."""
    return np.array([len(labels) for labels in prepared.frame_labels(split)])


def validation_excerpts(
    prepared: Prepared, split: str, window: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same excerpts of a split after every epoch: inputs, classes of frames, their weights."""
    features, labels = prepared.windows(split, window, labelled=False)
    middles = np.sort(ExcerptEpochs(_lengths(prepared, split), window).epoch(0))
    if len(middles) > VALIDATION_EXCERPTS:
        evenly = np.linspace(0, len(middles) - 1, VALIDATION_EXCERPTS)
        middles = middles[evenly.round().astype(int)]
    return np.asarray(features[middles]), *labels_and_weights(labels[middles])


def choose_decoder(
    model: keras.Model,
    prepared: Prepared,
    split: str | None,
    window: int | None,
    progress: bool = False,
) -> tuple[Decoder, dict[str, Any]]:
    """Count a decoder from the training part's labels, and choose its settings on a split.

    Args:
        model: scores windows or whole recordings.
        prepared: set of whole recordings.
        split: on which settings are chosen; None: they stay at their defaults.
        window: frames of a window; None: the model takes whole recordings.
        progress: show a progress bar on stderr.

    Returns:
        The decoder, and how its settings were chosen, as JSON has it.
    """
    decoder = Decoder.count(prepared.frame_labels("train"), prepared.classes)
    if split is None:
        return decoder, {}
    number = [
        n for n, labels in enumerate(prepared.frame_labels(split)) if labels.max(initial=-1) >= 0
    ]
    if not number:
        return decoder, {}
    if len(number) > TUNING_RECORDINGS:
        evenly = np.linspace(0, len(number) - 1, TUNING_RECORDINGS)
        number = [number[int(place)] for place in evenly.round()]
    features, references = prepared.features(split), prepared.reference(split)
    around = None if window else context(model)
    bar = progress_bar(len(number), "recording", "decoder", shown=progress)
    scores = []
    with bar:
        for n in number:
            scores.append(log_posteriors(model, features[n], window, around))
            bar.update()
    found = tune(
        decoder,
        scores,
        [[segment.label for segment in references[n]] for n in number],
        prepared.groups,
        silence=silence_of(prepared.groups),
    )
    return found.decoder, {"split": split, "recordings": len(number), **found.as_dict()}
