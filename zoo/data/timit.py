"""`zoo.data.timit`, the public name of `zoo.data.corpora.timit`."""

from zoo.data.corpora.timit import Corpus

__all__ = ["Corpus"]
