"""Corpora, segments, prepared sets and samplers.

Example:
    >>> corpus = zoo.data.open_corpus("TIMIT")
    >>> prepared = zoo.data.prepare(corpus, "timit-real", representation="real")
    >>> prepared.features("test").shape
    (50754, 201, 16, 1)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.data.corpora import open_corpus
    from zoo.data.frontend import Frontend
    from zoo.data.pairs import prepare_pairs
    from zoo.data.preparation import prepare
    from zoo.data.prepared import Prepared

_LAZY = {
    "Frontend": "zoo.data.frontend",
    "open_corpus": "zoo.data.corpora",
    "Prepared": "zoo.data.prepared",
    "prepare": "zoo.data.preparation",
    "prepare_pairs": "zoo.data.pairs",
}
_SUBMODULES = (
    "analysis",
    "audio",
    "augmentation",
    "beam",
    "folds",
    "phones",
    "samplers",
    "synthetic",
    "timit",
)

__all__ = ["Frontend", "Prepared", "open_corpus", "prepare", "prepare_pairs"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"zoo.data.{name}")
    raise AttributeError(f"module 'zoo.data' has no attribute {name!r}")
