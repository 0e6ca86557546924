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
    input_of,
)
from zoo.alignment.text import words_of
from zoo.data.corpora.phones import without_stress
from zoo.decoding.edits import SILENCE
from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.posteriors import log_posteriors
from zoo.errors import UsageError
from zoo.files import make_folder, read_json, replacing_folder, write_json

if TYPE_CHECKING:
    import keras

FILE = "sounds.npz"
NETWORK = "network.json"

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


@dataclasses.dataclass(frozen=True)
class Refinement:
    """How recordings sound, beside the network that first aligned them.

    Attributes:
        gaussians: of the states of phones.
        network: run folder, or name of a preset or of weights that ship.
        inputs: changes with whatever was learnt from.
    """

    gaussians: Gaussians
    network: str
    inputs: str = ""

    @staticmethod
    def is_in(folder: str | Path) -> bool:
        """Whether a folder holds one."""
        return (Path(folder) / FILE).is_file()

    def save(self, folder: Path) -> None:
        """Write a folder that `load` reads; nothing half-written is ever seen."""
        make_folder(folder.parent)
        with replacing_folder(folder) as partial:
            write_json(partial / NETWORK, {"network": self.network, "inputs": self.inputs})
            self.gaussians.save(partial / FILE)

    @classmethod
    def load(cls, folder: str | Path) -> Refinement:
        """What `save` wrote."""
        path = Path(folder)
        return cls(Gaussians.load(path / FILE), **read_json(path / NETWORK))


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
    return joined(aligner, learn(aligner, recordings, progress))


def learn(
    aligner: Aligner,
    recordings: Sequence[tuple[Path, Mapping[str, Any]]],
    progress: Callable[[str], object] | None = None,
) -> Gaussians:
    """How recordings sound, from a network's alignments of them; arguments as of `refined`."""
    names: set[str] = set()
    for _, said in recordings:
        # What is wrong with a text is said when it is aligned.
        with contextlib.suppress(UsageError):
            # Also phones of pronunciations that are chosen nowhere: they sound like any speech.
            names |= {without_stress(label) for label in _labels(aligner, said)}
    phones = (SILENCE, *sorted(names - {SILENCE}))
    features: dict[Path, np.ndarray] = {}
    gaussians = _learnt(aligner, phones, features, _found(aligner, recordings, PHONES, features))
    for number in range(1, ROUNDS + 1):
        found = _found(joined(aligner, gaussians), recordings, CLASSES, features)
        gaussians = _learnt(aligner, phones, features, found, parts=False)
        if progress is not None:
            progress(f"round {number} of {ROUNDS}")
    return gaussians


def _found(
    aligner: Aligner,
    recordings: Sequence[tuple[Path, Mapping[str, Any]]],
    tier: str,
    features: dict[Path, np.ndarray],
) -> dict[Path, Sequence[Interval]]:
    """A tier of each recording that can be aligned; their features are added."""
    found: dict[Path, Sequence[Interval]] = {}
    why = None
    for path, said in recordings:
        try:
            found[path] = aligner.align_file(path, **said, classes=True).tiers[tier]
            if path not in features:
                features[path] = cepstra(input_of(path, aligner.recognizer.frontend))
        except UsageError as error:
            why = why or error
    if not found:
        raise why or UsageError("there are no recordings to learn from.")
    return found


def joined(network: Aligner, gaussians: Gaussians) -> Aligner:
    """An aligner by a network and by distributions beside it."""
    phones = gaussians.phones
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


def _labels(aligner: Aligner, said: Mapping[str, Any]) -> Iterable[str]:
    """All phones with which something may be said."""
    if "phones" in said:
        return said["phones"]
    where = said.get("where", TEXT)
    if "words" in said:
        words = said["words"]
    else:
        texts = [said["text"]] if "text" in said else [s.text for s in said["sentences"]]
        words = [word for text in texts for word in words_of(text, where)]
    found = aligner.lexicon.pronounce_all(words, where)
    return {phone for variants in found for variant in variants for phone in variant}


def _learnt(
    network: Aligner,
    phones: tuple[str, ...],
    features: Mapping[Path, np.ndarray],
    found: Mapping[Path, Sequence[Interval]],
    parts: bool = True,
) -> Gaussians:
    """How the intervals sound: those of phones to divide in `parts`, or of states."""
    states = {phone: STATES * number for number, phone in enumerate(phones)}
    scale = network.sample_rate / network.recognizer.hop
    assigned = []
    for path, intervals in found.items():
        x = features[path]
        own = np.full(len(x), -1)
        for start, end, label, _ in intervals:
            first, last = round(start * scale), min(round(end * scale), len(x))
            own[first:last] = states[_phone(label)]
            if parts:
                own[first:last] += STATES * np.arange(last - first) // max(last - first, 1)
            else:
                own[first:last] += int(label.rpartition(_OF)[2])
        # Between sentences nobody said what is heard.
        known = own >= 0
        assigned.append((Heard(x[known], np.empty(0), ()), own[known]))
    frames = np.concatenate([features[path] for path in found])
    return fitted(assigned, phones, frames.mean(axis=0), frames.std(axis=0), STATES, True)


_OF = "\N{MIDDLE DOT}"
"""Between a phone and the number of its state."""


def _phone(label: str) -> str:
    return without_stress(label.partition(_OF)[0])
