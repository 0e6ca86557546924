"""Cards of the recognisers of whole recordings and of their autoencoders."""

from __future__ import annotations

from typing import Any

from zoo.models.card import ModelCard, register
from zoo.models.cards.sources import PHONES, ROCH

INPUT = (
    "Input: 40 log-mel bands of a recording, a frame every 10 ms, any number of frames; any other "
    "number of bands by input_shape."
)
FRONT_END = (
    "Two 5x3 convolutions of 16 and 32 filters, each halving the frequency axis, batch "
    "normalisation"
)
DECODER = (
    "Of each frame's code a bottleneck of a quarter as many values as a frame has, one hidden "
    "layer of 128, a linear output; frames are decoded one by one."
)
TDNN = (
    "A. Waibel et al., Phoneme recognition using time-delay neural networks (1989); V. Peddinti "
    "et al., A time delay neural network architecture for efficient modeling of long temporal "
    "contexts (2015)"
)

RECIPE = {
    "sampling": "natural",
    "optimizer": "adam",
    "learning_rate": 0.002,
    "batch_size": 16,
}


def _register(name: str, builder: str, summary: str, parameters: int, **rest: Any) -> None:
    register(
        ModelCard(
            name=name,
            builder=f"zoo.models.recognizers:{builder}",
            summary=summary,
            config={},
            input_shape=(40, None, 1),
            parameters=parameters,
            recipe=RECIPE,
            **{"family": "recognizer", "outputs": 48, "labels": PHONES, **rest},
        )
    )


_register(
    "tdnn",
    "tdnn",
    "Phones of every frame of a recording: convolutions over frequency, then residual blocks of "
    "dilated convolutions over time.",
    322_020,
    source=TDNN,
    given="Layers of which each sees a few frames of the one below, wider and wider apart.",
    chosen=f"{INPUT} {FRONT_END}; four residual blocks of 128 filters, of 3 frames 2, 3, 5 and 8 "
    "apart; dropout 0.1. An output sees 20 frames on each side of its own.",
)
_register(
    "crnn_frames",
    "crnn_frames",
    "Phones of every frame of a recording: convolutions over frequency, then a recurrent network "
    "both ways in time.",
    258_148,
    source=f"{ROCH}, key ideas",
    given="Convolutional layers, an optional recurrent network on the feature matrix, a "
    "feed-forward layer.",
    chosen=f"{INPUT} {FRONT_END}; a gated recurrent network of 96 units each way, dropout 0.2. "
    "An output sees the whole recording.",
)
_register(
    "tdnn_ae",
    "tdnn_autoencoder",
    "Autoencoder of tdnn's encoder and a decoder of single frames behind a bottleneck.",
    323_686,
    family="autoencoder",
    outputs=None,
    labels="the reconstructed input",
    source=TDNN,
    given="The encoder.",
    chosen=f"The encoder's layers are those of tdnn. {DECODER}",
)
_register(
    "crnn_frames_ae",
    "crnn_frames_autoencoder",
    "Autoencoder of crnn_frames' encoder and a decoder of single frames behind a bottleneck.",
    257_382,
    family="autoencoder",
    outputs=None,
    labels="the reconstructed input",
    source=f"{ROCH}, key ideas",
    given="The encoder.",
    chosen=f"The encoder's layers are those of crnn_frames. {DECODER}",
)
