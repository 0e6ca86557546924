"""Small TIMIT-layout trees of synthesised tones and noise, with known labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.data.corpora.sphere import write_sphere

RATE = 16000
LABELS = ("h#", "iy", "s", "aa", "tcl", "t", "n", "q", "ux", "h#")


def sounds(label: str, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Something that tells the labels apart: a tone for voiced ones, noise for the rest."""
    time = np.arange(samples) / RATE
    tones = {"iy": (250, 2300), "aa": (700, 1100), "n": (250, 1200), "ux": (300, 1700), "q": (90,)}
    if label in tones:
        wave = sum(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) for f in tones[label])
        return 0.2 * wave + 0.005 * rng.normal(size=samples)
    loud = {"s": 0.2, "t": 0.1}.get(label, 0.002)
    return loud * rng.normal(size=samples)


def utterance(rng: np.random.Generator, labels=LABELS, longest=2400):
    """int16 samples and (start, end, label) rows."""
    rows, parts, start = [], [], 0
    for label in labels:
        samples = int(rng.integers(600, longest))
        parts.append(sounds(label, samples, rng))
        rows.append((start, start + samples, label))
        start += samples
    wave = np.concatenate(parts).clip(-1, 1)
    return np.round(wave * 32767).astype("<i2"), rows


def write_utterance(folder: Path, name: str, samples: np.ndarray, rows, rate: int = RATE) -> None:
    """One SPHERE .WAV and its .PHN."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sphere(folder / f"{name}.WAV", samples, rate)
    (folder / f"{name}.PHN").write_text("".join(f"{s} {e} {label}\n" for s, e, label in rows))


def make_tree(root: Path, train=3, test=2, sentences=("SA1", "SX1", "SI1"), seed=0) -> Path:
    """A corpus of `train` + `test` speakers; the first test speaker is one of the core test's."""
    names = {
        "TRAIN": [f"MTRN{i}" for i in range(train)],
        "TEST": ["MDAB0", "FAKS0", "MTST0", "MTST1"][:test],
    }
    rng = np.random.default_rng(seed)
    for split, speakers in names.items():
        for speaker in speakers:
            for sentence in sentences:
                samples, rows = utterance(rng)
                write_utterance(root / split / "DR1" / speaker, sentence, samples, rows)
    return root


def two_trees(folder, train):
    """Two corpora of different speakers and sentences, `train` speakers of each to learn from."""
    one, two = train
    return [
        make_tree(folder / "one", train=one, test=1),
        make_tree(folder / "two", train=two, test=1, sentences=("SX1", "SX2"), seed=1),
    ]
