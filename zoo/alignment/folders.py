"""Aligning all recordings of a folder: transcripts, a table and a report; resumable."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import math
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.alignment.journal import NAME as JOURNAL
from zoo.alignment.journal import Journal, Row
from zoo.alignment.models import frontend_of
from zoo.alignment.recordings import Failing, How, aligned_into, inputs_of
from zoo.alignment.report import pictured, write_alignment_report
from zoo.data.corpora.transcripts import Transcribed, transcribed_recordings
from zoo.data.corpora.utterances import Problem
from zoo.decoding.formats import PHONES
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.extras import MODULES, installed
from zoo.files import make_folder, remove_leftovers, replacing, sha256, write_text

TABLE = "alignment.csv"
PAGE = "report.html"

WITH_TIERS = (".TextGrid", ".json")
"""Suffixes of files that hold words and phones; others hold phones."""

SUSPICIOUS_SHARE = 0.05
"""Of all recordings, those of the lowest scores, where no least score is asked for."""

COLUMNS = (
    *("recording", "speaker", "seconds", "score", "words", "phones"),
    *("lowest_phone", "lowest_start", "lowest_score", "suspicious", "file"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Where:
    """What is written of the alignments.

    Attributes:
        out: the folder.
        suffix: of the files' format, such as `.TextGrid`.
        least: score below which a recording gets no file; None: all get one.
        overwrite: align all anew, and replace whatever files are in the way.
    """

    out: Path
    suffix: str = ".TextGrid"
    least: float | None = None
    overwrite: bool = False


class Aligned(NamedTuple):
    """The result of aligning a folder.

    Attributes:
        rows: of all recordings that were aligned, now or before, lowest scores first.
        suspicious: those of the rows whose transcripts are perhaps wrong.
        files: name of a recording -> its file below the folder, if it has one.
        written: how many files were written now.
        kept: how many files were there before.
        problems: what is wrong, in the folder and with recordings that could not be aligned.
        unmatched: recordings without transcript, and transcripts without recording.
        page: whether the report was written; otherwise a package for it is missing.
    """

    rows: list[Row]
    suspicious: list[Row]
    files: dict[str, str]
    written: int
    kept: int
    problems: list[str]
    unmatched: Sequence[Problem] = ()
    page: bool = False


def align_folder(
    path: str | Path,
    how: How,
    where: Where,
    *,
    tier: str | None = None,
    speaker_characters: int | None = None,
    jobs: int | None = None,
    failing: Failing = lambda problem: None,
    learn: Callable[[Sequence[Transcribed]], str | Path] | None = None,
) -> Aligned:
    """Align all recordings of a folder; see `align_recordings`.

    Args:
        path: as `zoo.data.corpora.transcripts.transcribed_recordings` takes it, as well as
        tier: of TextGrids, and
        speaker_characters: of recordings' names.
        how: they are aligned.
        where: to.
        jobs: processes at a time; None: as many as are worth their start, up to `MAX_JOBS`.
        failing: is told what is wrong, as soon as it is known.
        learn: gives the model to align by from the recordings, in place of the one in `how`.

    Raises:
        UsageError: as by `align_recordings`, or there is nothing to align.
        RunError: as by `align_recordings`.
    """
    if learn is None:
        # What is wrong with the model is said before anything is read.
        _ = how.fingerprint
    problems: list[str] = []
    unmatched: list[Problem] = []

    def report(file: Path, line: int | None, text: str) -> None:
        problems.append(str(Problem(file, line, text)))
        failing(problems[-1])

    recordings = transcribed_recordings(
        path,
        report,
        unmatched=lambda *problem: unmatched.append(Problem(*problem)),
        speaker_characters=speaker_characters,
        tier=tier,
        passed_over=_outputs_among(Path(path), where.out),
    )
    if learn is not None:
        how = dataclasses.replace(how, model=learn(recordings))
    aligned = align_recordings(
        recordings, how, where, jobs=jobs, failing=failing, problems=problems
    )
    return aligned._replace(unmatched=unmatched)


def align_recordings(
    recordings: Sequence[Transcribed],
    how: How,
    where: Where,
    *,
    jobs: int | None = None,
    failing: Failing = lambda problem: None,
    problems: Sequence[str] = (),
) -> Aligned:
    """Align recordings, and write a file for each, and a table and a report of all.

    What was aligned before from the same inputs is not aligned again, and files that others have
    written or changed stay, unless `where` says otherwise.

    Args:
        recordings: what `zoo.data.corpora.transcripts.transcribed_recordings` gives.
        how: they are aligned.
        where: to.
        jobs: processes at a time; None: as many as are worth their start, up to `MAX_JOBS`.
        failing: is told what is wrong with a recording, as soon as it is known.
        problems: what is known to be wrong with others, for the report.

    Raises:
        UsageError: there is no such model, a dictionary is not one, or the table or the report is
            not one that this package wrote.
        RunError: a file cannot be written, or a process was killed.
    """
    inputs = {recording.name: inputs_of(recording, how.fingerprint) for recording in recordings}
    remove_leftovers(where.out)
    for path in (where.out / TABLE, where.out / PAGE):
        if path.exists() and not (where.overwrite or (where.out / JOURNAL).exists()):
            raise UsageError(
                f"{path} was not written by zoo align; choose another folder for --out, "
                "or replace its contents with --overwrite."
            )
    with Journal(where.out) as journal:
        sources = {os.path.abspath(recording.source) for recording in recordings}
        folder = _Folder(journal, where, sources, failing)
        todo = [r for r in recordings if not folder.is_done(r, inputs[r.name])]
        for row, transcript in aligned_into(journal, todo, inputs, how, jobs, folder.fail):
            folder.place(row, transcript)
        aligned = folder.aligned(problems)
        _replace(journal, where, TABLE, lambda path: write_text(path, _table(aligned)))
        if not all(map(installed, MODULES["reports"])):
            return aligned
        audio = {recording.name: recording.audio for recording in recordings}
        drawn = {row.name: journal.transcript(row.name) for _, row in pictured(aligned.rows)}
        page = functools.partial(
            write_alignment_report,
            rows=aligned.rows,
            suspicious=aligned.suspicious,
            problems=aligned.problems,
            transcripts=drawn,
            audio=audio,
            frontend=frontend_of(how.model),
            facts=_facts(how, where),
            channel=how.channel,
        )
        _replace(journal, where, PAGE, page)
    return aligned._replace(page=True)


def _outputs_among(folder: Path, out: Path) -> Callable[[Path], bool]:
    """Whether a file of a folder is an alignment, not a transcript to be aligned.

    All files of `out` where that lies below the folder, otherwise those that an earlier command
    wrote there: the two may be the same.
    """
    root, home = os.path.abspath(folder), os.path.abspath(out)
    if home.startswith(root + os.sep):
        return lambda path: os.path.abspath(path).startswith(home + os.sep)
    written: set[str] = set()
    if (out / JOURNAL).is_file():
        with Journal(out) as journal:
            written = {os.path.join(home, file) for file in journal.unchanged()}
    return lambda path: os.path.abspath(path) in written


class _Folder:
    """The files of a folder, and what came of each recording."""

    def __init__(
        self, journal: Journal, where: Where, sources: Collection[str], failing: Failing
    ) -> None:
        self._journal, self._where = journal, where
        self._sources, self._failing = sources, failing
        self._rows: list[Row] = []
        self._files: dict[str, str] = {}
        self._failed: list[str] = []
        self._written = 0
        self._kept = 0

    def fail(self, problem: str) -> None:
        """Keep what is wrong with a recording."""
        self._failed.append(problem)
        self._failing(problem)

    def is_done(self, recording: Transcribed, inputs: str) -> bool:
        """Whether a recording need not be aligned: it was, or its file is in the way."""
        name, file = recording.name, self._file(recording.name)
        path = self._where.out / file
        row = None if self._where.overwrite else self._journal.row(name, inputs)
        if os.path.abspath(path) in self._sources:
            self.fail(
                f"{path} is the transcript of {name} itself; choose another folder for --out."
            )
        elif row is not None and (self._is_low(row) or not path.exists()):
            self.place(row, None)
        elif row is not None and self._journal.wrote(file):
            self._rows.append(row)
            self._files[name] = file
            self._kept += 1
        elif self._where.overwrite or not path.exists() or self._journal.is_unchanged(file):
            return False
        else:
            by_us = (
                "was changed since zoo align wrote it"
                if self._journal.wrote(file)
                else ("was not written by zoo align")
            )
            self.fail(f"{path} {by_us}; --overwrite replaces it.")
        return True

    def place(self, row: Row, transcript: Transcript | None) -> None:
        """Write the file of a recording that was aligned; the journal has its transcript."""
        file = self._file(row.name)
        path = self._where.out / file
        if self._is_low(row):
            if self._journal.is_unchanged(file):
                path.unlink()
            self._rows.append(row)
            return
        found = transcript or self._journal.transcript(row.name)
        make_folder(path.parent)
        try:
            _replace(
                self._journal,
                self._where,
                file,
                lambda path: (
                    found.save(path, tier=PHONES)
                    if self._where.suffix not in WITH_TIERS
                    else found.save(path)
                ),
            )
        except UsageError as error:
            self.fail(f"{path}: {error}")
            return
        self._rows.append(row)
        self._files[row.name] = file
        self._written += 1

    def aligned(self, problems: Sequence[str]) -> Aligned:
        """What came of all recordings, where there were some problems before."""
        rows = sorted(self._rows, key=lambda row: (row.score, row.name))
        low = math.ceil(SUSPICIOUS_SHARE * len(rows))
        suspicious = rows[:low] if self._where.least is None else [*filter(self._is_low, rows)]
        failed = [*problems, *sorted(self._failed)]
        return Aligned(rows, suspicious, self._files, self._written, self._kept, failed)

    def _file(self, name: str) -> str:
        return f"{name}{self._where.suffix}"

    def _is_low(self, row: Row) -> bool:
        return self._where.least is not None and row.score < self._where.least


def _replace(journal: Journal, where: Where, file: str, save: Callable[[Path], object]) -> None:
    """Write a file of the folder, which is then known to be of this package."""
    with replacing(where.out / file) as temporary:
        save(temporary)
        journal.will_write(file, sha256(temporary))


def _table(aligned: Aligned) -> str:
    """What `TABLE` holds, lowest scores first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    suspicious = {row.name for row in aligned.suspicious}
    for row in aligned.rows:
        worst = row.worst
        writer.writerow(
            [
                row.name,
                row.speaker,
                f"{row.seconds:.3f}",
                f"{row.score:.4f}",
                "" if row.words is None else row.words,
                row.phones,
                *(
                    ("", "", "")
                    if worst is None
                    else (worst.label, f"{worst.start:.3f}", f"{worst.score:.4f}")
                ),
                "yes" if row.name in suspicious else "",
                aligned.files.get(row.name, ""),
            ]
        )
    return text.getvalue()


def _facts(how: How, where: Where) -> list[tuple[str, str]]:
    """What the report says of how the alignments were made."""
    facts = [("model", str(how.model))]
    facts += [("dictionary", file) for file in how.dictionary]
    if where.least is not None:
        facts.append(("least score", f"{where.least:g}"))
    return facts
