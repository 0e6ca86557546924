"""Architecture search with keras-tuner over the zoo's models: the command `zoo tune`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from tuning.hypermodel import ZooHyperModel
    from tuning.search import Search
    from tuning.settings import Budget, Plan
    from tuning.spaces import Space
    from tuning.study import Study

__all__ = ["Budget", "Plan", "Search", "Space", "Study", "ZooHyperModel"]

__getattr__ = lazily(
    __name__,
    {
        "Budget": "tuning.settings",
        "Plan": "tuning.settings",
        "Search": "tuning.search",
        "Space": "tuning.spaces",
        "Study": "tuning.study",
        "ZooHyperModel": "tuning.hypermodel",
    },
)
