"""Feeding a model from a prepared set, on every Keras backend."""

from __future__ import annotations

import keras
import numpy as np

from zoo.data.samplers import BalancedEpochs


class Batches(keras.utils.PyDataset):
    """Batches of a sampler's epochs, gathered ahead of the model by background threads.

    Args:
        features: (N, F, T, C), may be memory-mapped.
        labels: (N,).
        sampler: draws each epoch's indices.
        batch_size: examples a batch; the last one may be smaller.
        epoch: number of the first epoch to give.
    """

    def __init__(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        sampler: BalancedEpochs,
        batch_size: int = 128,
        epoch: int = 0,
    ) -> None:
        # Keras gathers ahead only from two workers on; threads, since indexing releases the GIL.
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._features = features
        self._labels = labels
        self._sampler = sampler
        self._batch_size = batch_size
        self._epoch = epoch
        self._order = sampler.epoch(epoch)

    def __len__(self) -> int:
        return -(-len(self._sampler) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order[number * self._batch_size : (number + 1) * self._batch_size]
        return np.asarray(self._features[chosen]), self._labels[chosen]

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._order = self._sampler.epoch(self._epoch)
