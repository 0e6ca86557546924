"""Keras metrics that training shows."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.data.phones import group_index


@keras.saving.register_keras_serializable(package="zoo")
class FoldedAccuracy(keras.metrics.Mean):
    """Share of examples whose most probable class lies in the labelled class' group.

    The 48 classes are counted as 39 groups (Lee & Hon 1989).

    Input shape:
        `y_true` (N,) class indices, `y_pred` (N, 48) probabilities or logits.
    """

    def __init__(self, name: str = "accuracy_39", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count one batch."""
        groups = ops.convert_to_tensor(group_index(), dtype="int32")
        said = ops.take(groups, ops.argmax(y_pred, axis=-1))
        meant = ops.take(groups, ops.cast(ops.reshape(y_true, (-1,)), "int32"))
        return super().update_state(ops.cast(ops.equal(said, meant), "float32"), sample_weight)
