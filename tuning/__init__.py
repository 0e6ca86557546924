"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from tuning.costs import Budget
    from tuning.hypermodel import ZooHyperModel
    from tuning.search import Search
    from tuning.spaces import Space
    from tuning.study import Plan, Study

__all__ = ["Budget", "Plan", "Search", "Space", "Study", "ZooHyperModel"]

__getattr__ = lazily(
    __name__,
    {
        "Budget": "tuning.costs",
        "Plan": "tuning.study",
        "Search": "tuning.search",
        "Space": "tuning.spaces",
        "Study": "tuning.study",
        "ZooHyperModel": "tuning.hypermodel",
    },
)
