"""Reading TIMIT-layout trees: the LDC disc, the sample in circulation, and synthetic ones."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from zoo.data.corpora.audio import SAMPLE_RATE
from zoo.data.corpora.labels import TIMIT
from zoo.data.corpora.names import folded, is_audio, without_audio_suffix
from zoo.data.corpora.phones import DROPPED, LABEL_TO_CLASS
from zoo.data.corpora.textfiles import read_text, words_of_line
from zoo.data.corpora.utterances import Findings, Report, Segment, Utterance, refuse
from zoo.errors import UsageError, nearest
from zoo.files import walk

CORE_TEST = frozenset(
    (
        "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 "
        "mcmj0 mjdh0 fmgd0 mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0"
    ).split()
)
"""The 24 speakers of TIMIT's core test set."""

DEVELOPMENT = frozenset(
    (
        "faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 "
        "fedw0 mgjf0 mglb0 mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 "
        "mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 fcal1 mmwh0 fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 "
        "mteb0 mjfc0 mrjr0 fmml0 mrws1"
    ).split()
)
"""The 50 speakers of the usual development set, all of them test speakers of TIMIT."""

_LABELS = {*LABEL_TO_CLASS, DROPPED}


def read_phn(
    path: str | Path,
    samples: int | None = None,
    report: Report = refuse,
    labels: Collection[str] | None = _LABELS,
) -> list[Segment]:
    """Read a .PHN file: a line `start end label` for each segment, in samples.

    Args:
        path: the file.
        samples: the recording's length; segments must end within it. None: not checked.
        report: takes each problem; what has one is left out.
        labels: the ones that there are, in lower case, which all are read as; None: any, as is.

    Raises:
        UsageError: with file and line, by the default `report`: a malformed line, a bad or
            out-of-range number, segments that overlap or run backwards, an unknown label, or no
            segment at all.
    """
    path = Path(path)
    problems = 0

    def noted(file: Path, line: int | None, text: str) -> None:
        nonlocal problems
        problems += 1
        report(file, line, text)

    text = read_text(path, noted, empty=True)
    if problems:
        return []
    lines = [
        (n, words) for n, line in enumerate(text.split("\n"), 1) if (words := words_of_line(line))
    ]
    if not lines:
        report(path, None, "holds no segments; lines of `start end label` were expected.")
    segments: list[Segment] = []
    for number, words in lines:
        found = _segment(words, segments[-1].end if segments else 0, samples, labels)
        if isinstance(found, str):
            report(path, number, found)
        else:
            segments.append(found)
    return segments


def _segment(
    words: list[str], last: int, samples: int | None, labels: Collection[str] | None
) -> Segment | str:
    """The segment of a line, after one that ends at `last`; or what is wrong with it."""
    if not (
        len(words) == 3
        and words[0].isdecimal()
        and words[1].isdecimal()
        and len(words[0]) < 12
        and len(words[1]) < 12
    ):
        line = " ".join(words)[:60]
        return f"expected `start end label` with two whole sample numbers, found {line!r}."
    start, end, label = int(words[0]), int(words[1]), words[2]
    if start >= end:
        return f"the segment ends at {end}, not after its start {start}."
    if samples is not None and end > samples:
        return f"the segment ends at sample {end}, but the recording has {samples}."
    if labels is not None:
        label = label.lower()
        if label not in labels:
            close = nearest(label, labels, "label")
            return f"{label!r} is not a TIMIT phone label. {close}"
    if start < last:
        return (
            f"the segment starts at {start} and overlaps the one before it, which ends at {last}."
        )
    return Segment(start, end, label)


def _called(name: str) -> str:
    """The name of a recording or its labels, in whatever case, and also of `sx1.wav.wav`."""
    return folded(without_audio_suffix(Path(name)).stem)


@dataclasses.dataclass(frozen=True)
class Sentence(Utterance):
    """One recorded sentence.

    Attributes:
        name: path below the corpus' root without the suffix, as on disk.
        audio: the recording.
        speaker: lower case, as `mdab0`.
        split: `"train"` or `"test"`.
        phn: its phone labels.
        sentence: lower case, as `sx139`.
    """

    phn: Path
    sentence: str

    @property
    def partition(self) -> str:
        """`"core"` or `"dev"` for those test speakers of TIMIT, else the split."""
        if self.split == "test":
            if self.speaker in CORE_TEST:
                return "core"
            if self.speaker in DEVELOPMENT:
                return "dev"
        return self.split

    def segments(self, samples: int | None = None, report: Report = refuse) -> list[Segment]:
        """The phones of the .PHN file."""
        return read_phn(self.phn, samples, report)


