"""A search space of frequency-convolution classifiers around `freq_fullpad`."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner

import zoo
from zoo.errors import UsageError
from zoo.evaluation.metrics import FoldedAccuracy

MAX_UNITS = 4


class FrequencyClassifier(keras_tuner.HyperModel):
    """Padded frequency convolution of two to four units, and AdaGrad's rate.

    Every combination fits the input: convolutions keep the map's size, and a unit is only added
    while the map before it is at least as large as its pooling.

    Args:
        input_shape: (F, T, C) of the prepared set to search on.
        classes: number of its classes.

    Example:
        >>> goal = keras_tuner.Objective("val_accuracy_39", "max")
        >>> space = FrequencyClassifier((201, 16, 1))
        >>> tuner = keras_tuner.RandomSearch(space, objective=goal, max_trials=20)
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int = 48) -> None:
        super().__init__(name="frequency_classifier")
        self.input_shape = tuple(input_shape)
        self.classes = classes

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """One compiled model; its metric is the accuracy over the 39 groups."""
        units = hp.Int("units", 2, self._most_units())
        first = hp.Choice("first_filters", [8, 16, 24])
        height = hp.Choice("kernel_bins", [5, 8, 11])
        pool = (hp.Choice("pool_bins", [2, 3, 5]), 2)
        inner = units - 1
        model = zoo.build(
            "freq_fullpad",
            input_shape=self.input_shape,
            classes=self.classes,
            filters=tuple(first * 2**unit for unit in range(units)),
            kernel_sizes=((height, None),) * units,
            pool_sizes=(*[pool] * inner, (None, None)),
            pool_strides=(*[(2, 2)] * inner, (None, None)),
            dense_units=(hp.Choice("dense_units", [64, 128, 256]),) * hp.Int("dense_layers", 1, 2),
            dropout=hp.Float("dropout", 0.0, 0.6, step=0.1),
        )
        rate = hp.Float("learning_rate", 1e-3, 3e-2, sampling="log")
        metrics: list[Any] = [FoldedAccuracy()] if self.classes == 48 else ["accuracy"]
        model.compile(
            optimizer=keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0),
            loss="sparse_categorical_crossentropy",
            metrics=metrics,
        )
        return model

    def _most_units(self) -> int:
        """Units, the last of which pools the whole map, that fit with the largest pooling."""
        bins, frames = self.input_shape[:2]
        units = 1
        while units < MAX_UNITS and bins >= 5 and frames >= 2:
            bins, frames = (bins - 5) // 2 + 1, (frames - 2) // 2 + 1
            units += 1
        if units < 2:
            raise UsageError(
                f"an input of {self.input_shape} leaves no room for two units; "
                "5 bins and 2 frames are the least."
            )
        return units
