"""Trained weights that ship: a run folder each, with a card that says what they are.

A card holds the model, the recipe, the command that makes them again from nothing, seed, scores,
limits, licence, and the SHA-256 of the network's file, which is checked whenever it is loaded.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
CARD = "card.json"


@functools.cache
def weights_cards() -> dict[str, dict[str, Any]]:
    """Name -> card of all weights that ship."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob(f"*/{CARD}"))
    }


def weights_of(model: str) -> tuple[str, ...]:
    """Names of the weights that ship for `model`."""
    return tuple(name for name, card in weights_cards().items() if card["model"] == model)


def weights_run(name: str) -> Path | None:
    """The run folder of the weights `name`, None if none of that name ship."""
    return FOLDER / name if name in weights_cards() else None
