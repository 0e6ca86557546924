"""What every training has in common: settings, the loop over epochs, what a run folder records."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo.data.sets.windows import Windows
from zoo.errors import RunError, UsageError, nearest
from zoo.extras import installed
from zoo.files import os_failure
from zoo.machine import versions
from zoo.models.card import ModelCard
from zoo.ops.compilation import fusing
from zoo.plain import plain
from zoo.progress import progress_bar
from zoo.runs import Run
from zoo.settings import as_record, check
from zoo.training.batches import Batches, fed
from zoo.training.inputs import Data
from zoo.training.interrupts import interrupted_between_steps
from zoo.training.settings import TrainingSettings


class Diverged(RunError):
    """The loss is not a finite number any more."""


def check_losses(losses: Sequence[float]) -> None:
    """Raise an error if a training diverged.

    Raises:
        Diverged: a loss is something that is not a number.
    """
    if not np.isfinite(losses).all():
        raise Diverged("the loss became something that is not a number.")


def check_settings(settings: TrainingSettings, prepared: Data) -> None:
    """Refuse settings that are invalid, or that the prepared set cannot serve.

    Raises:
        UsageError: a setting is invalid.
    """
    check(settings)
    if "train" not in prepared.splits:
        raise UsageError(f"{prepared.path} has no training part; prepare a corpus with one.")
    if settings.validation is not None and settings.validation not in prepared.splits:
        raise UsageError(
            f"{prepared.path} has no split {settings.validation!r} to validate on. "
            + nearest(settings.validation, prepared.splits, "split")
        )


def check_shape(overrides: Mapping[str, Any], prepared: Data) -> None:
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


def validation_split(settings: TrainingSettings, prepared: Data) -> str | None:
    """The split to score after each epoch, if any."""
    return settings.validation or ("dev" if "dev" in prepared.splits else None)


def run_config(
    card: ModelCard,
    settings: TrainingSettings,
    overrides: Mapping[str, Any],
    prepared: Data,
    **more: Any,
) -> dict[str, Any]:
    """All that decides a run's result, as plain values; `more` may replace settings."""
    return {
        **as_record(settings),
        "model": card.name,
        "overrides": plain(dict(overrides)),
        "data": prepared.manifest["plan"],
        # Of several sets alone: runs from before there was a choice resume.
        **({"data_weights": prepared.manifest["weights"]} if "sets" in prepared.manifest else {}),
        "frontend": prepared.frontend.fingerprint,
        "backend": keras.backend.backend(),
        **more,
    }


def record_run(
    run: Run,
    card: ModelCard,
    config: Mapping[str, Any],
    prepared: Data,
    encoder: str | None,
) -> None:
    """Record a run's settings and its front end."""
    window = prepared.window if isinstance(prepared, Windows) else None
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
                "segments": _examples(prepared),
                **({"sets": prepared.manifest["sets"]} if "sets" in prepared.manifest else {}),
            },
            "encoder": encoder,
            # Networks of one shape are given windows of recordings; others take them whole.
            **({"window": window} if window else {}),
            "versions": versions(),
        },
        prepared.frontend,
    )


def _examples(prepared: Data) -> int:
    split = prepared.manifest["splits"]["train"]
    return split["segments"] if "segments" in split else split["examples"]


@contextlib.contextmanager
def precision(settings: TrainingSettings) -> Iterator[None]:
    """Set the precision of the networks that are built in the block."""
    if settings.mixed_precision is None:
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{settings.mixed_precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def regularise(model: keras.Model, l2: float) -> None:
    """Add `l2` times the sum of the squared kernels of a built model to its losses."""
    if not l2:
        return
    for layer in model.layers:
        kernel: Any = getattr(layer, "kernel", None)
        if kernel is not None:
            # The layer's setting too, so that a saved model keeps it.
            layer.kernel_regularizer = kernel.regularizer = keras.regularizers.L2(l2)


def build_optimizer(model: keras.Model) -> None:
    """Create the variables of a compiled model's optimiser, unless it has them.

    Where those come to be in the first step, TensorFlow traces the step twice.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def fit(
    model: keras.Model,
    batches: Batches,
    run: Run,
    settings: TrainingSettings,
    epochs: int,
    *,
    validation: tuple[np.ndarray, ...] | None,
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
        batches: batches of the run's next epoch.
        run: where it is recorded.
        settings: settings of the training.
        epochs: number of epochs of the run, those done before included.
        validation: inputs, targets and perhaps weights to score after each epoch.
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
    build_optimizer(model)
    try:
        with fusing(), interrupted_between_steps(callback.end) as interruption:
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
    if keras.backend.backend() != "tensorflow" or not installed("tensorboard"):
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
    """The states of a model's random generators, which are not among its weights."""
    weights = {id(w) for w in model.weights}
    return [v for v in model.variables if id(v) not in weights and "seed_generator_state" in v.path]
