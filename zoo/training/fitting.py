"""What every training has in common: settings, the loop over epochs, what a run folder records."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import SAMPLINGS, TRAIN_PER_CLASS
from zoo.errors import RunError, UsageError, nearest
from zoo.files import os_failure
from zoo.machine import versions
from zoo.models.card import ModelCard
from zoo.progress import progress_bar
from zoo.runs import Run
from zoo.seeds import check_seed
from zoo.training.batches import Batches, fed
from zoo.training.interrupts import interrupted_between_steps
from zoo.training.runs import OPTIMIZERS


class Diverged(RunError):
    """The loss became something that is not a number."""


def check_losses(losses: Sequence[float]) -> None:
    """See to it that a training did not break down.

    Raises:
        Diverged: a loss is something that is not a number.
    """
    if not np.isfinite(losses).all():
        raise Diverged("the loss became something that is not a number.")


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How any model is trained.

    Attributes:
        epochs: how many in all.
        per_class: examples of each class in a balanced epoch.
        batch_size: examples a step.
        optimizer: `"adagrad"` (Riemens 2015), or `"adam"`.
        learning_rate: of the optimiser. Riemens (2015) gives none.
        initial_accumulator: of AdaGrad's squared gradients; Riemens (2015) starts at 0, where
            the first steps are as large as the rate itself whatever the gradient.
        seed: of initial weights, dropout, sampling and order.
        validation: split to score after each epoch; None: `dev` where there is one.
        sampling: `"balanced"` epochs; or `"natural"`, every example once an epoch, or
            `"weighted"`, the same with losses that count every class alike (`per_class` has no
            say in these).
        augment: what to change in every batch, for `Augmenter`; None: nothing.
        l2: factor on the squared filters (kernels) that is added to the loss.
        encoder: run folder or Keras file whose encoder initialises the model's; None: random.
        freeze_encoder: leave the encoder as it was initialised, filters and biases.
    """

    epochs: int = 20
    per_class: int = TRAIN_PER_CLASS
    batch_size: int = 128
    optimizer: str = "adagrad"
    learning_rate: float = 0.01
    initial_accumulator: float = 0.0
    seed: int = 0
    validation: str | None = None
    sampling: str = "balanced"
    augment: str | None = None
    l2: float = 0.0
    encoder: str | None = None
    freeze_encoder: bool = False

    def new_optimizer(self) -> keras.Optimizer:
        """A new optimiser with these settings."""
        if self.optimizer == "adam":
            return keras.optimizers.Adam(self.learning_rate)
        return keras.optimizers.Adagrad(
            self.learning_rate, initial_accumulator_value=self.initial_accumulator
        )


def check_settings(settings: TrainingSettings, prepared: Prepared, least_epochs: int = 1) -> None:
    """Refuse settings that are of no use, or that the prepared set cannot serve.

    Raises:
        UsageError: it is so.
    """
    for field, least in (("epochs", least_epochs), ("per_class", 1), ("batch_size", 1)):
        if getattr(settings, field) < least:
            raise UsageError(
                f"{field} must be {least} or more; received {getattr(settings, field)}."
            )
    if not settings.learning_rate > 0 or not settings.initial_accumulator >= 0:
        raise UsageError(
            "learning_rate must be above 0 and initial_accumulator 0 or more; received "
            f"{settings.learning_rate} and {settings.initial_accumulator}."
        )
    check_seed(settings.seed)
    if settings.optimizer not in OPTIMIZERS:
        raise UsageError(
            f"unknown optimizer {settings.optimizer!r}. "
            + nearest(settings.optimizer, OPTIMIZERS, "optimizer")
        )
    if not settings.l2 >= 0:
        raise UsageError(f"l2 must be 0 or more; received {settings.l2}.")
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


def check_shape(overrides: Mapping[str, Any], prepared: Prepared) -> None:
    """Refuse an `input_shape` that is not the prepared set's.

    Raises:
        UsageError: it is another one.
    """
    shape = overrides.get("input_shape")
    if shape is not None and tuple(shape) != prepared.shape:
        raise UsageError(
            f"input_shape {tuple(shape)} is not the shape of {prepared.path}, {prepared.shape}; "
            "leave it out."
        )


def validation_split(settings: TrainingSettings, prepared: Prepared) -> str | None:
    """The split to score after each epoch, if any."""
    return settings.validation or ("dev" if "dev" in prepared.splits else None)


def run_config(
    card: ModelCard,
    settings: TrainingSettings,
    overrides: Mapping[str, Any],
    prepared: Prepared,
    **more: Any,
) -> dict[str, Any]:
    """All that decides a run's result, as plain values; `more` may replace settings."""
    return {
        **dataclasses.asdict(settings),
        "model": card.name,
        "overrides": dict(overrides),
        "data": prepared.manifest["plan"],
        "frontend": prepared.frontend.fingerprint,
        "backend": keras.backend.backend(),
        **more,
    }


