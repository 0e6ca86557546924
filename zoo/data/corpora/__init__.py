"""Corpora: recordings and their labels, from TIMIT's layout, annotations of your own, or synthesis.

A new format of annotation is a reader like `textgrid`, and an entry in `corpus`, which opens all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.data.corpora.check import check_corpus
    from zoo.data.corpora.corpus import KINDS, Corpus, CorpusSettings, open_corpus
    from zoo.data.corpora.labels import Labelling, read_mapping
    from zoo.data.corpora.speakers import held_out, speaker_folds
    from zoo.data.corpora.utterances import Segment, Utterance

__all__ = [
    "KINDS",
    "Corpus",
    "CorpusSettings",
    "Labelling",
    "Segment",
    "Utterance",
    "check_corpus",
    "held_out",
    "open_corpus",
    "read_mapping",
    "speaker_folds",
]

__getattr__ = lazily(
    __name__,
    {
        "KINDS": "zoo.data.corpora.corpus",
        "Corpus": "zoo.data.corpora.corpus",
        "CorpusSettings": "zoo.data.corpora.corpus",
        "Labelling": "zoo.data.corpora.labels",
        "Segment": "zoo.data.corpora.utterances",
        "Utterance": "zoo.data.corpora.utterances",
        "check_corpus": "zoo.data.corpora.check",
        "held_out": "zoo.data.corpora.speakers",
        "open_corpus": "zoo.data.corpora.corpus",
        "read_mapping": "zoo.data.corpora.labels",
        "speaker_folds": "zoo.data.corpora.speakers",
    },
)
