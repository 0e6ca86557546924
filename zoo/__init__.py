"""A zoo of convolutional phone classifiers and autoencoders for Keras 3.

Nothing heavy is imported until it is used: `import zoo` costs no Keras and no TensorFlow. It has
Keras run on a backend that is installed, where the user chose none (see `zoo.startup`).

Example:
    >>> import zoo
    >>> model = zoo.build("freq_fullpad")
    >>> model.output_shape
    (None, 48)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zoo.registry import ModelCard, build, describe, list_models, register
from zoo.startup import choose_backend

if TYPE_CHECKING:
    from zoo.inference import classify
    from zoo.models.encoders import load_encoder
    from zoo.saving import load

__version__ = "0.1.0"

choose_backend()

_LAZY = {
    "load": "zoo.saving",
    "load_encoder": "zoo.models.encoders",
    "classify": "zoo.inference",
}
_SUBMODULES = ("layers", "ops", "models", "data", "training", "evaluation", "inversion", "errors")

__all__ = [
    "ModelCard",
    "build",
    "classify",
    "describe",
    "list_models",
    "load",
    "load_encoder",
    "register",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"zoo.{name}")
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES, "__version__"])
