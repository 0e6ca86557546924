"""The built-in synthetic speech corpus: TIMIT's layout and labels, spoken by espeak-ng.

Sentences come from a grammar of our own (`lexicon`, `sentences`), speakers and recording
conditions from a seed (`speakers`, `recording`), speech and phoneme positions from espeak-ng
(`espeak`), TIMIT's 61 labels from tables and rules (`labels`).

Of the 48 classes only `epi` cannot occur (`ABSENT_CLASSES`); of TIMIT's 61 labels, `ax-h em eng
epi hv nx` cannot (`ABSENT_LABELS`).
"""

from __future__ import annotations

from zoo.data.corpora.synthetic.corpus import synthesise
from zoo.data.corpora.synthetic.labels import ABSENT_CLASSES, ABSENT_LABELS
from zoo.data.corpora.synthetic.speakers import split_speakers

__all__ = ["ABSENT_CLASSES", "ABSENT_LABELS", "split_speakers", "synthesise"]
