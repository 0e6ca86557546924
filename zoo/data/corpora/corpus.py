"""Opening a corpus of any kind."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from zoo.data.corpora import annotated
from zoo.data.corpora.labels import Labelling, read_mapping
from zoo.data.corpora.tables import REQUIRED, columns
from zoo.data.corpora.timit import Corpus as TimitCorpus
from zoo.data.corpora.utterances import Report, Utterance, refuse
from zoo.errors import UsageError
from zoo.files import walk
from zoo.seeds import seed_option
from zoo.settings import changed, check, option

KINDS = ("timit", "digits", "textgrid", "ctm", "table")
"""TIMIT's layout; spoken digits; recordings of your own with TextGrids, a CTM file or a table."""

_TABLES = (".csv", ".tsv", ".jsonl")

_WANTED = {
    "timit": "no .PHN file lies beside a .WAV",
    "digits": "no recording is named DIGIT_SPEAKER_TAKE.wav",
    "textgrid": "there is no .TextGrid",
    "ctm": "no .ctm",
    "table": f"no .csv, .tsv or .jsonl with {', '.join(REQUIRED)}",
}


class Corpus(Protocol):
    """What every corpus offers.

    Attributes:
        kind: one of `KINDS`.
        root: the folder.
        labelling: its labels, classes and scored groups.
    """

    kind: str
    root: Path
    labelling: Labelling

    @property
    def sample_rate(self) -> int:
        """What its recordings should be sampled at, in Hz."""
        ...

    def utterances(self, split: str | None = None) -> Sequence[Utterance]:
        """The utterances of one split or all (None), in a fixed order."""
        ...

    def unlabelled(self) -> list[Path]:
        """Recordings that no labels belong to."""
        ...


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """Which corpus is opened, and how.

    Attributes:
        corpus: the folder, or the CTM or table file in it.
        kind: one of `KINDS`; None finds out.
        mapping: a file that gives each label its class, or `"timit"`; see `read_mapping`. None
            makes a class of every label. For annotated recordings.
        test_speakers: speakers for testing, where the corpus does not name them.
        tier: name of the TextGrids' interval tier; None: the first one.
        seed: of the speakers drawn for testing.
    """

    corpus: str | Path = option(
        name="corpus",
        metavar="CORPUS",
        parse=Path,
        help="TIMIT's layout, spoken digits (DIGIT_SPEAKER_TAKE.wav), or your own recordings with "
        "TextGrids, a .ctm, or a .csv, .tsv or .jsonl of audio, start, end, label[, speaker, "
        "split]",
    )
    kind: str | None = option(
        None, choices=KINDS, help="Kind of corpus", shown="found from its files"
    )
    mapping: str | Path | None = option(
        None,
        metavar="FILE",
        help="File of lines label<TAB>class, or a .json object, in which a label without a class "
        "is left out; or timit",
        shown="every label is a class",
    )
    test_speakers: Sequence[str] | None = option(
        None,
        metavar="A,B",
        parse=_names,
        help="Speakers for testing, where the corpus does not name them",
        shown="a quarter of the speakers, by the seed; of spoken digits the last one by name",
    )
    tier: str | None = option(
        None, metavar="NAME", help="Interval tier of the TextGrids", shown="the first"
    )
    seed: int = seed_option()


