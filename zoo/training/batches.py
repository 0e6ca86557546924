"""Feeding a model from a prepared set, on every Keras backend."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.samplers import Epochs
from zoo.data.sets.storage import Examples
from zoo.errors import UsageError
from zoo.training.distribution import part

STILL_SECONDS = 0.02
"""Seconds between two checks whether batches are still being gathered."""

STILL_LOOKS = 3
"""Number of checks without a batch being gathered after which the pipeline counts as full."""


class Batches(keras.utils.PyDataset):
    """Batches of a sampler's epochs, gathered ahead of the model by background threads.

    Args:
        features: (N, F, T, C), may be memory-mapped.
        labels: (N,).
        sampler: draws each epoch's indices.
        batch_size: examples a batch; the last one may be smaller.
        epoch: number of the first epoch to give.
        weights: weight of every example in the loss, (N,); None: all alike.
        augment: changes every batch by its number and the epoch's.
    """

    def __init__(
        self,
        features: Examples | np.ndarray,
        labels: np.ndarray,
        sampler: Epochs,
        batch_size: int = 128,
        epoch: int = 0,
        *,
        weights: np.ndarray | None = None,
        augment: Augmenter | None = None,
    ) -> None:
        # Without TensorFlow, Keras gathers ahead only from two workers on; threads, since indexing
        # releases the GIL.
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._features = features
        self._labels = labels
        self._sampler = sampler
        self._batch_size = batch_size
        self._epoch = epoch
        self._weights = weights
        self._augment = augment
        self._order = sampler.epoch(epoch)
        self._counting = threading.Lock()
        self._begun = self._ended = 0
        self._stopped = False

    def __len__(self) -> int:
        batches, rest = divmod(len(self._sampler), self._batch_size)
        return batches + (rest >= part()[1])

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        process, processes = part()
        arrays = self._batch(number)
        # Together the parts are the batch in its order, by which dropout is drawn; what cannot be
        # divided evenly is left out.
        size = len(arrays[0]) // processes
        return tuple(array[process * size : (process + 1) * size] for array in arrays)

    def _batch(self, number: int) -> tuple[Any, ...]:
        """What the model is fitted on, of all processes together."""
        chosen, x, y = self._examples(number)
        return (x, y) if self._weights is None else (x, y, self._weights[chosen])

    def _examples(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices, inputs and labels of a batch, augmented."""
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        x, y = np.asarray(self._features[chosen]), self._labels[chosen]
        if self._augment is not None:
            x, y = self._augment(x, y, self._epoch, number)
        return chosen, x, y

    def shapes(self, batch: Sequence[Any]) -> list[tuple[int | None, ...]]:
        """Shapes of the arrays of `batch`, None along axes that differ between batches."""
        axes = self._features.shape[1:]
        return [
            (None, *(None if i is None else n for n, i in zip(x.shape[1:], axes, strict=True)))
            if x.ndim == 1 + len(axes)
            else (None, *x.shape[1:])
            for x in batch
        ]

    def gathered(self, number: int, none: tuple[Any, ...]) -> tuple[Any, ...]:
        """A batch, counted while it is being gathered; `none` after `stop`."""
        with self._counting:
            self._begun += 1
        try:
            return none if self._stopped else self[number]
        except BaseException:
            self._stopped = True
            raise
        finally:
            with self._counting:
                self._ended += 1

    def stop(self) -> None:
        """Wait for the batches that are being gathered ahead; none will be gathered after them.

        TensorFlow releases an unfinished pipeline with Python's lock held, and waits for such
        batches, which in turn wait for the lock.
        """
        self._stopped = True
        quiet = 0
        while quiet < STILL_LOOKS:
            before = self._begun
            time.sleep(STILL_SECONDS)
            still = before == self._begun == self._ended
            quiet = quiet + 1 if still else 0

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._order = self._sampler.epoch(self._epoch)

    def release(self) -> None:
        """Release the examples, since TensorFlow keeps what a model was fitted on until the process
        ends."""
        # Copies: a slice would hold on to all of it.
        self._features, self._labels = np.array(self._features[:0]), np.array(self._labels[:0])
        self._weights = None


