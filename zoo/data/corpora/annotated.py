"""Corpora of your own: recordings with TextGrids, a CTM file or a table; and spoken digits."""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import SAMPLE_RATE, audio_size
from zoo.data.corpora.intervals import Span, in_order, to_segments
from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.speakers import held_out
from zoo.data.corpora.tables import Row, read_ctm, read_table
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.textgrid import read_textgrid
from zoo.data.corpora.utterances import SPLITS, Report, Segment, Utterance, refuse
from zoo.errors import UsageError, nearest

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".sph", ".aiff", ".aif", ".opus")

DIGITS = Labelling.of({str(digit): str(digit) for digit in range(10)})

_DIGIT = re.compile(r"\d_[^_]+_\d+", re.ASCII)


class Recording(NamedTuple):
    """A recording as its annotation knows it; speaker and split may be left to the rules."""

    name: str
    audio: Path
    labels: Path
    spans: tuple[Span, ...]
    speaker: str | None = None
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class Annotated(Utterance):
    """A recording with labelled spans.

    Attributes:
        labels: the file that they are from.
        spans: in order, without overlap.
    """

    labels: Path
    spans: tuple[Span, ...]

    def segments(self, samples: int | None = None, report: Report = refuse) -> list[Segment]:
        """The spans in samples of the recording, whose rate its header says."""
        frames, rate = audio_size(self.audio)
        return to_segments(
            self.labels, self.spans, rate, frames if samples is None else samples, report
        )

    def without_labels(self) -> Annotated:
        """The recording without its spans."""
        return dataclasses.replace(self, spans=())


@dataclasses.dataclass(frozen=True)
class Digit(Utterance):
    """A recording of one spoken digit, all of which is one segment."""

    digit: str

    def segments(self, samples: int | None = None, report: Report = refuse) -> list[Segment]:
        """The whole recording."""
        frames = audio_size(self.audio)[0] if samples is None else samples
        return [Segment(0, frames, self.digit)]


class OwnCorpus:
    """Recordings of any rate and labels; a speaker has one split, unless the corpus says otherwise.

    Attributes:
        kind: `"digits"`, `"textgrid"`, `"ctm"` or `"table"`.
        root: the folder.
        labelling: what the labels stand for.
    """

    def __init__(
        self,
        kind: str,
        root: Path,
        utterances: Sequence[Utterance],
        labelling: Labelling,
        unlabelled: Sequence[Path] = (),
    ) -> None:
        self.kind, self.root, self.labelling = kind, root, labelling
        self._utterances = sorted(utterances, key=lambda u: u.name)
        self._unlabelled = list(unlabelled)

    @functools.cached_property
    def sample_rate(self) -> int:
        """Of most recordings, in Hz."""
        rates: collections.Counter[int] = collections.Counter()
        for utterance in self._utterances:
            try:
                rates[audio_size(utterance.audio)[1]] += 1
            except UsageError:
                # Whoever reads the recording is told; its rate does not count.
                continue
        return rates.most_common(1)[0][0] if rates else SAMPLE_RATE

    def utterances(self, split: str | None = None) -> list[Utterance]:
        """The utterances of `"train"`, `"test"`, `"dev"` or all (None), by name."""
        return [u for u in self._utterances if split in (None, u.split)]

    def unlabelled(self) -> list[Path]:
        """Recordings that no annotation belongs to."""
        return self._unlabelled


def open_digits(root: Path, files: Sequence[Path], testers: Sequence[str] | None) -> OwnCorpus:
    """Recordings `DIGIT_SPEAKER_TAKE.wav`, as in the Free Spoken Digit Dataset.

    Args:
        root: the folder.
        files: below it.
        testers: test speakers; None: the last one by name.
    """
    named = [f for f in files if is_digit(f)]
    speakers = sorted({f.stem.split("_")[1] for f in named})
    test = _known(speakers, testers, root) if testers else set(speakers[-1:])
    utterances = []
    for path in named:
        digit, speaker, _ = path.stem.split("_")
        name = path.relative_to(root).with_suffix("").as_posix()
        split = "test" if speaker in test else "train"
        utterances.append(Digit(name, path, speaker, split, digit))
    others = [f for f in files if is_audio(f) and not is_digit(f)]
    return OwnCorpus("digits", root, utterances, DIGITS, others)


