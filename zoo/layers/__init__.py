"""Custom Keras layers; importing this registers every one of them with Keras in package "zoo"."""

from zoo.data.features.analysis import representation_settings
from zoo.layers.anysize import FixedMapPooling2D
from zoo.layers.auditory import MFCC, Gammatone, LogMel
from zoo.layers.convolution import SpectralConv2D
from zoo.layers.filterbank import LearnableFilterbank
from zoo.layers.frontend import (
    Deltas,
    Level,
    RecordingNormalization,
    SubtractMean,
    centre_layer,
    level_layer,
    representation_layers,
    waveform_layers,
)
from zoo.layers.pooling import (
    BlindUpsampling1D,
    BlindUpsampling2D,
    SwitchPooling1D,
    SwitchPooling2D,
    SwitchUnpooling1D,
    SwitchUnpooling2D,
)
from zoo.layers.segments import SegmentPooling, SplitMark
from zoo.layers.spectrogram import Frames, Spectrogram
from zoo.layers.tied import TiedConv2D, TiedConv2DTranspose

__all__ = [
    "MFCC",
    "BlindUpsampling1D",
    "BlindUpsampling2D",
    "Deltas",
    "FixedMapPooling2D",
    "Frames",
    "Gammatone",
    "LearnableFilterbank",
    "Level",
    "LogMel",
    "RecordingNormalization",
    "SegmentPooling",
    "SpectralConv2D",
    "Spectrogram",
    "SplitMark",
    "SubtractMean",
    "SwitchPooling1D",
    "SwitchPooling2D",
    "SwitchUnpooling1D",
    "SwitchUnpooling2D",
    "TiedConv2D",
    "TiedConv2DTranspose",
    "centre_layer",
    "level_layer",
    "representation_layers",
    "representation_settings",
    "waveform_layers",
]
