"""Reconstructing a network's input from the activity of one layer (Churchman 2015)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.inversion.activity import find_layer, layer_names, layer_numbers
    from zoo.inversion.decoders import Decoder, train_decoder
    from zoo.inversion.leakage import Leak, leak, mangled
    from zoo.inversion.reconstruction import Reconstruction, reconstruct

_LAZY = {
    "Decoder": "zoo.inversion.decoders",
    "Leak": "zoo.inversion.leakage",
    "Reconstruction": "zoo.inversion.reconstruction",
    "find_layer": "zoo.inversion.activity",
    "layer_names": "zoo.inversion.activity",
    "layer_numbers": "zoo.inversion.activity",
    "leak": "zoo.inversion.leakage",
    "mangled": "zoo.inversion.leakage",
    "reconstruct": "zoo.inversion.reconstruction",
    "train_decoder": "zoo.inversion.decoders",
}

__all__ = [
    "Decoder",
    "Leak",
    "Reconstruction",
    "find_layer",
    "layer_names",
    "layer_numbers",
    "leak",
    "mangled",
    "reconstruct",
    "train_decoder",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'zoo.inversion' has no attribute {name!r}")
