"""A flat start as a model that aligns: trained on one folder, saved in another."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zoo.alignment.gaussians import Gaussians, Heard, cepstra, flat_start, input_of
from zoo.alignment.pronunciations import Dictionary, Lexicon, lexicon_of
from zoo.alignment.text import words_of
from zoo.data.corpora.audio import SAMPLE_RATE, audio_size
from zoo.data.corpora.transcripts import Transcribed, place
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import Frontend, continuous_framing
from zoo.data.sets.settings import HOP
from zoo.errors import UsageError
from zoo.files import make_folder, replacing_folder

FILE = "gaussians.npz"

LEARNT_SECONDS = 3600.0
"""Of speech that is learnt from, evenly spread over the recordings where there is more."""


@dataclasses.dataclass(frozen=True)
class FlatStart:
    """Distributions of phones' states, and what turns samples into what they are of."""

    gaussians: Gaussians
    frontend: Frontend

    @staticmethod
    def is_in(folder: str | Path) -> bool:
        """Whether a folder holds one."""
        return (Path(folder) / FILE).is_file()

    def save(self, folder: Path) -> None:
        """Write a folder that `load` reads; nothing half-written is ever seen."""
        make_folder(folder.parent)
        with replacing_folder(folder) as partial:
            self.frontend.save(partial)
            self.gaussians.save(partial / FILE)

    @classmethod
    def load(cls, folder: str | Path) -> FlatStart:
        """What `save` wrote."""
        return cls(Gaussians.load(Path(folder) / FILE), Frontend.load(folder))

    @classmethod
    def learn(
        cls,
        recordings: Sequence[Transcribed],
        dictionaries: Sequence[str] = (),
        phones: bool = False,
        progress: Callable[[str], object] | None = None,
    ) -> FlatStart:
        """Learn phones from recordings and their texts.

        Recordings that cannot be read, or whose words no dictionary has, are left out.

        Args:
            recordings: with a text, or sentences in parts of them.
            dictionaries: files of pronunciations, asked before CMUdict.
            phones: what is said is given in phones.
            progress: is told of each round.

        Raises:
            UsageError: there is nothing to learn from, or a dictionary is not one.
        """
        lexicon = None if phones else _lexicon(recordings, dictionaries)
        seconds, rate = _length_and_rate(recordings)
        step = max(1, math.ceil(seconds / LEARNT_SECONDS))
        frontend = _frontend(min(rate, SAMPLE_RATE))
        heard: list[Heard] = []
        why = None
        for recording in recordings[::step]:
            try:
                heard += _heard(recording, lexicon, frontend)
            except UsageError as error:
                why = why or error
        if not heard:
            raise why or UsageError("there are no recordings to learn from.")
        try:
            return cls(flat_start(heard, progress), frontend)
        except ValueError as error:
            raise UsageError(str(error)) from None


def _lexicon(recordings: Sequence[Transcribed], dictionaries: Sequence[str]) -> Lexicon:
    """Pronunciations, looked up at once for all words."""
    lexicon = lexicon_of([Dictionary.read(file) for file in dictionaries])
    words: list[str] = []
    for recording in recordings:
        # What is wrong with a text is said when its turn comes.
        with contextlib.suppress(UsageError):
            for text in _texts(recording):
                words += words_of(text, recording.where)
    lexicon.learn(words)
    return lexicon


def _texts(recording: Transcribed) -> list[str]:
    if recording.text is not None:
        return [recording.text]
    return [span.label for span in recording.spans]


def _length_and_rate(recordings: Sequence[Transcribed]) -> tuple[float, int]:
    """Seconds of all recordings, and the rate in Hz of most of them."""
    seconds, rates = 0.0, collections.Counter[int]()
    for recording in recordings:
        with contextlib.suppress(UsageError):
            frames, rate = audio_size(recording.audio)
            seconds += frames / rate
            rates[rate] += 1
    return seconds, rates.most_common(1)[0][0] if rates else SAMPLE_RATE


def _frontend(rate: int) -> Frontend:
    framing = continuous_framing("log_mel", rate, HOP / 1000)
    representation = representation_settings("log_mel", **framing)
    return Frontend(
        sample_rate=rate,
        length=None,
        level="file",
        representation=representation,
        mean=np.zeros((representation["filters"], 1, 1), "float32"),
        normalize="recording",
        whole=True,
    )


def _heard(recording: Transcribed, lexicon: Lexicon | None, frontend: Frontend) -> list[Heard]:
    """What is heard in a recording, or in each part of it that has a text of its own."""
    x = input_of(recording.audio, frontend)
    features, level = cepstra(x), x[:, :, 0].mean(axis=0)
    parts = [(slice(None), recording.where)]
    if recording.text is None:
        scale = frontend.sample_rate / frontend.hop
        parts = [
            (
                slice(round(float(span.start) * scale), round(float(span.end) * scale)),
                place(recording.source, span.line),
            )
            for span in recording.spans
        ]
    found = []
    for text, (frames, where) in zip(_texts(recording), parts, strict=True):
        if lexicon is None:
            words = [[tuple(text.split())]]
        else:
            words = [list(p) for p in lexicon.pronounce_all(words_of(text, where), where)]
        found.append(Heard(features[frames], level[frames], words))
    return found
