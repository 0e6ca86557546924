"""How networks learn from transcripts; known without importing Keras."""

from __future__ import annotations

import dataclasses

from zoo.seeds import seed_option
from zoo.settings import at_least, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How networks learn from transcripts.

    Attributes:
        rounds: of training and aligning, at most.
        epochs: of each training.
        seed: of whatever is drawn.
        flat_start: begin with nothing, not with a network.
    """

    rounds: int = option(
        0,
        metavar="N",
        check=at_least(0),
        help=(
            "Largest number of rounds; each trains a network on the alignments and "
            "aligns again. They end when scores stop rising"
        ),
        group="adaptation to the recordings",
    )
    epochs: int = option(
        8,
        metavar="N",
        check=at_least(1),
        help="Number of training epochs in each round",
        shown="8",
        group="adaptation to the recordings",
    )
    flat_start: bool = option(
        False,
        help=(
            "Start without a model, for other languages and phone sets; with --rounds a "
            "network is then trained"
        ),
        group="adaptation to the recordings",
    )
    seed: int = seed_option()