def open_annotated(
    kind: str,
    root: Path,
    recordings: Iterable[Recording],
    *,
    home: Path | None = None,
    labelling: Labelling | None,
    testers: Sequence[str] | None,
    seed: int,
    report: Report,
    unlabelled: Sequence[Path] = (),
) -> OwnCorpus:
    """A corpus of annotated recordings.

    Args:
        kind: as `zoo prepare --kind` takes it.
        root: the folder.
        recordings: what the annotation knows.
        home: folder below which folders say speakers and splits; None: `root`.
        labelling: None makes a class of every label.
        testers: test speakers; None: a quarter of them, where no split is given.
        seed: of that draw.
        report: takes the problems.
        unlabelled: recordings without annotation.
    """
    # However the corpus and its recordings were named: absolutely, relatively or with `..`.
    home = Path(os.path.abspath(home or root))
    placed = [_by_folder(home, recording) for recording in recordings]
    splits = _splits(root, placed, testers, seed, report)
    if labelling is None:
        labelling = Labelling.of({s.label: s.label for r in placed for s in r.spans})
    utterances = [
        Annotated(r.name, r.audio, r.speaker or "", split, r.labels, spans)
        for r, split in zip(placed, splits, strict=True)
        if (spans := tuple(_mapped(r, labelling, report)))
    ]
    if not utterances:
        report(root, None, f"holds no labelled recording of the kind {kind!r}.")
    return OwnCorpus(kind, root, utterances, labelling, unlabelled)


def _mapped(recording: Recording, labelling: Labelling, report: Report) -> Iterator[Span]:
    for span in recording.spans:
        if span.label in labelling.mapping:
            yield span
        else:
            close = nearest(span.label, labelling.mapping, "label")
            report(
                recording.labels, span.line, f"the label {span.label!r} is in no mapping. {close}"
            )


def _by_folder(home: Path, recording: Recording) -> Recording:
    speaker, split = speaker_and_split(home, recording.audio)
    return recording._replace(speaker=recording.speaker or speaker, split=recording.split or split)


def speaker_and_split(home: Path, audio: Path) -> tuple[str, str | None]:
    """Speaker and split by the folders below `home`: [train|test|dev/][speaker/...].

    `home` is an absolute path.
    The first folder, not the last, is the speaker: with a folder for each session below, a
    speaker would otherwise be in train and test.
    """
    audio = Path(os.path.abspath(audio))
    folders = list(audio.relative_to(home).parts[:-1]) if audio.is_relative_to(home) else []
    split = folders.pop(0).lower() if folders and folders[0].lower() in SPLITS else None
    return folders[0] if folders else home.name or "speaker", split


def _splits(
    root: Path,
    recordings: Sequence[Recording],
    testers: Sequence[str] | None,
    seed: int,
    report: Report,
) -> list[str]:
    speakers = {r.speaker or "" for r in recordings}
    given = [r for r in recordings if r.split]
    if given:
        if testers:
            raise UsageError(f"{root} says itself what is for test; leave --test-speakers out.")
        for recording in recordings:
            if not recording.split:
                report(
                    recording.labels,
                    recording.spans[0].line if recording.spans else None,
                    f"{recording.name!r} is in no split, but {given[0].name!r} is in "
                    f"{given[0].split}; give all or none.",
                )
        return [r.split or "train" for r in recordings]
    if testers:
        chosen = _known(sorted(speakers), testers, root)
    elif len(speakers) > 1:
        chosen = set(held_out(speakers, seed))
    else:
        chosen = set()
        if speakers:
            report(
                root,
                None,
                f"has one speaker only, {next(iter(speakers))!r}, and nothing to test on: give "
                "each speaker a folder or a column, make folders train and test, or name "
                "--test-speakers.",
            )
    return ["test" if r.speaker in chosen else "train" for r in recordings]


def _known(speakers: Sequence[str], testers: Sequence[str], root: Path) -> set[str]:
    for name in testers:
        if name not in speakers:
            raise UsageError(
                f"{root} has no speaker {name!r} to test on. {nearest(name, speakers, 'speaker')}"
            )
    return set(testers)


