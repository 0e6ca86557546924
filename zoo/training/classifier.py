"""Training a classifier, on class-balanced epochs unless told otherwise."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from zoo.data.augmentation import Augmenter
from zoo.data.phones import group_index
from zoo.data.prepared import Prepared
from zoo.data.samplers import (
    SAMPLINGS,
    TEST_PER_CLASS,
    TRAIN_PER_CLASS,
    check_fraction,
    epochs_of,
    label_fraction,
    label_subset,
)
from zoo.errors import RunError, UsageError, nearest
from zoo.evaluation.metrics import FoldedAccuracy
from zoo.files import os_failure, replacing, write_json
from zoo.progress import progress_bar
from zoo.saving import MODEL_NAME
from zoo.training.batches import Batches
from zoo.training.runs import CONFIG, HISTORY, RunFolder, versions


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a classifier is trained.

    Attributes:
        epochs: how many in all.
        per_class: examples of each class in an epoch.
        batch_size: examples a step.
        learning_rate: of AdaGrad. Riemens (2015) gives none.
        initial_accumulator: of AdaGrad's squared gradients; Riemens (2015) starts at 0, where
            the first steps are as large as the rate itself whatever the gradient.
        seed: of initial weights, dropout, sampling and order.
        labels_per_class: train on at most so many examples of each class; None: all.
        validation: split to score after each epoch; None: `dev` where there is one.
        sampling: `"balanced"` epochs; or `"natural"`, every example once an epoch, or
            `"weighted"`, the same with losses that count every class alike (`per_class` has no
            say in these).
        label_fraction: train on this share of each class' examples, at least one; None: all.
        augment: what to change in every batch, for `zoo.data.augmentation.parse`; None: nothing.
    """

    epochs: int = 20
    per_class: int = TRAIN_PER_CLASS
    batch_size: int = 128
    learning_rate: float = 0.01
    initial_accumulator: float = 0.0
    seed: int = 0
    labels_per_class: int | None = None
    validation: str | None = None
    sampling: str = "balanced"
    label_fraction: float | None = None
    augment: str | None = None


