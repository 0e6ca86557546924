"""`zoo.data.synthetic`, the public name of `zoo.data.corpora.synthetic`."""

from zoo.data.corpora.synthetic import (
    ABSENT_CLASSES,
    ABSENT_LABELS,
    split_speakers,
    synthesise,
)

__all__ = ["ABSENT_CLASSES", "ABSENT_LABELS", "split_speakers", "synthesise"]
