"""Cards of the phone classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.models.card import ModelCard, register
from zoo.models.cards.sources import CHURCHMAN, PHONES, RIEMENS

TABLE_2 = f"{RIEMENS}, section 3.3 and table 2"

FREQ_FULLPAD: Mapping[str, Any] = {
    "filters": (8, 16, 32, 64),
    "kernel_sizes": ((8, None), (8, None), (8, None), (8, None)),
    "pool_sizes": ((5, 2), (5, 2), (5, 2), (None, None)),
    "pool_strides": ((2, 2), (2, 2), (2, 2), (None, None)),
    "dense_units": (128, 128),
    "padding": "same",
}
FREQ_OVERLAP_PAD: Mapping[str, Any] = {
    "filters": (8, 16, 32),
    "kernel_sizes": ((8, None), (8, None), (8, None)),
    "pool_sizes": ((5, 2), (5, 2), (5, 2)),
    "pool_strides": ((2, 2), (2, 2), (2, 2)),
    "dense_units": (128, 128, 128),
    "padding": "same",
    "order": "act_pool",
}
CONV2D: Mapping[str, Any] = {
    "filters": (8, 16, 32, 64),
    "kernel_sizes": ((5, 5), (5, 3), (5, 3), (5, 2)),
    "pool_sizes": ((5, 2), (5, 2), (5, 2), (None, None)),
    "pool_strides": ((2, 2), (2, 2), (2, 2), (None, None)),
    "dense_units": (128, 128),
    "padding": "same",
}


def _register(
    name: str,
    summary: str,
    config: Mapping[str, Any],
    parameters: int,
    *,
    builder: str = "zoo.models.classifiers:classifier",
    **rest: Any,
) -> None:
    register(
        ModelCard(
            name=name,
            family="classifier",
            summary=summary,
            builder=builder,
            config=config,
            outputs=48,
            parameters=parameters,
            labels=PHONES,
            **{"input_shape": (201, 16, 1), **rest},
        )
    )


_register(
    "time",
    "Time convolution: the first filters span all frequencies, then convolution and pooling run "
    "over time alone.",
    {
        "filters": (32, 64),
        "kernel_sizes": ((None, 3), (1, 3)),
        "pool_sizes": ((1, 2), (1, 2)),
        "pool_strides": ((1, 2), (1, 2)),
        "dense_units": (128,),
        "padding": "valid",
    },
    48_240,
    source=TABLE_2,
    given="Two convolutions, two fully-connected layers; the first convolution collapses the "
    "frequency axis, with filters such as 201x3; ReLU after pooling.",
    chosen="32 and 64 filters of 201x3 and 1x3, pools of 1x2, 128 hidden units, dropout 0.5.",
    published={"accuracy_39_uniform": 0.487},
)
_register(
    "freq_large",
    "Frequency convolution with large filters of 40 bins.",
    {
        "filters": (16, 32),
        "kernel_sizes": ((40, None), (8, None)),
        "pool_sizes": ((2, 1), (2, 1)),
        "pool_strides": ((2, 1), (2, 1)),
        "dense_units": (128,),
        "padding": "valid",
    },
    172_256,
    source=TABLE_2,
    given="Two convolutions, two fully-connected layers; 40x16 instead of 8x16 in the first; "
    "pooling without overlap, 2x1.",
    chosen="16 and 32 filters, 8 bins in the second convolution, 128 hidden units, dropout 0.5.",
    published={"accuracy_39_uniform": 0.564},
)
_register(
    "freq",
    "Frequency convolution: the first filters span all frames, then convolution and pooling run "
    "over frequency alone.",
    {
        "filters": (16, 32),
        "kernel_sizes": ((8, None), (8, None)),
        "pool_sizes": ((2, 1), (2, 1)),
        "pool_strides": ((2, 1), (2, 1)),
        "dense_units": (128,),
        "padding": "valid",
    },
    196_832,
    source=TABLE_2,
    given="Two convolutions, two fully-connected layers; 8x16 in the first; pooling without "
    "overlap, 2x1.",
    chosen="16 and 32 filters, 8 bins in the second convolution, 128 hidden units, dropout 0.5.",
    published={"accuracy_39_uniform": 0.591},
)
_register(
    "freq_fullpad",
    "Frequency convolution with full padding: four units down to 1x1, then three "
    "fully-connected layers.",
    {**FREQ_FULLPAD, "dropout": 0.3},
    89_512,
    source=f"{RIEMENS}, section 3.3, table 2 and figure 2",
    given="Four convolutions, three fully-connected layers, 8 filters of 8x16 in the first, "
    "full padding, overlapping pooling of 5 with stride 2 over frequency, the last pooling "
    "over the whole 22x2 map, ReLU after pooling, dropout 0.9.",
    chosen="16, 32 and 64 filters in the inner layers, kernels of 8 bins over the whole time "
    "axis, pools of 5x2 with stride 2x2 (the 22x2 map shows a stride of 2 in time as well), "
    "128 units in both hidden fully-connected layers, dropout 0.3 (at 0.9 six of the 64 code "
    "values are left).",
    published={"accuracy_39_uniform": 0.618},
)
_register(
    "freq_overlap",
    "Frequency convolution without padding, overlapping pooling: three units, four "
    "fully-connected layers.",
    {
        "filters": (8, 16, 32),
        "kernel_sizes": ((8, None), (8, None), (8, None)),
        "pool_sizes": ((5, 1), (5, 1), (5, 1)),
        "pool_strides": ((2, 1), (2, 1), (2, 1)),
        "dense_units": (128, 128, 128),
        "padding": "valid",
        "order": "act_pool",
    },
    111_080,
    source=f"{TABLE_2}; {CHURCHMAN}, section 4.1, table 1 and figure 6",
    given="Three convolutions, four fully-connected layers; pools of 5x1 with stride 2; no "
    "padding. Churchman counts convolution, ReLU and pooling as layers: L1 is conv1, L3, L6 and L9 "
    "are pool1, pool2 and pool3, L12 is fc2 before its ReLU.",
    chosen="8, 16 and 32 filters of 8 bins over the whole time axis, 128 units in the hidden "
    "fully-connected layers, dropout 0.5; ReLU before pooling as Churchman has it, which is the "
    "same function as Riemens' order.",
    published={"accuracy_39_uniform": 0.626},
)
_register(
    "freq_overlap_pad",
    "The padded twin of freq_overlap, whose convolutions lose no border: the encoder that a "
    "decoder is trained for.",
    FREQ_OVERLAP_PAD,
    245_224,
    source=f"{CHURCHMAN}, section 6.5",
    given="Highly similar to freq_overlap, with padding so that the transposed convolution keeps "
    "the input's size.",
    chosen="As freq_overlap; with padding the time axis stays, so pools are 5x2 with stride 2x2 as "
    "in freq_fullpad, and the first fully-connected layer sees the 22x2 map.",
)
_register(
    "conv2d",
    "Two-dimensional convolution with small filters over frequency and time.",
    CONV2D,
    61_424,
    source=f"{RIEMENS}, section 3.3",
    given="Convolution over both axes, as is usual for images; no architecture and no figure: "
    "none performed well.",
    chosen="The layers, pools and filter counts of freq_fullpad, with filters of 5x5, 5x3, 5x3 and "
    "5x2.",
)
_register(
    "freq_best",
    "Residual blocks over frequency and time with squeeze-and-excitation gates, then a map over "
    "coarse frequency.",
    {},
    225_168,
    builder="zoo.models.residual:residual_classifier",
    source="the zoo's own",
    chosen="A 5x5 stem of 16 filters that halves the frequency axis; three stages of 2x2 pooling "
    "and a residual block of 16, 32 and 64 filters of 3x3, so that most work is done on small maps "
    "and a forward pass costs little more than freq_fullpad's; batch normalisation; the coarse "
    "frequency axis is kept, not pooled away; 128 hidden units, dropout 0.2 and 0.1; Adam with "
    "a rate falling along a cosine suits it better than AdaGrad.",
)
_register(
    "tdnn_segments",
    "Dilated convolutions over time, as in tdnn, averaged over the thirds of the segment and over "
    "50 ms on either side of it.",
    {},
    514_628,
    builder="zoo.models.segments:tdnn_segments",
    source="the zoo's own",
    chosen="The encoder of tdnn, so that its weights and those of tdnn_ae can initialise it; means "
    "over three parts of the segment and 5 frames before and after it, and the logarithm of its "
    "duration: the features that classical segment classifiers take of cepstra, over learnt ones. "
    "On sets prepared with --context it knows the segment by its mark and hears what surrounds it; "
    "else the whole input is the segment.",
)
