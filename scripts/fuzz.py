#!/usr/bin/env python3
"""Feeds damaged files to every reader for a stated time, with the strategies of its tests.

    python scripts/fuzz.py --minutes 20 [--seed 0] [--keep DIR]

A reader may read a file or refuse it in one sentence. Reported is everything else: other errors,
more than 10 s for one file, ways to read a recording that differ, and folders of which `corpus
check` and `prepare` think differently. Each input that was reported is kept in DIR. The exit status
is 1 where there is any.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from tests.alignment.test_pronunciations import WRITERS, entries  # noqa: E402
from tests.data.corpora import (  # noqa: E402
    test_agreement,
    test_lengths,
    test_recordings,
    test_tables,
    test_textgrid,
)
from tests.helpers.annotations import long_textgrid, short_textgrid  # noqa: E402
from tests.helpers.lengths import SUFFIXES  # noqa: E402
from zoo.alignment.pronunciations import Dictionary  # noqa: E402
from zoo.data.corpora import check_corpus, open_corpus  # noqa: E402
from zoo.data.corpora.audio import AudioFile, audio_size, read_audio  # noqa: E402
from zoo.data.corpora.tables import read_ctm, read_table  # noqa: E402
from zoo.data.corpora.textgrid import read_textgrid  # noqa: E402
from zoo.data.corpora.timit import read_phn  # noqa: E402
from zoo.errors import RunError, UsageError  # noqa: E402

PATIENCE = 10
"""Seconds that one file may take."""

STREAMS = (".mp3", ".ogg", ".opus")

ROUND = 100
"""Inputs of one target before the next has its turn."""


class Hang(BaseException):
    """A file took longer than `PATIENCE`."""


class Finding(Exception):
    """Two answers that should be the same are not."""


class Target(NamedTuple):
    """What is fed to a reader.

    Attributes:
        inputs: of (name, bytes), or whatever `attempt` takes.
        attempt: writes an input into an empty folder, and reads it.
    """

    inputs: st.SearchStrategy[Any]
    attempt: Callable[[Path, Any], None]


@st.composite
def changed(draw: Any, originals: dict[str, bytes], header: int = 160) -> tuple[str, bytes]:
    """One of `originals` with bytes exchanged, put in, cut out or repeated, mostly early on."""
    name = draw(st.sampled_from(sorted(originals)))
    contents = bytearray(originals[name])
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 5]))):
        near = draw(st.integers(0, 3)) > 0
        place = draw(st.integers(0, min(header, len(contents)) if near else len(contents)))
        length = draw(st.sampled_from([0, 1, 1, 2, 4, 8, 40]))
        put = draw(
            st.sampled_from([b"", b"\0" * 4, b"\xff" * 4, b"\0\0\0\x80", b"\xff\xff\xff\x7f"])
            | st.binary(max_size=8)
            | st.just(bytes(contents[place : place + length]) * 2)
        )
        contents[place : place + length] = put
    if draw(st.integers(0, 3)) == 0:
        del contents[draw(st.integers(0, len(contents))) :]
    return name, bytes(contents)


def recordings() -> dict[str, bytes]:
    """File name -> one recording for each container and kind of samples."""
    found = {f"a{SUFFIXES[name]}": contents for name, contents in test_lengths.FILES.items()}
    found |= {f"coded.{suffix}": contents for suffix, contents in test_agreement.CODED.items()}
    for subtype in ("PCM_U8", "PCM_24", "FLOAT", "ULAW", "ALAW", "IMA_ADPCM", "GSM610"):
        found[f"{subtype}.wav"] = test_lengths.written("WAV", subtype=subtype)
    found["24.flac"] = test_lengths.written("FLAC", subtype="PCM_24")
    found["opus.opus"] = test_lengths.written("OGG", subtype="OPUS")
    return found


@st.composite
def sphere(draw: Any) -> tuple[str, bytes]:
    """A SPHERE file with other fields in its header."""
    fields = draw(st.dictionaries(test_recordings.fields, test_recordings.values, max_size=3))
    original = test_recordings.SPHERE
    lines = []
    for line in original[:1024].decode().rstrip().splitlines():
        name = line.split(" ")[0]
        lines.append(f"{name} {fields[name]}" if name in fields else line)
    header = ("\n".join(lines) + "\n").encode().ljust(1024)[:1024]
    return "a.sph", header + original[1024:]


def read_recording(path: Path) -> None:
    """Read a recording in every way there is.

    Raises:
        Finding: they differ.
    """
    samples, rate = read_audio(path)
    try:
        _compare(path, samples, rate)
    except UsageError as refusal:
        raise Finding(f"read_audio reads it, another way refuses it: {refusal}") from None


def _compare(path: Path, samples: np.ndarray, rate: int) -> None:
    file = AudioFile(path)
    if (file.frames, file.rate) != audio_size(path) or audio_size(path) != (len(samples), rate):
        raise Finding(f"audio_size says {audio_size(path)}, read_audio {(len(samples), rate)}")
    if not np.array_equal(np.concatenate(list(file.blocks(777))), samples):
        raise Finding("blocks are not what read_audio reads")
    start, end = len(samples) // 3, max(len(samples) // 3 + 1, len(samples) // 2)
    excerpt = file.excerpt(start, end)
    # A damaged stream decodes to other numbers where decoding starts in its middle.
    exact = path.suffix not in STREAMS
    if excerpt.shape != samples[start:end].shape:
        raise Finding(f"an excerpt of {end - start} samples has the shape {excerpt.shape}")
    if exact and not np.array_equal(excerpt, samples[start:end]):
        raise Finding("an excerpt is not what read_audio reads there")


@st.composite
def texts(draw: Any, original: st.SearchStrategy[str], name: str) -> tuple[str, bytes]:
    """A text in some encoding, as often as not with a few characters or bytes exchanged."""
    text = draw(original)
    if draw(st.booleans()):
        place, length = draw(st.integers(0, len(text))), draw(st.integers(0, 4))
        put = draw(
            st.text(max_size=3) | st.sampled_from(['"', "1e308", "-", "\ufeff", "\r", "9" * 30])
        )
        text = text[:place] + put + text[place + length :]
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    contents = text.encode(encoding, "replace")
    if contents and draw(st.integers(0, 5)) == 0:
        return draw(changed({name: contents}, header=len(contents)))
    return name, contents


@st.composite
def dictionaries(draw: Any) -> str:
    """A pronunciation dictionary in one of its forms."""
    write = WRITERS[draw(st.sampled_from(sorted(WRITERS)))]
    return "\n".join(
        write(word, number, phones)
        for word, said in draw(entries).items()
        for number, phones in enumerate(said, 1)
    )


def labels_of_timit() -> st.SearchStrategy[str]:
    """The text of a .PHN file."""
    number = st.integers(-5, 40_000).map(str) | st.sampled_from(["", "x", "1.5", "9" * 30, "²"])
    names = st.sampled_from(["h#", "ah", "AH", "zz", ""])
    line = st.tuples(number, number, names).map(" ".join)
    bounds = st.lists(st.integers(0, 40_000), min_size=2, max_size=6, unique=True).map(sorted)
    whole = bounds.map(itertools.pairwise).map(
        lambda pairs: "".join(f"{start} {end} ah\n" for start, end in pairs)
    )
    return whole | st.lists(line, max_size=6).map("\n".join)


@st.composite
def folders(draw: Any) -> tuple[Any, ...]:
    """Arguments of `test_agreement.written`, and whether unusable segments are left out."""
    return (
        draw(st.sampled_from(["textgrid", "csv", "ctm"])),
        draw(st.tuples(test_agreement.recordings(), test_agreement.recordings())),
        draw(st.tuples(test_agreement.rows, test_agreement.rows)),
        draw(st.booleans()),
    )


def agree(folder: Path, drawn: tuple[Any, ...]) -> None:
    """Check a folder, and prepare it.

    Raises:
        Finding: one refuses what the other takes.
    """
    kind, sounds, labelled, skip = drawn
    test_agreement.written(folder, kind, sounds, labelled)
    options: dict[str, Any] = {
        "kind": "table" if kind == "csv" else kind,
        "skip_unusable": skip,
    }
    try:
        found = check_corpus(lambda report: open_corpus(folder, report=report, **options))
    except UsageError:
        found = None
    answer = test_agreement.prepared(folder, **options)
    counted = sum(split["segments"] for split in found["splits"].values()) if found else 0
    expected = counted if found and not found["problems"] else 0
    if (answer or 0) != expected:
        raise Finding(f"check counts {expected} segments, prepare {answer}")


def file_target(
    inputs: st.SearchStrategy[tuple[str, bytes]], read: Callable[[Path], object]
) -> Target:
    """A reader of one file."""

    def attempt(folder: Path, drawn: tuple[str, bytes]) -> None:
        path = folder / drawn[0]
        path.write_bytes(drawn[1])
        read(path)

    return Target(inputs, attempt)


def _lines(head: str, line: str, end: str) -> st.SearchStrategy[str]:
    """A table: rows that are possible, and such of anything."""
    possible = test_agreement.rows.map(
        lambda rows: head + "".join(line.format(a=a, b=b, length=b - a, x=x) for a, b, x in rows)
    )
    return possible | test_tables.rows_of_anything.map(lambda rows: head + end + rows)


def targets() -> dict[str, Target]:
    """Every reader, by what it reads."""
    tiers = st.dictionaries(test_textgrid.labels, test_textgrid.rows(), min_size=1, max_size=3)
    grids = st.one_of(
        tiers.map(lambda found: short_textgrid(found, 6)),
        tiers.map(lambda found: long_textgrid(found, 6)),
        test_textgrid.damaged(),
        st.text(max_size=200),
    )
    csv = _lines("audio,start,end,label\n", "x,{a},{b},{x}\n", "x,0,1,a\n")
    ctm = _lines("", "x 1 {a} {length:.3f} {x} NA lex\n", "x 1 0 1 a\n")
    row = '{{"audio": "x", "start": {a}, "end": {b}, "label": "{x}"}}\n'
    jsonl = _lines("", row, row.format(a=0, b=1, x="a"))
    return {
        "recordings": file_target(changed(recordings()), read_recording),
        "SPHERE headers": file_target(sphere(), read_recording),
        "TextGrids": file_target(texts(grids, "a.TextGrid"), read_textgrid),
        "CTM": file_target(texts(ctm, "a.ctm"), read_ctm),
        "CSV": file_target(texts(csv, "a.csv"), read_table),
        "JSON lines": file_target(texts(jsonl, "a.jsonl"), read_table),
        "dictionaries": file_target(texts(dictionaries(), "a.dict"), Dictionary.read),
        "PHN": file_target(texts(labels_of_timit(), "a.PHN"), read_phn),
        "check and prepare": Target(folders(), agree),
    }


class Watch:
    """Runs attempts and notes what they should not have done.

    Args:
        keep: folder for the inputs that were reported.
    """

    def __init__(self, keep: Path) -> None:
        self.keep = keep
        self.tried: collections.Counter[str] = collections.Counter()
        self.read: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0
        self.found: dict[str, str] = {}

    def run(self, name: str, target: Target, drawn: Any, folder: Path) -> None:
        """One attempt in an empty folder."""
        self.tried[name] += 1
        begin = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            target.attempt(folder, drawn)
            self.read[name] += 1
        except (UsageError, RunError) as refusal:
            if "\n" in str(refusal):
                self._note(name, f"more than one sentence: {refusal}", folder)
            if str(refusal).startswith("cannot read"):
                self._note(name, f"a fault of the file is said to be the disk's: {refusal}", folder)
        except Hang:
            self._note(name, f"took more than {PATIENCE} s", folder)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(at.filename).name}:{at.lineno}"
            self._note(name, f"{type(error).__name__} at {place}: {error}"[:300], folder)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.slowest = max(self.slowest, time.perf_counter() - begin)

    def _note(self, name: str, what: str, folder: Path) -> None:
        # The same line of code for hundreds of inputs is one finding.
        kind = f"{name}: {what.partition(':')[0] if ' at ' in what else what[:60]}"
        if kind in self.found:
            return
        kept = self.keep / str(len(self.found))
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        self.found[kind] = f"{name}: {what} ({kept})"
        print(f"FOUND {self.found[kind]}", flush=True)


def play(name: str, target: Target, watch: Watch, number: int, scratch: Path) -> None:
    """One round of inputs for a target."""

    @seed(number)
    @settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def attempt(drawn: Any) -> None:
        folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            watch.run(name, target, drawn, folder)
        finally:
            shutil.rmtree(folder)

    attempt()


def main(argv: list[str] | None = None) -> int:
    """Play rounds until the time is over, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="default: a new folder")
    args = parser.parse_args(argv)
    keep = args.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)

    def alarm(signum: int, frame: Any) -> None:
        raise Hang

    watch, numbers = Watch(keep), random.Random(args.seed)
    before = signal.signal(signal.SIGALRM, alarm)
    end = time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while time.monotonic() < end:
            for name, target in targets().items():
                play(name, target, watch, numbers.getrandbits(32), Path(scratch))
    signal.signal(signal.SIGALRM, before)
    for name, count in watch.tried.items():
        print(f"{name}: {count} inputs, {watch.read[name]} read, the others refused")
    total = sum(watch.tried.values())
    print(
        f"{total} inputs with seed {args.seed}; slowest: {watch.slowest:.1f} s; findings: "
        f"{len(watch.found)}"
    )
    for what in watch.found.values():
        print(what)
    return 1 if watch.found else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
