"""Reconstructing a network's input from the activity of one layer (Churchman 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.inversion.activity import find_layer, layer_names, layer_numbers
    from zoo.inversion.decoders import Decoder, train_decoder
    from zoo.inversion.leakage import Leak, leak, mangled
    from zoo.inversion.reconstruction import Reconstruction, reconstruct

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

__getattr__ = lazily(
    __name__,
    {
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
    },
)
