"""Architecture search with keras-tuner over the zoo's models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.classifiers import FrequencyClassifier

__all__ = ["FrequencyClassifier"]


def __getattr__(name: str) -> Any:
    if name == "FrequencyClassifier":
        return importlib.import_module("tuning.classifiers").FrequencyClassifier
    raise AttributeError(f"module 'tuning' has no attribute {name!r}")
