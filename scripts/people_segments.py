"""The classifier of segments that heard people, after the recognizer that did.

It starts from the recognizer's encoder and learns from segments in their surroundings. Corpora
disagree in how they label stops: it hears them whole, as dictionaries and most aligners have them,
and as closure and release, as TIMIT has them. People are heard once more in excerpts as short as a
word, which are recordings on their own to the normalisation, and through a telephone's band.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import people

NETWORK = "tdnn_segments"
FEATURES = {
    "representation": "log_mel",
    "length": 4000,
    "too_long": "crop",
    "level": "file",
    "normalize": "recording",
    "context": 0.25,
    "hop": 10,
}
RECIPE = {
    "optimizer": "adam",
    "learning_rate": 0.001,
    "schedule": "cosine",
    "epochs": 14,
    "per_class": 450,
    "augment": "pitch=0.12,tempo=0.15,shift=1,mask=0.15",
}
SHARES = {
    "whole": 3.0,
    "short": 1.0,
    "narrow": 1.5,
    "aligned": 1.0,
    "synthetic": 1.0,
    "synthetic-whole": 1.0,
}
"""How often each set is drawn."""

SHORT = (0.4, 1.6)
"""Least and greatest duration of an excerpt in seconds, up to where its last segment ends."""

BAND = 8000
"""Sample rate in Hz of telephone-band copies."""


def train(learnt: people.Learnt, work: Path, seed: int) -> tuple[Path, dict[str, Any]]:
    """Train on the utterances that the recognizer learnt from.

    Args:
        learnt: the recognizer, and those utterances.
        work: folder of sets and runs.
        seed: of the training.

    Returns:
        The run, and by name of each corpus the prepared set of speakers that were left out.
    """
    from zoo.data.sets.joined import Joined
    from zoo.training.classifier import train_classifier
    from zoo.training.settings import Settings

    theirs = [u for found in learnt.people.values() for u in found if u.split == "train"]
    own = [u for u in learnt.synthetic if u.split == "train"]
    short = [
        excerpt
        for number, u in enumerate(theirs)
        for excerpt in _excerpts(u, work / "short", np.random.default_rng([seed, number]))
    ]
    utterances = {
        "whole": theirs,
        "short": short,
        "narrow": [_narrowed(u, work / "narrow") for u in [*theirs[::2], *short[::2]]],
        "aligned": [u for u in learnt.aligned if u.split == "train"],
        "synthetic": own,
        "synthetic-whole": [_whole(u) for u in own],
    }
    folder = work / "sets"
    first = people.prepared(utterances.pop("whole"), folder / "whole", **FEATURES)
    alike = {"like": first.path, "too_long": FEATURES["too_long"]}
    sets = [first]
    sets += [people.prepared(found, folder / name, **alike) for name, found in utterances.items()]
    settings = Settings(**RECIPE, seed=seed, encoder=str(learnt.run))
    prepared = Joined(sets, list(SHARES.values()))
    run = train_classifier(NETWORK, prepared, work / "run", settings, progress=True)
    return run, {
        name: people.prepared(
            [u for u in found if u.split == "test"], folder / f"{name}-test", **alike
        )
        for name, found in {"synthetic": learnt.synthetic, **learnt.people}.items()
    }


def _whole(utterance: Any) -> Any:
    """The utterance with stops whole: a closure and its release are one, and so is either alone."""
    from zoo.data.corpora.labels import MERGED
    from zoo.data.corpora.phones import CLOSURES

    stop_of = {CLOSURES[stop]: stop for stop in "ptkbdg"}
    spans = [
        s._replace(label=stop_of.get(s.label, s.label)) for s in MERGED.joined(utterance.spans)
    ]
    return dataclasses.replace(utterance, spans=tuple(spans))


def _excerpts(utterance: Any, folder: Path, rng: np.random.Generator) -> Iterator[Any]:
    """The utterance cut into excerpts at borders of segments, in separate files."""
    import soundfile

    from zoo.data.corpora.utterances import read_mono
    from zoo.files import make_folder

    samples, rate = read_mono(utterance.audio)
    rest = list(utterance.spans)
    while rest:
        begin, least = rest[0].start, Decimal(rng.uniform(*SHORT))
        count = next((n for n, s in enumerate(rest, 1) if s.end - begin >= least), len(rest))
        spans, rest = rest[:count], rest[count:]
        name = f"{utterance.name}-{spans[0].line}"
        file = make_folder(folder) / f"{name.replace('/', '-')}.wav"
        if not file.is_file():
            first, last = (round(float(edge) * rate) for edge in (begin, spans[-1].end))
            soundfile.write(file, samples[first:last], rate, "PCM_16")
        yield dataclasses.replace(
            utterance,
            name=name,
            audio=file,
            spans=tuple(s._replace(start=s.start - begin, end=s.end - begin) for s in spans),
        )


def _narrowed(utterance: Any, folder: Path) -> Any:
    """A telephone-band copy of the utterance, in a separate file."""
    import soundfile

    from zoo.data.corpora.audio import resample
    from zoo.data.corpora.utterances import read_mono
    from zoo.files import make_folder

    file = make_folder(folder) / f"{utterance.name.replace('/', '-')}.wav"
    if not file.is_file():
        samples, rate = read_mono(utterance.audio)
        narrow = resample(resample(samples, rate, BAND), BAND, rate)
        soundfile.write(file, np.pad(narrow, (0, len(samples)))[: len(samples)], rate, "PCM_16")
    return dataclasses.replace(utterance, audio=file)
