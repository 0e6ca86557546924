"""Keras metrics that training shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.data.corpora.phones import group_index


@keras.saving.register_keras_serializable(package="zoo")
class FoldedAccuracy(keras.metrics.Mean):
    """Share of examples whose most probable class lies in the labelled class' group.

    By default, the 48 classes are counted as 39 groups (Lee & Hon 1989).

    Args:
        groups: for each class the index of its group; None: TIMIT's.

    Input shape:
        `y_true` (N,) class indices or (N, classes) shares of them, of which the largest counts;
        `y_pred` (N, classes) probabilities or logits. Of frames (N, T) class indices and
        (N, T, classes).
    """

    def __init__(
        self, groups: Sequence[int] | None = None, name: str = "accuracy_39", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.groups = group_index() if groups is None else list(groups)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count one batch."""
        groups = ops.convert_to_tensor(self.groups, dtype="int32")
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == len(self.groups) > 1:
            y_true = ops.argmax(y_true, axis=-1)
        said = ops.take(groups, ops.argmax(y_pred, axis=-1))
        meant = ops.take(groups, ops.cast(ops.reshape(y_true, ops.shape(said)), "int32"))
        return super().update_state(ops.cast(ops.equal(said, meant), "float32"), sample_weight)

    def get_config(self):
        """The groups, and what Keras needs."""
        return {**super().get_config(), "groups": self.groups}
