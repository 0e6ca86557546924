"""Recordings and what is said in them: files beside them, Kaldi's data folders, tables."""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.annotated import read_utt2spk, speaker_and_split
from zoo.data.corpora.audio import LONGEST_SECONDS
from zoo.data.corpora.intervals import Span, checked_span, in_order, is_name, seconds
from zoo.data.corpora.names import (
    AUDIO_SUFFIXES,
    Names,
    called_like,
    is_audio,
    name_below,
    unread,
    without_audio_suffix,
)
from zoo.data.corpora.tables import Columns, columns, table_records
from zoo.data.corpora.textfiles import read_text, words_of_line
from zoo.data.corpora.textgrid import SENTENCE_TIERS, interval_tiers, sentence_tiers
from zoo.data.corpora.utterances import Report, refuse
from zoo.errors import UsageError, nearest
from zoo.files import visible_files

BESIDE = (".textgrid", ".lab", ".txt")
"""Suffixes of files beside a recording that hold its transcript; of several the first is taken."""

TABLES = (".csv", ".tsv", ".jsonl")
COLUMNS = Columns(("audio", "text"), ("speaker",), ("start", "end"))

KALDI = "text"
"""File that identifies one of Kaldi's data folders."""

MAX_TEXT = 100_000
"""Most characters of the text in one interval of a TextGrid."""

_TIMIT = re.compile(r"0\s+\d{3,9}\s+(\S.*)", re.DOTALL)
_TIMED = re.compile(r"\s*\d+(?:\.\d+)?\s+\d+(?:\.\d+)?\s+\S.*")


class Transcribed(NamedTuple):
    """A recording and what is said in it.

    Attributes:
        name: its path below the folder without the suffix, or what Kaldi's files call it.
        audio: the recording.
        source: the file that says what is said.
        line: line of that file; None: all of it.
        speaker: whoever speaks.
        text: what is said, one space between words; None if it is said in parts.
        spans: parts of the recording in order, without overlap, whose labels are what is said.
    """

    name: str
    audio: Path
    source: Path
    line: int | None
    speaker: str
    text: str | None
    spans: tuple[Span, ...] = ()

    @property
    def where(self) -> str:
        """File and line of the transcript, for messages."""
        return place(self.source, self.line)


def place(file: Path, line: int | None) -> str:
    """File and line, for messages."""
    return str(file) if line is None else f"{file}, line {line}"


class _Claim(NamedTuple):
    """What one source says of one recording."""

    source: Path
    line: int | None
    text: str | None
    spans: tuple[Span, ...] = ()
    speaker: str | None = None

    @property
    def words(self) -> list[str]:
        """What is said, whatever the punctuation and case."""
        text = " ".join(s.label for s in self.spans) if self.text is None else self.text
        return re.findall(r"\w+", unicodedata.normalize("NFC", text).casefold())


def transcribed_recordings(
    path: str | Path,
    report: Report = refuse,
    *,
    unmatched: Report | None = None,
    speaker_characters: int | None = None,
    tier: str | None = None,
    passed_over: Callable[[Path], bool] | None = None,
) -> list[Transcribed]:
    """Find recordings and what is said in them.

    Beside a recording, named like it in any case: a TextGrid with a tier of sentences, a `.lab` or
    a `.txt` with the whole text, or TIMIT's `.TXT`, which has two sample numbers first. Directly
    in the folder: Kaldi's `text` with `wav.scp`, `segments` and `utt2spk` where there are any, and
    tables of `audio`, `text` and perhaps `speaker`, `start` and `end` in seconds. Of several
    sources for one recording, which must say the same, the first in this order is taken.

    Args:
        path: the folder, or Kaldi's `text` or a table in it, beside which nothing else is read.
        report: takes each problem; what has one is left out.
        unmatched: takes each recording without transcript and each transcript without recording.
        speaker_characters: how many characters of a recording's name are its speaker's; None: as
            the source says, or the first folder below the path (of TIMIT's, the last).
        tier: name of the TextGrids' tier of sentences; None: one that `SENTENCE_TIERS` names, the
            speaker's, or all but tiers of words and phones, one a speaker.
        passed_over: whether a file below the folder plays no part.

    Returns:
        What is said in each recording, by name.

    Raises:
        UsageError: no such folder or file, or no recording with a transcript; by the default
            `report` the first problem.

    Example:
        >>> for recording in transcribed_recordings("speech"):
        ...     print(recording.name, recording.speaker, recording.text)
        anna/anna0 anna she had your dark suit
    """
    path = Path(path)
    if not path.is_dir() and not path.is_file():
        raise UsageError(
            f"{path} is not a folder; a folder of recordings and transcripts was expected."
        )
    root = path if path.is_dir() else path.parent
    files = visible_files(root)
    if passed_over is not None:
        files = [file for file in files if not passed_over(file)]
    folder = _Folder(root, files, report, unmatched or (lambda *problem: None))
    if path.is_dir():
        folder.read_beside(tier)
    elif path.name != KALDI and path.suffix.lower() not in TABLES:
        raise UsageError(f"{path} is neither a table ({', '.join(TABLES)}) nor Kaldi's {KALDI}.")
    for file in [f for f in files if f.parent == root] if path.is_dir() else [path]:
        if file.name == KALDI:
            folder.read_kaldi(file)
        elif file.suffix.lower() in TABLES and (
            file == path or set(COLUMNS.required) <= set(columns(file, COLUMNS))
        ):
            folder.read_table(file)
    found = [
        recording._replace(speaker=recording.audio.stem[:speaker_characters])
        if speaker_characters
        else recording
        for recording in folder.transcribed()
    ]
    if not found and not folder.problems:
        raise UsageError(
            f"{path} holds no recording with a transcript: none of {', '.join(BESIDE)} lies beside "
            f"one ({', '.join(AUDIO_SUFFIXES)}), and there is neither Kaldi's {KALDI} nor a table "
            f"({', '.join(TABLES)}) of {' and '.join(COLUMNS.required)}."
        )
    return found


