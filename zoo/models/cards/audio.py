"""Cards of the general forms of network for audio."""

from __future__ import annotations

from zoo.models.card import ModelCard, register
from zoo.models.cards.sources import PHONES, ROCH

register(
    ModelCard(
        name="spectrogram_any",
        family="classifier",
        summary="Convolutions over a spectrogram of any size, averaged to a fixed map, then a "
        "dense network.",
        builder="zoo.models.audio:any_size",
        config={},
        input_shape=(None, None, 1),
        outputs=48,
        parameters=173_872,
        labels=PHONES,
        source=f"{ROCH}, pooling layers",
        given="Pooling as an alternative to resizing: steps adjusted so that the result is 9x9 for "
        "many input sizes; then a feed-forward layer.",
        chosen="Two 3x3 convolutions of 16 and 32 filters with pools of 2x1, an average over 9x9 "
        "regions, 64 hidden units, dropout 0.5. Input: any number of bins and of frames.",
    )
)
register(
    ModelCard(
        name="crnn",
        family="classifier",
        summary="Convolutions that pool over frequency, then a recurrent network both ways in "
        "time.",
        builder="zoo.models.audio:convolution_recurrence",
        config={},
        input_shape=(201, 16, 1),
        outputs=48,
        parameters=146_832,
        labels=PHONES,
        source=f"{ROCH}, key ideas",
        given="Convolutional layers, an optional recurrent network on the feature matrix, a "
        "feed-forward layer.",
        chosen="Two 5x3 convolutions of 16 and 32 filters with pools of 4x1, a gated recurrent "
        "network of 48 units each way, dropout 0.5. The number of frames may be None.",
    )
)
register(
    ModelCard(
        name="waveform",
        family="waveform",
        summary="One-dimensional convolution over the samples of each frame, then over the frames.",
        builder="zoo.models.audio:framed_waveform",
        config={},
        input_shape=(267, 16, 1),
        axes=("samples", "frames", "channels"),
        outputs=48,
        parameters=75_488,
        labels=PHONES,
        source=f"{ROCH}, how are CNNs used in audio",
        given="Framed speech with one-dimensional convolution in the time domain.",
        chosen="Input: 16 frames of 267 samples (1/60 s at 16 kHz), laid out as (samples, frames, "
        "channels). 16 filters of 32 taps and 32 of 8 within a frame, two convolutions of 64 "
        "filters over 3 frames, the maximum over the frames, dropout 0.5.",
    )
)
