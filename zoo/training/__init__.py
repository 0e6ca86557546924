"""Training runs: each has a folder, resumes after a kill, and is the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.training.classifier import train_classifier

__all__ = ["train_classifier"]

__getattr__ = lazily(__name__, {"train_classifier": "zoo.training.classifier"})