def fed(batches: Batches) -> tuple[Any, list[keras.callbacks.Callback]]:
    """Data to fit a model on, and the callbacks for it.

    TensorFlow's own pipeline has tensors ready when a step asks for them; Keras' for a
    `PyDataset` makes them within the step, and waits a tenth of a second after every epoch.

    Args:
        batches: 1 or more an epoch. The model sees the epochs that follow the one they stand at.
    """
    if keras.backend.backend() != "tensorflow":
        return batches, []
    import tensorflow as tf

    first = batches[0]
    types, shapes = [array.dtype for array in first], batches.shapes(first)
    none = tuple(array[:0] for array in first)
    # To build a model, Keras looks at a `PyDataset` for an epoch that it ends at once. With one
    # less here as well, a seed gives the same batches on every backend.
    batches.on_epoch_end()

    def gathered(number: Any) -> tuple[Any, ...]:
        arrays = tf.numpy_function(lambda n: batches.gathered(int(n), none), [number], types)
        for array, shape in zip(arrays, shapes, strict=True):
            array.set_shape(shape)
        return tuple(arrays)

    data = tf.data.Dataset.range(len(batches)).map(gathered, batches.workers, deterministic=True)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = batches.workers
    # By the end of an epoch all of its batches are gathered, and none of the next one's.
    redraw = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: batches.on_epoch_end())
    return data.prefetch(batches.max_queue_size).with_options(options), [redraw]


class Reconstructions(Batches):
    """Batches of an autoencoder: inputs and targets.

    Args:
        *args: those of `Batches`.
        corrupt: changes what is seen and leaves the target (a denoising autoencoder); None: both
            are the same.
        masked: hides patches of what is seen, and has only these compared (a masked autoencoder);
            None: nothing is hidden.
        **kwargs: those of `Batches`.
    """

    def __init__(
        self,
        *args: Any,
        corrupt: Augmenter | None = None,
        masked: PatchMask | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._corrupt = corrupt
        self._masked = masked

    def _batch(self, number: int) -> tuple[Any, ...]:
        _, target, labels = self._examples(number)
        seen = target
        if self._corrupt is not None:
            seen, _ = self._corrupt(target, labels, self._epoch, number)
        if self._masked is not None:
            hidden = self._masked(target.shape, self._epoch, number)
            seen = np.where(hidden, np.float32(0), seen)
            # The loss compares where the second half of the channels is 1.
            target = np.concatenate([target, hidden.astype("float32")], axis=-1)
        return seen, target


class Excerpts(Batches):
    """Batches of excerpts of recordings, with a class for every frame.

    Unlabelled frames, and those beyond a recording, have weight 0.

    Args:
        *args: those of `Batches`; labels are (N, frames), -1 where nobody labelled.
        class_weights: weight of every class in the loss, (classes,); None: all alike.
        **kwargs: those of `Batches`.
    """

    def __init__(self, *args: Any, class_weights: np.ndarray | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._class_weights = class_weights

    def _batch(self, number: int) -> tuple[Any, ...]:
        _, x, labels = self._examples(number)
        return x, *labels_and_weights(labels, self._class_weights)


def labels_and_weights(
    labels: np.ndarray, class_weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Class indices of frames without -1, and the weight of each frame in the loss, float32."""
    weights = (labels >= 0).astype("float32")
    labels = np.maximum(labels, 0)
    return labels, weights if class_weights is None else weights * class_weights[labels]


class PatchMask:
    """Draws which patches of every example are hidden; the same for the same seed and batch.

    Args:
        share: share of patches that are masked, above 0 and below 1; rounded, at least one.
        patch: rows and frames of one; those at the end may be smaller.
        seed: random seed of the draws.

    Raises:
        UsageError: an invalid share or patch.

    Reference: He et al., "Masked autoencoders are scalable vision learners", CVPR 2022.
    """

    def __init__(self, share: float, patch: tuple[int, int], seed: int = 0) -> None:
        if not 0 < share < 1:
            raise UsageError(f"the masked share must be above 0 and below 1; received {share}.")
        if min(patch) < 1:
            raise UsageError(f"a patch needs 1 row and 1 frame or more; received {patch}.")
        self._share = share
        self._patch = patch
        self._seed = seed

    def __call__(self, shape: tuple[int, ...], epoch: int, batch: int) -> np.ndarray:
        """True where it is hidden.

        Args:
            shape: (N, F, T, C) of the batch.
            epoch: its number, from 0.
            batch: number of the batch in it, from 0.
        """
        examples, rows, frames, _ = shape
        down, across = (-(-n // p) for n, p in zip((rows, frames), self._patch, strict=True))
        count = min(max(1, round(self._share * down * across)), down * across)
        # The last number keeps the stream apart from those of augmentation.
        rng = np.random.default_rng([self._seed, epoch, batch, 101])
        order = rng.permuted(np.tile(np.arange(down * across), (examples, 1)), axis=1)
        patches = (order < count).reshape(examples, down, across)
        hidden = patches.repeat(self._patch[0], axis=1).repeat(self._patch[1], axis=2)
        return np.broadcast_to(hidden[:, :rows, :frames, None], shape)
