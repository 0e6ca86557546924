"""Feeding a model whole recordings, each of its own length."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from zoo.data.features.frontend import pad
from zoo.data.sets.samplers import Epochs, LengthBuckets, NaturalEpochs
from zoo.training.classifier import Settings
from zoo.training.fitting import build_optimizer, check_losses

MOST_PADDED = 0.1
"""Most padding, as a share of a recording's own length, if outputs are computed for several at a
time."""


class Recordings(keras.utils.PyDataset):
    """Batches of recordings of similar lengths, padded at the end with zeros, which are their mean.

    Args:
        examples: centred, each of `shape`.
        labels: class indices (N,).
        shape: shape of an example, None along the axis of different lengths.
        sampler: draws each epoch's examples.
        batch_size: examples a batch.
        seed: random seed of the order of batches.
        targets: (label, frames) -> class of every frame (frames,), for a model that decides frame
            by frame; padding then has no weight. None: one label a recording.
    """

    def __init__(
        self,
        examples: Sequence[np.ndarray],
        labels: np.ndarray,
        shape: Sequence[int | None],
        sampler: Epochs,
        batch_size: int = 32,
        seed: int = 0,
        targets=None,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._examples = examples
        self._labels = labels
        self._shape = tuple(shape)
        axis = self._shape.index(None)
        self._lengths = np.array([x.shape[axis] for x in examples])
        self._buckets = LengthBuckets(self._lengths, sampler, batch_size, seed=seed)
        self._targets = targets
        self._epoch = 0
        self._batches = self._drawn(0)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        index, length = self._batches[number]
        x = pad([self._examples[i] for i in index], self._shape, length)
        if self._targets is None:
            return x, self._labels[index]
        frames = np.zeros((len(index), length), "int64")
        weights = np.zeros((len(index), length), "float32")
        for row, i in enumerate(index):
            end = self._lengths[i]
            frames[row, :end] = self._targets(int(self._labels[i]), int(end))
            weights[row, :end] = 1
        return x, frames, weights

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._batches = self._drawn(self._epoch)

    def _drawn(self, epoch: int) -> list[tuple[np.ndarray, int]]:
        """The batches of an epoch, the second one of another length than the first if any is."""
        batches = list(self._buckets.epoch(epoch))
        other = next((n for n, (_, length) in enumerate(batches) if length != batches[0][1]), 1)
        if len(batches) > 1:
            # By the first two Keras tells, for TensorFlow, which axes differ from batch to batch.
            batches[1], batches[other] = batches[other], batches[1]
        return batches


def fit_recordings(
    model: keras.Model,
    examples: Sequence[np.ndarray],
    labels: np.ndarray,
    shape: Sequence[int | None],
    settings: Settings,
    targets=None,
) -> dict[str, list[float]]:
    """Compile a model and train it on recordings, each of them once an epoch.

    Args:
        model: (N, *shape) -> (N, classes) or (N, frames, classes).
        examples: centred, each of `shape`.
        labels: class indices (N,).
        shape: shape of an example, None along the axis of different lengths.
        settings: optimiser, learning rate, schedule, epochs and the seed of the order.
        targets: as those of `Recordings`.

    Returns:
        Metric -> value of every epoch.

    Raises:
        Diverged: the loss became something that is not a number.
    """
    model.compile(settings.new_optimizer(), loss="sparse_categorical_crossentropy")
    build_optimizer(model)
    sampler = NaturalEpochs(labels, settings.seed)
    batches = Recordings(examples, labels, shape, sampler, seed=settings.seed, targets=targets)
    history = model.fit(
        batches, epochs=settings.epochs, callbacks=settings.schedulers(), shuffle=False, verbose=0
    ).history
    check_losses(history["loss"])
    return {name: [float(value) for value in values] for name, values in history.items()}


def outputs_of(
    model: keras.Model,
    examples: Sequence[np.ndarray],
    shape: Sequence[int | None],
    batch_size: int = 64,
) -> list[np.ndarray]:
    """A model's outputs for recordings, computed in batches of similar lengths.

    Padding influences a model's outputs, so it is limited to `MOST_PADDED`.

    Args:
        model: (N, *shape) -> (N, classes) or (N, frames, classes).
        examples: centred, each of `shape`.
        shape: shape of an example, None along the axis of different lengths.
        batch_size: examples a step.

    Returns:
        (classes,) of each, or (frames, classes), without the padding.
    """
    axis = tuple(shape).index(None)
    lengths = np.array([x.shape[axis] for x in examples])
    batches: list[list[int]] = []
    for i in np.argsort(lengths, kind="stable").tolist():
        if (
            not batches
            or len(batches[-1]) == batch_size
            or lengths[i] > (1 + MOST_PADDED) * lengths[batches[-1][0]]
        ):
            batches.append([])
        batches[-1].append(i)
    found: dict[int, np.ndarray] = {}
    for index in batches:
        outputs = np.asarray(model.predict_on_batch(pad([examples[i] for i in index], shape)))
        for i, output in zip(index, outputs, strict=True):
            found[i] = output[: lengths[i]] if output.ndim == 2 else output
    return [found[i] for i in range(len(examples))]
