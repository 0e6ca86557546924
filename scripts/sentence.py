#!/usr/bin/env python3
"""Draws a sentence and its phones, as `zoo transcribe` finds them: `docs/sentence.png`.

python scripts/sentence.py docs/sentence.png
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SPOKEN = "The quick brown fox jumps."
SEED = 11
LOWEST, HIGHEST = -100, -25
"""Decibels of black and of white."""

COLOURS = 64


def main(out: str) -> None:
    """Speak a sentence, transcribe it by the command, draw both.

    Args:
        out: the .png file.
    """
    import soundfile

    from zoo.decoding import Transcript

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "text").write_text(SPOKEN, encoding="utf-8")
        zoo("corpus", "synth", folder / "speech", "--text", folder / "text", "--speakers", "3",
            "--sentences", "1", "--seed", SEED)  # fmt: skip
        recording = min((folder / "speech" / "TEST").rglob("*.WAV"))
        audio, rate = soundfile.read(recording, dtype="float32")
        sentence = folder / "sentence.wav"
        soundfile.write(sentence, audio, rate)
        zoo("transcribe", sentence, "--out", folder, "--format", "json")
        heard = Transcript.load(folder / "sentence.json")
    draw(audio, rate, heard.intervals, Path(out))


def zoo(*words: object) -> None:
    """Run a command of the zoo."""
    command = [sys.executable, "-m", "zoo", *map(str, words)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def draw(audio: object, rate: int, intervals: list, path: Path) -> None:
    """A spectrogram above its phones, the less sure ones paler."""
    import io

    import numpy as np
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(8, 2.8), dpi=150, layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    silent = 1e-6 * np.random.default_rng(0).normal(size=len(audio))
    top.specgram(
        audio + silent, NFFT=256, Fs=rate, noverlap=160, cmap="magma", vmin=LOWEST, vmax=HIGHEST
    )
    top.set(yticks=[0, 4000, 8000], yticklabels=["0", "4", "8 kHz"], title=SPOKEN)
    bottom.set(ylim=(0, 1), yticks=[], xlim=(0, len(audio) / rate), xlabel="seconds")
    for start, end, label, score in intervals:
        bottom.axvline(start, color="#8a94a0", lw=0.6)
        bottom.text(
            (start + end) / 2,
            0.5,
            "" if label == "sil" else label,
            ha="center",
            va="center",
            fontsize=9,
            color="#10243e",
            alpha=max(0.35, score),
        )
    drawn = io.BytesIO()
    figure.savefig(drawn)
    # Fewer colours, a third of the size.
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
