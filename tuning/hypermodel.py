"""A search space for one's own keras-tuner script."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

from zoo.training.classifier import Settings
from zoo.training.fitting import regularise
from zoo.training.metrics import FoldedAccuracy

from .spaces import Space


class ZooHyperModel(keras_tuner.HyperModel):
    """Compiled classifiers of a space, for a keras-tuner script; `zoo tune` does without it.

    A combination that does not fit or exceeds the space's limits fails only its own trial.

    Args:
        space: search space of a classifier.

    Example:
        >>> import keras_tuner
        >>> from tuning.spaces import Budget
        >>> space = Space("freq_fullpad", (201, 16, 1), 48, Budget(max_params=90_000))
        >>> goal = keras_tuner.Objective("val_accuracy_39", "max")
        >>> tuner = keras_tuner.RandomSearch(ZooHyperModel(space), objective=goal, max_trials=20)
    """

    def __init__(self, space: Space) -> None:
        super().__init__(name=space.card.name)
        self.space = space

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """One compiled model; its metric is `accuracy_39` for 48 classes, else `accuracy`.

        Raises:
            keras_tuner.errors.FailedTrialError: the values in `hp` make no network of the space.
        """
        configuration = self.space.configuration(hp)
        problem = self.space.problem(hp.values)
        if problem is not None:
            raise keras_tuner.errors.FailedTrialError(problem)
        model = self.space.build(configuration)
        settings = Settings(**configuration.settings)
        regularise(model, settings.l2)
        metrics: list[Any] = [FoldedAccuracy()] if self.space.classes == 48 else ["accuracy"]
        model.compile(
            optimizer=settings.new_optimizer(),
            loss="sparse_categorical_crossentropy",
            metrics=metrics,
        )
        return model