def train_classifier(
    name: str,
    prepared: Prepared,
    out: str | Path,
    settings: Settings | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Path:
    """Train the classifier `name` on `prepared`'s `train` split; again after a kill, it goes on.

    The result depends on the settings and the data only, not on how often training was
    interrupted. The run folder holds `config.json` (settings, versions), `history.json`,
    `frontend.json` and `mean.npy`, TensorBoard logs, and in the end `model.keras`.

    Args:
        name: a classifier of the zoo.
        prepared: what to train on; the network is built for its shape.
        out: the run folder.
        settings: how; None for the defaults.
        overrides: arguments of the model's builder.
        progress: show a progress bar with the folded accuracy on stderr.

    Returns:
        The run folder.

    Raises:
        UsageError: no such model, or settings, data or folder that do not go together.
        RunError: training broke down (not a number), or the folder cannot be written.

    Reference: Riemens (2015), sections 3.1 and B.9 (AdaGrad).
    """
    settings = settings or Settings()
    overrides = dict(overrides or {})
    card = zoo.describe(name)
    _check(card, settings, prepared, overrides)
    augment = _augmenter(settings, prepared)
    keras.utils.set_random_seed(settings.seed)
    arguments = {"input_shape": prepared.shape, "classes": len(prepared.classes), **overrides}
    model = zoo.build(name, **arguments)
    config = {
        **dataclasses.asdict(settings),
        "model": name,
        "overrides": overrides,
        "data": prepared.manifest["plan"],
        "frontend": prepared.frontend.fingerprint,
        "backend": keras.backend.backend(),
    }
    run = RunFolder.open(out, config)
    if run.epoch >= settings.epochs and (run.path / MODEL_NAME).exists():
        return run.path
    _write_config(run, card, config, prepared)
    if run.epoch:
        model = _load_checkpoint(run)
    else:
        model.compile(
            optimizer=keras.optimizers.Adagrad(
                settings.learning_rate, initial_accumulator_value=settings.initial_accumulator
            ),
            loss=(
                keras.losses.CategoricalCrossentropy()
                if augment is not None and augment.mixes_labels
                else keras.losses.SparseCategoricalCrossentropy()
            ),
            metrics=[FoldedAccuracy(group_index(prepared.classes, prepared.groups))],
        )
    if run.epoch < settings.epochs:
        _fit(model, prepared, run, settings, augment, progress)
    # Without optimiser state: what is loaded, exported and shared is the network alone.
    final = zoo.build(name, **arguments)
    final.set_weights(model.get_weights())
    with replacing(run.path / MODEL_NAME) as temporary:
        final.save(temporary)
    return run.path


def _check(card, settings: Settings, prepared: Prepared, overrides: Mapping[str, Any]) -> None:
    if card.family != "classifier":
        raise UsageError(
            f"{card.name} is of the family {card.family!r}; zoo train takes classifiers: "
            f"{', '.join(zoo.list_models(family='classifier'))}."
        )
    for field in ("epochs", "per_class", "batch_size"):
        if getattr(settings, field) < 1:
            raise UsageError(f"{field} must be 1 or more; received {getattr(settings, field)}.")
    if not settings.learning_rate > 0 or not settings.initial_accumulator >= 0:
        raise UsageError(
            "learning_rate must be above 0 and initial_accumulator 0 or more; received "
            f"{settings.learning_rate} and {settings.initial_accumulator}."
        )
    if "train" not in prepared.splits:
        raise UsageError(f"{prepared.path} has no training part; prepare a corpus with one.")
    if settings.validation is not None and settings.validation not in prepared.splits:
        raise UsageError(
            f"{prepared.path} has no split {settings.validation!r} to validate on. "
            + nearest(settings.validation, prepared.splits, "split")
        )
    if settings.sampling not in SAMPLINGS:
        raise UsageError(
            f"unknown sampling {settings.sampling!r}. " + nearest(settings.sampling, SAMPLINGS)
        )
    if settings.label_fraction is not None:
        check_fraction(settings.label_fraction)
        if settings.labels_per_class is not None:
            raise UsageError("--label-fraction and --labels-per-class exclude each other.")
    if overrides.get("classes", len(prepared.classes)) != len(prepared.classes):
        raise UsageError(
            f"classes {overrides['classes']!r} is not the number of {prepared.path}, "
            f"{len(prepared.classes)}; leave it out."
        )
    shape = overrides.get("input_shape")
    if shape is not None and tuple(shape) != prepared.shape:
        raise UsageError(
            f"input_shape {tuple(shape)} is not the shape of {prepared.path}, {prepared.shape}; "
            "leave it out."
        )


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


def _write_config(run: RunFolder, card, config: dict[str, Any], prepared: Prepared) -> None:
    prepared.frontend.save(run.path)
    write_json(
        run.path / CONFIG,
        {
            "model": card.name,
            "family": card.family,
            "classes": list(prepared.classes),
            "groups": prepared.groups,
            "input_shape": list(prepared.shape),
            "settings": config,
            "data": {
                "corpus": prepared.manifest["corpus"],
                "settings": prepared.manifest["settings"],
                "segments": prepared.manifest["splits"]["train"]["segments"],
            },
            "versions": versions(),
        },
    )


def _load_checkpoint(run: RunFolder) -> keras.Model:
    try:
        return keras.saving.load_model(run.checkpoint, safe_mode=True)
    except (OSError, ValueError) as error:
        raise RunError(
            f"the checkpoint {run.checkpoint} cannot be read; remove {run.path} to start afresh."
        ) from error


def _fit(
    model: keras.Model,
    prepared: Prepared,
    run: RunFolder,
    settings: Settings,
    augment: Augmenter | None,
    progress: bool,
) -> None:
    features, labels = prepared.features("train"), prepared.labels("train")
    chosen = None
    if settings.labels_per_class is not None:
        chosen = label_subset(labels, settings.labels_per_class, settings.seed)
    elif settings.label_fraction is not None:
        chosen = label_fraction(labels, settings.label_fraction, settings.seed)
    if chosen is not None:
        features, labels = np.asarray(features[chosen]), labels[chosen]
    sampler, weights = epochs_of(settings.sampling, labels, settings.per_class, settings.seed)
    validation = settings.validation or ("dev" if "dev" in prepared.splits else None)
    try:
        model.fit(
            Batches(
                features,
                labels,
                sampler,
                settings.batch_size,
                run.epoch,
                weights=weights,
                augment=augment,
            ),
            validation_data=_validation(
                prepared, validation, settings, augment is not None and augment.mixes_labels
            ),
            initial_epoch=run.epoch,
            epochs=settings.epochs,
            callbacks=[*_tensorboard(run), _Epochs(run, settings, progress, len(sampler))],
            # The sampler has shuffled; Keras would shuffle by a generator that no seed resumes.
            shuffle=False,
            verbose=0,
        )
    except OSError as error:
        raise os_failure(error, f"cannot write {run.path}") from error
    write_json(run.path / HISTORY, run.history)


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


def _tensorboard(run: RunFolder) -> list[keras.callbacks.Callback]:
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(run.path / "logs", write_graph=False)]


class _Epochs(keras.callbacks.Callback):
    """Seeds every epoch by its number, saves after it, and shows how it goes."""

    def __init__(self, run: RunFolder, settings: Settings, progress: bool, examples: int) -> None:
        super().__init__()
        self._run = run
        self._settings = settings
        self._progress = progress
        self._steps = -(-examples // settings.batch_size)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # Dropout draws from the epoch's number, so that a resumed run draws what an unbroken one
        # would have drawn.
        for number, state in enumerate(random_states(self.model)):
            draw = np.random.SeedSequence([self._settings.seed, epoch, number]).generate_state(1)
            state.assign(np.array([draw[0], 0], "uint32"))
        self._start = time.perf_counter()
        text = f"epoch {epoch + 1}/{self._settings.epochs}"
        self._bar = progress_bar(self._steps, "batch", text, shown=self._progress)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        if logs and not np.isfinite(logs["loss"]):
            self._bar.close()
            raise RunError(
                f"the loss became {logs['loss']} in epoch {self._run.epoch + 1}; "
                "try a smaller --learning-rate."
            )
        if batch % 10 == 0 and logs:
            self._bar.set_postfix_str(_shown(logs), refresh=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._bar.set_postfix_str(_shown(values))
        self._bar.close()
        values["seconds"] = time.perf_counter() - self._start
        self._run.save_epoch(values, self.model.save)


def _shown(logs: Mapping[str, float]) -> str:
    parts = [f"loss {logs['loss']:.3f}", f"folded {logs['accuracy_39']:.1%}"]
    if "val_accuracy_39" in logs:
        parts.append(f"validation {logs['val_accuracy_39']:.1%}")
    return " ".join(parts)


def random_states(model: keras.Model) -> list[Any]:
    """The states of a model's random generators, which are no weights."""
    weights = {id(w) for w in model.weights}
    return [v for v in model.variables if id(v) not in weights and "seed_generator_state" in v.path]
