"""Common parts of the cells of the thesis' tables: networks trained within the budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.data.corpora.phones import accuracy_names, recorded_names
from zoo.data.sets.prepared import Prepared
from zoo.evaluation.reconstruction import reconstruction_scores
from zoo.evaluation.runs import evaluate, evaluate_autoencoder, inputs_for, predict
from zoo.experiments.engine.runner import Context
from zoo.runs import Run
from zoo.training.autoencoder import AutoencoderSettings, train_autoencoder
from zoo.training.classifier import Settings, train_classifier

FORWARD = "freq_fullpad"
"""The thesis' forward network."""

RECONSTRUCTION = (
    *("euclidean_error", "null_distance", "euclidean_error_uniform", "null_distance_uniform"),
    *("output_variation", "constant_output", "cross_correlation", "waveform_cross_correlation"),
)


def classifier(
    name: str,
    settings: Mapping[str, Any],
    prepared: Prepared,
    context: Context,
    overrides: Mapping[str, Any] | None = None,
    **more: Any,
) -> Path:
    """The run of a classifier, trained within a cell's budget."""
    budget = _budget(settings)
    budget["epochs"] = settings.get("classifier_epochs", budget["epochs"])
    chosen = Settings(**budget, **more)
    return context.trained(train_classifier, name, prepared, chosen, overrides)


def autoencoder(
    name: str,
    settings: Mapping[str, Any],
    prepared: Prepared,
    context: Context,
    overrides: Mapping[str, Any],
    *,
    untrained: bool = False,
    **more: Any,
) -> Path:
    """The run of an autoencoder, trained within a cell's budget, or not at all."""
    budget = {**_budget(settings), **({"epochs": 0} if untrained else {})}
    chosen = AutoencoderSettings(**budget, patience=settings["patience"], **more)
    return context.trained(train_autoencoder, name, prepared, chosen, overrides)


def classified(run: Path, prepared: Prepared, seed: int) -> dict[str, Any]:
    """A classifier's scores on the test part, its error as in the thesis, and its training."""
    scores = evaluate(run, prepared, "test", seed).scores
    history = Run.open(run).history
    names = accuracy_names(prepared.classes, prepared.groups)
    return {
        "error": 1 - scores[names.uniform],
        "train_error": 1 - history[recorded_names(history).accuracy][-1],
        **{key: scores[key] for key in (names.accuracy, names.uniform, names.balanced)},
        "epochs": len(history["loss"]),
    }


def reconstructed(run: Path, prepared: Prepared, seed: int) -> dict[str, Any]:
    """An autoencoder's scores on the test part, and how its training ended."""
    scores = evaluate_autoencoder(run, prepared, "test", seed).scores
    history = Run.open(run).history
    found = {key: scores[key] for key in RECONSTRUCTION}
    if history:
        found["train_euclidean_error"] = history["euclidean_error"][-1]
    return {**found, "epochs": len(history.get("loss", []))}


def stage_reconstructed(run: Path, units: int, prepared: Prepared, seed: int) -> dict[str, Any]:
    """The same of a stacked autoencoder as it was when it had `units` units."""
    history = Run.open(run).history
    epochs = [e for e, u in enumerate(history["units"]) if u == units]
    inputs = inputs_for(run, prepared, "test")[:]
    outputs = predict(Run.open(run).stage(units), inputs)
    scores = reconstruction_scores(
        inputs, outputs, prepared.labels("test"), prepared.frontend, seed
    )
    return {
        **{key: scores[key] for key in RECONSTRUCTION},
        "train_euclidean_error": history["euclidean_error"][epochs[-1]],
        "epochs": len(epochs),
    }


def _budget(settings: Mapping[str, Any]) -> dict[str, Any]:
    more = ("deterministic", "mixed_precision")
    return {key: settings[key] for key in ("epochs", "per_class", "learning_rate", "seed")} | {
        key: settings[key] for key in more if key in settings
    }
