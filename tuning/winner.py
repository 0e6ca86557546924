"""The winner of a search as a model of the zoo."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.presets import tuned_card, write_preset
from zoo.training.fitting import TrainingSettings

from .figures import number
from .oracles import own_values
from .study import Study


def study_digest(study: Study) -> str:
    """Digest of everything that determines a study, as its name."""
    return hashlib.sha256(json.dumps(study.fingerprint(), sort_keys=True).encode()).hexdigest()


def save_preset(study: Study, trial_id: str, result: dict[str, Any], name: str) -> Path:
    """Write a trial's network, weights and card into the presets folder.

    Args:
        study: it belongs to.
        trial_id: whose weights are still there.
        result: result of the trial.
        name: name of the preset.

    Returns:
        The preset's folder.

    Raises:
        RunError: the weights are gone, or the folder cannot be written.
    """
    if not study.has_weights(trial_id):
        raise RunError(f"the weights of trial {trial_id} are no longer in {study.path}.")
    base = study.space.card
    values = own_values(study.values(trial_id))
    configuration = study.space.configuration_of(values)
    defaults = {f.name: f.default for f in dataclasses.fields(TrainingSettings)}
    recipe = {
        setting: value
        for setting, value in configuration.settings.items()
        if setting not in defaults or value != defaults[setting]
    }
    measures = ", ".join(f"{k} {number(v)}" for k, v in result["measures"].items())
    plan, epochs = study.plan, len(next(iter(result["curves"][0].values())))
    card = tuned_card(
        base,
        name,
        configuration.overrides,
        recipe,
        summary=f"Found by zoo tune around {base.name}.",
        input_shape=study.prepared.shape,
        outputs=None if base.outputs is None else len(study.prepared.classes),
        parameters=result["measures"]["parameters"],
        source=f"zoo tune {plan.model} --tuner {plan.tuner}, seed {plan.seed}, trial {trial_id}",
        chosen=(
            f"{', '.join(f'{k} {number(v)}' for k, v in values.items())}. Its weights are those of "
            f"the trial (epochs: {epochs}, of {plan.per_class} examples a class on "
            f"{study.prepared.manifest['corpus']}); on validation speakers: {measures}."
        ),
    )
    return write_preset(
        card,
        study.run(trial_id),
        study_digest(study),
        {"trial": trial_id, "values": values, "measures": result["measures"]},
    )
