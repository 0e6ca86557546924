"""A client's request for alignment: words and phones, and the transcript of the answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.alignment.pronunciations import Dictionary, lexicon_of
from zoo.alignment.text import words_of
from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError

ALIGN = "align"
"""The signature that takes a recording and phones."""

PRONOUNCE = "pronounce"
"""The signature that takes words."""

WORDS = "words"
"""The tier of words."""


@dataclasses.dataclass(frozen=True)
class Said:
    """What is said in a recording.

    Attributes:
        words: None: there are phones alone.
        phones: phones of each word, with spaces between them; None: the server looks them up.
    """

    words: tuple[str, ...] | None
    phones: tuple[str, ...] | None

    @classmethod
    def of(
        cls,
        text: str | None,
        words: Sequence[str] | None,
        phones: str | Sequence[str] | None,
        dictionary: Sequence[str | Path],
        served: bool,
    ) -> Said:
        """One of a text, words and phones.

        Args:
            text: in English.
            words: words of a text.
            phones: with spaces between them, or one after the other.
            dictionary: files of pronunciations, asked before CMUdict.
            served: whether the server can look words up, where there are no files.

        Raises:
            UsageError: not one of the three, or a word that nobody knows here.
        """
        if sum(given is not None for given in (text, words, phones)) != 1:
            raise UsageError("give one of text, words and phones.")
        if phones is not None:
            return cls(None, (phones if isinstance(phones, str) else " ".join(phones),))
        if isinstance(words, str):
            raise UsageError(f"words must be a list of words; received {words[:60]!r}.")
        found = words_of(text) if text is not None else tuple(words or ())
        if not found:
            raise UsageError("the text has no words.")
        if served and not dictionary:
            return cls(found, None)
        lexicon = lexicon_of([Dictionary.read(file) for file in dictionary])
        return cls(found, tuple(" ".join(said[0]) for said in lexicon.pronounce_all(found)))

    def pronounced(self, phones: Sequence[str]) -> Said:
        """These words with the phones that a server gave them.

        Raises:
            UsageError: it does not know a word.
        """
        words = self.words or ()
        unknown = [word for word, said in zip(words, phones, strict=True) if not said]
        if unknown:
            raise UsageError(
                f"the server's dictionary does not have {', '.join(map(repr, unknown[:5]))}; give "
                "a dictionary of your own (dictionary=), or phones instead of words."
            )
        return Said(words, tuple(phones))

    def transcript(self, wav: bytes, answer: Mapping[str, np.ndarray]) -> Transcript:
        """The same transcript as of `zoo.align`, from a WAV file's contents and the server's
        answer."""
        columns = [answer[name].tolist() for name in ("starts", "ends", "phones", "scores")]
        found = [Interval(*row) for row in zip(*columns, strict=True)]
        tiers = {PHONES: tuple(found)}
        if self.words is not None:
            tiers = {WORDS: tuple(self._words(found, answer["words"].tolist())), **tiers}
        return Transcript(tiers, found[-1].end, _rate(wav), score=float(answer["score"]))

    def _words(self, phones: Sequence[Interval], numbers: Sequence[int]) -> list[Interval]:
        found = []
        rows = zip(numbers, phones, strict=True)
        for number, group in itertools.groupby(rows, key=lambda row: row[0]):
            parts = [interval for _, interval in group]
            if number >= 0 and self.words is not None:
                start, end = parts[0].start, parts[-1].end
                total = sum((i.end - i.start) * (i.score or 0) for i in parts)
                score = min(total / (end - start), 1.0)
                found.append(Interval(start, end, self.words[number], score))
        return found


def _rate(wav: bytes) -> int:
    """The sample rate in the header of a WAV file that a server has read."""
    at = 12
    while at < len(wav) and wav[at : at + 4] != b"fmt ":
        size = int.from_bytes(wav[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return int.from_bytes(wav[at + 12 : at + 16], "little")
