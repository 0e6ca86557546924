"""One trial: training and measuring a configuration, with a sentence for a failure."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import json
import math
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import RunError, StorageError, UsageError
from zoo.files import os_failure, write_json, write_text
from zoo.interrupts import safe_point
from zoo.runs import Run
from zoo.startup import clear_session
from zoo.training.autoencoder import AutoencoderSettings, train_autoencoder
from zoo.training.classifier import Settings, train_classifier
from zoo.training.fitting import Diverged

from .costs import DISK_FULL, latency_ms, multiply_adds, out_of_memory
from .data import Parts, a_few
from .oracles import own_values
from .spaces import Configuration
from .study import COMPLETED, FAILED, RESULT, Study

TRACEBACK = "traceback.txt"

CRASH = "crash.txt"
"""File left by a trial that ended its process, for example by a segmentation fault."""


def run_trial(study: Study, trial_id: str, worker: str) -> dict[str, Any]:
    """Train and measure one trial; an existing result is returned unchanged.

    A failed trial (the loss is not a number, memory runs out, or any exception) is a result too,
    with a sentence; the traceback is written beside it. A trial that crashed its process before is
    not run again.

    Args:
        study: it belongs to.
        trial_id: its values are in its folder.
        worker: who runs it, for the record.

    Returns:
        The result, as in `result.json`.

    Raises:
        RunError: what would befall every trial, such as a full disk.
    """
    folder = study.trial(trial_id)
    if (folder / RESULT).exists():
        return study.result(trial_id)
    start = time.perf_counter()
    result: dict[str, Any] = {"status": FAILED, "value": None, "measures": {}, "error": None}
    try:
        with _crashing_into(folder / CRASH):
            measures, curves = _train_and_measure(study, trial_id)
        result = study.named({**result, "measures": measures, "curves": curves})
        result["value"] = study.objective.value(result["measures"])
        result["status"] = COMPLETED
    except Exception as error:
        # Ctrl-C that came out as another exception is no failure of the trial's.
        safe_point()
        _raise_if_fatal(error)
        result |= {"status": FAILED, "value": None, "error": sentence(error)}
        with contextlib.suppress(RunError):
            write_text(folder / TRACEBACK, traceback.format_exc())
    result |= {"seconds": round(time.perf_counter() - start, 3), "worker": worker}
    write_json(folder / RESULT, result)
    return result


@contextlib.contextmanager
def _crashing_into(path: Path) -> Iterator[None]:
    """Have a crash of the process written to `path`.

    Raises:
        RunError: there was one before.
    """
    said = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if said:
        cause = said.splitlines()[0].removeprefix("Fatal Python error: ")
        raise RunError(f"it crashed the process that ran it ({cause})")
    before = faulthandler.is_enabled()
    with open(path, "w", encoding="utf-8") as file:
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.disable()
            if before and sys.__stderr__ is not None:
                faulthandler.enable(sys.__stderr__)
    path.unlink(missing_ok=True)


def fail_trial(study: Study, trial_id: str, why: str, worker: str) -> None:
    """Record a trial that nobody could finish."""
    if not (study.trial(trial_id) / RESULT).exists():
        write_json(
            study.trial(trial_id) / RESULT,
            {
                "status": FAILED,
                "value": None,
                "measures": {},
                "error": why,
                "seconds": None,
                "worker": worker,
            },
        )


def rehearse(study: Study) -> None:
    """Train the first network that the space allows on a few examples, and measure it.

    Raises:
        UsageError, RunError: what the search would end with, before any of it is spent.
    """
    configuration = study.space.first(study.plan.seed)
    few, seed = a_few(study.parts), study.plan.seed
    with tempfile.TemporaryDirectory() as folder:
        try:
            measures, _ = _measured(
                study, configuration, few, Run(Path(folder) / "run"), seed, 1, 1
            )
            study.objective.value(measures)
        except (UsageError, RunError):
            raise
        except Exception as error:
            raise RunError(f"the rehearsal on a few examples failed: {sentence(error)}") from error


def sentence(error: BaseException) -> str:
    """A failure in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else ""
    if out_of_memory(error):
        return f"it ran out of memory ({first[:160] or type(error).__name__})"
    if isinstance(error, (UsageError, RunError)):
        return str(error)
    return f"{type(error).__name__}: {first[:300]}" if first else type(error).__name__


def _raise_if_fatal(error: Exception) -> None:
    if isinstance(error, StorageError):
        raise error
    if DISK_FULL in str(error):
        error = OSError(errno.ENOSPC, DISK_FULL)
    if isinstance(error, OSError):
        raise os_failure(error, "a trial cannot write its files") from error


def _train_and_measure(
    study: Study, trial_id: str
) -> tuple[dict[str, float], list[dict[str, list[float]]]]:
    """Measures, averaged over the trial's trainings, and the curves of each."""
    values = study.values(trial_id)
    configuration = study.space.configuration_of(own_values(values))
    # Hyperband continues an earlier trial: its run is taken over, with its seed.
    root = _root(study, trial_id)
    epochs = values.get("tuner/epochs", study.plan.epochs)
    measured, curves = [], []
    for execution in range(study.plan.executions):
        run = study.run(trial_id, execution)
        earlier = values.get("tuner/trial_id")
        if earlier is not None and study.has_weights(earlier):
            run.start_from(study.run(earlier, execution))
        measures, history = _measured(
            study,
            configuration,
            study.parts,
            run,
            study.seed(root, execution),
            epochs,
            study.plan.per_class,
        )
        measured.append(measures)
        curves.append(history)
    first = measured[0]
    mean = {name: statistics.fmean(m[name] for m in measured) for name in first}
    # Counts are the same in every training, and stay whole.
    return {n: first[n] if isinstance(first[n], int) else v for n, v in mean.items()}, curves


def _root(study: Study, trial_id: str) -> str:
    while (earlier := study.values(trial_id).get("tuner/trial_id")) is not None:
        trial_id = earlier
    return trial_id


def _measured(
    study: Study,
    configuration: Configuration,
    parts: Parts,
    run: Run,
    seed: int,
    epochs: int,
    per_class: int,
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Train one network, then measure it: what is kept is scored, not the best epoch's."""
    clear_session()
    card, plan = study.space.card, study.plan
    # As a run's record has it, which knows no tuples.
    overrides = json.loads(json.dumps(configuration.overrides))
    settings = {
        **configuration.settings,
        "epochs": epochs,
        "per_class": per_class,
        "batch_size": plan.batch_size,
        "seed": seed,
        "validation": "dev",
        "deterministic": plan.deterministic,
        "mixed_precision": plan.mixed_precision,
    }
    if card.names_classes:
        train_classifier(card.name, parts, run.path, Settings(**settings), overrides=overrides)
    else:
        chosen = AutoencoderSettings(**settings)
        train_autoencoder(card.name, parts, run.path, chosen, overrides=overrides)
    history, model = run.history, run.model
    measures = {
        name.removeprefix("val_"): curve[-1]
        for name, curve in history.items()
        if name.startswith("val_")
    }
    for name, value in measures.items():
        if not math.isfinite(value):
            raise Diverged(f"the validation {name} became {value}; its learning rate is too high.")
    measures |= {
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(model),
        "latency_ms": round(latency_ms(model), 3),
    }
    return measures, history
