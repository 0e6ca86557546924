"""From recordings to what a network trains on: corpora, features, prepared sets.

Rooms, each of which uses only those before it:

- `zoo.data.corpora`: recordings and their labels, from files of any kind.
- `zoo.data.features`: what a waveform is turned into before a network sees it.
- `zoo.data.sets`: prepared sets, written, read and sampled.

Example:
    >>> corpus = zoo.data.open_corpus("TIMIT")
    >>> prepared = zoo.data.prepare(corpus, "timit-magnitude", representation="magnitude")
    >>> prepared.features("test").shape[1:] == prepared.frontend.shape
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.data.corpora.corpus import open_corpus
    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.noisy_pairs import prepare_pairs
    from zoo.data.sets.preparation import prepare
    from zoo.data.sets.prepared import Prepared

__all__ = ["Frontend", "Prepared", "open_corpus", "prepare", "prepare_pairs"]

__getattr__ = lazily(
    __name__,
    {
        "open_corpus": "zoo.data.corpora.corpus",
        "Frontend": "zoo.data.features.frontend",
        "Prepared": "zoo.data.sets.prepared",
        "prepare": "zoo.data.sets.preparation",
        "prepare_pairs": "zoo.data.sets.noisy_pairs",
        "corpora": "zoo.data.corpora",
        "features": "zoo.data.features",
        "sets": "zoo.data.sets",
        "synthetic": "zoo.data.synthetic",
        "timit": "zoo.data.timit",
    },
)
