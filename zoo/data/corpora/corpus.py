"""Opening a corpus of any kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from zoo.data.corpora import annotated as own
from zoo.data.corpora.labels import Labelling, read_mapping
from zoo.data.corpora.tables import REQUIRED, columns
from zoo.data.corpora.timit import Corpus as TimitCorpus
from zoo.data.corpora.utterances import Report, Utterance, refuse
from zoo.errors import UsageError, nearest
from zoo.files import walk

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


def open_corpus(
    path: str | Path,
    kind: str | None = None,
    *,
    mapping: str | Path | None = None,
    test_speakers: Sequence[str] | None = None,
    tier: str | None = None,
    seed: int = 0,
    report: Report = refuse,
) -> Corpus:
    """Open a corpus: TIMIT's layout, spoken digits, or recordings with annotations of your own.

    Of your own: TextGrids beside the recordings; a CTM file; a CSV, TSV or JSON-lines file with
    `audio`, `start`, `end`, `label` and perhaps `speaker` and `split`. Unless a column or
    `utt2spk` says it, the first folder below the root is the speaker. Splits are a column,
    or folders train, test and dev at the top, or `test_speakers`, or a quarter of the speakers by
    `seed`.

    Args:
        path: the folder, or the CTM or table file in it.
        kind: one of `KINDS`; None finds out.
        mapping: a file that gives each label its class, or `"timit"`; see `read_mapping`. None
            makes a class of every label. For corpora of your own.
        test_speakers: who is for test, where the corpus does not say it.
        tier: name of the TextGrids' interval tier; None: the first one.
        seed: of the speakers drawn for test.
        report: takes each problem; what has one is left out. By default the first one is raised.

    Raises:
        UsageError: nothing to open, or options that do not go with it; and by the default
            `report` anything wrong, with file and line.

    Example:
        >>> corpus = open_corpus("interviews", mapping="phones.tsv", tier="phones")
        >>> sorted({utterance.speaker for utterance in corpus.utterances("test")})
        ['dora']
    """
    path = Path(path)
    if kind is not None and kind not in KINDS:
        raise UsageError(f"unknown kind {kind!r} of corpus. {nearest(kind, KINDS, 'kind')}")
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
    _check_options(kind, path, mapping, test_speakers, tier)
    if kind == "timit":
        return TimitCorpus(path, report)
    if kind == "digits":
        return own.open_digits(root, files, test_speakers)
    unlabelled: list[Path] = []
    if kind == "textgrid":
        recordings, unlabelled = own.textgrids(root, files, tier, report)
    else:
        first, *others = found[kind]
        if others:
            raise UsageError(
                f"{path} holds {first.name} and {others[0].name}; give the one that is meant."
            )
        recordings = (
            own.ctm(root, files, first, report) if kind == "ctm" else own.table(first, report)
        )
    return own.open_annotated(
        kind,
        root,
        recordings,
        labelling=None if mapping is None else read_mapping(mapping),
        testers=test_speakers,
        seed=seed,
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
        return [f for f in files if own.is_digit(f)]
    if kind == "textgrid":
        return [f for f in files if f.suffix.lower() == ".textgrid"]
    top = [f for f in files if f.parent == root]
    if kind == "ctm":
        return [f for f in top if f.suffix.lower() == ".ctm"]
    return [f for f in top if f.suffix.lower() in _TABLES and set(REQUIRED) <= set(columns(f))]


def _check_options(kind: str, path: Path, mapping, test_speakers, tier) -> None:
    for option, given, kinds in (
        ("--mapping", mapping, ("textgrid", "ctm", "table")),
        ("--test-speakers", test_speakers, ("digits", "textgrid", "ctm", "table")),
        ("--tier", tier, ("textgrid",)),
    ):
        if given is not None and kind not in kinds:
            raise UsageError(
                f"{option} is for corpora of the kind {' or '.join(kinds)}; {path} is {kind!r}."
            )
