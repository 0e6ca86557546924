"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from .costs import Budget
    from .hypermodel import ZooHyperModel
    from .search import Search
    from .spaces import Space
    from .study import Plan, Study

__all__ = ["Budget", "Plan", "Search", "Space", "Study", "ZooHyperModel"]

__getattr__ = lazily(
    __name__,
    {
        "Budget": ".costs",
        "Plan": ".study",
        "Search": ".search",
        "Space": ".spaces",
        "Study": ".study",
        "ZooHyperModel": ".hypermodel",
    },
)
