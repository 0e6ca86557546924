"""How time, memory and disk grow with the hours of speech: preparing, training, using, searching.

    python benchmarks/growth.py [--hours H ...] [--source CORPUS] [--work FOLDER] [--json FILE]
                                [--plot FILE]

For each number of hours a corpus in TIMIT's layout is made of hard links to the speakers of
`--source`, who come again under other names when all have come (without `--source`, a small
synthetic corpus is spoken first). Every step is a process of its own, and its start is counted:

- prepare: `zoo prepare` of all of it;
- train: an epoch of `freq` with every segment once;
- transcribe: `zoo transcribe` of all of it, in recordings of six minutes (of a single recording the
  scores of all frames are held: 0.1 GB an hour, whatever else there is);
- serve: `zoo serve` answers all of the speech, in recordings of 10 s;
- search: `zoo tune` of two networks of `freq`, with epochs of a fixed number of examples.

Processor time is what is compared, since other work on the machine changes it least. Memory is the
largest that the step's processes hold together, without the pages of files, which the system may
take back. Disk is what the step writes. The script ends with 1 if a step's processor time or disk
grows faster than the speech, or its memory by more than a quarter from the least to the most hours.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from preparation import link, small_corpus

from zoo.machine import cores

RATE = 16000
TEST_SHARE = 0.25
REQUEST_SECONDS = 10
RECORDING_SECONDS = 360

FASTER, MEMORY = 1.15, 1.25
"""What counts as growth: more than this many times the input's, or the smallest size's memory."""


def main() -> int:
    """Print a line for each size and step; 1 if something grows faster than its input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--source", type=Path, help="TIMIT-layout corpus to take speakers from")
    parser.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="picture of processor time and memory")
    options = parser.parse_args()
    print(
        f"{cores()} cores, load {os.getloadavg()[0]:.1f}\n\n"
        f"{'hours':>6} {'step':<11}{'seconds':>9}{'processor s':>13}{'MB':>7}{'MB of disk':>12}",
        flush=True,
    )
    rows = []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        scratch = Path(folder)
        source = options.source or small_corpus(scratch / "small")
        exported = scratch / "exported"
        taken([*ZOO, "export", "tdnn-people", exported])
        for hours in sorted(options.hours):
            for step, used in measured(source, hours, scratch / f"{hours:g}", exported):
                rows.append({"hours": hours, "step": step, **used})
                print(line(rows[-1]), flush=True)
                if options.json is not None:
                    options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.plot is not None:
        plot(rows, options.plot)
    found = list(faster(rows))
    print("\n" + ("\n".join(found) or "Nothing grows faster than its input; memory does not grow."))
    return 1 if found else 0


ZOO = (sys.executable, "-m", "zoo")


def measured(
    source: Path, hours: float, folder: Path, exported: Path
) -> Iterable[tuple[str, dict[str, float]]]:
    """Each step, and what it took."""
    corpus = folder / "corpus"
    spoken = corpus_of(source, hours, corpus)
    prepared, run, study, texts = (folder / n for n in ("set", "run", "study", "texts"))
    yield "prepare", taken([*ZOO, "prepare", corpus, prepared], prepared)
    about = ["--data", prepared, "--out", run, "--epochs", 1, "--sampling", "natural"]
    yield "train", taken([*ZOO, "train", "freq", *about], run)
    recordings = list(recordings_of(spoken, hours, folder / "recordings"))
    yield "transcribe", taken([*ZOO, "transcribe", *recordings, "--out", texts], texts)
    yield "serve", served(exported, recordings)
    for recording in recordings:
        recording.unlink()
    few = ["--max-trials", 2, "--epochs", 1, "--per-class", 50]
    yield "search", taken([*ZOO, "tune", "freq", "--data", prepared, "--out", study, *few], study)


def corpus_of(source: Path, hours: float, out: Path) -> list[Path]:
    """Speakers of `source` until they have spoken for so long, in both splits; their recordings."""
    import soundfile

    spoken: list[Path] = []
    for split, share in (("TRAIN", 1 - TEST_SHARE), ("TEST", TEST_SHARE)):
        wanted = share * hours * 3600
        speakers = itertools.cycle(sorted((source / split).glob("*/*/")))
        for number, speaker in enumerate(speakers):
            if wanted <= 0:
                break
            folder = out / split / speaker.parent.name / f"{speaker.name[0]}{split[1]}{number:05d}"
            folder.mkdir(parents=True)
            for wav in sorted(speaker.glob("*.WAV")):
                wanted -= soundfile.info(wav).duration
                spoken.append(folder / wav.name)
                for suffix in (".WAV", ".PHN"):
                    link(wav.with_suffix(suffix), (folder / wav.name).with_suffix(suffix))
    return spoken


