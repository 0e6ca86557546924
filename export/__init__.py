"""Exporting trained runs for serving."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .savedmodel import export_savedmodel

_LAZY = {"export_savedmodel": ".savedmodel"}

__all__ = ["export_savedmodel"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