def open_corpus(
    path: str | Path | CorpusSettings,
    kind: str | None = None,
    *,
    report: Report = refuse,
    **options: Any,
) -> Corpus:
    """Open a corpus: TIMIT's layout, spoken digits, or annotated recordings of your own.

    Annotations are TextGrids beside the recordings; a CTM file; or a CSV, TSV or JSON-lines file
    with `audio`, `start`, `end`, `label` and perhaps `speaker` and `split`. Unless a column or
    `utt2spk` names the speaker, it is the first folder below the root. Splits are a column,
    or folders train, test and dev at the top, or `test_speakers`, or a quarter of the speakers by
    `seed`.

    Args:
        path: of the corpus, or settings that name it.
        kind: one of `KINDS`; None finds out.
        report: takes each problem; what has one is left out. By default the first one is raised.
        **options: other fields of `CorpusSettings`.

    Raises:
        UsageError: nothing to open, or options that do not go with it; and by the default
            `report` anything wrong, with file and line.

    Example:
        >>> corpus = open_corpus("interviews", mapping="phones.tsv", tier="phones")
        >>> sorted({utterance.speaker for utterance in corpus.utterances("test")})
        ['dora']
    """
    settings = path if isinstance(path, CorpusSettings) else CorpusSettings(path)
    settings = changed(settings, options if kind is None else {**options, "kind": kind})
    check(settings)
    kind = settings.kind
    path = Path(settings.corpus)
    if not path.is_dir() and not path.is_file():
        raise UsageError(f"{path} is not a folder; a corpus was expected.")
    root = path if path.is_dir() else path.parent
    files = _files(root)
    found = {k: _evidence(k, path, root, files) for k in ((kind,) if kind else KINDS)}
    kinds = [k for k, evidence in found.items() if evidence]
    if not kinds:
        wanted = "; ".join(_WANTED[k] for k in found)
        raise UsageError(f"{path} holds no labelled recordings: {wanted}.")
    if len(kinds) > 1:
        raise UsageError(
            f"{path} may be a corpus of several kinds, {', '.join(kinds)}; say which by --kind."
        )
    (kind,) = kinds
    _check_options(kind, path, settings)
    if kind == "timit":
        return TimitCorpus(path, report)
    if kind == "digits":
        return annotated.open_digits(root, files, settings.test_speakers)
    unlabelled: list[Path] = []
    if kind == "textgrid":
        recordings, unlabelled = annotated.textgrids(root, files, settings.tier, report)
    else:
        first, *others = found[kind]
        if others:
            raise UsageError(
                f"{path} holds {first.name} and {others[0].name}; give the one that is meant."
            )
        recordings = (
            annotated.ctm(root, files, first, report)
            if kind == "ctm"
            else annotated.table(first, report)
        )
    return annotated.open_annotated(
        kind,
        root,
        recordings,
        labelling=None if settings.mapping is None else read_mapping(settings.mapping),
        testers=settings.test_speakers,
        seed=settings.seed,
        report=report,
        unlabelled=unlabelled,
    )


def _files(root: Path) -> list[Path]:
    """Every file below `root`; hidden ones are none (macOS leaves `._SA1.WAV` behind)."""
    found = [
        os.path.join(folder, name)
        for folder, names in walk(root)
        for name in names
        if not name.startswith(".")
    ]
    return [Path(f) for f in sorted(found, key=lambda f: f.split(os.sep)) if os.path.isfile(f)]


def _evidence(kind: str, path: Path, root: Path, files: Sequence[Path]) -> list[Path]:
    """The files that make `path` a corpus of this kind."""
    if path.is_file():
        suffixes = {"ctm": (".ctm",), "table": _TABLES}.get(kind, ())
        return [path] if path.suffix.lower() in suffixes else []
    if kind == "timit":
        return [f for f in files if f.suffix.lower() == ".phn"]
    if kind == "digits":
        return [f for f in files if annotated.is_digit(f)]
    if kind == "textgrid":
        return [f for f in files if f.suffix.lower() == ".textgrid"]
    top = [f for f in files if f.parent == root]
    if kind == "ctm":
        return [f for f in top if f.suffix.lower() == ".ctm"]
    return [f for f in top if f.suffix.lower() in _TABLES and set(REQUIRED) <= set(columns(f))]


def _check_options(kind: str, path: Path, settings: CorpusSettings) -> None:
    for name, kinds in (
        ("mapping", ("textgrid", "ctm", "table")),
        ("test_speakers", ("digits", "textgrid", "ctm", "table")),
        ("tier", ("textgrid",)),
    ):
        if getattr(settings, name) is not None and kind not in kinds:
            raise UsageError(
                f"--{name.replace('_', '-')} is for corpora of the kind {' or '.join(kinds)}; "
                f"{path} is {kind!r}."
            )
