"""Times that suit the recordings at hand: what a network aligned, learnt from as by a flat start.

A network that heard other people, rooms or synthesisers finds the right phones at wrong times.
Distributions of what these recordings sound like, learnt from its own alignments of them, and
scored beside it, put most of their borders right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import scipy.special

from zoo.alignment.aligner import CLASSES, TEXT, Aligner
from zoo.alignment.gaussians import (
    SHARPNESS,
    STATES,
    GaussianPhones,
    Gaussians,
    Heard,
    cepstra,
    fitted,
)
from zoo.alignment.phonesets import without_stress
from zoo.alignment.text import words_of
from zoo.data.corpora.utterances import at_rate, read_mono
from zoo.data.features.frontend import level_file
from zoo.decoding.edits import SILENCE
from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.posteriors import log_posteriors
from zoo.errors import UsageError
from zoo.transcription import Recognizer

if TYPE_CHECKING:
    import keras

ROUNDS = 4
"""Of learning from alignments and aligning again."""

WEIGHT = 1.0
"""Of the network's logarithms of probabilities beside logarithms of densities. More of it keeps a
network's own mistakes; without it, borders that it knows well are lost."""


@dataclasses.dataclass(frozen=True)
class _Both:
    """A network and distributions as one network: of recordings (1, bands, T, 1) the states."""

    gaussians: Gaussians
    network: Aligner

    @functools.cached_property
    def _classes(self) -> list[list[int]]:
        """Of every phone of the distributions the network's classes."""
        phones = self.network.phones
        states = [phones.pause, *(phones.states_of([p])[0] for p in self.gaussians.phones[1:])]
        return [sorted({c for state in found for c in state.classes}) for found in states]

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        recognizer = self.network.recognizer
        found = log_posteriors(recognizer.model, x[0], recognizer.window, recognizer.context)
        scores = self.gaussians.scores(cepstra(x[0]))
        for number, classes in enumerate(self._classes):
            heard = np.logaddexp.reduce(found[:, classes], axis=1)
            heard -= np.logaddexp.reduce(self.network.offsets[classes])
            scores[:, STATES * number : STATES * (number + 1)] += WEIGHT * heard[:, None]
        return scipy.special.softmax(SHARPNESS * scores, axis=1)[None]


def refined(
    aligner: Aligner,
    recordings: Sequence[tuple[Path, Mapping[str, Any]]],
    progress: Callable[[str], object] | None = None,
) -> Aligner:
    """An aligner that has also learnt how recordings sound, which it should align afterwards.

    Args:
        aligner: by a network that hears log mel bands.
        recordings: sound files, and what `Aligner.align_file` takes beside each.
        progress: is told of each round.

    Raises:
        UsageError: none of the recordings can be aligned.
    """
    names: set[str] = set()
    for _, said in recordings:
        # What is wrong with a text is said when it is aligned.
        with contextlib.suppress(UsageError):
            # Also phones of pronunciations that are chosen nowhere: they sound like any speech.
            names |= {without_stress(label) for label in _labels(aligner, said)}
    features: dict[Path, np.ndarray] = {}
    phones = (SILENCE, *sorted(names - {SILENCE}))
    current, tier = aligner, PHONES
    for number in range(ROUNDS + 1):
        found: dict[Path, Sequence[Interval]] = {}
        why = None
        for path, said in recordings:
            try:
                found[path] = current.align_file(path, **said, classes=True).tiers[tier]
                if path not in features:
                    features[path] = _features(aligner.recognizer, path)
            except UsageError as error:
                why = why or error
        if not found:
            raise why or UsageError("there are no recordings to learn from.")
        current, tier = _learnt(aligner, phones, features, found, tier == PHONES), CLASSES
        if progress is not None:
            progress(f"round {number} of {ROUNDS}")
    return current


def _labels(aligner: Aligner, said: Mapping[str, Any]) -> Iterable[str]:
    """All phones with which something may be said."""
    if "phones" in said:
        return said["phones"]
    words = said["words"] if "words" in said else words_of(said["text"])
    found = aligner.lexicon.pronounce_all(words, said.get("where", TEXT))
    return {phone for variants in found for variant in variants for phone in variant}


def _features(recognizer: Recognizer, path: Path) -> np.ndarray:
    samples, rate = read_mono(path)
    samples = at_rate(path, samples, rate, recognizer.sample_rate, True)
    frontend = recognizer.frontend
    return cepstra(frontend.recording(level_file(samples, frontend.level)))


def _learnt(
    network: Aligner,
    phones: tuple[str, ...],
    features: Mapping[Path, np.ndarray],
    found: Mapping[Path, Sequence[Interval]],
    parts: bool,
) -> Aligner:
    """An aligner that knows how the intervals sound: phones to divide in `parts`, or states."""
    states = {phone: STATES * number for number, phone in enumerate(phones)}
    scale = network.sample_rate / network.recognizer.hop
    assigned = []
    for path, intervals in found.items():
        x = features[path]
        own = np.zeros(len(x), "int64")
        for start, end, label, _ in intervals:
            first, last = round(start * scale), min(round(end * scale), len(x))
            own[first:last] = states[_phone(label)]
            if parts:
                own[first:last] += STATES * np.arange(last - first) // max(last - first, 1)
            else:
                own[first:last] += int(label.rpartition(_OF)[2])
        assigned.append((Heard(x, np.empty(0), ()), own))
    frames = np.concatenate([features[path] for path in found])
    gaussians = fitted(assigned, phones, frames.mean(axis=0), frames.std(axis=0), STATES, True)
    classes = tuple(f"{phone}{_OF}{number}" for phone in phones for number in range(STATES))
    recognizer = dataclasses.replace(
        network.recognizer,
        classes=classes,
        groups={name: _phone(name) for name in classes},
        window=None,
        model=cast("keras.Model", _Both(gaussians, network)),
    )
    said = GaussianPhones(phones, STATES)
    return Aligner(recognizer, network.lexicon, said, np.zeros(len(classes)))


_OF = "\N{MIDDLE DOT}"
"""Between a phone and the number of its state."""


def _phone(label: str) -> str:
    return without_stress(label.partition(_OF)[0])
