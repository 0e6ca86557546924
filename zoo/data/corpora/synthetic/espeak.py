"""Speech from espeak-ng with the sample position of every phoneme, from a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import RunError
from zoo.extras import require
from zoo.processes import last_line, run_script

RATE = 22050
"""Sample rate of espeak-ng's output, in Hz."""

VOLUME = 60
"""Volume, of 100; at the default of 100 many voices clip."""

_LONGEST_PATH = 120
"""Bytes; espeak-ng silently cuts the path of its data somewhat above that."""


@dataclass(frozen=True)
class Spoken:
    """espeak-ng's output: int16 samples, and the events (see espeak_process) in order."""

    samples: np.ndarray
    events: list[list]


def locate() -> tuple[str, str]:
    """Paths of espeak-ng's library and data.

    Raises:
        UsageError: the optional package that ships them is not installed.
    """
    require("synth", "the synthetic corpus, which espeak-ng speaks,")
    import espeakng_loader

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@contextlib.contextmanager
def _short(data: str) -> Iterator[str]:
    """The data folder under a path that fits espeak-ng's fixed buffer."""
    if len(os.fsencode(data)) <= _LONGEST_PATH:
        yield data
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "data")
        link.symlink_to(data)
        yield os.fspath(link)


def speak(
    texts: list[str], *, voice: str, rate: int = 170, pitch: int = 50, pitch_range: int = 50
) -> list[Spoken]:
    """Speak sentences one after another with one voice, in a fresh process.

    Args:
        texts: the sentences.
        voice: espeak-ng's voice file and variant, such as "gmw/en-US+m3".
        rate: words a minute, 80 to 450.
        pitch: 0 to 99, 50 being the voice's own.
        pitch_range: 0 to 99, 50 being the voice's own.

    Raises:
        UsageError: espeak-ng is not installed.
        RunError: it failed, with its own words.
    """
    job = {"rate": rate, "pitch": pitch, "range": pitch_range, "volume": VOLUME}
    return _run(texts, voice, job)


def translate(texts: list[str], *, voice: str) -> list[list[list]]:
    """The events of texts that are not spoken, all at sample 0: espeak-ng's letter-to-sound.

    Args:
        texts: words or sentences.
        voice: espeak-ng's voice file.

    Raises:
        UsageError: espeak-ng is not installed.
        RunError: it failed, with its own words.
    """
    return [spoken.events for spoken in _run(texts, voice, {"silent": True})]


def _run(texts: list[str], voice: str, settings: dict) -> list[Spoken]:
    library, data = locate()
    job = {"library": library, "voice": voice, "texts": texts, **settings}
    script = Path(__file__).with_name("espeak_process.py")
    with _short(data) as job["data"]:
        done = run_script(script, json.dumps(job).encode(), "espeak-ng")
    if done.returncode != 0:
        why = last_line(done.stderr) or "no message"
        raise RunError(f"espeak-ng failed with voice {voice} (exit code {done.returncode}): {why}")
    spoken, rest = [], done.stdout
    for _ in texts:
        line, rest = rest.split(b"\n", 1)
        header = json.loads(line)
        size = 2 * header["samples"]
        spoken.append(Spoken(np.frombuffer(rest[:size], np.int16), header["events"]))
        rest = rest[size:]
    return spoken
