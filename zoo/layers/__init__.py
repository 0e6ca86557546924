"""Custom Keras layers; importing this registers every one of them with Keras in package "zoo"."""

from zoo.layers.anysize import FixedMapPooling2D
from zoo.layers.convolution import SpectralConv2D
from zoo.layers.filterbank import LearnableFilterbank
from zoo.layers.frontend import Level, Spectrogram, SubtractMean
from zoo.layers.pooling import (
    BlindUpsampling1D,
    BlindUpsampling2D,
    SwitchPooling1D,
    SwitchPooling2D,
    SwitchUnpooling1D,
    SwitchUnpooling2D,
)
from zoo.layers.tied import TiedConv2D, TiedConv2DTranspose

__all__ = [
    "BlindUpsampling1D",
    "BlindUpsampling2D",
    "FixedMapPooling2D",
    "LearnableFilterbank",
    "Level",
    "SpectralConv2D",
    "Spectrogram",
    "SubtractMean",
    "SwitchPooling1D",
    "SwitchPooling2D",
    "SwitchUnpooling1D",
    "SwitchUnpooling2D",
    "TiedConv2D",
    "TiedConv2DTranspose",
]
