"""Opening a corpus of any kind."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from zoo.data.corpora import annotated
from zoo.data.corpora.intervals import seconds
from zoo.data.corpora.labels import Labelling, read_mapping
from zoo.data.corpora.tables import REQUIRED, columns
from zoo.data.corpora.textgrid import OWN_START, TIER_RULE
from zoo.data.corpora.timit import Corpus as TimitCorpus
from zoo.data.corpora.utterances import Findings, Report, Utterance, refuse
from zoo.errors import UsageError
from zoo.files import visible_files
from zoo.seeds import seed_option
from zoo.settings import changed, check, option

_TABLES = (".csv", ".tsv", ".jsonl")


class Corpus(Protocol):
    """Interface of every corpus.

    Attributes:
        kind: one of `KINDS`.
        root: the folder.
        labelling: its labels, classes and scored groups.
        findings: what is wrong with it, and what was done about that.
    """

    kind: str
    root: Path
    labelling: Labelling
    findings: Findings

    @property
    def sample_rate(self) -> int:
        """Sample rate for its recordings, in Hz."""
        ...

    def utterances(self, split: str | None = None) -> Sequence[Utterance]:
        """The utterances of one split or all (None), in a fixed order."""
        ...

    def unlabelled(self) -> list[Path]:
        """Recordings without labels."""
        ...


class _Place(NamedTuple):
    """Where a corpus is looked for.

    Attributes:
        path: as it was given.
        root: the folder that it is, or lies in.
        files: below the root.
    """

    path: Path
    root: Path
    files: Sequence[Path]

    def below(self, fits: Callable[[Path], bool]) -> list[Path]:
        """Those of the files that fit, if the path is a folder."""
        return [] if self.path.is_file() else [f for f in self.files if fits(f)]

    def given(self, suffixes: Sequence[str], fits: Callable[[Path], bool]) -> list[Path]:
        """The file that the path is, or those directly in the folder that fit."""
        if self.path.is_file():
            return [self.path] if self.path.suffix.lower() in suffixes else []
        top = (f for f in self.files if f.parent == self.root)
        return [f for f in top if f.suffix.lower() in suffixes and fits(f)]

    def only(self, evidence: Sequence[Path]) -> Path:
        """The one annotation file that there is evidence of."""
        first, *others = evidence
        if others:
            raise UsageError(
                f"{self.path} holds {first.name} and {others[0].name}; give the file to use."
            )
        return first


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of corpus.

    Attributes:
        wanted: what a place lacks that holds none.
        evidence: the files that make a place a corpus of this kind.
        open: the corpus, from its place, the evidence, the settings and the report.
        options: fields of `CorpusSettings` that only some kinds take, and this one does.
    """

    wanted: str
    evidence: Callable[[_Place], list[Path]]
    open: Callable[[_Place, Sequence[Path], CorpusSettings, Report], Corpus]
    options: frozenset[str] = frozenset()


def _open_timit(
    place: _Place, evidence: Sequence[Path], settings: CorpusSettings, report: Report
) -> Corpus:
    corpus = TimitCorpus(place.path, report)
    if settings.mapping is not None:
        corpus.labelling = read_mapping(settings.mapping)
    return corpus


def _open_digits(
    place: _Place, evidence: Sequence[Path], settings: CorpusSettings, report: Report
) -> Corpus:
    corpus = annotated.open_digits(place.root, place.files, settings.test_speakers)
    corpus.findings = Findings.of(report)
    return corpus


def _open_textgrids(
    place: _Place, evidence: Sequence[Path], settings: CorpusSettings, report: Report
) -> Corpus:
    where, files = place.root, place.files
    if settings.recordings is not None:
        where = Path(settings.recordings)
        if not where.is_dir():
            raise UsageError(
                f"--recordings {where} is not a folder; a folder of recordings was expected."
            )
        files = visible_files(where)
    recordings, unlabelled = annotated.textgrids(
        place.root, evidence, where, files, settings.tier, report, settings.offset
    )
    return _own("textgrid", place, recordings, settings, report, unlabelled, where)