@dataclasses.dataclass
class _Folder:
    """Recordings of a folder, and what its sources say of them."""

    root: Path
    files: Sequence[Path]
    report: Report
    unmatched: Report

    def __post_init__(self) -> None:
        self.home = Path(os.path.abspath(self.root))
        self.problems = 0
        self._tried: set[str] = set()
        self._left_out: set[str] = set()
        self._claims: dict[str, list[_Claim]] = collections.defaultdict(list)
        self._audio: dict[str, Path] = {}
        for file in sorted(filter(is_audio, self.files), key=lambda f: len(f.name)):
            name = self._name(file)
            first = self._audio.setdefault(name, file)
            # SA1.WAV.wav beside SA1.WAV is the same recording again.
            if first != file and without_audio_suffix(file) == file:
                self._left_out.add(name)
                self._wrong(name, file, None, f"is named like {first.name}; one is right.")
        self._names, self._instead = Names(self._audio), unread(self.files)
        self._name_of = {os.path.abspath(file): name for name, file in self._audio.items()}
        self._composed = {unicodedata.normalize("NFC", path): path for path in self._name_of}
        self._called = called_like(list(self._audio.values()))

    def _name(self, file: Path) -> str:
        return name_below(self.root, file)

    def _wrong(self, name: str | None, file: Path, line: int | None, text: str) -> None:
        """Report a problem; the recording is then none that lacks a transcript."""
        if name is not None:
            self._tried.add(name)
        self.problems += 1
        self.report(file, line, text)

    def _reporting(self, name: str | None) -> Report:
        return lambda file, line, text: self._wrong(name, file, line, text)

    def _speaker(self, name: str) -> str:
        return speaker_and_split(self.home, self.home / f"{name}.wav")[0]

    def read_beside(self, tier: str | None) -> None:
        """Read what lies beside recordings."""
        found = [(BESIDE.index(f.suffix.lower()), f) for f in self.files if _is_beside(f)]
        for _, file in sorted(found, key=lambda pair: pair[0]):
            name = self._beside(file)
            if name is None:
                other = self._instead(file.stem)
                self.unmatched(file, None, f"has no recording beside it.{other}")
            elif file.suffix.lower() == ".textgrid":
                self._read_textgrid(name, file, tier)
            else:
                self._read_words(name, file)

    def _beside(self, file: Path) -> str | None:
        """Name of the recording that a file lies beside."""
        return self._names.find(self._name(file))

    def _read_words(self, name: str, file: Path) -> None:
        lines = [
            line for line in read_text(file, self._reporting(name)).split("\n") if line.strip()
        ]
        text, speaker = " ".join(" ".join(lines).split()), None
        timed = sum(_TIMED.fullmatch(line) is not None for line in lines)
        if lines[:1] == ["#"] or (len(lines) > 1 and timed == len(lines)):
            self._wrong(name, file, None, "holds labels with times; a transcript was expected.")
            return
        if file.suffix.lower() == ".txt" and (timit := _TIMIT.fullmatch(text)):
            text, speaker = timit[1], self._audio[name].parent.name
        if text:
            self._claims[name].append(_Claim(file, None, text, speaker=speaker))

    def _read_textgrid(self, name: str, file: Path, tier: str | None) -> None:
        report = self._reporting(name)
        tiers = interval_tiers(file, report)
        names = [found for found, _ in tiers]
        if not names:
            if name not in self._tried:
                report(file, None, "has no interval tier.")
            return
        places = sentence_tiers(names, self._speaker(name), tier)
        if not places:
            if tier is not None:
                report(file, None, f"has no interval tier {tier!r}. {nearest(tier, names, 'tier')}")
            # One of words and phones is what an aligner made of another source.
            return
        labelled = [
            (names[at], span._replace(label=" ".join(span.label.split())))
            for at in places
            for span in tiers[at][1]
        ]
        if not labelled:
            report(file, None, f"has no text in its tier {names[places[0]]!r}.")
            return
        spans = self._in_order(name, file, [span for _, span in labelled])
        speaker = None
        if tier is None and names[places[0]].strip().lower() not in (*SENTENCE_TIERS, "words"):
            speaker = " and ".join(dict.fromkeys(who.strip() for who, _ in labelled))
        if spans and all(" " not in span.label for span in spans) and len(spans) > 1:
            text = " ".join(span.label for span in spans)
            self._claims[name].append(_Claim(file, None, text, speaker=speaker))
        elif spans:
            self._claims[name].append(_Claim(file, None, None, spans, speaker))

    def _in_order(self, name: str, file: Path, spans: Iterable[Span]) -> tuple[Span, ...]:
        report = self._reporting(name)
        checked = [checked_span(file, s, report, LONGEST_SECONDS, MAX_TEXT) for s in spans]
        return in_order(file, [span for span in checked if span is not None], report)

    def read_kaldi(self, file: Path) -> None:
        """Read a folder of Kaldi's by its `text`."""
        speakers = read_utt2spk(file.with_name("utt2spk"), self._reporting(None))
        known = self._wav_scp(file.with_name("wav.scp"))
        segments = self._segments(file.with_name("segments"))
        parts: dict[str, list[tuple[Span, str | None]]] = collections.defaultdict(list)
        for number, (utterance, text) in self._lines(file):
            if not text:
                self._wrong(None, file, number, f"{utterance!r} has no text.")
                continue
            segment = None if segments is None else segments.get(utterance)
            if segments is not None and segment is None:
                self._wrong(None, file, number, f"{utterance!r} is not in segments.")
                continue
            recording = segment.label if segment else utterance
            name = self._recording_of_kaldi(recording, known, file, number)
            if name is None:
                continue
            speaker = speakers.get(utterance)
            if segment is None:
                self._claims[name].append(_Claim(file, number, text, speaker=speaker))
            else:
                parts[name].append((Span(number, segment.start, segment.end, text), speaker))
        self._add_parts(file, parts)

    def _recording_of_kaldi(
        self, recording: str, known: Mapping[str, str | None] | None, file: Path, line: int
    ) -> str | None:
        if known is not None:
            if recording not in known:
                self._wrong(None, file, line, f"{recording!r} is not in wav.scp.")
            return known.get(recording)
        fitting = self._called(recording)
        if len(fitting) == 1:
            return self._name(fitting[0])
        if fitting:
            problem = (
                f"{recording!r} matches both {fitting[0]} and {fitting[1]}; it must match "
                "one recording."
            )
            self._wrong(None, file, line, problem)
        else:
            self.unmatched(
                file, line, f"{recording!r} has no recording {recording}.wav below {self.root}."
            )
        return None

    def _lines(self, file: Path) -> Iterator[tuple[int, tuple[str, str]]]:
        """Line, first word and the rest of every line."""
        for number, line in enumerate(read_text(file, self._reporting(None)).split("\n"), 1):
            if words := words_of_line(line):
                yield number, (words[0], " ".join(words[1:]))

    def _wav_scp(self, file: Path) -> dict[str, str | None] | None:
        """Recording -> its name, None where there is a problem with it; None without the file."""
        if not file.is_file():
            return None
        found: dict[str, str | None] = {}
        for number, (recording, path) in self._lines(file):
            audio = self._found(path, (self.root, Path()))
            if recording in found:
                self._wrong(None, file, number, f"{recording!r} is there a second time.")
            elif path.endswith("|"):
                found[recording] = None
                self._wrong(
                    None,
                    file,
                    number,
                    f"{recording!r} is the output of a command; write it to a sound file and name "
                    "that.",
                )
            elif audio is None:
                found[recording] = None
                self._wrong(None, file, number, f"there is no recording {path}.")
            else:
                found[recording] = self._known(audio, recording, file, number)
        return found

    def _segments(self, file: Path) -> dict[str, Span] | None:
        """Utterance -> where it is, labelled with its recording; None without the file."""
        if not file.is_file():
            return None
        found = {}
        for number, (utterance, rest) in self._lines(file):
            words = words_of_line(rest)
            times = [seconds(word) for word in words[1:3]]
            if len(words) not in (3, 4) or None in times:
                expected = "expected `utterance recording start end`"
                self._wrong(
                    None, file, number, f"{expected}, found {f'{utterance} {rest}'[:60]!r}."
                )
            else:
                start, end = (time or Decimal(0) for time in times)
                found[utterance] = Span(number, start, end, words[0])
        return found

    def read_table(self, file: Path) -> None:
        """Read a table of recordings and what is said in them."""
        rows = []
        for number, record in table_records(file, COLUMNS, self._reporting(None)):
            cells = self._cells(file, number, record)
            if cells is None:
                continue
            audio = self._found(cells["audio"], (file.parent,))
            if audio is None:
                problem = f"there is no recording {file.parent / cells['audio']}."
                self._wrong(None, file, number, problem)
            else:
                rows.append((number, cells, audio))
        elsewhere = {str(a.parent) for _, _, a in rows if str(a) not in self._name_of}
        common = os.path.commonpath(elsewhere) if elsewhere else ""
        parts: dict[str, list[tuple[Span, str | None]]] = collections.defaultdict(list)
        for number, cells, audio in rows:
            short = os.path.relpath(audio.with_suffix(""), common) if common else ""
            name = self._known(audio, short, file, number)
            if name is None:
                continue
            start, end = (seconds(cells[what]) for what in ("start", "end"))
            speaker = cells["speaker"] or None
            if start is not None and end is not None:
                parts[name].append((Span(number, start, end, cells["text"]), speaker))
            else:
                self._claims[name].append(_Claim(file, number, cells["text"], speaker=speaker))
        self._add_parts(file, parts)

    def _cells(self, file: Path, line: int, record: Mapping[str, object]) -> dict[str, str] | None:
        """The cells of a row as text, or None if one is wrong."""
        cells = {}
        for what in ("audio", "text", "speaker", "start", "end"):
            value = record.get(what)
            text = " ".join(value.split()) if isinstance(value, str) and what == "text" else value
            cells[what] = text.strip() if isinstance(text, str) else ""
            required = what in COLUMNS.required
            printable = what != "text" and cells[what] and not is_name(cells[what], MAX_TEXT)
            if (required and not cells[what]) or printable or not isinstance(value, str | None):
                self._wrong(None, file, line, f"{what} is {str(value)[:60]!r}; text was expected.")
                return None
        times = [cells["start"], cells["end"]]
        for what, text in zip(("start", "end"), times, strict=True):
            if any(times) and seconds(text) is None:
                problem = f"{what} is {text[:60]!r}; a time in seconds was expected."
                self._wrong(None, file, line, problem)
                return None
        return cells

    def _add_parts(
        self, file: Path, parts: Mapping[str, Sequence[tuple[Span, str | None]]]
    ) -> None:
        for name, found in parts.items():
            spans = self._in_order(name, file, [span for span, _ in found])
            speakers = dict.fromkeys(speaker for _, speaker in found if speaker)
            if spans:
                who = " and ".join(speakers) or None
                self._claims[name].append(_Claim(file, spans[0].line, None, spans, who))

    def _found(self, path: str, folders: Iterable[Path]) -> Path | None:
        """The recording of a path, however its accents are composed."""
        for folder in folders:
            audio = os.path.abspath(folder / path)
            audio = self._composed.get(unicodedata.normalize("NFC", audio), audio)
            if os.path.isfile(audio):
                return Path(audio)
        return None

    def _known(self, audio: Path, otherwise: str, file: Path, line: int) -> str | None:
        """The name of a recording; of one that does not lie in the folder, what it is called."""
        name = self._name_of.get(str(audio))
        if name is not None:
            return name
        name = unicodedata.normalize("NFC", otherwise)
        if name.startswith("/") or ".." in Path(name).parts or not is_name(name):
            self._wrong(None, file, line, f"{name[:60]!r} cannot be the name of a transcript.")
            return None
        if name in self._audio:
            problem = f"{audio} is named like {self._audio[name]}; one is right."
            self._wrong(None, file, line, problem)
            return None
        self._audio[name] = audio
        self._name_of[str(audio)] = name
        return name

    def transcribed(self) -> Iterator[Transcribed]:
        """What is said in each recording, by name."""
        for name, audio in sorted(self._audio.items()):
            claims = self._claims.get(name)
            if not claims or name in self._left_out:
                if name not in self._tried:
                    self.unmatched(audio, None, "has no transcript.")
                continue
            first, *others = claims
            other = next((o for o in others if o.words != first.words), None)
            if other is not None:
                self._wrong(
                    name,
                    first.source,
                    first.line,
                    f"says something else than {place(other.source, other.line)} of {audio.name}; "
                    "keep the one that is right.",
                )
                continue
            speaker = next((c.speaker for c in claims if c.speaker), None) or self._speaker(name)
            yield Transcribed(
                name, audio, first.source, first.line, speaker, first.text, first.spans
            )


def _is_beside(file: Path) -> bool:
    return file.suffix.lower() in BESIDE
