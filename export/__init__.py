"""Exporting trained runs for serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from .savedmodel import export_savedmodel

__all__ = ["export_savedmodel"]

__getattr__ = lazily(__name__, {"export_savedmodel": ".savedmodel"})
