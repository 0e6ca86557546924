"""What a folder of alignments was made from, so that a killed command resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.files import make_folder, os_failure, replacing, sha256

NAME = "alignment.jsonl"
"""Bookkeeping in the folder of the alignments: the transcripts, and what the files there hold."""

_HASHES_KEPT = 2
"""Of a file: a kill may come before what was written takes the place of what was there."""


class Row(NamedTuple):
    """What is told of an aligned recording.

    Attributes:
        name: of the recording.
        speaker: whoever speaks.
        seconds: that it lasts.
        score: how well text and recording agree, 0 to 1.
        words: how many; None where phones were given.
        phones: how many, without silences.
        worst: the phone of the lowest score; None where none has one.
    """

    name: str
    speaker: str
    seconds: float
    score: float
    words: int | None
    phones: int
    worst: Interval | None

    @classmethod
    def of(cls, name: str, speaker: str, transcript: Transcript, silence: str) -> Row:
        """The row of a transcript.

        Args:
            name: of the recording.
            speaker: whoever speaks.
            transcript: has a tier of phones, perhaps one of words before it.
            silence: label of phones that do not count.
        """
        phones = [phone for phone in transcript.tiers[PHONES] if phone.label != silence]
        scored = [phone for phone in phones if phone.score is not None]
        return cls(
            name,
            speaker,
            transcript.duration,
            0.0 if transcript.score is None else transcript.score,
            len(transcript.intervals) if len(transcript.tiers) > 1 else None,
            len(phones),
            min(scored, key=lambda phone: phone.score or 0.0, default=None),
        )


class _Line(NamedTuple):
    inputs: str
    row: Row
    offset: int


class Journal:
    """The lines of a folder, of which those of transcripts stay on the disk.

    Args:
        out: the folder.

    Raises:
        UsageError: the file is not a journal.
        RunError: it cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.path = out / NAME
        self._lines: dict[str, _Line] = {}
        self._hashes: dict[str, list[str]] = {}
        make_folder(out)
        stale = False
        if self.path.is_file():
            for offset, line in self._parsed():
                if line is None:
                    stale = True
                else:
                    stale |= self._remember(line, offset)
        if stale:
            self._rewrite()
        self._file: BinaryIO = self._opened("ab")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def row(self, name: str, inputs: str) -> Row | None:
        """What came of a recording, if it was aligned from these inputs."""
        line = self._lines.get(name)
        return line.row if line is not None and line.inputs == inputs else None

    def transcript(self, name: str) -> Transcript:
        """The transcript of a recording that has a row."""
        with open(self.path, "rb") as file:
            file.seek(self._lines[name].offset)
            record = json.loads(file.readline())["transcript"]
        tiers = {tier: tuple(Interval(*i) for i in rows) for tier, rows in record["tiers"].items()}
        return Transcript(**{**record, "tiers": tiers})

    def add(self, row: Row, inputs: str, transcript: Transcript) -> None:
        """Keep what came of a recording."""
        record = {
            "recording": row.name,
            "inputs": inputs,
            "row": row,
            "transcript": {
                "tiers": transcript.tiers,
                "duration": transcript.duration,
                "sample_rate": transcript.sample_rate,
                "name": transcript.name,
                "score": transcript.score,
            },
        }
        self._lines[row.name] = _Line(inputs, row, self._append(record))

    def wrote(self, file: str) -> bool:
        """Whether a file of this name was ever written here."""
        return file in self._hashes

    def is_unchanged(self, file: str) -> bool:
        """Whether a file of this name is there and as it was written."""
        path = self.path.parent / file
        return file in self._hashes and path.is_file() and sha256(path) in self._hashes[file]

    def unchanged(self) -> list[str]:
        """The files that are there and as they were written."""
        return [file for file in self._hashes if self.is_unchanged(file)]

    def will_write(self, file: str, contents: str) -> None:
        """Keep the SHA-256 of what is about to take the place of a file."""
        if self._hashes.get(file, [])[-1:] != [contents]:
            self._append({"file": file, "sha256": contents})
            self._hashes[file] = [*self._hashes.get(file, []), contents][-_HASHES_KEPT:]

    def _append(self, record: dict[str, Any]) -> int:
        """Where the line begins."""
        try:
            offset = self._file.tell()
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise os_failure(error, f"cannot write {self.path}") from error
        return offset

    def _opened(self, mode: str) -> Any:
        try:
            return open(self.path, mode)
        except OSError as error:
            raise os_failure(error, f"cannot open {self.path}") from error

    def _parsed(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Where each line begins, and what it says; None of the last, if a kill cut it short."""
        with self._opened("rb") as file:
            offset, before = 0, True
            for data in file:
                if not before:
                    raise UsageError(
                        f"{self.path} is damaged; remove it, and align again with --overwrite."
                    )
                try:
                    found = json.loads(data) if data.endswith(b"\n") else None
                except ValueError:
                    found = None
                before = found is not None
                yield offset, found
                offset += len(data)

    def _remember(self, line: dict[str, Any], offset: int) -> bool:
        """Take a line in; whether it replaces an earlier one."""
        try:
            if "file" in line:
                hashes = [*self._hashes.get(line["file"], []), line["sha256"]]
                self._hashes[line["file"]] = hashes[-_HASHES_KEPT:]
                return len(hashes) > _HASHES_KEPT
            row = Row(*line["row"])
            worst = None if row.worst is None else Interval(*row.worst)
            name, replaces = line["recording"], line["recording"] in self._lines
            self._lines[name] = _Line(line["inputs"], row._replace(worst=worst), offset)
            return replaces
        except (KeyError, TypeError):
            raise UsageError(
                f"{self.path} is not what zoo align writes; choose another folder for --out."
            ) from None

    def _rewrite(self) -> None:
        """Leave out what later lines replace."""
        with replacing(self.path) as temporary, open(temporary, "wb") as new:
            for file, hashes in self._hashes.items():
                for contents in hashes:
                    new.write(_line({"file": file, "sha256": contents}))
            with self._opened("rb") as old:
                for name, line in self._lines.items():
                    old.seek(line.offset)
                    self._lines[name] = line._replace(offset=new.tell())
                    new.write(old.readline())


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
