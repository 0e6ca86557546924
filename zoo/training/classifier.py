"""Training a classifier, on class-balanced epochs unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import registry
from zoo.data.corpora.phones import accuracy_names, group_index, recorded_names
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.joined import joined
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import (
    TEST_PER_CLASS,
    Shares,
    epochs_of,
    label_fraction,
    label_subset,
)
from zoo.data.sets.storage import Examples
from zoo.data.sets.units import Units
from zoo.data.sets.windows import Windows
from zoo.errors import UsageError
from zoo.models.card import NAMING, ModelCard
from zoo.models.encoders import freeze_encoder
from zoo.runs import Run
from zoo.settings import check, implied
from zoo.startup import compute_repeatably, set_random_seed
from zoo.training.batches import Batches, Excerpts
from zoo.training.continuous import choose_decoder, excerpts_of, validation_excerpts
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
from zoo.training.inputs import EXCERPT, Data, as_seen, builder_arguments
from zoo.training.metrics import FoldedAccuracy
from zoo.training.pretrained import Pretrained
from zoo.training.probing import fit_last_layer
from zoo.training.settings import Settings


def train_classifier(
    name: str,
    prepared: Prepared | Sequence[Prepared],
    out: str | Path,
    settings: Settings | None = None,
    *,
    data_weights: Sequence[float] | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Path:
    """Train the classifier or recognizer `name` on `prepared`'s `train` split; it resumes.

    The result depends on the settings and the data only, not on how often training was interrupted.
    `zoo.Run.open` opens the folder.

    With `settings.encoder`, the convolutions that the network has in common with that encoder start
    with its filters and biases ("pretraining"), and with `freeze_encoder` they stay so ("fixed
    encoder"). With `settings.weights` it starts with all weights of a trained network of the same
    kind.

    On a set of whole recordings a classifier learns from windows around their frames, a recognizer
    from excerpts. At the end a decoder is counted from the labels of the training part, and its
    settings are chosen on the split that training was validated on.

    With `settings.acoustic_units` no label is used: the classes are acoustic units, found by
    k-means.

    Args:
        name: a classifier or recognizer of the zoo.
        prepared: what to train on, one set or several, as `zoo.data.sets.joined.Joined` joins
            them; the network is built for its shape.
        out: the run folder.
        settings: settings of the training; None: the defaults.
        data_weights: how often each of several sets is drawn, in proportion; None: every example
            as often as those of the others.
        overrides: arguments of the model's builder.
        progress: show a progress bar with the accuracy on stderr.

    Returns:
        The run folder.

    Raises:
        UsageError: no such model, or settings, data, encoder or folder that do not go together.
        RunError: the loss is not a number, or the folder cannot be written.

    Reference: Riemens (2015), sections 3.1, 4.4 and B.9 (AdaGrad).
    """
    settings = settings or Settings()
    overrides = dict(overrides or {})
    prepared = joined(prepared, data_weights)
    if settings.acoustic_units is not None:
        check(settings)
        prepared = Units(prepared, settings.acoustic_units, settings.seed, progress=progress)
    card = registry.describe(name)
    seen = as_seen(card, prepared, settings)
    _check(card, settings, seen, overrides)
    augment = _augmenter(card, settings, seen)
    if settings.deterministic:
        compute_repeatably()
    pretrained = Pretrained.of(settings.encoder or settings.weights, name, prepared)
    set_random_seed(settings.seed)
    arguments = {
        **builder_arguments(card, seen),
        "classes": len(prepared.classes),
        **overrides,
    }
    with precision(settings):
        model = registry.build(name, **arguments)
    copied = None
    if pretrained and settings.encoder:
        copied = pretrained.into(model)
    elif pretrained:
        pretrained.wholly_into(model)
    identity = pretrained.identity if pretrained else None
    config = run_config(
        card,
        settings,
        overrides,
        prepared,
        # What it holds, not where it lies.
        encoder=identity if settings.encoder else None,
        encoder_layers=copied,
        weights=identity if settings.weights else None,
    )
    run = Run.create(out, config, implied(Settings))
    if run.epoch >= settings.epochs and run.finished:
        return run.path
    record_run(run, card, config, seen, settings.encoder)
    if run.epoch:
        model = run.load_checkpoint()
    else:
        if settings.freeze_encoder:
            freeze_encoder(model, copied)
        regularise(model, settings.l2)
        model.compile(
            optimizer=settings.new_optimizer(),
            loss=(
                keras.losses.CategoricalCrossentropy()
                if augment is not None and augment.mixes_labels
                else keras.losses.SparseCategoricalCrossentropy()
            ),
            # Of frames that nobody labelled nothing counts.
            **{
                "weighted_metrics" if card.family == "recognizer" else "metrics": [
                    FoldedAccuracy(
                        group_index(prepared.classes, prepared.groups),
                        accuracy_names(prepared.classes, prepared.groups).accuracy,
                    )
                ]
            },
        )
        if settings.probe_first:
            fit_last_layer(model, *_labelled(seen, settings)[:2], seed=settings.seed)
    if run.epoch < settings.epochs:
        batches, validation = (
            _excerpts(prepared, run, settings, augment)
            if card.family == "recognizer"
            else _examples(seen, run, settings, augment)
        )
        fit(
            model,
            batches,
            run,
            settings,
            settings.epochs,
            callbacks=settings.schedulers(),
            validation=validation,
            describe=_shown,
            progress=progress,
        )
    # Without optimiser state: what is loaded, exported and shared is the network alone.
    final = registry.build(name, **arguments)
    final.set_weights(model.get_weights())
    if prepared.kind == "frames":
        # Settings chosen by errors of phones would say nothing of units.
        split = None if settings.acoustic_units else validation_split(settings, prepared)
        window = seen.window if isinstance(seen, Windows) else None
        run.save_decoder(*choose_decoder(final, prepared, split, window, progress))
    run.finish(final)
    return run.path


def _check(
    card: ModelCard, settings: Settings, prepared: Data, overrides: Mapping[str, Any]
) -> None:
    if not card.names_classes:
        names = [n for family in NAMING for n in registry.list_models(family=family)]
        raise UsageError(
            f"{card.name} is of the family {card.family!r}; train_classifier takes classifiers "
            f"and recognizers: {', '.join(names)}."
        )
    check_settings(settings, prepared)
    if card.family == "recognizer":
        for option in ("labels_per_class", "label_fraction"):
            if getattr(settings, option) is not None:
                raise UsageError(
                    f"--{option.replace('_', '-')} counts labelled segments, but recognizers "
                    "learn from recordings; leave it out."
                )
    if settings.probe_first and card.family == "recognizer":
        raise UsageError(
            f"--probe-first fits classes of examples, but {card.name} learns from recordings; "
            "leave it out."
        )
    if settings.probe_first and settings.weights:
        raise UsageError(
            "--probe-first and --weights exclude each other: whole weights hold a last layer."
        )
    if settings.encoder and settings.weights:
        raise UsageError(
            "--encoder and --weights exclude each other: whole weights hold an encoder already."
        )
    if settings.label_fraction is not None and settings.labels_per_class is not None:
        raise UsageError("--label-fraction and --labels-per-class exclude each other.")
    if overrides.get("classes", len(prepared.classes)) != len(prepared.classes):
        raise UsageError(
            f"classes {overrides['classes']!r} is not the number of {prepared.path}, "
            f"{len(prepared.classes)}; leave it out."
        )
    check_shape(overrides, prepared)


def _augmenter(card: ModelCard, settings: Settings, prepared: Data) -> Augmenter | None:
    if settings.augment is None:
        return None
    augment = Augmenter(settings.augment, prepared.frontend, len(prepared.classes), settings.seed)
    moving = {"shift", "mixup"} & set(augment.chosen)
    if card.family == "recognizer" and moving:
        raise UsageError(
            f"{min(moving)} would move frames away from their labels; leave it out for {card.name}."
        )
    if augment.mixes_labels and settings.sampling == "weighted":
        raise UsageError(
            "mixup and --sampling weighted exclude each other: a mixed example has "
            "no single class to weight; balanced sampling also counts all classes "
            "equally."
        )
    return augment


Fitted = tuple[Batches, tuple[np.ndarray, ...] | None]
"""Data that a network is fitted on, and data that is scored after each epoch."""


def _excerpts(
    prepared: Prepared, run: Run, settings: Settings, augment: Augmenter | None
) -> Fitted:
    features, labels, epochs, class_weights = excerpts_of(prepared, "train", settings)
    batches = Excerpts(
        features,
        labels,
        epochs,
        settings.batch_size,
        run.epoch,
        augment=augment,
        class_weights=class_weights,
    )
    split = validation_split(settings, prepared)
    if split is None:
        return batches, None
    return batches, validation_excerpts(prepared, split, settings.window or EXCERPT)


def _labelled(
    prepared: Data, settings: Settings
) -> tuple[Examples | np.ndarray, np.ndarray, Shares | None]:
    """The examples to learn from, of which there may be few a class, and the sets' shares."""
    features: Examples | np.ndarray = prepared.features("train")
    labels = prepared.labels("train")
    chosen = None
    if settings.labels_per_class is not None:
        chosen = label_subset(labels, settings.labels_per_class, settings.seed)
    elif settings.label_fraction is not None:
        chosen = label_fraction(labels, settings.label_fraction, settings.seed)
    if chosen is not None:
        features, labels = np.asarray(features[chosen]), labels[chosen]
    shares = prepared.shares("train")
    if shares is not None and chosen is not None:
        shares = shares.of(chosen)
    return features, labels, shares


def _examples(prepared: Data, run: Run, settings: Settings, augment: Augmenter | None) -> Fitted:
    features, labels, shares = _labelled(prepared, settings)
    sampler, weights = epochs_of(
        settings.sampling, labels, settings.per_class, settings.seed, shares
    )
    batches = Batches(
        features,
        labels,
        sampler,
        settings.batch_size,
        run.epoch,
        weights=weights,
        augment=augment,
    )
    split = validation_split(settings, prepared)
    as_shares = augment is not None and augment.mixes_labels
    return batches, _validation(prepared, split, settings, as_shares)


def _validation(
    prepared: Data, split: str | None, settings: Settings, as_shares: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """At most as many examples of each class as the balanced test has, the same every epoch."""
    if split is None:
        return None
    labels = prepared.labels(split)
    chosen = label_subset(labels, TEST_PER_CLASS, settings.seed)
    labels = labels[chosen]
    if as_shares:
        labels = np.eye(len(prepared.classes), dtype="float32")[labels]
    return np.asarray(prepared.features(split)[chosen]), labels


def _shown(logs: Mapping[str, float]) -> str:
    # A resumed run's logs are called as they were when it began.
    names = recorded_names(logs)
    parts = [
        f"loss {logs['loss']:.3f}",
        f"{names.text.removesuffix(' accuracy')} {logs[names.accuracy]:.1%}",
    ]
    if f"val_{names.accuracy}" in logs:
        parts.append(f"validation {logs[f'val_{names.accuracy}']:.1%}")
    return " ".join(parts)
