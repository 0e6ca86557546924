#!/usr/bin/env python3
"""Measures the zoo on a machine with an NVIDIA GPU and JAX, and writes what it found.

    python scripts/gpu.py [--wheels DIR] [--out docs/results/gpu] [--work DIR] [--minutes 10]
                          [--only PARTS]
    python scripts/gpu.py --rehearse

It needs no TensorFlow, no package registry and no corpus. What the machine lacks comes as wheels:
with --wheels every wheel of a folder is installed into the folder of work, and comes before what
the machine has. The speech is made of NumPy's sines and noise. PyTorch is compared with where it is
installed.

Every part is written to OUT as soon as it is done (`NAME.json`), all of them to `README.md`. A part
that is there is not measured again; one that the time did not suffice for is resumed by the next
run with the same --work. --rehearse runs everything on the CPU with the smallest budgets, within
five minutes, and writes to `build/gpu`: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

NETWORKS = "freq_fullpad,freq_fullpad_ae,freq_best,tdnn"
TABLES = {
    "riemens_table2": "time",
    "riemens_table3": "random_free/conv_inverse",
    "riemens_table4": "untrained_blind/1_unit",
    "riemens_table5": "random/fixed_encoder",
}
"""Experiments, and the one cell of each that a rehearsal computes."""

SOUNDS = 61
"""Labels of the speech that is made: TIMIT's."""

MACHINE = """
import json
from zoo.startup import start_backend
start_backend()
from zoo.machine import hardware, versions
import jax
print(json.dumps({**versions(), **hardware(), "devices": [d.device_kind for d in jax.devices()],
                  "platform": jax.default_backend()}))
"""


class OutOfTime(Exception):
    """The minutes are over."""


class Failed(Exception):
    """A part went wrong, in one line."""