def record_run(
    run: Run,
    card: ModelCard,
    config: Mapping[str, Any],
    prepared: Prepared,
    encoder: str | None,
) -> None:
    """Write down what a run was asked for, and its front end."""
    run.record(
        {
            "model": card.name,
            "family": card.family,
            "classes": list(prepared.classes),
            "groups": prepared.groups,
            "input_shape": list(prepared.shape),
            "settings": dict(config),
            "data": {
                "corpus": prepared.manifest["corpus"],
                "settings": prepared.manifest["settings"],
                "segments": prepared.manifest["splits"]["train"]["segments"],
            },
            "encoder": encoder,
            "versions": versions(),
        },
        prepared.frontend,
    )


def regularise(model: keras.Model, l2: float) -> None:
    """Add `l2` times the sum of the squared kernels of a built model to its losses."""
    if not l2:
        return
    for layer in model.layers:
        kernel: Any = getattr(layer, "kernel", None)
        if kernel is not None:
            # The layer's setting too, so that a saved model keeps it.
            layer.kernel_regularizer = kernel.regularizer = keras.regularizers.L2(l2)


def fit(
    model: keras.Model,
    batches: Batches,
    run: Run,
    settings: TrainingSettings,
    epochs: int,
    *,
    validation: tuple[np.ndarray, np.ndarray] | None,
    describe: Callable[[Mapping[str, float]], str],
    callbacks: Sequence[keras.callbacks.Callback] = (),
    record: Mapping[str, float] | None = None,
    stop: Callable[[], bool] | None = None,
    text: str = "",
    progress: bool = False,
) -> None:
    """Train a compiled model until the run has `epochs` epochs, saving each.

    Args:
        model: compiled.
        batches: of the run's next epoch.
        run: where it is recorded.
        settings: how.
        epochs: of the run, those done before included.
        validation: inputs and targets to score after each epoch.
        describe: what the progress bar says of an epoch's metrics.
        callbacks: called before those that record an epoch.
        record: further entries of every epoch's history.
        stop: whether the last epoch that was recorded is the last one.
        text: in front of the progress bar.
        progress: show it.

    Raises:
        Diverged: the loss became something that is not a number.
        RunError: the folder cannot be written.
    """
    callback = _Epochs(run, settings, epochs, batches, describe, record or {}, stop, text, progress)
    data, redraw = fed(batches)
    try:
        with interrupted_between_steps(callback.end) as interruption:
            model.fit(
                data,
                validation_data=validation,
                validation_batch_size=settings.batch_size,
                initial_epoch=run.epoch,
                epochs=epochs,
                callbacks=[*redraw, *callbacks, *_tensorboard(run), callback, *interruption],
                # The sampler has shuffled; Keras would shuffle by a generator that no seed resumes.
                shuffle=False,
                verbose=0,
            )
    except OSError as error:
        raise os_failure(error, f"cannot write {run.path}") from error


def _tensorboard(run: Run) -> list[keras.callbacks.Callback]:
    if keras.backend.backend() != "tensorflow":
        return []
    return [keras.callbacks.TensorBoard(run.logs, write_graph=False)]


class _Epochs(keras.callbacks.Callback):
    """Seeds every epoch by its number, saves after it, and shows how it goes."""

    def __init__(
        self,
        run: Run,
        settings: TrainingSettings,
        epochs: int,
        batches: Batches,
        describe: Callable[[Mapping[str, float]], str],
        record: Mapping[str, float],
        stop: Callable[[], bool] | None,
        text: str,
        progress: bool,
    ) -> None:
        super().__init__()
        self._run = run
        self._settings = settings
        self._epochs = epochs
        self._batches = batches
        self._describe = describe
        self._record = record
        self._stop = stop
        self._text = text
        self._progress = progress
        self._bar: Any = None

    def end(self) -> None:
        """What is to be done before an exception leaves `fit`."""
        if self._bar is not None:
            self._bar.close()
        self._batches.stop()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # Dropout and other random layers draw from the epoch's number, so that a resumed run
        # draws what an unbroken one would have drawn.
        for number, state in enumerate(random_states(self.model)):
            draw = np.random.SeedSequence([self._settings.seed, epoch, number]).generate_state(1)
            state.assign(np.array([draw[0], 0], "uint32"))
        self._start = time.perf_counter()
        text = f"{self._text}epoch {epoch + 1}/{self._epochs}"
        self._bar = progress_bar(len(self._batches), "batch", text, shown=self._progress)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        if logs and not np.isfinite(logs["loss"]):
            self.end()
            raise Diverged(
                f"the loss became {logs['loss']} in epoch {self._run.epoch + 1}; "
                "try a smaller --learning-rate."
            )
        if batch % 10 == 0 and logs:
            self._bar.set_postfix_str(self._describe(logs), refresh=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._bar.set_postfix_str(self._describe(values))
        self._bar.close()
        values["seconds"] = time.perf_counter() - self._start
        self._run.save_epoch({**values, **self._record}, self.model.save)
        if self._stop is not None and self._stop():
            self.model.stop_training = True


def random_states(model: keras.Model) -> list[Any]:
    """The states of a model's random generators, which are no weights."""
    weights = {id(w) for w in model.weights}
    return [v for v in model.variables if id(v) not in weights and "seed_generator_state" in v.path]
