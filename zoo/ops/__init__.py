"""The layers' operations as functions of tensors, on every Keras backend, and inverses in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.ops.indices import argmax_to_switches, switches_to_argmax
    from zoo.ops.inverse import Framing, griffin_lim, inverse_real, inverse_stft, invert, stft
    from zoo.ops.pooling import blind_upsample, switch_pool, switch_unpool
    from zoo.ops.resampling import resample

__all__ = [
    "Framing",
    "argmax_to_switches",
    "blind_upsample",
    "griffin_lim",
    "inverse_real",
    "inverse_stft",
    "invert",
    "resample",
    "stft",
    "switch_pool",
    "switch_unpool",
    "switches_to_argmax",
]

__getattr__ = lazily(
    __name__,
    {
        "Framing": "zoo.ops.inverse",
        "argmax_to_switches": "zoo.ops.indices",
        "blind_upsample": "zoo.ops.pooling",
        "griffin_lim": "zoo.ops.inverse",
        "inverse_real": "zoo.ops.inverse",
        "inverse_stft": "zoo.ops.inverse",
        "invert": "zoo.ops.inverse",
        "resample": "zoo.ops.resampling",
        "stft": "zoo.ops.inverse",
        "switch_pool": "zoo.ops.pooling",
        "switch_unpool": "zoo.ops.pooling",
        "switches_to_argmax": "zoo.ops.indices",
    },
)