class Session:
    """One run of this script: its budget, its folders, and how it starts commands.

    Attributes:
        options: of the command line.
        work: folder of the corpus, the runs and the studies.
        device: of PyTorch, and what the benchmarks are told.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        self.device = "cpu" if options.rehearse else "cuda"
        self._end = time.monotonic() + 60 * options.minutes
        self._environment = {
            **os.environ,
            "KERAS_BACKEND": "jax",
            # The second is the folder of the wheels, where some are installed.
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, self.work / "site"))),
            # Parts are many processes, of the same networks.
            "JAX_COMPILATION_CACHE_DIR": str(self.work / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
            # One part's processes share the card.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        if options.rehearse:
            self._environment |= {"JAX_PLATFORMS": "cpu", "ZOO_REHEARSAL": "1"}

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    def python(self, *words: Any) -> str:
        """Run Python with these words in the repository; what it printed.

        Raises:
            OutOfTime: it did not end in time.
            Failed: it failed.
        """
        if self.left < 1:
            raise OutOfTime
        try:
            done = subprocess.run(
                [sys.executable, *map(str, words)],
                cwd=ROOT,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.left,
            )
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
            raise Failed(f"{' '.join(map(str, words[:4]))}: {said[-1]}")
        return done.stdout

    def zoo(self, *words: Any) -> str:
        """Run a `zoo` command."""
        return self.python("-m", "zoo", *words)

    @property
    def prepared(self) -> Path:
        """The prepared set, made when it is first asked for."""
        corpus, prepared = self.work / "corpus", self.work / "set"
        if not (prepared / "manifest.json").exists():
            speakers = (2, 3) if self.options.rehearse else (60, 8)
            make_corpus(corpus, *speakers, sentences=2 if self.options.rehearse else 8)
            self.zoo("prepare", corpus, prepared)
        return prepared


def make_corpus(root: Path, train: int, test: int, sentences: int) -> None:
    """Write a corpus in TIMIT's layout, of sounds that NumPy makes.

    Every label has frequencies and a share of noise of its own; every speaker shifts them.

    Args:
        root: folder to write.
        train: speakers.
        test: speakers: the first is one of the core test's, the second of the development set.
        sentences: of each speaker, of every label once.
    """
    import numpy as np

    sys.path.insert(0, str(ROOT))
    from zoo.data.corpora.phones import TIMIT_LABELS
    from zoo.data.corpora.sphere import write_sphere

    rng = np.random.default_rng(0)
    formants = np.sort(rng.uniform(200, 6000, (SOUNDS, 3)), axis=1)
    noise = rng.uniform(0.02, 0.6, SOUNDS)
    names = {
        "TRAIN": [f"MTRN{n}" for n in range(train)],
        "TEST": ["MDAB0", "FAKS0", *(f"MTST{n}" for n in range(test))][:test],
    }
    for split, speakers in names.items():
        for speaker in speakers:
            shift = rng.uniform(0.9, 1.1)
            folder = root / split / "DR1" / speaker
            folder.mkdir(parents=True, exist_ok=True)
            for sentence in range(sentences):
                parts, rows, start = [], [], 0
                for label in rng.permutation(len(TIMIT_LABELS)):
                    length = int(rng.integers(700, 2500))
                    at = np.arange(length)[:, None] / 16000
                    waves = np.sin(2 * np.pi * (shift * formants[label] * at + rng.uniform(size=3)))
                    wave = waves.sum(axis=1) / 3 * (1 - noise[label])
                    parts.append(wave + noise[label] * rng.normal(size=length) / 3)
                    rows.append(f"{start} {start + length} {TIMIT_LABELS[label]}\n")
                    start += length
                samples = np.round(6000 * np.concatenate(parts)).clip(-32768, 32767)
                write_sphere(folder / f"SX{sentence}.WAV", samples.astype("int16"), 16000)
                (folder / f"SX{sentence}.PHN").write_text("".join(rows), encoding="utf-8")


def machine(session: Session) -> dict[str, Any]:
    """What it runs on."""
    found = json.loads(session.python("-c", MACHINE).splitlines()[-1])
    if found["platform"] != "gpu" and not session.options.rehearse:
        raise Failed("JAX sees no GPU; --rehearse runs everything on the CPU")
    return found


def tests(session: Session) -> dict[str, Any]:
    """The tests that need a GPU."""
    said = session.python(
        *("-m", "pytest", "-q", "-m", "gpu", "tests/gpu", "-p", "no:cacheprovider"),
        # A card is there: nothing may be skipped.
        *("-W", "ignore", "--tb", "line"),
    )
    return {"said": said.strip().splitlines()[-1]}


def unpooling(session: Session) -> list[dict[str, Any]]:
    """Switch pooling and unpooling."""
    few = ("--cases", 1, "--repeats", 2) if session.options.rehearse else ("--compile",)
    return _benchmark(session, "unpooling", *few)


def networks(session: Session) -> dict[str, Any]:
    """Training and inference beside PyTorch."""
    rehearse = session.options.rehearse
    steps = ("--steps", 1) if rehearse else ("--steps", 20, "--compile")
    # Compiling takes PyTorch minutes: what is measured already stays where the time runs out.
    measured = [
        _benchmark(session, "networks", "--only", name, *steps, out=f"network-{name}")
        for name in ("time,inversion_unit1" if rehearse else NETWORKS).split(",")
    ]
    return {**measured[-1], "rows": [row for found in measured for row in found["rows"]]}


def _benchmark(session: Session, name: str, *words: Any, out: str | None = None) -> Any:
    """What a benchmark finds, or found in an earlier run."""
    found = session.work / f"{out or name}.json"
    if not found.exists():
        partial = found.with_suffix(".partial")
        session.python(
            *(f"benchmarks/{name}.py", "--backend", "jax", "--device", session.device),
            *("--json", partial, *words),
        )
        partial.replace(found)
    return json.loads(found.read_text(encoding="utf-8"))


def feeding(session: Session) -> list[dict[str, Any]]:
    """Whether the input pipeline keeps up, by batch size and precision."""
    out = session.work / "feeding.json"
    few: tuple[Any, ...] = ()
    if session.options.rehearse:
        few = ("--models", "time", "--batches", 16, "--per-class", 1, "--epochs", 2)
    session.python("benchmarks/feeding.py", session.prepared, "--json", out, *few)
    return json.loads(out.read_text(encoding="utf-8"))


def precision(session: Session) -> list[dict[str, Any]]:
    """What mixed precision and larger batches do to the accuracy."""
    rehearse = session.options.rehearse
    name, budget = ("time", (1, 1)) if rehearse else ("freq_fullpad", (10, 200))
    rows = []
    for kind, size in (("float32", 128), ("bfloat16", 128), ("float32", 512), ("bfloat16", 512)):
        if rehearse and size > 128:
            continue
        run = session.work / "runs" / f"{name}-{kind}-{size}"
        words: list[Any] = ["--epochs", budget[0], "--per-class", budget[1], "--batch-size", size]
        if kind != "float32":
            words += ["--mixed-precision", kind]
        start = time.monotonic()
        session.zoo("train", name, "--data", session.prepared, "--out", run, *words)
        seconds = time.monotonic() - start
        scores = json.loads(session.zoo("evaluate", run, "--data", session.prepared, "--json"))
        rows.append(
            {
                "network": name,
                "precision": kind,
                "batch_size": size,
                "accuracy_39_uniform": scores["accuracy_39_uniform"],
                "seconds": round(seconds, 1),
            }
        )
    return rows


def tuning(session: Session) -> dict[str, Any]:
    """A search, its trials a minute."""
    rehearse = session.options.rehearse
    name, trials, budget = ("time", 1, (1, 1)) if rehearse else ("freq_fullpad", 40, (2, 50))
    study = session.work / "study"
    start = time.monotonic()
    session.zoo(
        *("tune", name, "--data", session.prepared, "--out", study, "--max-trials", trials),
        *("--epochs", budget[0], "--per-class", budget[1]),
        *(() if rehearse else ("--workers", 1)),
        *(("--only", "learning_rate") if rehearse else ()),
    )
    results = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((study / "trials").glob("*/result.json"))
    ]
    spent = sum(result["seconds"] or 0 for result in results)
    return {
        "network": name,
        "trials": len(results),
        "completed": sum(result["status"] == "COMPLETED" for result in results),
        # Of the trials alone, so that a search that was resumed counts whole.
        "trials_a_minute": 60 * len(results) / spent,
        "seconds_of_this_run": round(time.monotonic() - start, 1),
        "best": max((r["value"] for r in results if r["value"] is not None), default=None),
    }


def _table(name: str) -> Callable[[Session], dict[str, Any]]:
    def table(session: Session) -> dict[str, Any]:
        rehearse = session.options.rehearse
        out = session.work / name
        words: list[Any] = ["--epochs", 20, "--per-class", 500]
        if rehearse:
            words = ["--epochs", 1, "--per-class", 1, "--only", f"{TABLES[name]}/seed*"]
        session.zoo(
            *("experiment", name, "--data", session.prepared, "--out", out),
            *("--work", session.work / "runs", *words),
        )
        text = (out / "results.md").read_text(encoding="utf-8")
        return {"text": text.replace("](results", f"]({name}")}

    table.__doc__ = f"{name.replace('_', ' ').capitalize()}, on sounds that NumPy makes."
    return table


PARTS: dict[str, Callable[[Session], Any]] = {
    "machine": machine,
    "tests": tests,
    "unpooling": unpooling,
    "networks": networks,
    "feeding": feeding,
    "precision": precision,
    "tuning": tuning,
    **{name: _table(name) for name in TABLES},
}
"""In the order in which they are measured."""


def main(words: list[str] | None = None) -> int:
    """Measure what is missing; 1 if a part failed, 2 if the machine will not do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, help="folder of wheels to install first")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "gpu-work")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--rehearse", action="store_true", help="everything, on the CPU")
    options = parser.parse_args(words)
    options.out = options.out or ROOT / ("build/gpu" if options.rehearse else "docs/results/gpu")
    for name in options.only.split(","):
        if name not in PARTS:
            parser.error(f"there is no part {name!r}; there are {', '.join(PARTS)}")
    options.work.mkdir(parents=True, exist_ok=True)
    if options.wheels is not None and not _install(options.wheels, options.work / "site"):
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    session, failed = Session(options), []
    for name in options.only.split(","):
        file = options.out / f"{name}.json"
        if file.exists():
            continue
        print(f"{name} ...", end=" ", flush=True)
        start = time.monotonic()
        try:
            with _watched() as card:
                found = PARTS[name](session)
        except OutOfTime:
            print("the minutes are over: run the same again to resume", flush=True)
            break
        except Failed as error:
            print(f"failed: {error}", flush=True)
            if name == "machine":
                return 2
            failed.append(name)
            continue
        seconds = round(time.monotonic() - start, 1)
        record = {"seconds": seconds, "card": card, "found": found}
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"{seconds} s", flush=True)
    (options.out / "README.md").write_text(page(options), encoding="utf-8")
    print(options.out / "README.md")
    return 1 if failed else 0


