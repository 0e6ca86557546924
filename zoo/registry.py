"""The zoo's catalogue: one record a model, from which it is listed, described, built and tested."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, nearest
from zoo.models.card import ModelCard, own_models, register

if TYPE_CHECKING:
    import keras

__all__ = ["ModelCard", "build", "describe", "list_models", "register"]


def _catalogue() -> dict[str, ModelCard]:
    from zoo.presets import read_presets
    from zoo.weights import weights_of

    own = {
        name: dataclasses.replace(card, weights=weights_of(name))
        for name, card in own_models().items()
    }
    return {**own, **read_presets(own)}


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
