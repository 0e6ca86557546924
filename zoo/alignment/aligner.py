"""A text and a recording of it in, words and phones with their times out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.alignment.graph import Phone, Word, graph_of
from zoo.alignment.phonesets import Phones, PhoneSet
from zoo.alignment.pronunciations import Dictionary, Lexicon, lexicon_of
from zoo.alignment.search import search, set_scores
from zoo.alignment.text import words_of
from zoo.alignment.ways import Place, Way
from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.transcription import Recognizer, Scored, within

WORDS = "words"
"""The tier of words; it and the tier of phones are called as in Montreal Forced Aligner's files."""

CLASSES = "classes"
"""The tier of a network's own classes, among them the closures of stops."""

PRIOR_EXPONENT = 0.5
"""How much of the classes' priors their probabilities are divided by."""

TEXT = "the text"


class Sentence(NamedTuple):
    """A text said in a part of a recording.

    Attributes:
        start: in seconds.
        end: in seconds.
        text: what is said.
        where: file and line, for messages.
    """

    start: float
    end: float
    text: str
    where: str


@dataclasses.dataclass(frozen=True)
class Aligner:
    """A network and pronunciations, which find where in a recording each word is said.

    Attributes:
        recognizer: scores frames.
        lexicon: pronunciations of words.
        phones: how they are said in the network's classes.
        offsets: (C,), logarithms by which the classes' probabilities are divided.
    """

    recognizer: Recognizer
    lexicon: Lexicon
    phones: Phones
    offsets: np.ndarray

    @classmethod
    def of(
        cls, recognizer: Recognizer, dictionaries: Sequence[Dictionary] = (), letters: bool = True
    ) -> Aligner:
        """An aligner by a network that transcribes.

        Args:
            recognizer: the network.
            dictionaries: of one's own, asked before CMUdict, which is for networks of English.
            letters: pronounce English words that no dictionary has by their letters.
        """
        phones = PhoneSet.trained(
            recognizer.classes, recognizer.groups, recognizer.decoder.bigram.follows
        )
        offsets = PRIOR_EXPONENT * np.log(recognizer.decoder.priors)
        return cls(recognizer, lexicon_of(dictionaries, phones.english, letters), phones, offsets)

    @property
    def sample_rate(self) -> int:
        """In Hz, at which recordings are heard."""
        return self.recognizer.sample_rate

    def align(
        self,
        audio: np.ndarray,
        sample_rate: int,
        *,
        text: str | None = None,
        words: Sequence[str] | None = None,
        phones: Sequence[str] | None = None,
        channel: int | None = None,
        where: str = TEXT,
    ) -> Transcript:
        """Words and phones of a recording with their times; see `zoo.align`."""
        said = self._said(text, words, phones, where)
        with self.recognizer.score(audio, sample_rate, channel=channel) as scored:
            return self._transcript(scored, [said], words_too=phones is None)

    def align_file(
        self,
        path: str | Path,
        *,
        text: str | None = None,
        words: Sequence[str] | None = None,
        phones: Sequence[str] | None = None,
        sentences: Sequence[Sentence] | None = None,
        channel: int | None = None,
        where: str = TEXT,
        classes: bool = False,
    ) -> Transcript:
        """Words and phones of a sound file with their times.

        Args:
            path: a WAV, SPHERE, FLAC or other file that libsndfile reads.
            text: what is said in it; or instead of it
            words: its words, or
            phones: its phones, or
            sentences: parts of the file, each with its text. Between them nothing is labelled.
            channel: which one of several, from 1 on.
            where: file and line of the text, for messages.
            classes: add a tier of the network's own classes.

        Raises:
            UsageError: as by `zoo.align`; a sentence that is not in the recording.
        """
        if sentences is None:
            said = [self._said(text, words, phones, where)]
        else:
            said = [
                self._said(s.text, None, None, s.where)._replace(start=s.start, end=s.end)
                for s in sentences
            ]
        with self.recognizer.score_file(path, channel=channel) as scored:
            return self._transcript(scored, said, phones is None, classes)

    def _said(
        self,
        text: str | None,
        words: Sequence[str] | None,
        phones: Sequence[str] | None,
        where: str,
    ) -> _Said:
        """What is said, looked up before anything is heard."""
        if sum(given is not None for given in (text, words, phones)) != 1:
            raise UsageError("give one of text, words and phones.")
        if phones is not None:
            if isinstance(phones, str):
                phones = phones.split()
            if not phones:
                raise UsageError(f"{where} has no phones.")
            return _Said(where, ("",), ([self._phones(tuple(phones), where)],))
        if text is not None:
            words = words_of(text, where)
        elif isinstance(words, str):
            raise UsageError(f"words must be a list of words; received {words[:60]!r}.")
        if not words:
            raise UsageError(f"{where} has no words.")
        found = self.lexicon.pronounce_all(words, where)
        return _Said(
            where,
            tuple(words),
            tuple([self._phones(p, where) for p in pronunciations] for pronunciations in found),
        )

    def _phones(self, labels: Sequence[str], where: str) -> list[Phone]:
        states = self.phones.states_of(labels, where)
        return [Phone(label, parts) for label, parts in zip(labels, states, strict=True)]

    def _transcript(
        self, scored: Scored, said: Sequence[_Said], words_too: bool, classes: bool = False
    ) -> Transcript:
        recognizer = self.recognizer
        rate, duration = recognizer.sample_rate, scored.duration
        if scored.silent:
            raise UsageError(f"{scored.name or 'the audio'} is silent throughout.")
        log_posteriors = scored.log_posteriors[:]
        tiers: dict[str, list[Interval]] = {WORDS: [], PHONES: [], CLASSES: []}
        totals = np.zeros(2)
        for one in said:
            scale = rate / recognizer.hop
            first = max(round(one.start * scale), 0)
            last = round(min(one.end * scale, len(log_posteriors)))
            if first >= last:
                raise UsageError(
                    f"{one.where} is said from {one.start:.2f} to {one.end:.2f} s, but the "
                    f"recording lasts {duration:.2f} s."
                )
            way = self._way(log_posteriors[first:last], one)
            place = Place(first, recognizer.hop, rate, scored.samples)
            tiers[WORDS] += way.words(one.words, place)
            tiers[PHONES] += way.phones(place)
            tiers[CLASSES] += way.classes(recognizer.classes, place)
            totals += way.agreement
        found = {
            name: within(tiers[name], duration, rate)
            for name, wanted in ((WORDS, words_too), (PHONES, True), (CLASSES, classes))
            if wanted
        }
        score = float(np.exp(totals[0] / totals[1]))
        return Transcript(found, duration, scored.sample_rate, scored.name, score=score)

    def _way(self, log_posteriors: np.ndarray, said: _Said) -> Way:
        """The best way of a text through frames (T, C)."""
        for frames in range(self.phones.frames, 0, -1):
            graph = graph_of(said.pronunciations, self.phones.pause, frames)
            if graph.shortest <= len(log_posteriors):
                break
        else:
            seconds = self.recognizer.hop / self.recognizer.sample_rate
            raise UsageError(
                f"{said.where} takes {graph.shortest * seconds:.2f} s at least, but its "
                f"recording lasts {len(log_posteriors) * seconds:.2f} s; is it the text "
                "of another recording?"
            )
        scores = set_scores(log_posteriors, graph, self.offsets)
        states = search(scores, graph)
        if states is None:
            states = search(scores, graph, np.inf)
        if states is None:
            raise UsageError(f"{said.where} cannot be aligned with its recording.")
        return Way(log_posteriors, scores, graph, states)


class _Said(NamedTuple):
    """What is said in a part of a recording: words, and the pronunciations of each."""

    where: str
    words: tuple[str, ...]
    pronunciations: tuple[Word, ...]
    start: float = 0.0
    end: float = math.inf