def _open_ctm(
    place: _Place, evidence: Sequence[Path], settings: CorpusSettings, report: Report
) -> Corpus:
    recordings = annotated.ctm(place.root, place.files, evidence, report)
    return _own("ctm", place, recordings, settings, report)


def _open_table(
    place: _Place, evidence: Sequence[Path], settings: CorpusSettings, report: Report
) -> Corpus:
    recordings = annotated.table(place.only(evidence), report)
    return _own("table", place, recordings, settings, report)


def _own(
    kind: str,
    place: _Place,
    recordings: Sequence[annotated.Recording],
    settings: CorpusSettings,
    report: Report,
    unlabelled: Sequence[Path] = (),
    home: Path | None = None,
) -> Corpus:
    return annotated.open_annotated(
        kind,
        place.root,
        recordings,
        home=home,
        labelling=None if settings.mapping is None else read_mapping(settings.mapping),
        testers=settings.test_speakers,
        seed=settings.seed,
        report=report,
        unlabelled=unlabelled,
    )


def _one_each(place: _Place) -> list[Path]:
    """CTM files in the folders of the recordings, where nothing else labels these."""
    below = place.below(_ends_in(".ctm"))
    if not below or place.below(
        lambda file: file.suffix.lower() in (".textgrid", ".phn") or annotated.is_digit(file)
    ):
        return []
    return [] if place.given(_TABLES, _is_table) else below


def _is_table(file: Path) -> bool:
    return set(REQUIRED) <= set(columns(file))


def _ends_in(suffix: str) -> Callable[[Path], bool]:
    return lambda file: file.suffix.lower() == suffix


_ANNOTATED = frozenset({"mapping", "test_speakers"})

_KINDS = {
    "timit": _Kind(
        "no .PHN file lies beside a .WAV",
        lambda place: place.below(_ends_in(".phn")),
        _open_timit,
    ),
    "digits": _Kind(
        "no recording is named DIGIT_SPEAKER_TAKE.wav",
        lambda place: place.below(annotated.is_digit),
        _open_digits,
        frozenset({"test_speakers"}),
    ),
    "textgrid": _Kind(
        "there is no .TextGrid",
        lambda place: place.below(_ends_in(".textgrid")),
        _open_textgrids,
        _ANNOTATED | {"tier", "recordings", "offset"},
    ),
    "ctm": _Kind(
        "no .ctm",
        lambda place: place.given((".ctm",), lambda file: True) or _one_each(place),
        _open_ctm,
        _ANNOTATED,
    ),
    "table": _Kind(
        f"no .csv, .tsv or .jsonl with {', '.join(REQUIRED)}",
        lambda place: place.given(_TABLES, _is_table),
        _open_table,
        _ANNOTATED,
    ),
}

