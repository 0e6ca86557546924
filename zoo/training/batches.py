"""Feeding a model from a prepared set, on every Keras backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from zoo.data.augmentation import Augmenter
from zoo.data.samplers import Epochs


class Batches(keras.utils.PyDataset):
    """Batches of a sampler's epochs, gathered ahead of the model by background threads.

    Args:
        features: (N, F, T, C), may be memory-mapped.
        labels: (N,).
        sampler: draws each epoch's indices.
        batch_size: examples a batch; the last one may be smaller.
        epoch: number of the first epoch to give.
        weights: of every example in the loss, (N,); None: all alike.
        augment: changes every batch by its number and the epoch's.
    """

    def __init__(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        sampler: Epochs,
        batch_size: int = 128,
        epoch: int = 0,
        *,
        weights: np.ndarray | None = None,
        augment: Augmenter | None = None,
    ) -> None:
        # Keras gathers ahead only from two workers on; threads, since indexing releases the GIL.
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._features = features
        self._labels = labels
        self._sampler = sampler
        self._batch_size = batch_size
        self._epoch = epoch
        self._weights = weights
        self._augment = augment
        self._order = sampler.epoch(epoch)

    def __len__(self) -> int:
        return -(-len(self._sampler) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        x, y = np.asarray(self._features[chosen]), self._labels[chosen]
        if self._augment is not None:
            x, y = self._augment(x, y, self._epoch, number)
        return (x, y) if self._weights is None else (x, y, self._weights[chosen])

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._order = self._sampler.epoch(self._epoch)
