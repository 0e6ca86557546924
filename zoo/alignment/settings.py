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
        help="Most rounds of training a network on the alignments and aligning again by it; they "
        "end when scores stop rising",
    )
    epochs: int = option(
        8, metavar="N", check=at_least(1), help="Epochs of each round's training", shown="8"
    )
    flat_start: bool = option(
        False,
        help="Begin without a model: for languages and phones of one's own. A network is trained "
        "if there are rounds",
    )
    seed: int = seed_option()
