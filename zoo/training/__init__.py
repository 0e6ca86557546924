"""Training runs: a folder each, resumable after a kill, the same for the same seed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.training.classifier import train_classifier

__all__ = ["train_classifier"]


def __getattr__(name: str) -> Any:
    if name == "train_classifier":
        return importlib.import_module("zoo.training.classifier").train_classifier
    raise AttributeError(f"module 'zoo.training' has no attribute {name!r}")
