"""Training autoencoders: whole, or stacked unit by unit."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import registry
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.joined import joined
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import epochs_of
from zoo.data.sets.storage import Examples
from zoo.errors import UsageError
from zoo.models.autoencoders import transpose_decoder
from zoo.models.card import AUTOENCODERS, ModelCard
from zoo.models.encoders import freeze_encoder
from zoo.runs import Run
from zoo.settings import implied
from zoo.startup import compute_repeatably, set_random_seed
from zoo.training.batches import PatchMask, Reconstructions
from zoo.training.continuous import excerpts_of, validation_excerpts
from zoo.training.fitting import (
    check_settings,
    check_shape,
    fit,
    precision,
    record_run,
    regularise,
    run_config,
    validation_split,
)
from zoo.training.inputs import EXCERPT, Data, as_seen
from zoo.training.objectives import OBJECTIVES, EuclideanError
from zoo.training.penalties import PenalisedAutoencoder
from zoo.training.pretrained import Pretrained
from zoo.training.settings import PATIENCE, AutoencoderSettings

VALIDATION = 1024
"""Number of examples scored after each epoch."""

XLA_EXAMPLES = 10_000
"""Number of examples in an epoch above which compiling with XLA pays on a CPU: it takes some 40 s,
and then saves a tenth of the time."""


def train_autoencoder(
    name: str,
    prepared: Prepared | Sequence[Prepared],
    out: str | Path,
    settings: AutoencoderSettings | None = None,
    *,
    data_weights: Sequence[float] | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Path:
    """Train the autoencoder `name` to reconstruct `prepared`'s `train` split.

    As `train_classifier` does, it resumes after a kill and ends with the same weights. The history
    has an entry `units` for every epoch: the number of units in training. Stacked training also
    keeps the autoencoder after each stage (`Run.stage`).

    Args:
        name: an autoencoder of the zoo.
        prepared: what to train on, one set or several; labels serve balanced sampling alone.
        out: the run folder.
        settings: settings of the training; None: the defaults.
        data_weights: as in `train_classifier`.
        overrides: arguments of the model's builder, such as `units` and `unpooling`.
        progress: show a progress bar with the Euclidean error on stderr.

    Returns:
        The run folder.

    Raises:
        UsageError: no such model, or settings, data, encoder or folder that do not go together.
        RunError: the loss is not a number, or the folder cannot be written.

    Reference: Riemens (2015), sections 4.3 and B.7.
    """
    settings = settings or AutoencoderSettings()
    overrides = dict(overrides or {})
    prepared = joined(prepared, data_weights)
    card = registry.describe(name)
    seen = as_seen(card, prepared, settings)
    _check(card, settings, seen, overrides)
    arguments = {"input_shape": seen.shape, **overrides}
    if settings.deterministic:
        compute_repeatably()
    pretrained = Pretrained.of(settings.encoder, name, prepared)
    stages = _stages(card, settings, overrides)
    _, copied = _initial(name, arguments, stages[-1], settings, pretrained)
    config = run_config(
        card,
        settings,
        overrides,
        prepared,
        # What it holds, not where it lies.
        encoder=pretrained.identity if pretrained else None,
        encoder_layers=copied,
        # Units that were trained on cannot be given more epochs afterwards.
        epochs_a_unit=settings.epochs if settings.stack else None,
    )
    run = Run.create(out, config, implied(AutoencoderSettings))
    if _over(run, stages[-1], settings) and run.finished:
        return run.path
    record_run(run, card, config, seen, settings.encoder)
    network: keras.Model | None = None
    for units in stages:
        network = _stage(name, arguments, units, network, seen, run, settings, pretrained, progress)
        if settings.stack:
            run.save_stage(units, _plain(network, name, arguments, units))
    run.finish(_plain(network, name, arguments, stages[-1]))
    return run.path


def converged(losses: Sequence[float], patience: int, min_improvement: float) -> bool:
    """Whether the last `patience` losses brought no sufficient improvement.

    Args:
        losses: loss of every epoch, first to last.
        patience: epochs.
        min_improvement: share of the lowest loss so far.
    """
    best, since = float("inf"), 0
    for loss in losses:
        if loss < best * (1 - min_improvement):
            best, since = loss, 0
        else:
            since += 1
    return since >= patience


def _stage(
    name: str,
    arguments: Mapping[str, Any],
    units: int,
    before: keras.Model | None,
    prepared: Data,
    run: Run,
    settings: AutoencoderSettings,
    pretrained: Pretrained | None,
    progress: bool,
) -> keras.Model:
    """Train `units` units until they are over; gives the trained model.

    `before` is that of the stage before, or None in the first one. Every choice here depends on
    the run's history, so that a resumed run makes those of an unbroken one.
    """
    reached = run.history.get("units", [])
    if reached and reached[-1] > units:
        # Over and done with; its network is needed no more.
        return run.stage(units)
    begun = [e for e, u in enumerate(reached) if u == units]
    batches = _batches(prepared, run, settings)
    if begun:
        model = run.load_checkpoint()
    else:
        network, copied = _initial(name, arguments, units, settings, pretrained)
        if before is not None:
            _insert(before, network, freeze=settings.stack == "strong")
        if settings.freeze_encoder:
            freeze_encoder(network, copied)
        regularise(network, settings.l2)
        model = _compiled(network, settings, len(batches))
    done = len(begun)
    if settings.epochs and not model.trainable_variables:
        raise UsageError(
            f"no weights of {name} are left to train; epochs=0 gives the network unchanged."
        )
    if not _over(run, units, settings):
        fit(
            model,
            batches,
            run,
            settings,
            run.epoch - done + settings.epochs,
            validation=_validation(prepared, settings),
            describe=_shown,
            record={"units": units},
            stop=lambda: _over(run, units, settings),
            text=f"{units} {'unit' if units == 1 else 'units'}, " if settings.stack else "",
            progress=progress,
        )
    return model


def _over(run: Run, units: int, settings: AutoencoderSettings) -> bool:
    """Whether the stage of `units` units has had its epochs, or has converged."""
    history = run.history
    name = "val_loss" if "val_loss" in history else "loss"
    epochs = [e for e, u in enumerate(history.get("units", [])) if u == units]
    patience = settings.patience or (PATIENCE if settings.stack else None)
    losses = [history[name][e] for e in epochs]
    return len(epochs) >= settings.epochs or (
        patience is not None and converged(losses, patience, settings.min_improvement)
    )


def _stages(
    card: ModelCard, settings: AutoencoderSettings, overrides: Mapping[str, Any]
) -> list[int]:
    """Numbers of units, one for each stage; 1 of a network that is one piece."""
    if not _has_units(card):
        return [1]
    units = overrides.get("units") or len(overrides.get("filters", card.config["filters"]))
    return list(range(1, units + 1)) if settings.stack else [units]


def _has_units(card: ModelCard) -> bool:
    return "units" in inspect.signature(card.load_builder()).parameters


def _built(name: str, arguments: Mapping[str, Any], units: int) -> keras.Model:
    """The untrained autoencoder of the outermost so many units."""
    if _has_units(registry.describe(name)):
        arguments = {**arguments, "units": units}
    return registry.build(name, **arguments)


def _initial(
    name: str,
    arguments: Mapping[str, Any],
    units: int,
    settings: AutoencoderSettings,
    pretrained: Pretrained | None,
) -> tuple[keras.Model, list[str] | None]:
    """The untrained autoencoder, and the names of the layers that came from elsewhere."""
    set_random_seed(settings.seed)
    with precision(settings):
        network = _built(name, arguments, units)
    copied = None
    if pretrained is not None:
        copied = pretrained.into(network)
        if arguments.get("decoder") == "transpose_init":
            transpose_decoder(network)
    return network, copied


def _insert(before: keras.Model, network: keras.Model, freeze: bool) -> None:
    """Give `network` the layers of the autoencoder that has one unit less."""
    trained = {layer.name: layer for layer in _network(before).layers if layer.weights}
    for layer in network.layers:
        if layer.name in trained:
            layer.set_weights(trained[layer.name].get_weights())
            if freeze:
                layer.trainable = False


def _network(model: keras.Model) -> keras.Model:
    return model.autoencoder if isinstance(model, PenalisedAutoencoder) else model


def _plain(model: keras.Model, name: str, arguments: Mapping[str, Any], units: int) -> keras.Model:
    """The network alone, as it was built, without optimiser and frozen parts."""
    network = _built(name, arguments, units)
    network.set_weights(_network(model).get_weights())
    return network


def _compiled(network: keras.Model, settings: AutoencoderSettings, steps: int) -> keras.Model:
    model = network
    if settings.sparse or settings.contractive:
        model = PenalisedAutoencoder(network, settings.sparse, settings.contractive)
    # "auto" leaves XLA off on a CPU. By the epoch's size, not by the number of epochs, which may
    # grow later: the choice moves the last bits of the result.
    xla = keras.backend.backend() == "tensorflow" and steps * settings.batch_size >= XLA_EXAMPLES
    model.compile(
        optimizer=settings.new_optimizer(),
        loss=OBJECTIVES[settings.objective](),
        metrics=[EuclideanError()],
        jit_compile=xla or "auto",
    )
    return model


def _batches(prepared: Data, run: Run, settings: AutoencoderSettings) -> Reconstructions:
    features: Examples
    if isinstance(prepared, Prepared) and prepared.kind == "frames":
        features, _, sampler, _ = excerpts_of(prepared, "train", settings, unlabelled=True)
        labels = np.zeros(len(features), "int64")
    else:
        features, labels = prepared.features("train"), prepared.labels("train")
        sampler, _ = epochs_of(
            settings.sampling,
            labels,
            settings.per_class,
            settings.seed,
            prepared.shares("train"),
        )
    return Reconstructions(
        features,
        labels,
        sampler,
        settings.batch_size,
        run.epoch,
        augment=_augmenter(settings.augment, prepared, settings.seed),
        # A seed of its own: where both add noise, they do not add the same.
        corrupt=_augmenter(settings.corrupt, prepared, settings.seed + 2**31),
        masked=(
            PatchMask(settings.masked, settings.patch, settings.seed) if settings.masked else None
        ),
    )


def _augmenter(text: str | None, prepared: Data, seed: int) -> Augmenter | None:
    if text is None:
        return None
    augment = Augmenter(text, prepared.frontend, len(prepared.classes), seed)
    if augment.mixes_labels:
        raise UsageError("mixup mixes labels, which an autoencoder does not have; leave it out.")
    return augment


def _validation(
    prepared: Data, settings: AutoencoderSettings
) -> tuple[np.ndarray, np.ndarray] | None:
    """The same examples after every epoch, uncorrupted."""
    split = validation_split(settings, prepared)
    if split is None:
        return None
    if isinstance(prepared, Prepared) and prepared.kind == "frames":
        x, _, _ = validation_excerpts(prepared, split, settings.window or EXCERPT)
        return x, x
    features = prepared.features(split)
    drawn = np.random.default_rng(settings.seed).permutation(len(features))[:VALIDATION]
    x = np.asarray(features[np.sort(drawn)])
    return x, x


def _shown(logs: Mapping[str, float]) -> str:
    text = f"loss {logs['loss']:.4g} Euclidean error {logs['euclidean_error']:.3f}"
    if "val_euclidean_error" in logs:
        text += f" validation {logs['val_euclidean_error']:.3f}"
    return text


def _check(
    card: ModelCard,
    settings: AutoencoderSettings,
    prepared: Data,
    overrides: Mapping[str, Any],
) -> None:
    if not card.is_autoencoder:
        names = [n for family in AUTOENCODERS for n in registry.list_models(family=family)]
        raise UsageError(
            f"{card.name} is of the family {card.family!r}; train_autoencoder takes "
            f"{', '.join(names)}."
        )
    check_settings(settings, prepared)
    check_shape(overrides, prepared)
    if settings.sampling == "weighted":
        raise UsageError("an autoencoder's sampling is 'balanced' or 'natural', not 'weighted'.")
    if settings.stack and not _has_units(card):
        raise UsageError(f"{card.name} has no units to stack; leave stack out.")
    if settings.stack and overrides.get("dense_units"):
        raise UsageError("stacking inserts units of convolutions; leave dense_units out.")
    for text in (settings.augment, settings.corrupt):
        _augmenter(text, prepared, settings.seed)
