"""A classifier that is trained many times from the same start, on few examples, in memory."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.samplers import BalancedEpochs
from zoo.training.batches import Batches
from zoo.training.classifier import Settings
from zoo.training.fitting import check_losses, random_states
from zoo.training.probing import fit_last_layer

BATCH = 32
"""Number of examples in a step; small, for sets of ten labels per class."""


class Refit:
    """Trains a classifier on one set of examples after another, each time from its first weights.

    The network is compiled once. There is no run folder; the caller records the results.

    Args:
        model: a classifier with the weights that every training starts from.
        settings: its optimiser, learning rate, schedule and `probe_first` are those of every
            training.
    """

    def __init__(self, model: keras.Model, settings: Settings) -> None:
        self.model = model
        self._settings = settings
        self._optimizer = settings.new_optimizer()
        model.compile(self._optimizer, loss="sparse_categorical_crossentropy")
        self._optimizer.build(model.trainable_variables)
        self._weights = model.get_weights()
        self._state = [keras.ops.convert_to_numpy(v) for v in self._optimizer.variables]

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        per_class: int,
        epochs: int,
        seed: int,
        augment: Augmenter | None = None,
    ) -> None:
        """Train.

        Args:
            x: centred examples (N, F, T, C).
            y: class indices (N,).
            per_class: examples of each class in an epoch.
            epochs: number of epochs.
            seed: random seed of order and dropout.
            augment: changes every batch.

        Raises:
            Diverged: the loss became something that is not a number.
        """
        self.model.set_weights(self._weights)
        for variable, value in zip(self._optimizer.variables, self._state, strict=True):
            variable.assign(value)
        for number, state in enumerate(random_states(self.model)):
            draw = np.random.SeedSequence([seed, number]).generate_state(1)
            state.assign(np.array([draw[0], 0], "uint32"))
        if self._settings.probe_first:
            fit_last_layer(self.model, x, y, seed)
        batches = Batches(x, y, BalancedEpochs(y, per_class, seed), BATCH, augment=augment)
        # Few and in memory: handing them over between threads takes longer than gathering them.
        batches.workers = 1
        callbacks = dataclasses.replace(self._settings, epochs=epochs).schedulers()
        history = self.model.fit(
            batches, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
        ).history
        batches.release()
        check_losses(history["loss"])
