"""Training a classifier, on class-balanced epochs unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import registry
from zoo.data.corpora.phones import accuracy_names, group_index, recorded_names
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import (
    TEST_PER_CLASS,
    epochs_of,
    label_fraction,
    label_subset,
)
from zoo.data.sets.storage import Examples
from zoo.errors import UsageError
from zoo.models.card import ModelCard
from zoo.models.encoders import freeze_encoder
from zoo.runs import Run
from zoo.settings import implied
from zoo.startup import set_random_seed
from zoo.training.batches import Batches
from zoo.training.fitting import (
    check_settings,
    check_shape,
    fit,
    record_run,
    regularise,
    run_config,
    validation_split,
)
from zoo.training.metrics import FoldedAccuracy
from zoo.training.pretrained import Pretrained
from zoo.training.settings import Settings


def train_classifier(
    name: str,
    prepared: Prepared,
    out: str | Path,
    settings: Settings | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Path:
    """Train the classifier `name` on `prepared`'s `train` split; after a kill it resumes.

    The result depends on the settings and the data only, not on how often training was
    interrupted. `zoo.Run.open` gives what the folder holds.

    With `settings.encoder`, the convolutions that the network has in common with that encoder
    start with its filters and biases ("pretraining"), and with `freeze_encoder` they stay so
    ("fixed encoder"). With `settings.weights` it starts as a network of the same kind ended.

    Args:
        name: a classifier of the zoo.
        prepared: what to train on; the network is built for its shape.
        out: the run folder.
        settings: how; None for the defaults.
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
    card = registry.describe(name)
    _check(card, settings, prepared, overrides)
    augment = _augmenter(settings, prepared)
    pretrained = Pretrained.of(settings.encoder or settings.weights, name, prepared)
    set_random_seed(settings.seed)
    arguments = {"input_shape": prepared.shape, "classes": len(prepared.classes), **overrides}
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
    record_run(run, card, config, prepared, settings.encoder)
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
            metrics=[
                FoldedAccuracy(
                    group_index(prepared.classes, prepared.groups),
                    accuracy_names(prepared.classes, prepared.groups).accuracy,
                )
            ],
        )
    if run.epoch < settings.epochs:
        _fit(model, prepared, run, settings, augment, progress)
    # Without optimiser state: what is loaded, exported and shared is the network alone.
    final = registry.build(name, **arguments)
    final.set_weights(model.get_weights())
    run.finish(final)
    return run.path


def _check(
    card: ModelCard, settings: Settings, prepared: Prepared, overrides: Mapping[str, Any]
) -> None:
    if card.family != "classifier":
        raise UsageError(
            f"{card.name} is of the family {card.family!r}; train_classifier takes classifiers: "
            f"{', '.join(registry.list_models(family='classifier'))}."
        )
    check_settings(settings, prepared)
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


def _augmenter(settings: Settings, prepared: Prepared) -> Augmenter | None:
    if settings.augment is None:
        return None
    augment = Augmenter(settings.augment, prepared.frontend, len(prepared.classes), settings.seed)
    if augment.mixes_labels and settings.sampling == "weighted":
        raise UsageError(
            "mixup and --sampling weighted exclude each other: a mixed example has no class to "
            "be weighted by; balanced sampling counts every class alike as well."
        )
    return augment


def _fit(
    model: keras.Model,
    prepared: Prepared,
    run: Run,
    settings: Settings,
    augment: Augmenter | None,
    progress: bool,
) -> None:
    features: Examples | np.ndarray = prepared.features("train")
    labels = prepared.labels("train")
    chosen = None
    if settings.labels_per_class is not None:
        chosen = label_subset(labels, settings.labels_per_class, settings.seed)
    elif settings.label_fraction is not None:
        chosen = label_fraction(labels, settings.label_fraction, settings.seed)
    if chosen is not None:
        features, labels = np.asarray(features[chosen]), labels[chosen]
    sampler, weights = epochs_of(settings.sampling, labels, settings.per_class, settings.seed)
    fit(
        model,
        Batches(
            features,
            labels,
            sampler,
            settings.batch_size,
            run.epoch,
            weights=weights,
            augment=augment,
        ),
        run,
        settings,
        settings.epochs,
        callbacks=settings.schedulers(),
        validation=_validation(
            prepared,
            validation_split(settings, prepared),
            settings,
            augment is not None and augment.mixes_labels,
        ),
        describe=_shown,
        progress=progress,
    )


def _validation(
    prepared: Prepared, split: str | None, settings: Settings, as_shares: bool
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