def recordings_of(spoken: Sequence[Path], hours: float, out: Path) -> Iterable[Path]:
    """All of the speech in recordings of the same length."""
    import soundfile

    out.mkdir()
    waiting = itertools.cycle(spoken)
    left = round(hours * 3600 * RATE)
    for number in itertools.count():
        if not left:
            return
        size = min(left, RECORDING_SECONDS * RATE)
        left -= size
        path = out / f"{number}.wav"
        with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
            while size:
                samples = soundfile.read(next(waiting), dtype="int16")[0][:size]
                file.write(samples)
                size -= len(samples)
        yield path


def taken(words: Sequence[object], written: Path | None = None) -> dict[str, float]:
    """What a command takes, from its start to its end, and the disk that `written` fills."""
    process = started(words)
    with Memory(process.pid) as memory:
        began = time.perf_counter()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} failed")
    files = written.rglob("*") if written else ()
    return {
        "seconds": wall,
        "processor": used.ru_utime + used.ru_stime,
        "megabytes": memory.megabytes,
        "disk": sum(file.stat().st_size for file in files if file.is_file()) / 1e6,
    }


def started(words: Sequence[object], **streams: Any) -> subprocess.Popen[str]:
    """A process that says nothing, unless asked to."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*map(str, words)], text=True, **{**silent, **streams})


def served(exported: Path, recordings: Iterable[Path]) -> dict[str, float]:
    """What a server takes from its start until it has transcribed all, a piece after the other."""
    import soundfile

    command = [*ZOO, "serve", "--model", f"speech={exported}", "--port", 0]
    began = time.perf_counter()
    process = started(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)
    with Memory(process.pid) as memory:
        assert process.stdout is not None
        address = next(
            found[0]
            for found in (re.search(r"http://\S+/speech", said) for said in process.stdout)
            if found
        )
        threading.Thread(target=process.stdout.read, daemon=True).start()
        for recording in recordings:
            for piece in soundfile.blocks(recording, REQUEST_SECONDS * RATE, dtype="int16"):
                wav = io.BytesIO()
                soundfile.write(wav, piece, RATE, format="WAV")
                content = {"b64": base64.b64encode(wav.getvalue()).decode()}
                body = {"signature_name": "transcribe", "inputs": {"wav": [content]}}
                with urllib.request.urlopen(
                    f"{address}:predict", json.dumps(body).encode(), 60
                ) as answer:
                    answer.read()
        seconds = time.perf_counter() - began
        process.terminate()
        _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return {
        "seconds": seconds,
        "processor": used.ru_utime + used.ru_stime,
        "megabytes": memory.megabytes,
        "disk": 0.0,
    }


class Memory:
    """The most that a process and its descendants hold together, looked at ten times a second."""

    def __init__(self, process: int) -> None:
        self.megabytes = 0.0
        self._process = process
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            held = sum(map(anonymous, descendants(self._process)))
            self.megabytes = max(self.megabytes, held / 1000)


def descendants(process: int) -> Iterable[int]:
    """A process and all that it has started, as far as they are there."""
    yield process
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(n) for t in tasks for n in (t / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from descendants(child)


def anonymous(process: int) -> int:
    """Kilobytes in memory that are no pages of files; 0 of a process that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(int(n) for n in re.findall(r"^Rss(?:Anon|Shmem):\s*(\d+)", status, re.MULTILINE))


def line(row: Mapping[str, Any]) -> str:
    """A step's row."""
    return (
        f"{row['hours']:>6g} {row['step']:<11}{row['seconds']:>9.1f}{row['processor']:>13.1f}"
        f"{row['megabytes']:>7.0f}{row['disk']:>12.1f}"
    )


def by_step(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Step -> its rows, from the least hours to the most."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["hours"]):
        found.setdefault(row["step"], []).append(row)
    return found


def faster(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """What grows faster than its input, or in memory, as sentences."""
    for step, sizes in by_step(rows).items():
        for less, more in itertools.pairwise(sizes):
            allowed = FASTER * more["hours"] / less["hours"]
            for what in ("processor", "disk"):
                if more[what] > allowed * less[what]:
                    yield (
                        f"{step}: {what} {less[what]:.1f} -> {more[what]:.1f} "
                        f"from {less['hours']:g} to {more['hours']:g} hours"
                    )
        least, most = sizes[0]["megabytes"], sizes[-1]["megabytes"]
        if most > MEMORY * least:
            yield f"{step}: memory {least:.0f} -> {most:.0f} MB"


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw processor time and memory over the hours."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for axis, what, name in zip(
        axes, ("processor", "megabytes"), ("processor seconds", "MB of memory"), strict=True
    ):
        for step, sizes in by_step(rows).items():
            hours = [row["hours"] for row in sizes]
            axis.plot(hours, [row[what] for row in sizes], "o-", markersize=4, label=step)
        axis.set(xlabel="hours of speech", ylabel=name, xscale="log", yscale="log")
        axis.grid(alpha=0.3)
    axes[1].set_ylim(10, 10_000)
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
