"""Published figures, for comparison with our results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.files import read_json


def published(experiment: str) -> dict[str, Any]:
    """The figures of `published.json` for one experiment, with their source."""
    return read_json(Path(__file__).with_name("published.json"))[experiment]
