"""Corpora of your own: recordings with TextGrids, a CTM file or a table; and spoken digits."""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from zoo.data.corpora.audio import SAMPLE_RATE, audio_size
from zoo.data.corpora.intervals import Span, in_order, to_segments
from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.names import (
    Names,
    called_like,
    folded,
    is_audio,
    name_below,
    own_name,
    unread,
    without_audio_suffix,
)
from zoo.data.corpora.phones import SPOKEN_NOISE
from zoo.data.corpora.speakers import held_out
from zoo.data.corpora.tables import Row, read_ctm, read_table
from zoo.data.corpora.textfiles import read_text, words_of_line
from zoo.data.corpora.textgrid import phone_tiers, read_textgrid
from zoo.data.corpora.utterances import SPLITS, Findings, Report, Segment, Utterance, refuse
from zoo.errors import UsageError, nearest

DIGITS = Labelling.of({str(digit): str(digit) for digit in range(10)})

_DIGIT = re.compile(r"\d_[^_]+_\d+", re.ASCII)


class Recording(NamedTuple):
    """A recording as its annotation describes it; speaker and split may be left to the rules."""

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
        """The spans in samples of the recording, at the rate in its header."""
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
        findings: what is wrong with it, and what was done about that.
    """

    def __init__(
        self,
        kind: str,
        root: Path,
        utterances: Sequence[Utterance],
        labelling: Labelling,
        unlabelled: Sequence[Path] = (),
        findings: Findings | None = None,
    ) -> None:
        self.findings = findings or Findings()
        self.kind, self.root, self.labelling = kind, root, labelling
        self._utterances = sorted(utterances, key=lambda u: u.name)
        self._unlabelled = list(unlabelled)

    @functools.cached_property
    def sample_rate(self) -> int:
        """Sample rate of most recordings, in Hz."""
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
        seed: random seed of that draw.
        report: takes the problems.
        unlabelled: recordings without annotation.
    """
    findings = Findings.of(report)
    # However the corpus and its recordings were named: absolutely, relatively or with `..`.
    home = Path(os.path.abspath(home or root))
    placed = [_by_folder(home, recording) for recording in recordings]
    splits = _splits(root, placed, testers, seed, findings.strict)
    if labelling is None:
        labelling = Labelling.own(s.label for r in placed for s in r.spans)
    noise: collections.Counter[str] = collections.Counter()
    utterances = [
        Annotated(r.name, r.audio, r.speaker or "", split, r.labels, spans)
        for r, split in zip(placed, splits, strict=True)
        if (spans := tuple(_mapped(r, labelling, findings, noise)))
    ]
    findings.said += [
        f"segments labelled {label!r}, which belong to no class and were left out: {count}."
        for label, count in sorted(noise.items())
    ]
    if not utterances:
        first = "" if findings.first is None else f" The first problem: {findings.first}"
        findings.strict(root, None, f"holds no labelled recording of the kind {kind!r}.{first}")
    return OwnCorpus(kind, root, utterances, labelling, unlabelled, findings)


def _mapped(
    recording: Recording, labelling: Labelling, report: Report, noise: collections.Counter[str]
) -> Iterator[Span]:
    for span in recording.spans:
        label = labelling.known(span.label)
        if label is not None:
            yield span if label == span.label else span._replace(label=label)
        elif labelling.of_timit and span.label.lower() in SPOKEN_NOISE:
            noise[span.label] += 1
        else:
            close = nearest(span.label, labelling.mapping, "label")
            report(
                recording.labels,
                span.line,
                f"the label {span.label!r} is not in the mapping. {close}",
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
            raise UsageError(f"{root} defines its own test set; leave --test-speakers out.")
        for recording in recordings:
            if not recording.split:
                report(
                    recording.labels,
                    recording.spans[0].line if recording.spans else None,
                    f"{recording.name!r} is in no split, but {given[0].name!r} is in "
                    f"{given[0].split}; assign all recordings or none.",
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
                f"has only one speaker, {next(iter(speakers))!r}, so nobody is left to "
                "test on: give each speaker a folder or a column, make folders train and "
                "test, or name --test-speakers.",
            )
    return ["test" if r.speaker in chosen else "train" for r in recordings]


def _known(speakers: Sequence[str], testers: Sequence[str], root: Path) -> set[str]:
    for name in testers:
        if name not in speakers:
            raise UsageError(
                f"{root} has no speaker {name!r} to test on. {nearest(name, speakers, 'speaker')}"
            )
    return set(testers)


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
    offset: float | str | None = None,
) -> tuple[list[Recording], list[Path]]:
    """Recordings with a TextGrid of the same name, and recordings without.

    Args:
        root: the folder that the TextGrids lie below.
        grids: the TextGrids.
        home: the folder that the recordings lie below, which may be another one.
        files: below that.
        tier: the TextGrids' tier, as `read_textgrid` takes it.
        report: takes the problems.
        offset: offset of the times in TextGrids, as `read_textgrid` takes it.
    """
    audio: dict[str, Path] = {}
    for path in sorted(filter(is_audio, files), key=lambda f: (len(f.name), f)):
        first = audio.setdefault(name_below(home, path), path)
        # SA1.WAV.wav beside SA1.WAV is the same recording again.
        if first != path and without_audio_suffix(path) == path:
            report(path, None, f"has the same name as {first.name}; rename or remove one of them.")
    named, instead = Names(audio), unread(files)
    found, labelled = [], set()
    chosen: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    where = "beside it" if home == root else f"below {home}"
    for path in grids:
        name = named.find(name_below(root, path))
        if name is not None:
            labelled.add(name)
            spans = read_textgrid(
                path, tier, report, offset=offset, chosen=lambda t, others: chosen[t].update(others)
            )
            found.append(Recording(own_name(root, path), audio[name], path, spans))
        else:
            wanted = path.stem if home == root else own_name(root, path)
            other = instead(path.stem)
            report(path, None, f"has no recording {where}; {wanted}.wav was expected.{other}")
    if isinstance(report, Findings):
        report.said += [
            f"of the TextGrids' tiers {read!r} was read, by its {_reason(read)}; not read: "
            f"{', '.join(map(repr, sorted(others)[:5]))}. --tier names another."
            for read, others in sorted(chosen.items())
        ]
    return found, [file for name, file in audio.items() if name not in labelled]


