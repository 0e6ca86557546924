"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from .hypermodel import ZooHyperModel
    from .search import Search
    from .settings import Budget, Plan
    from .spaces import Space
    from .study import Study

__all__ = ["Budget", "Plan", "Search", "Space", "Study", "ZooHyperModel"]

__getattr__ = lazily(
    __name__,
    {
        "Budget": ".settings",
        "Plan": ".settings",
        "Search": ".search",
        "Space": ".spaces",
        "Study": ".study",
        "ZooHyperModel": ".hypermodel",
    },
)
