"""Prepared sets: examples written once in shards, then read, sampled, augmented and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.data.sets.augmentation import Augmenter
    from zoo.data.sets.beam import on_beam
    from zoo.data.sets.noisy_pairs import prepare_pairs
    from zoo.data.sets.overview import write_overview
    from zoo.data.sets.preparation import prepare
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.samplers import BalancedEpochs
    from zoo.data.sets.settings import PairSettings, Preparation

__all__ = [
    "Augmenter",
    "BalancedEpochs",
    "PairSettings",
    "Preparation",
    "Prepared",
    "on_beam",
    "prepare",
    "prepare_pairs",
    "write_overview",
]

__getattr__ = lazily(
    __name__,
    {
        "Augmenter": "zoo.data.sets.augmentation",
        "BalancedEpochs": "zoo.data.sets.samplers",
        "PairSettings": "zoo.data.sets.settings",
        "Preparation": "zoo.data.sets.settings",
        "Prepared": "zoo.data.sets.prepared",
        "on_beam": "zoo.data.sets.beam",
        "prepare": "zoo.data.sets.preparation",
        "prepare_pairs": "zoo.data.sets.noisy_pairs",
        "write_overview": "zoo.data.sets.overview",
    },
)
