"""From recordings to what a network trains on: corpora, features, prepared sets.

Parts, each of which uses only those before it:

- `zoo.data.corpora`: recordings and their labels, from files of any kind
- `zoo.data.features`: what waveforms are converted to before a network sees them
- `zoo.data.sets`: prepared sets, written, read and sampled

Example:
    >>> corpus = zoo.data.open_corpus("TIMIT")
    >>> prepared = zoo.data.prepare(corpus, "timit-magnitude", representation="magnitude")
    >>> prepared.features("test").shape[1:] == prepared.frontend.shape
    True
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.data.corpora.corpus import Corpus, open_corpus
    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.noisy_pairs import prepare_pairs
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.settings import Exemplar, PairSettings, Preparation
    from zoo.data.sets.shards import Portions, WriteShards

__all__ = [
    "Frontend",
    "PairSettings",
    "Preparation",
    "Prepared",
    "open_corpus",
    "prepare",
    "prepare_pairs",
]

__getattr__ = lazily(
    __name__,
    {
        "open_corpus": "zoo.data.corpora.corpus",
        "Frontend": "zoo.data.features.frontend",
        "PairSettings": "zoo.data.sets.settings",
        "Preparation": "zoo.data.sets.settings",
        "Prepared": "zoo.data.sets.prepared",
        "prepare_pairs": "zoo.data.sets.noisy_pairs",
        "corpora": "zoo.data.corpora",
        "features": "zoo.data.features",
        "sets": "zoo.data.sets",
        "synthetic": "zoo.data.synthetic",
        "tfio": "zoo.data.tfio",
        "timit": "zoo.data.timit",
    },
)


def prepare(
    corpus: Corpus | str | Path,
    out: str | Path,
    settings: Preparation | None = None,
    *,
    progress: bool = False,
    write: WriteShards | None = None,
    portions: Portions | None = None,
    **options: Any,
) -> Prepared:
    """Turn a corpus into a prepared set; interrupted preparations resume.

    As `zoo.data.sets.prepare`, whose arguments it has; `like` may also be the path of a run, or
    the name of a preset or of weights that ship.

    Raises:
        UsageError: an unusable corpus, recording or argument; the message names it.
        RunError: `out` cannot be written.
    """
    from zoo.data.sets.preparation import prepare as prepare_set
    from zoo.data.sets.settings import Preparation
    from zoo.settings import changed

    settings = changed(settings or Preparation(), options)
    if isinstance(settings.like, str | Path):
        settings = changed(settings, {"like": _exemplar(settings.like)})
    return prepare_set(corpus, out, settings, progress=progress, write=write, portions=portions)


def _exemplar(place: str | Path) -> Exemplar:
    """The prepared set or run that a path or name stands for."""
    from zoo.data.sets.prepared import Prepared
    from zoo.errors import UsageError
    from zoo.runs import Run, find, is_run

    path = find(place)
    if path is None:
        raise UsageError(f"{place} does not exist; a prepared set or a run was expected.")
    return Run.open(path) if is_run(path) else Prepared(path)