def _reason(tier: str) -> str:
    return "name" if phone_tiers([tier]) else "place, as no name says that a tier holds phones"


def ctm(
    root: Path, files: Sequence[Path], paths: Sequence[Path], report: Report
) -> list[Recording]:
    """Recordings that CTM files name, with or without suffix; speakers by the file `utt2spk`.

    A recording lies anywhere below `root`; a name with folders must be the end of its path. If
    `utt2spk` does not name a recording, its speaker is the one in the CTM, if that is unique.
    """
    called, instead = called_like(files), unread(files)
    found = []
    of: dict[Path, Path] = {}
    for path in paths:
        speakers = read_utt2spk(path.with_name("utt2spk"), report)
        read = read_ctm(path, report)
        rows = [row._replace(speaker=None) for row in read]
        said: dict[str, set[str | None]] = collections.defaultdict(set)
        for row in read:
            said[os.path.normpath(row.audio)].add(row.speaker)
        for name, group in _grouped(path, rows, report):
            fitting = called(name)
            line = group[0].span.line
            if not fitting:
                wanted = name if is_audio(Path(name)) else f"{name}.wav"
                report(path, line, f"no recording {wanted} lies below {root}.{instead(name)}")
            elif len(fitting) > 1:
                report(
                    path,
                    line,
                    f"{name!r} matches both {fitting[0]} and {fitting[1]}; it must match one "
                    "recording.",
                )
            elif of.setdefault(fitting[0], path) != path:
                other = of[fitting[0]].name
                report(path, line, f"{name!r} is also in {other}; give the file to use.")
            else:
                ordered = in_order(path, [row.span for row in group], report)
                (own,) = said[name] if len(said[name]) == 1 else (None,)
                speaker = speakers.get(name) or own
                found.append(Recording(name, fitting[0], path, ordered, speaker))
    return found


def table(path: Path, report: Report) -> list[Recording]:
    """Recordings that a CSV or JSON-lines file names, relative to its own folder."""
    found = []
    for name, rows in _grouped(path, read_table(path, report), report):
        audio = _there(path.parent, name)
        if audio is None:
            audio = path.parent / name
            report(path, rows[0].span.line, f"there is no recording {audio}.")
            continue
        ordered = in_order(path, [row.span for row in rows], report)
        found.append(Recording(name, audio, path, ordered, rows[0].speaker, rows[0].split))
    return found


def _there(folder: Path, name: str) -> Path | None:
    """The file of a path below a folder, whatever its case, separators and composition."""
    if os.path.isfile(folder / name):
        return folder / name
    place = folder
    for part in Path(name.replace("\\", "/")).parts:
        if part == "..":
            place = place.parent
            continue
        if not os.path.exists(place / part):
            there = os.listdir(place) if os.path.isdir(place) else []
            alike = [entry for entry in there if folded(entry) == folded(part)]
            if len(alike) != 1:
                return None
            part = alike[0]
        place = place / part
    return place if os.path.isfile(place) else None


def _grouped(path: Path, rows: Iterable[Row], report: Report) -> Iterator[tuple[str, list[Row]]]:
    """Rows of the same recording together, which has one speaker and one split."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        group = grouped.setdefault(os.path.normpath(row.audio), [])
        if group and (group[0].speaker, group[0].split) != (row.speaker, row.split):
            report(
                path,
                row.span.line,
                f"{row.audio!r} has a different speaker or split than in line "
                f"{group[0].span.line}; a recording has one of each.",
            )
        else:
            group.append(row)
    yield from grouped.items()


def read_utt2spk(path: Path, report: Report) -> dict[str, str]:
    """Recording or utterance -> speaker, from Kaldi's file; empty if there is no file."""
    if not path.is_file():
        return {}
    speakers = {}
    for number, line in enumerate(read_text(path, report).split("\n"), 1):
        words = words_of_line(line)
        if len(words) == 2:
            speakers[words[0]] = words[1]
        elif words:
            report(path, number, f"expected `recording speaker`, found {line.strip()[:60]!r}.")
    return speakers
