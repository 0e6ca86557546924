"""Inputs of each kind of network from a prepared set; determined without importing Keras."""

from __future__ import annotations

import inspect
from typing import Any

from zoo.data.sets.prepared import Prepared
from zoo.data.sets.windows import WINDOW, Windows
from zoo.errors import UsageError
from zoo.models.card import ModelCard
from zoo.training.settings import TrainingSettings

EXCERPT = 200
"""Default number of frames of an excerpt: two seconds."""

Data = Prepared | Windows
"""Data of a training: a prepared set, or the windows of a set of recordings."""


def as_seen(card: ModelCard, prepared: Prepared, settings: TrainingSettings) -> Data:
    """The data that a network learns from: a set as it is, or its recordings as windows.

    Raises:
        UsageError: the network takes whole recordings and the set holds segments, or a window is
            asked for where there is none.
    """
    if prepared.kind != "frames":
        if card.family == "recognizer":
            raise UsageError(
                f"{card.name} learns from whole recordings and {prepared.path} holds "
                f"{prepared.kind}; prepare the corpus with --examples frames."
            )
        if settings.window is not None:
            raise UsageError(
                f"--window is for sets of whole recordings (--examples frames); {prepared.path} "
                f"holds {prepared.kind}."
            )
        return prepared
    if card.takes_recordings:
        return prepared
    return Windows(prepared, settings.window or WINDOW, labelled=not card.is_autoencoder)


def builder_arguments(card: ModelCard, data: Data) -> dict[str, Any]:
    """Arguments of a network's builder that follow from the prepared set."""
    return {"input_shape": data.shape, **mark_argument(card, data.frontend.context > 0)}


def mark_argument(card: ModelCard, marked: bool) -> dict[str, Any]:
    """`mark=True` for builders that know of marks, where the last channel marks segments."""
    known = "mark" in inspect.signature(card.load_builder()).parameters
    return {"mark": True} if marked and known else {}
