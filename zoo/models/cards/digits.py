"""Cards of the spoken-digit recognisers and of the denoiser."""

from __future__ import annotations

from typing import Any

from zoo.models.card import ModelCard, register
from zoo.models.cards.sources import AALTO, DIGITS, PENN

MEL = (
    "Input: 40 log-mel bands of a recording at 8 kHz, laid out as (frequency, time, channels) like "
    "every spectrogram of the zoo, any number of frames."
)


def _register(
    name: str, builder: str, summary: str, parameters: int, *, outputs: int = 10, **rest: Any
) -> None:
    register(
        ModelCard(
            name=name,
            family="digits",
            summary=summary,
            builder=f"zoo.models.digits:{builder}",
            config={},
            outputs=outputs,
            parameters=parameters,
            **{"input_shape": (40, None, 1), "labels": DIGITS, **rest},
        )
    )


_register(
    "digits_residual",
    "residual",
    "Residual blocks with pooling over a mel spectrogram of any length, then global pooling.",
    101_130,
    source=f"{AALTO}, CNN classifier model and residual connections",
    given="An input layer that embeds, blocks of convolution, ReLU, residual connection and "
    "pooling, global pooling over whatever length remains, an output layer.",
    chosen=f"{MEL} Three blocks of two 3x3 convolutions with 16, 32 and 64 filters, batch "
    "normalisation, max pooling of 2x2, global average pooling, dropout 0.2.",
)
_register(
    "digits_ltas",
    "long_term_average",
    "Filterbank features averaged over the recording, then a dense network.",
    7_434,
    source=f"{AALTO}, feature-based classification",
    given="Features from filterbanks, long-term average spectrum, dense classifier.",
    chosen=f"{MEL} Two hidden layers of 64, dropout 0.2.",
)
_register(
    "digits_frames",
    "framewise",
    "A dense network on each frame; Viterbi search makes one decision of a recording's frames.",
    8_734,
    outputs=30,
    labels=f"three states of each of {DIGITS}, at each frame",
    source=f"{AALTO}, feature-based classification",
    given="A dense classifier on the elements of the sequence one by one, the probabilities "
    "decoded to a single decision by Viterbi search.",
    chosen=f"{MEL} Two hidden layers of 64; each digit a chain of three states passed from left to "
    "right, the digit whose best path scores highest wins (zoo.models.viterbi.recognise).",
)
_register(
    "digits_filterbank",
    "filterbank",
    "The network of digits_residual on the waveform, behind a filterbank that is learnt with it.",
    117_134,
    input_shape=(None, 1),
    axes=("samples", "channels"),
    source=f"{AALTO}, towards convolution neural networks",
    given="The front end's filter parameters become part of the network and are optimised jointly.",
    chosen="Input: a waveform at 8 kHz, (samples, 1), any length from 200 samples on. 40 pairs of "
    "filters of 200 taps every 80 samples, starting as windowed cosines and sines at mel-spaced "
    "frequencies; the logarithm of their energy.",
)
register(
    ModelCard(
        name="denoiser",
        family="denoiser",
        summary="One-dimensional convolutional network given by its taps and features: causal, "
        "without biases, tanh after every layer, equivariant to shifts.",
        builder="zoo.models.denoiser:denoiser",
        config={"taps": (40, 40), "features": (1, 5, 1)},
        input_shape=(None, 1),
        axes=("samples", "channels"),
        outputs=None,
        parameters=400,
        labels="the clean waveform",
        source=f"{PENN}, tasks 1, 3 and 4",
        given="L layers by vectors of taps and features; features [1, 5, 1], taps [40, 40]; "
        "trained with L1 loss, rate 0.5, batches of 32, 20 epochs.",
        chosen="Input: a waveform, (samples, 1), any length. K taps are h_0 to h_(K-1); zeros "
        "before the start of the signal.",
    )
)
