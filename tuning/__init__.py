"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .costs import Budget
    from .hypermodel import ZooHyperModel
    from .search import Search
    from .spaces import Space
    from .study import Plan, Study

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
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'tuning' has no attribute {name!r}")
