"""Training runs: a folder each, resumable after a kill, the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.training.classifier import train_classifier

__all__ = ["train_classifier"]

__getattr__ = lazily(__name__, {"train_classifier": "zoo.training.classifier"})
