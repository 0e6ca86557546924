"""Model cards: descriptions of models, available without building them, and the list of all
cards."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zoo.startup import check_backend

if TYPE_CHECKING:
    import keras


AUTOENCODERS = ("autoencoder", "inversion")
"""Families whose networks reconstruct their input."""

UNPOOLINGS = ("switch", "blind")
DECODERS = ("free", "transpose_init", "tied")
TRAINED = ("all", "filters", "biases", "none")
"""Values of `unpooling`, `decoder`, and `train_encoder` and `train_decoder` of their builders."""


NAMING = ("classifier", "recognizer")
"""Families whose outputs stand for classes: of an example, or of every frame."""


def is_autoencoder(family: str) -> bool:
    """Whether networks of a family reconstruct their input."""
    return family in AUTOENCODERS


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """Description of a model, available without building it.

    Attributes:
        name: as `zoo.build` takes it.
        family: models of one builder and one use, such as `"classifier"`.
        summary: one sentence.
        builder: `"module:function"`, imported when the model is built; its keyword arguments are
            the overrides that `zoo.build` accepts.
        config: arguments that make this model of the builder's.
        input_shape: shape of one example, (F, T, C) unless `axes` says otherwise; None: any length.
        outputs: number of outputs, for a classifier.
        parameters: number of parameters at `input_shape`.
        labels: the label set of the outputs.
        source: where the model comes from, with the section.
        given: what the source says of it.
        chosen: what it leaves open and what we took.
        published: figures from the source, by name, fractions of 1.
        weights: names of the weights that ship.
        axes: what the entries of `input_shape` are.
        recipe: settings of its training where they are not the defaults.
    """

    name: str
    family: str
    summary: str
    builder: str
    config: Mapping[str, Any]
    input_shape: tuple[int | None, ...]
    outputs: int | None
    parameters: int
    labels: str
    source: str
    given: str = ""
    chosen: str = ""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    weights: tuple[str, ...] = ()
    axes: tuple[str, ...] = ("frequency", "time", "channels")
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_autoencoder(self) -> bool:
        """Whether the network reconstructs its input."""
        return is_autoencoder(self.family)

    @property
    def names_classes(self) -> bool:
        """Whether the network's outputs stand for classes."""
        return self.family in NAMING

    @property
    def takes_recordings(self) -> bool:
        """Whether the network scores or restores every frame of recordings of any length."""
        return self.family in ("recognizer", "autoencoder") and None in self.input_shape

    def load_builder(self) -> Callable[..., keras.Model]:
        """Import and return the builder function.

        Raises:
            UsageError: Keras has no backend to import it with.
        """
        check_backend()
        module, _, function = self.builder.partition(":")
        return getattr(importlib.import_module(module), function)


_REGISTRY: dict[str, ModelCard] = {}


def own_models() -> dict[str, ModelCard]:
    """The cards of the zoo's own models, without presets."""
    # They register themselves when their module is imported, once.
    importlib.import_module("zoo.models.cards")
    return _REGISTRY


def register(card: ModelCard) -> ModelCard:
    """Add a model to the zoo.

    Raises:
        ValueError: a model of this name exists already.
    """
    if card.name in _REGISTRY:
        raise ValueError(f"A model named {card.name!r} is registered already; choose another name.")
    _REGISTRY[card.name] = card
    return card
