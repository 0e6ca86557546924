"""From a network's scores of every frame to phones with times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.decoding.bigram import Bigram
    from zoo.decoding.decoder import Decoder
    from zoo.decoding.formats import Interval
    from zoo.decoding.isolated import recognise, uniform_states
    from zoo.decoding.settings import Settings
    from zoo.decoding.transcript import Transcript
    from zoo.decoding.tuning import tune
    from zoo.decoding.viterbi import Chains, best_paths, find_paths

__all__ = [
    "Bigram",
    "Chains",
    "Decoder",
    "Interval",
    "Settings",
    "Transcript",
    "best_paths",
    "find_paths",
    "recognise",
    "tune",
    "uniform_states",
]

__getattr__ = lazily(
    __name__,
    {
        "Bigram": "zoo.decoding.bigram",
        "Chains": "zoo.decoding.viterbi",
        "Decoder": "zoo.decoding.decoder",
        "Interval": "zoo.decoding.formats",
        "Settings": "zoo.decoding.settings",
        "Transcript": "zoo.decoding.transcript",
        "best_paths": "zoo.decoding.viterbi",
        "find_paths": "zoo.decoding.viterbi",
        "recognise": "zoo.decoding.isolated",
        "tune": "zoo.decoding.tuning",
        "uniform_states": "zoo.decoding.isolated",
    },
)
