"""How fast `zoo transcribe` is, from an hour of speech in a file to its TextGrid, and its memory.

    python benchmarks/transcription.py [--model RUN ...] [--speech FOLDER] [--hours N] [--repeats N]

Recordings of a folder (`--speech`, any audio; without it a small synthetic corpus is spoken first)
follow one another, again and again, until they last `--hours`. The command transcribes that file in
a process of its own, start included; of the repetitions the fastest counts, which other work on the
machine disturbs least, and processor time is told as well. Speed is times real time: an hour in 18
s is 200. Memory is the largest resident size of the process.

Without `--model`, networks with random weights are timed: `tdnn`, `crnn_frames`, and `freq_best` on
windows, which take as long as trained ones. Their runs, with `--work`, are kept.

Where pocketsphinx is installed (`pip install pocketsphinx`, its own model), its phone loop with its
phone language model and context-independent phones hears the first `--seconds` of the same speech.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.machine import cores

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

RATE = 16000
MODELS = {"tdnn": None, "crnn_frames": None, "freq_best": 25}
"""Networks timed without `--model`, and their windows' frames."""

WORKER = """
import resource, sys
from zoo.cli import main
code = main(sys.argv[1:])
print("rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(code)
"""


class Taken(NamedTuple):
    """By one process, in seconds and MB."""

    wall: float
    processor: float
    memory: float


def main() -> int:
    """Print one line a model, and pocketsphinx's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", help="runs that transcribe (default: random weights)")
    parser.add_argument("--speech", type=Path, help="folder of recordings")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="for pocketsphinx; 0: none")
    parser.add_argument("--work", type=Path, help="folder to work in, kept (default: removed)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        speech = options.speech or synthetic(work / "synthetic")
        path = work / "speech.wav"
        repeated(speech, round(options.hours * 3600 * RATE), path)
        models = options.model or [random_run(work / name, name) for name in MODELS]
        print(
            f"{options.hours:g} h of {speech}, {cores()} cores, load {os.getloadavg()[0]:.1f}; "
            f"best of {options.repeats}\n\n"
            f"{'':<24}{'seconds':>9}{'x real time':>13}{'processor s':>13}{'MB':>7}",
            flush=True,
        )
        speeds = {}
        for model in models:
            times = [timed(path, model, work / "out") for _ in range(options.repeats)]
            best = min(times)
            speeds[str(model)] = options.hours * 3600 / best.wall
            print(
                f"{Path(model).name:<24}{best.wall:>9.1f}{speeds[str(model)]:>13.0f}"
                f"{min(t.processor for t in times):>13.1f}{max(t.memory for t in times):>7.0f}",
                flush=True,
            )
        if options.seconds:
            compare(path, options.seconds, speeds)
    return 0


def synthetic(folder: Path) -> Path:
    """A corpus of some sentences, spoken by espeak-ng, unless it is there."""
    from zoo.data.corpora.synthetic import synthesise

    if not folder.exists():
        synthesise(folder, speakers=15, sentences=4, progress=False)
    return folder


def repeated(folder: Path, samples: int, path: Path) -> None:
    """Write recordings one after another, and again from the first on, as one WAV file."""
    import soundfile

    from zoo.data.corpora.audio import read_audio, resample
    from zoo.data.sets.recordings import unlabelled_recordings

    parts, held = [], 0
    for recording in unlabelled_recordings(folder):
        audio, rate = read_audio(recording.audio)
        parts.append(resample(audio if audio.ndim == 1 else audio[:, 0], rate, RATE))
        held += len(parts[-1])
        if held >= samples:
            break
    whole = np.concatenate(parts)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while samples:
            file.write(whole[:samples])
            samples -= min(samples, len(whole))


def random_run(folder: Path, name: str) -> Path:
    """A run of a network that was not trained."""
    if folder.exists():
        return folder
    from zoo.startup import start_backend

    start_backend()
    import keras

    import zoo
    from zoo.data.corpora.phones import CLASSES, GROUPS
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import Frontend
    from zoo.decoding import Decoder
    from zoo.runs import Run

    folder.mkdir()
    keras.utils.set_random_seed(0)
    representation = representation_settings("log_mel", hop_length=160, frame_length=400)
    mean = np.zeros((40, 1, 1), "float32")
    frontend = Frontend(RATE, None, "file", representation, mean, normalize="recording", whole=True)
    window = MODELS[name]
    about: dict[str, Any] = {"classes": list(CLASSES), "groups": GROUPS, "window": window}
    run = Run(folder)
    run.record({"model": name, "family": zoo.describe(name).family, **about}, frontend)
    run.history = {}
    run.finish(zoo.build(name, input_shape=(40, window, 1)))
    labels = np.repeat(np.random.default_rng(0).integers(0, len(CLASSES), 5000), 8)
    run.save_decoder(Decoder.count([labels], CLASSES), {})
    return folder


def timed(path: Path, model: Any, out: Path) -> Taken:
    """Transcribe a file into a TextGrid by the command, in a process of its own."""
    words = ["transcribe", path, "--model", model, "--out", out, "--overwrite"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, words)], capture_output=True, text=True
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, processor, int(done.stdout.split()[-1]) / 1000)


def compare(path: Path, seconds: float, speeds: dict[str, float]) -> None:
    """Time pocketsphinx's phone loop on the beginning, on one core."""
    import soundfile
    from _pocketsphinx import hear, phone_loop

    samples, _ = soundfile.read(path, frames=round(seconds * RATE), dtype="int16")
    began = time.perf_counter()
    try:
        hear(phone_loop(), samples)
    except ImportError:
        print("pocketsphinx is left out: pip install pocketsphinx", file=sys.stderr)
        return
    took = time.perf_counter() - began
    speed = len(samples) / RATE / took
    print(f"{'pocketsphinx, 1 core':<24}{took:>9.1f}{speed:>13.0f}   ({seconds:g} s of it)")
    for name, ours in speeds.items():
        print(f"{Path(name).name} is {ours / speed:.0f} times as fast")


if __name__ == "__main__":
    sys.exit(main())
