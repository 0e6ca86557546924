"""The zoo's catalogue: one record a model, from which it is listed, described, built and tested."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, nearest
from zoo.startup import check_backend

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """All that the zoo knows of a model without building it.

    Attributes:
        name: as `zoo.build` takes it.
        family: models of one builder and one use, such as `"classifier"`.
        summary: one sentence.
        builder: `"module:function"`, imported when the model is built; its keyword arguments are
            the overrides that `zoo.build` accepts.
        config: arguments that make this model of the builder's.
        input_shape: of one example, (F, T, C) if `axes` does not say otherwise; None: any length.
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


def _catalogue() -> dict[str, ModelCard]:
    from zoo.presets import read_presets
    from zoo.weights import weights_of

    own = {
        name: dataclasses.replace(card, weights=weights_of(name))
        for name, card in own_models().items()
    }
    return {**own, **read_presets(own)}


def register(card: ModelCard) -> ModelCard:
    """Add a model to the zoo.

    Raises:
        ValueError: a model of this name exists already.
    """
    if card.name in _REGISTRY:
        raise ValueError(f"A model named {card.name!r} is registered already; choose another name.")
    _REGISTRY[card.name] = card
    return card


def list_models(pattern: str | None = None, family: str | None = None) -> list[str]:
    """Names of the zoo's models, sorted.

    Args:
        pattern: shell wildcard such as `"freq*"`; None for all.
        family: only this family's.

    Raises:
        UsageError: there is no such family.

    Example:
        >>> zoo.list_models("freq_full*")
        ['freq_fullpad']
    """
    cards = _catalogue().values()
    families = {card.family for card in cards}
    if family is not None and family not in families:
        raise UsageError(f"There is no family {family!r}. {nearest(family, families, 'family')}")
    return sorted(
        card.name
        for card in cards
        if family in (None, card.family) and fnmatch.fnmatchcase(card.name, pattern or "*")
    )


def describe(name: str) -> ModelCard:
    """The card of the model `name`.

    Raises:
        UsageError: there is no such model; the message names the nearest ones.
    """
    catalogue = _catalogue()
    if name not in catalogue:
        raise UsageError(f"There is no model {name!r} in the zoo. {nearest(name, catalogue)}")
    return catalogue[name]


@contextlib.contextmanager
def _channels_last() -> Iterator[None]:
    """Have layers take channels last, whatever Keras' `image_data_format` says."""
    import keras

    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


def build(name: str, *, weights: str | Path | None = None, **overrides: Any) -> keras.Model:
    """Build a model of the zoo.

    Args:
        name: one of `zoo.list_models()`.
        weights: None for random ones, or a run folder, a `.keras` or a `.weights.h5` file, or
            the name of a preset or of weights that ship (`zoo.describe(name).weights`).
        **overrides: arguments of the model's builder that differ from its card, for example
            `input_shape=(201, 25, 1)` or `classifier_activation=None` for logits.

    Returns:
        A Keras model; a classifier takes centred spectrograms (N, F, T, C) and gives
        probabilities (N, 48).

    Raises:
        UsageError (a ValueError): an unknown name or override (the nearest valid ones are named),
            a shape that the model does not fit, or weights of another model.

    Example:
        >>> zoo.build("freq_fullpad", classifier_activation=None).output_shape
        (None, 48)
    """
    card = describe(name)
    builder = card.load_builder()
    valid = [p for p in inspect.signature(builder).parameters if p != "name"]
    for override in overrides:
        if override not in valid:
            raise UsageError(
                f"{name} has no option {override!r}. {nearest(override, valid, 'option')}"
            )
    with _channels_last():
        model = builder(name=name, **{**card.config, **overrides})
    if weights is not None:
        from zoo.saving import load_weights

        load_weights(model, weights)
    return model
