"""The layers' operations as functions of tensors, on every Keras backend, and inverses in NumPy."""

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
