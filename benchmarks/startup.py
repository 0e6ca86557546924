"""How long a command takes from key press to answer, for three seconds of sound.

    python benchmarks/startup.py [--repeats N] [--recording FILE] [--other PYTHON]

Whole processes are timed, start included: each command as it is, with the twin of its weights; with
`KERAS_BACKEND` set, so that Keras and its backend answer; and, for recognizers, a script as a user
would write it that imports Keras, loads the same network and asks it once, front end and decoder
left out. Where `PYTHON` has pocketsphinx, its phone loop hears the same recording. The fastest of
the repetitions counts; processor time, which other work on the machine changes less, is told too.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.machine import cores

RATE = 16000
SECONDS = 3
ROOT = Path(__file__).parents[1]

SCRIPT = """
import sys
import keras, numpy, soundfile
network = keras.saving.load_model(sys.argv[1])
samples, rate = soundfile.read(sys.argv[2])
frames = len(samples) * 100 // rate
print(network.predict(numpy.zeros((1, 40, frames, 1), "float32"), verbose=0).argmax(-1))
"""

SPHINX = """
import sys
sys.path.insert(0, sys.argv[1])
import soundfile
from _pocketsphinx import hear, phone_loop
print(hear(phone_loop(), soundfile.read(sys.argv[2], dtype="int16")[0]))
"""


class Taken(NamedTuple):
    """By one process, in seconds."""

    wall: float
    processor: float


def main() -> int:
    """Print one line a command and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recording", type=Path, help="sound file (default: 3 s of tones)")
    parser.add_argument("--other", metavar="PYTHON", help="interpreter that has pocketsphinx")
    options = parser.parse_args()

    from zoo.runs import RECOGNIZER, Run, weights_cards
    from zoo.startup import configured_backend

    keras = {"KERAS_BACKEND": configured_backend()}
    print(
        f"{cores()} cores, load {os.getloadavg()[0]:.1f}; best of {options.repeats}\n\n"
        f"{'':<42}{'seconds':>9}{'processor s':>13}{'times as long':>15}",
        flush=True,
    )

    def report(name: str, words: Sequence[object], first: Taken | None = None, **env: str) -> Taken:
        times = [timed(words, env) for _ in range(options.repeats)]
        best = Taken(min(t.wall for t in times), min(t.processor for t in times))
        ratio = "" if first is None else f"{best.wall / first.wall:.1f}"
        print(f"{name:<42}{best.wall:>9.2f}{best.processor:>13.2f}{ratio:>15}", flush=True)
        return best

    zoo = [sys.executable, "-m", "zoo"]
    with tempfile.TemporaryDirectory() as scratch:
        recording = options.recording or tones(Path(scratch) / "tones.wav")
        report("zoo --help", [*zoo, "--help"])
        report("zoo list", [*zoo, "list"])
        for name, card in weights_cards().items():
            if "twin" not in card:
                continue
            words = command(name, recording, name == RECOGNIZER)
            first = report(f"zoo {words[0]}, {name}", [*zoo, *words])
            report("  by Keras", [*zoo, *words], first, **keras)
            if words[0] == "transcribe":
                network = Run.open(name).network
                script = [sys.executable, "-c", SCRIPT, network, recording]
                report("  a script that asks Keras", script, first, **keras)
                if options.other:
                    words = ["-c", SPHINX, Path(__file__).parent, recording]
                    report("  pocketsphinx, phone loop", [options.other, *words], first)
    return 0


def command(name: str, recording: Path, transcribes: bool) -> list[object]:
    """What asks weights about a recording, as the command's words."""
    if transcribes:
        return ["transcribe", recording, "--model", name]
    return ["predict", recording, "--model", name, "--start", 1.0, "--end", 1.1]


def tones(path: Path) -> Path:
    """Write three seconds of tones that come and go, in a little noise."""
    import soundfile

    at = np.arange(SECONDS * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * f * at) for f in (120, 240, 480, 700, 1200, 2400))
    noise = np.random.default_rng(0).normal(size=len(at))
    soundfile.write(path, 0.02 * voice * (1 + np.sin(8 * np.pi * at)) + 0.002 * noise, RATE)
    return path


def timed(words: Sequence[object], environment: Mapping[str, str]) -> Taken:
    """Run a process to its end."""
    env = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    env |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **environment}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run([*map(str, words)], env=env, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    return Taken(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
