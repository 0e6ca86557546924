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
from zoo.models.encoders import copy_encoder, encoder_of
from zoo.plain import plain
from zoo.presets import read_presets
from zoo.runs import Run, is_run, load, load_weights, resolve, weights_of

if TYPE_CHECKING:
    import keras

__all__ = ["ModelCard", "build", "describe", "list_models", "load_encoder", "register"]


def _catalogue() -> dict[str, ModelCard]:
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
        ['freq_fullpad', 'freq_fullpad_ae']
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
            the name of a preset or of weights that ship (`zoo.describe(name).weights`). The input
            shape and number of classes of a run are taken over unless overridden.
        **overrides: arguments of the model's builder that differ from its card, for example
            `input_shape=(201, 25, 1)` or `classifier_activation=None` for logits. NumPy's
            numbers and arrays are taken for numbers and tuples.

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
    card, overrides = describe(name), plain(overrides)
    builder = card.load_builder()
    valid = [p for p in inspect.signature(builder).parameters if p != "name"]
    for override in overrides:
        if override not in valid:
            raise UsageError(
                f"{name} has no option {override!r}. {nearest(override, valid, 'option')}"
            )
    trained = {} if weights is None else _as_trained(card, weights)
    chosen = {**card.config, **{k: v for k, v in trained.items() if k in valid}, **overrides}
    with _channels_last():
        model = builder(name=name, **chosen)
    if weights is not None:
        load_weights(model, weights)
    return model


def _as_trained(card: ModelCard, weights: str | Path) -> dict[str, Any]:
    """What a classifier's builder was told of the data, where the weights are a run of it."""
    from zoo.data.features.frontend import Frontend

    path = resolve(weights)
    if not card.names_classes or not is_run(path) or not Frontend.is_in(path):
        return {}
    run = Run(path)
    if run.model_name != card.name:
        return {}
    shape = run.frontend.shape
    if run.window is not None and not card.takes_recordings:
        shape = (shape[0], run.window, *shape[2:])
    return {
        "input_shape": shape,
        "classes": len(run.classes),
        "mark": run.frontend.context > 0,
    }


def load_encoder(
    name: str, *, weights: str | Path | None, units: int | None = None, trainable: bool = True
) -> keras.Model:
    """The part of a model from the spectrogram to the code, with trained weights.

    Args:
        name: a classifier of the zoo, or an autoencoder.
        weights: a run folder, a `.keras` or a `.weights.h5` file of this model, or a run folder or
            `.keras` file of another one with the same convolutions (`freq_fullpad` from a run of
            `freq_fullpad_ae`, or the other way round); None for random ones.
        units: encode with the outermost so many units; None: all.
        trainable: whether training changes all of it or nothing.

    Returns:
        A model (N, F, T, C) -> (N, F', T', C'), the code as a map, or (N, C') of a network whose
        code never is one.

    Raises:
        UsageError: there is no such model, file or unit, or they do not go together.

    Reference: Riemens (2015), section 4.4.

    Example:
        >>> encoder = zoo.load_encoder("freq_fullpad", weights="runs/ae", trainable=False)
        >>> encoder.output_shape
        (None, 1, 1, 64)
    """
    encoder = encoder_of(_load(name, weights, units), units)
    encoder.trainable = trainable
    for layer in encoder.layers:
        if hasattr(layer, "trainable_parts"):
            # A tied decoder's bias takes no part in encoding.
            layer.trainable_parts = ("kernel", "bias")
    return encoder


def _load(name: str, weights: str | Path | None, units: int | None) -> keras.Model:
    card = describe(name)
    if weights is None:
        return build(name)
    weights = resolve(weights)
    if weights.name.endswith(".weights.h5"):
        options = {"units": units} if units and card.is_autoencoder else {}
        return build(name, weights=weights, **options)
    loaded = load(weights)
    if loaded.name == name:
        return loaded
    model = build(name, input_shape=loaded.input_shape[1:])
    copied = copy_encoder(loaded, model)
    encoding = encoder_of(model, units)
    missing = [x.name for x in encoding.layers if x.weights and x.name not in copied]
    if missing:
        raise UsageError(
            f"the weights of {weights} are {loaded.name}'s and lack {', '.join(missing)} of "
            f"{name}; ask for fewer units."
        )
    return model
