"""Spoken sentences with their texts, and a network that hears them, to align quickly."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.recognizers import make_recognizer
from zoo.data import prepare
from zoo.data.corpora.synthetic import synthesise
from zoo.data.corpora.synthetic.settings import SyntheticSettings

TAKEN = 3
"""Sentences of each speaker."""


def make_spoken(folder: Path) -> None:
    """`folder/speech/SPEAKER/NAME.wav` with a `.lab` beside each, and `folder/run`."""
    synthesise(folder / "corpus", SyntheticSettings(speakers=4, sentences=10), workers=1)
    prepared = prepare(folder / "corpus", folder / "set", examples="frames")
    make_recognizer(folder / "run", prepared)
    for speaker in sorted(path.parent for path in (folder / "corpus").rglob("SA1.WAV")):
        own = folder / "speech" / speaker.name.lower()
        own.mkdir(parents=True)
        for audio in sorted(speaker.glob("S[IX]*.WAV"))[:TAKEN]:
            shutil.copy(audio, own / f"{audio.stem.lower()}.wav")
            text = audio.with_suffix(".TXT").read_text(encoding="utf-8").split(maxsplit=2)[2]
            (own / f"{audio.stem.lower()}.lab").write_text(text, encoding="utf-8")


def words_of_corpus(folder: Path, speaker: str, name: str) -> list[tuple[float, float, str]]:
    """Start and end in seconds of each word, as the corpus has them."""
    (file,) = (folder / "corpus").rglob(f"{speaker.upper()}/{name.upper()}.WRD")
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    return [(int(start) / 16000, int(end) / 16000, word) for start, end, word in rows]
