"""From words to times: pronunciations, and where in a recording each of their phones is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.alignment.aligner import Aligner
    from zoo.alignment.models import align, load_aligner
    from zoo.alignment.pronunciations import Dictionary, Lexicon

__all__ = ["Aligner", "Dictionary", "Lexicon", "align", "load_aligner"]

__getattr__ = lazily(
    __name__,
    {
        "Aligner": "zoo.alignment.aligner",
        "Dictionary": "zoo.alignment.pronunciations",
        "Lexicon": "zoo.alignment.pronunciations",
        "align": "zoo.alignment.models",
        "load_aligner": "zoo.alignment.models",
    },
)