class Corpus:
    """A TIMIT-layout tree: SPLIT/REGION/SPEAKER/SENTENCE.{WAV,PHN}, in upper or lower case.

    `root` may be the folder that holds TRAIN and TEST or one up to two levels above it. The
    sample in circulation has no splits (`dr1-fvmh0/sa1.wav`): there the `Use` column of its
    `spkrinfo.txt` decides, and without that file the speakers of TIMIT's core test and
    development sets are the test. `.wav` files may be NIST SPHERE or RIFF; where both a
    `SA1.WAV` and a `SA1.WAV.wav` lie side by side, the first is read.

    Args:
        root: the folder.
        report: takes each .PHN file that lacks its recording.

    Raises:
        UsageError: no such folder, or nothing labelled in it; by the default `report` also a
            missing recording.

    Example:
        >>> corpus = Corpus("TIMIT")
        >>> [u.name for u in corpus.utterances("test")][:1]
        ['TEST/DR1/FAKS0/SI1573']
    """

    kind = "timit"
    sample_rate = SAMPLE_RATE
    labelling = TIMIT

    def __init__(self, root: str | Path, report: Report = refuse) -> None:
        self.root = Path(root)
        self.findings = Findings.of(report)
        self._report = self.findings
        if not self.root.is_dir():
            raise UsageError(f"{self.root} is not a folder; a TIMIT-layout tree was expected.")
        if not self._all:
            raise UsageError(
                f"{self.root} holds no labelled recordings: no .PHN file lies beside a .WAV in "
                "TRAIN|TEST/REGION/SPEAKER/."
            )

    def utterances(self, split: str | None = None, *, sa: bool = False) -> list[Sentence]:
        """The utterances of `"train"`, `"test"` or both (None), in a fixed order.

        Args:
            split: which; None for all.
            sa: include the SA sentences, which every speaker reads (left out of experiments).
        """
        return [
            u
            for u in self._all
            if split in (None, u.split) and (sa or not u.sentence.startswith("sa"))
        ]

    def unlabelled(self) -> list[Path]:
        """Recordings that no .PHN file belongs to."""
        known = {u.audio for u in self._all}
        stems = {u.audio.with_name(u.phn.stem).as_posix().casefold() for u in self._all}
        return [
            path
            for folder in self._split_folders() or [self.root]
            for path in sorted(place / name for place, names in walk(folder) for name in names)
            if path.suffix.lower() in (".wav", ".flac")
            and path not in known
            # SA1.WAV.wav beside SA1.WAV is the same recording again.
            and path.as_posix().casefold().split(".wav")[0] not in stems
        ]

    @functools.cached_property
    def _all(self) -> list[Sentence]:
        return sorted(self._scan(), key=lambda u: (u.split, u.name.lower()))

    def _scan(self) -> Iterator[Sentence]:
        split_folders = self._split_folders()
        if split_folders:
            for folder in split_folders:
                for place, names in walk(folder):
                    yield from self._sentences(
                        place, names, place.name.lower(), folder.name.lower()
                    )
            return
        use = self._recorded_use()
        for place, names in walk(self.root):
            region, _, speaker = place.name.lower().partition("-")
            if region.startswith("dr") and speaker:
                known = "test" if speaker in CORE_TEST | DEVELOPMENT else "train"
                yield from self._sentences(place, names, speaker, use.get(speaker, known))

    def _split_folders(self) -> list[Path]:
        level = [self.root]
        for _ in range(3):
            level = [child for f in level for child in sorted(f.iterdir()) if child.is_dir()]
            found = [f for f in level if f.name.lower() in ("train", "test")]
            if found:
                return found
        return []

    def _sentences(
        self, folder: Path, names: list[str], speaker: str, split: str
    ) -> Iterator[Sentence]:
        below, there = folder.relative_to(self.root), set(names)
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() != ".phn":
                continue
            phn = folder / name
            for suffix in (".WAV", ".wav", ".WAV.wav", ".flac", ".FLAC"):
                if stem + suffix in there and (audio := folder / (stem + suffix)).is_file():
                    whole = (below / stem).as_posix()
                    yield Sentence(whole, audio, speaker, split, phn, stem.lower())
                    break
            else:
                others = [n for n in names if is_audio(Path(n)) and _called(n) == _called(name)]
                if others:
                    # Of two in different case the first in order; they are the same recording.
                    whole = (below / stem).as_posix()
                    audio = folder / min(others, key=lambda n: (len(n), n))
                    yield Sentence(whole, audio, speaker, split, phn, stem.lower())
                    continue
                self._report(phn, None, f"has no recording beside it; {stem}.WAV was expected.")

    def _recorded_use(self) -> dict[str, str]:
        """Speaker -> split by the `Use` column of a `spkrinfo.txt`, where there is one."""
        use = {}
        for table in self.root.glob("*"):
            if table.name.lower() != "spkrinfo.txt":
                continue
            for line in table.read_text(encoding="ascii", errors="replace").splitlines():
                words = line.split()
                if len(words) > 3 and not line.startswith(";") and words[3] in ("TRN", "TST"):
                    speaker = (words[1] + words[0]).lower()
                    use[speaker] = "train" if words[3] == "TRN" else "test"
        return use
