"""Cards of the autoencoders and of the thesis' first, small inversion networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.models.card import ModelCard, register
from zoo.models.cards.classifiers import CONV2D, FREQ_FULLPAD, FREQ_OVERLAP_PAD
from zoo.models.cards.sources import CHURCHMAN, RIEMENS

UNIT = (
    "A unit: convolution with full padding and stride 1, max pooling, ReLU; back: ReLU (tried with "
    "and without), switch unpooling or blind upsampling, convolution. Decoder filters free, "
    "initialised to the encoder's transposed ones, or fixed to them."
)
CHOSEN = (
    "Linear output; every inverse is a transposed convolution, so that free and transposed filters "
    "differ in their values alone; no activation before the innermost unpooling, where the code "
    "has one already; where switches meet, the later region wins."
)


def _register(
    name: str,
    family: str,
    summary: str,
    config: Mapping[str, Any],
    parameters: int,
    *,
    source: str,
    given: str = UNIT,
    chosen: str = CHOSEN,
) -> None:
    register(
        ModelCard(
            name=name,
            family=family,
            summary=summary,
            builder="zoo.models.autoencoders:autoencoder",
            config=config,
            input_shape=(201, 16, 1),
            outputs=None,
            parameters=parameters,
            labels="the reconstructed input",
            source=source,
            given=given,
            chosen=chosen,
        )
    )


def _encoder(config: Mapping[str, Any], units: int | None = None) -> dict[str, Any]:
    per_unit = ("filters", "kernel_sizes", "pool_sizes", "pool_strides")
    kept = {key: config[key][:units] for key in per_unit}
    return {**kept, **{key: config[key] for key in ("padding", "order") if key in config}}


_register(
    "freq_fullpad_ae",
    "autoencoder",
    "Autoencoder of one to four units, the convolutions and pools of freq_fullpad and their "
    "inverses.",
    _encoder(FREQ_FULLPAD),
    116_913,
    source=f"{RIEMENS}, sections 4.2, 4.3 and 5.2, figure 4, tables 3 and 4",
)
_register(
    "freq_overlap_pad_ae",
    "autoencoder",
    "Decoder for freq_overlap_pad: one to three units, blind upsampling; with "
    "dense_units=(128, 128) it reaches the second fully-connected layer.",
    {**_encoder(FREQ_OVERLAP_PAD), "unpooling": "blind"},
    51_281,
    source=f"{CHURCHMAN}, section 6.5",
    given="The encoder is given and stays fixed; full padding, transposed convolution with filters "
    "of its own, blind unpooling, since switches leak the input; five decoders, for L1, L3, L6, "
    "L9 and L12, the second fully-connected layer.",
    chosen=f"{CHOSEN} L1 is units=1 with pooling=False; L3, L6 and L9 are one, two and three "
    "units; train_encoder='none' fixes the encoder, once it holds a classifier's filters.",
)
_register(
    "conv2d_ae",
    "autoencoder",
    "Autoencoder of one to four units, the convolutions and pools of conv2d and their inverses.",
    _encoder(CONV2D),
    60_737,
    source=f"{RIEMENS}, section 4.2, applied to conv2d",
)
_register(
    "inversion_conv",
    "inversion",
    "A convolution and its inverse, nothing between them.",
    {**_encoder(FREQ_FULLPAD, 1), "pooling": False},
    2_057,
    source=f"{RIEMENS}, section 5.1, architecture I, table 3",
    given="One encoding and one decoding convolution, filter sizes of the forward network.",
)
for _units, _numeral, _parameters in ((1, "II", 2_057), (2, "III", 18_465)):
    _register(
        f"inversion_unit{_units}",
        "inversion",
        f"The {'outermost unit' if _units == 1 else 'two outermost units'} of freq_fullpad_ae.",
        _encoder(FREQ_FULLPAD, _units),
        _parameters,
        source=f"{RIEMENS}, section 5.1, architecture {_numeral}, table 3",
    )