KINDS = tuple(_KINDS)
"""TIMIT's layout; spoken digits; recordings of your own with TextGrids, a CTM file or a table."""


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _offset(text: str) -> float | str:
    if text == OWN_START:
        return text
    value = seconds(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"takes seconds or {OWN_START}; received {text!r}")
    return float(value)


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """Settings for opening a corpus.

    Attributes:
        corpus: the folder, or the CTM or table file in it.
        kind: one of `KINDS`; None finds out.
        mapping: a file that gives each label its class, `"timit"` or `"merged"`; see
            `read_mapping`. None makes a class of every label. For annotated recordings; of TIMIT's
            layout `"merged"` alone.
        test_speakers: speakers for testing, where the corpus does not name them.
        tier: name of the TextGrids' interval tier; None: one whose name says
            that it holds phones, or else the first.
        recordings: folder of the recordings, if they do not lie beside their TextGrids; below it
            they have the same names.
        offset: the TextGrids' time in seconds at which their recordings begin, or `"start"`: where
            each of them starts. None: 0.
        skip_unusable: leave out what is wrong with the labels and recordings, and count it.
        seed: random seed for drawing the test speakers.
    """

    corpus: str | Path = option(
        name="corpus",
        metavar="CORPUS",
        parse=Path,
        help=(
            "Folder in TIMIT's layout, of spoken digits (DIGIT_SPEAKER_TAKE.wav), or of "
            "your own recordings with TextGrids, a .ctm, or a .csv, .tsv or .jsonl of "
            "audio, start, end, label[, speaker, split]"
        ),
    )
    kind: str | None = option(
        None, choices=KINDS, help="Kind of corpus", shown="found from its files", group="corpus"
    )
    mapping: str | Path | None = option(
        None,
        metavar="FILE",
        help=(
            "Class of each label: a file of lines label<TAB>class, or a .json object, "
            "where labels without a class are left out; timit: TIMIT's 61 labels as 48 "
            "classes; merged: the same, with each stop's closure and release joined "
            "into one segment (also for TIMIT's layout)"
        ),
        shown="every label is a class",
        group="corpus",
    )
    test_speakers: Sequence[str] | None = option(
        None,
        metavar="A,B",
        parse=_names,
        help="Speakers of the test set, where the corpus does not name them",
        shown="a quarter of the speakers, drawn by --seed; for spoken digits, the last by name",
        group="corpus",
    )
    tier: str | None = option(
        None,
        metavar="NAME",
        help="Interval tier of the TextGrids to read",
        shown=f"{TIER_RULE}; else the first",
        group="corpus",
    )
    recordings: str | Path | None = option(
        None,
        metavar="FOLDER",
        help="Folder of the recordings, with the same names and sub-folders as the TextGrids in "
        "CORPUS",
        shown="beside the TextGrids",
        group="corpus",
    )
    offset: float | str | None = option(
        None,
        metavar="S|start",
        parse=_offset,
        help=(
            "Time in each TextGrid, in seconds, at which its recording begins; start: "
            "the TextGrid's own start"
        ),
        shown="0",
        group="corpus",
    )
    skip_unusable: bool = option(
        False,
        help=(
            "Leave out labels and recordings that have a problem, and count them, "
            "instead of stopping at the first problem"
        ),
        group="corpus",
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
        path: path of the corpus, or settings that name it.
        kind: one of `KINDS`; None finds out.
        report: takes each problem; what has one is left out. By default the first one is raised;
            with `skip_unusable` what is unusable is counted in the corpus' `findings`.
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
    place = _Place(path, root, visible_files(root))
    found = {k: _KINDS[k].evidence(place) for k in ((kind,) if kind else KINDS)}
    kinds = [k for k, evidence in found.items() if evidence]
    if not kinds:
        wanted = "; ".join(_KINDS[k].wanted for k in found)
        hint = _lies_there(place)
        raise UsageError(f"{path} holds no labelled recordings: {wanted}.{hint}")
    if len(kinds) > 1:
        raise UsageError(
            f"{path} could be a corpus of the kinds {', '.join(kinds)}; choose one with --kind."
        )
    (kind,) = kinds
    _check_options(kind, path, settings)
    findings = Findings(report, settings.skip_unusable)
    return _KINDS[kind].open(place, found[kind], settings, findings)


def _lies_there(place: _Place) -> str:
    """Sentences about what lies in a place that may have been meant as labels or recordings."""
    said = []
    tables = [f for f in place.files if f.suffix.lower() in _TABLES]
    if place.path.is_file():
        tables = [f for f in tables if f == place.path]
    for file in tables[:3]:
        names = columns(file)
        if _is_table(file):
            said.append(f"{file} is a table of segments; give its path.")
        else:
            there = ", ".join(map(repr, names))[:100]
            said.append(f"{file} has the columns {there or 'of no table'}.")
    sheets = [f for f in place.files if f.suffix.lower() in (".xlsx", ".xls", ".ods")]
    if sheets:
        said.append(f"{sheets[0]} is a spreadsheet, which is not read; save it as CSV.")
    return "".join(f" {sentence}" for sentence in said)


def _check_options(kind: str, path: Path, settings: CorpusSettings) -> None:
    for name in sorted(frozenset().union(*(k.options for k in _KINDS.values()))):
        if getattr(settings, name) is not None and name not in _KINDS[kind].options:
            if name == "mapping" and kind == "timit" and str(settings.mapping) == "merged":
                continue
            kinds = " or ".join(k for k, about in _KINDS.items() if name in about.options)
            raise UsageError(
                f"--{name.replace('_', '-')} is for corpora of the kind {kinds}; "
                f"{path} is {kind!r}."
            )