def _install(wheels: Path, into: Path) -> bool:
    """Install a folder's wheels into a folder of their own, once; whether they could be.

    What the machine has itself, JAX with its CUDA above all, stays where it is: the wheels come
    before it in the path, and their dependencies are not looked for.
    """
    if into.exists():
        return True
    files = sorted(wheels.glob("*.whl"))
    if not files:
        print(f"{wheels} holds no wheels", file=sys.stderr)
        return False
    install = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet"]
    if subprocess.run([*install, "--target", into, *files], check=False).returncode:
        shutil.rmtree(into, ignore_errors=True)
        print(f"the wheels of {wheels} could not be installed, see above", file=sys.stderr)
        return False
    return True


@contextlib.contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Yields what becomes the card's mean use (percent) and most memory (MiB), where it tells."""
    found: dict[str, float] = {}
    if shutil.which("nvidia-smi") is None:
        yield found
        return
    ended, uses, memory = threading.Event(), [], []
    query = "--query-gpu=utilization.gpu,memory.used"

    def look() -> None:
        while not ended.wait(1):
            said = subprocess.run(
                ["nvidia-smi", query, "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            with contextlib.suppress(ValueError, IndexError):
                use, used = said.splitlines()[0].split(",")
                uses.append(float(use))
                memory.append(float(used))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        if uses:
            found |= {"percent_busy": sum(uses) / len(uses), "mib": max(memory)}


def page(options: argparse.Namespace) -> str:
    """All that has been measured, in Markdown."""
    kind = "a rehearsal on a CPU: its figures mean nothing" if options.rehearse else "one GPU"
    lines = ["# On a GPU", "", f"Written by `python scripts/gpu.py`; {kind}.", ""]
    for name, part in PARTS.items():
        file = options.out / f"{name}.json"
        title = (part.__doc__ or "").strip().splitlines()[0].rstrip(".")
        lines += [f"## {title}", ""]
        if not file.exists():
            lines += ["Not measured yet.", ""]
            continue
        record = json.loads(file.read_text(encoding="utf-8"))
        card = record["card"]
        busy = (
            f", the card {card['percent_busy']:.0f} % busy, {card['mib']:.0f} MiB" if card else ""
        )
        lines += [f"{record['seconds']} s{busy}.", "", *_shown(name, record["found"]), ""]
    return "\n".join(lines)


def _shown(name: str, found: Any) -> list[str]:
    if name in TABLES:
        return [line for line in found["text"].splitlines() if not line.startswith(("# ", "!["))]
    if name == "networks":
        found = [_network(row) for row in found["rows"]]
    if name == "unpooling":
        found = [_round_trip(row) for row in found]
    rows = found if isinstance(found, list) else [found]
    heads = list({head: None for row in rows for head in row})
    return [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(_cell(row.get(head, "-")) for head in heads) + " |" for row in rows),
    ]


def _network(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the benchmark of networks, in milliseconds."""
    found = {"network": row["name"]}
    for phase in ("training", "inference_1", "inference_16", "inference_128"):
        seconds = dict(row[phase]["seconds"])
        found[f"{phase}, ms"] = 1e3 * row[phase]["ours"]
        # Above 1 ours is faster.
        compiled = seconds.pop("PyTorch compiled", None)
        eager = min((s for who, s in seconds.items() if who != "Keras"), default=None)
        for who, other in (("eager", eager), ("compiled", compiled)):
            if other is not None:
                found[f"{phase}, {who} / ours"] = other / row[phase]["ours"]
    return found


def _round_trip(row: dict[str, Any]) -> dict[str, Any]:
    found = {key: row[key] for key in ("input", "pool/stride", "pass")}
    found["share of a copy"] = row["share"]
    return found | {f"{who}, ms": taken for who, taken in row["milliseconds"].items()}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
