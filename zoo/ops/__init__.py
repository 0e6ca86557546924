"""The layers' operations as functions of tensors, on every Keras backend."""

from zoo.ops.indices import argmax_to_switches, switches_to_argmax
from zoo.ops.pooling import blind_upsample, switch_pool, switch_unpool
from zoo.ops.resampling import resample

__all__ = [
    "argmax_to_switches",
    "blind_upsample",
    "resample",
    "switch_pool",
    "switch_unpool",
    "switches_to_argmax",
]
