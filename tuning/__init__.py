"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.costs import Budget
    from tuning.hypermodel import ZooHyperModel
    from tuning.search import Search
    from tuning.spaces import Space
    from tuning.study import Plan, Study

_LAZY = {
    "Budget": "costs",
    "Plan": "study",
    "Search": "search",
    "Space": "spaces",
    "Study": "study",
    "ZooHyperModel": "hypermodel",
}

__all__ = ["Budget", "Plan", "Search", "Space", "Study", "ZooHyperModel"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"tuning.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'tuning' has no attribute {name!r}")
