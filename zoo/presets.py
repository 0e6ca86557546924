"""Networks of one's own among the models of the zoo: a folder each, with weights and card.

`zoo tune --save-as NAME` writes them. A preset's folder is a run folder with a card, so that
presets can be used wherever runs can.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.files import make_folder, read_json, replacing_folder, sha256, write_json
from zoo.models.card import ModelCard
from zoo.runs import NAME, PRESET, Run, presets, presets_folder

FORMAT = 1
FIELDS = (
    *("family", "summary", "builder", "config", "input_shape", "outputs", "parameters"),
    *("labels", "source", "given", "chosen", "axes", "recipe"),
)
"""Fields of a card that a preset records."""

MOVED = {"zoo.models.best": "zoo.models.residual"}
"""Modules of builders, by their names in older presets."""


def read_presets(known: Mapping[str, ModelCard]) -> dict[str, ModelCard]:
    """The cards of all presets; one that cannot be read is left out with a warning.

    Args:
        known: the zoo's own models; a preset can use their builders only, and none of their names.
    """
    found = {}
    for name, folder in presets().items():
        path = folder / PRESET
        try:
            card = _card(name, path)
            if card.builder not in {other.builder for other in known.values()}:
                raise UsageError(
                    f"{path} names the builder {card.builder!r}, which the zoo does not have."
                )
            if card.name in known:
                raise UsageError(f"{path} has the name of a model of the zoo; rename its folder.")
        except UsageError as error:
            warnings.warn(f"a preset is ignored: {error}", stacklevel=2)
            continue
        found[card.name] = card
    return found


def check_name(name: str, study: str, known: Mapping[str, ModelCard]) -> None:
    """Refuse a name that a preset of `study` cannot have.

    Args:
        name: wanted.
        study: what the preset comes from; the same study may write it again.
        known: the zoo's own models.

    Raises:
        UsageError: the name is invalid, or taken.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"a preset's name must consist of letters, digits, '_', '-' and '.'; received {name!r}."
        )
    if name in known:
        raise UsageError(f"{name!r} is a model of the zoo; choose another name for the preset.")
    folder = presets_folder() / name
    if folder.exists() and (
        not (folder / PRESET).is_file() or read_json(folder / PRESET).get("study") != study
    ):
        raise UsageError(f"{folder} exists already; choose another name, or remove it.")


def write_preset(card: ModelCard, run: Run, study: str, record: Mapping[str, Any]) -> Path:
    """Add a model to the presets.

    Args:
        card: card of the model; its name becomes the preset's.
        run: a finished run of it.
        study: what it comes from, for `check_name`.
        record: anything else to keep beside it.

    Returns:
        The preset's folder.

    Raises:
        RunError: it cannot be written; nothing half-written stays.
    """
    folder = make_folder(presets_folder()) / card.name
    with replacing_folder(folder) as temporary:
        run.copy(temporary, card.name)
        fields = {name: getattr(card, name) for name in FIELDS}
        about = {"study": study, "sha256": sha256(run.network), **record}
        write_json(temporary / PRESET, {"format": FORMAT, **fields, **about})
    return folder


def _card(name: str, path: Path) -> ModelCard:
    record = read_json(path)
    missing = [name for name in FIELDS if name not in record]
    if missing or record.get("format") != FORMAT:
        raise UsageError(f"{path} is not a preset of this version of the zoo.")
    fields = {name: record[name] for name in FIELDS}
    module, _, function = fields["builder"].partition(":")
    fields |= {
        "builder": f"{MOVED.get(module, module)}:{function}",
        "input_shape": tuple(fields["input_shape"]),
        "axes": tuple(fields["axes"]),
    }
    return ModelCard(name=name, weights=(name,), **fields)


def tuned_card(
    base: ModelCard, name: str, overrides: Mapping[str, Any], recipe: Mapping[str, Any], **more: Any
) -> ModelCard:
    """The card of a network that a search around `base` has found.

    Args:
        base: card of the model that was varied.
        name: name of the new model.
        overrides: arguments of its builder.
        recipe: settings of its training that are not the defaults.
        **more: further fields that differ.
    """
    config = json.loads(json.dumps({**base.config, **overrides}))
    return dataclasses.replace(
        base, name=name, config=config, recipe=dict(recipe), published={}, given="", **more
    )