def is_audio(path: Path) -> bool:
    """Whether `path` is named like a recording."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def is_digit(path: Path) -> bool:
    """Whether `path` is named like a recording of a digit, `DIGIT_SPEAKER_TAKE.wav`."""
    return is_audio(path) and _DIGIT.fullmatch(path.stem) is not None


def textgrids(
    root: Path,
    grids: Sequence[Path],
    home: Path,
    files: Sequence[Path],
    tier: str | None,
    report: Report,
) -> tuple[list[Recording], list[Path]]:
    """Recordings with a TextGrid of the same name, and recordings without.

    Args:
        root: the folder that the TextGrids lie below.
        grids: the TextGrids.
        home: the folder that the recordings lie below, which may be another one.
        files: below that.
        tier: the TextGrids' tier, as `read_textgrid` takes it.
        report: takes the problems.
    """
    audio: dict[str, Path] = {}
    for path in filter(is_audio, files):
        if audio.setdefault(name_below(home, path), path) != path:
            other = audio[name_below(home, path)]
            report(path, None, f"is named like {other.name}; one recording is right.")
    found, labelled = [], set()
    where = "beside it" if home == root else f"below {home}"
    for path in grids:
        name = name_below(root, path)
        labelled.add(name)
        if name in audio:
            spans = read_textgrid(path, tier, report)
            found.append(Recording(own_name(root, path), audio[name], path, spans))
        else:
            wanted = path.stem if home == root else own_name(root, path)
            report(path, None, f"has no recording {where}; {wanted}.wav was expected.")
    return found, [file for name, file in audio.items() if name not in labelled]


def own_name(root: Path, path: Path) -> str:
    """What a corpus calls a file: its path below `root`, without the suffix."""
    return path.relative_to(root).with_suffix("").as_posix()


def name_below(root: Path, path: Path) -> str:
    """`own_name` in one form, however a file system composes accented letters."""
    return unicodedata.normalize("NFC", own_name(root, path))


def ctm(root: Path, files: Sequence[Path], path: Path, report: Report) -> list[Recording]:
    """Recordings that a CTM file names without suffix; speakers by the file `utt2spk`.

    A recording lies anywhere below `root`; a name with folders must be the end of its path.
    """
    speakers = read_utt2spk(path.with_name("utt2spk"), report)
    called = called_like(files)
    found = []
    for name, rows in _grouped(path, read_ctm(path, report), report):
        fitting = called(name)
        line = rows[0].span.line
        if not fitting:
            report(path, line, f"no recording {name}.wav lies below {root}.")
        elif len(fitting) > 1:
            report(path, line, f"{name!r} may be {fitting[0]} or {fitting[1]}; one is right.")
        else:
            ordered = in_order(path, [row.span for row in rows], report)
            found.append(Recording(name, fitting[0], path, ordered, speakers.get(name)))
    return found


def called_like(files: Sequence[Path]) -> Callable[[str], list[Path]]:
    """What finds recordings among `files` by the ends of their paths, without suffix."""
    audio = collections.defaultdict(list)
    for file in filter(is_audio, files):
        audio[file.stem].append(file)

    def fitting(name: str) -> list[Path]:
        parts = Path(name).parts
        among = audio.get(parts[-1], []) if parts else []
        return [f for f in among if (*f.parts[:-1], f.stem)[-len(parts) :] == parts]

    return fitting


def table(path: Path, report: Report) -> list[Recording]:
    """Recordings that a CSV or JSON-lines file names, relative to its own folder."""
    found = []
    for name, rows in _grouped(path, read_table(path, report), report):
        audio = path.parent / name
        if not os.path.isfile(audio):
            report(path, rows[0].span.line, f"there is no recording {audio}.")
            continue
        ordered = in_order(path, [row.span for row in rows], report)
        found.append(Recording(name, audio, path, ordered, rows[0].speaker, rows[0].split))
    return found


def _grouped(path: Path, rows: Iterable[Row], report: Report) -> Iterator[tuple[str, list[Row]]]:
    """Rows of the same recording together, which has one speaker and one split."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        group = grouped.setdefault(os.path.normpath(row.audio), [])
        if group and (group[0].speaker, group[0].split) != (row.speaker, row.split):
            report(
                path,
                row.span.line,
                f"{row.audio!r} has another speaker or split than in line {group[0].span.line}; "
                "a recording has one of each.",
            )
        else:
            group.append(row)
    yield from grouped.items()


def read_utt2spk(path: Path, report: Report) -> dict[str, str]:
    """Recording or utterance -> speaker, as Kaldi's file has it; empty if there is no file."""
    if not path.is_file():
        return {}
    speakers = {}
    for number, line in enumerate(read_text(path, report).split("\n"), 1):
        words = line.split()
        if len(words) == 2:
            speakers[words[0]] = words[1]
        elif words:
            report(path, number, f"expected `recording speaker`, found {line.strip()[:60]!r}.")
    return speakers
