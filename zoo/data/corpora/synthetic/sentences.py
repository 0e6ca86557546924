"""Sentences for every speaker, from a small grammar and a seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.corpora.synthetic.lexicon import SA_SENTENCES, SI_TEMPLATES, SX_TEMPLATES, WORDS
from zoo.errors import UsageError

SX_POOL = 450
"""Number of compact sentences; as in TIMIT, several speakers read each of them."""

TEST_SX_STEP = 4
"""Every fourth SX sentence is read by test speakers only, the others by training speakers only."""

MAX_SENTENCES = 160
"""The most sentences a speaker can read without meeting an SX sentence twice."""

MAX_LINE = 300
"""Most characters in a sentence of one's own."""

_SPOKEN = re.compile(r"[A-Za-z][A-Za-z' ,.;:?!-]*")


@dataclass(frozen=True)
class Sentence:
    """A sentence and its TIMIT name: SA1, SI451, SX12."""

    name: str
    text: str


def split_counts(sentences: int) -> tuple[int, int, int]:
    """How many SA, SI and SX sentences a speaker reads: 2, 3, 5 of 10 and in proportion."""
    sa = min(2, sentences)
    si = round((sentences - sa) * 3 / 8)
    return sa, si, sentences - sa - si


def _fill(template: str, rng: np.random.Generator) -> str:
    used: set[str] = set()

    def word(match: re.Match[str]) -> str:
        choices = WORDS[match[1]]
        chosen = choices[int(rng.integers(len(choices)))]
        # "the boy enjoyed the boy" would cost variety; articles and pronouns may well come again.
        while chosen in used and match[1] not in ("det", "plural_det", "modal", "pronoun"):
            chosen = choices[int(rng.integers(len(choices)))]
        used.add(chosen)
        return chosen.replace("_", " ")

    text = re.sub(r"\{(\w+)\}", word, template)
    text = re.sub(r"\ba (?=[aeiou])(?!one|uni|use|useful|usual|youth)", "an ", text)
    return text[0].upper() + text[1:]


def _draw(
    templates: tuple[str, ...], count: int, rng: np.random.Generator, taken: set[str]
) -> list[str]:
    texts: list[str] = []
    while len(texts) < count:
        text = _fill(templates[int(rng.integers(len(templates)))], rng)
        if text not in taken:
            taken.add(text)
            texts.append(text)
    return texts


def assign(train: int, test: int, sentences: int, seed: int) -> list[list[Sentence]]:
    """The sentences of every speaker, training speakers first.

    SA sentences are the same for all; every SI sentence is read by one speaker only; SX sentences
    by several, but never by both a training and a test speaker.
    """
    sa, si, sx = split_counts(sentences)
    rng = np.random.default_rng([seed, 1])
    taken = set(SA_SENTENCES)
    sx_texts = _draw(SX_TEMPLATES, SX_POOL, rng, taken)
    si_texts = _draw(SI_TEMPLATES, si * (train + test), rng, taken)
    numbers = np.arange(1, SX_POOL + 1)
    for_test = numbers % TEST_SX_STEP == 0
    speakers = []
    for index in range(train + test):
        pool = numbers[for_test == (index >= train)]
        chosen = sorted(int(n) for n in rng.choice(pool, size=sx, replace=False))
        read = [Sentence(f"SA{i + 1}", SA_SENTENCES[i]) for i in range(sa)]
        read += [
            Sentence(f"SI{SX_POOL + 1 + i}", si_texts[i])
            for i in range(index * si, (index + 1) * si)
        ]
        read += [Sentence(f"SX{n}", sx_texts[n - 1]) for n in chosen]
        speakers.append(read)
    return speakers


def read_sentences(path: str | Path) -> list[str]:
    """The sentences of a text file, one a line; empty lines are passed over.

    Raises:
        UsageError: the file cannot be read, has no sentences, or a line holds something other
            than English letters, spaces and punctuation.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read as sentences: {reason}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if len(text) > MAX_LINE or (text and not _SPOKEN.fullmatch(text)):
            raise UsageError(
                f"{path}:{number}: a sentence has up to {MAX_LINE} English letters, "
                "spaces and punctuation marks, and begins with a letter; spell out "
                f"numbers: {text[:40]!r}."
            )
        if text:
            found.append(text)
    if not found:
        raise UsageError(f"{path} holds no sentences; one a line is expected.")
    return found


def assign_own(
    texts: Sequence[str], speakers: int, sentences: int, seed: int
) -> list[list[Sentence]]:
    """Sentences of one's own for every speaker, SX1, SX2, ...: all of them in turn.

    Each speaker reads every text as often as `sentences` has room for, and draws the rest.
    """
    whole, rest = divmod(sentences, len(texts))
    speakers_read = []
    for index in range(speakers):
        rng = np.random.default_rng([seed, 1, index])
        drawn = np.sort(rng.choice(len(texts), size=rest, replace=False))
        chosen = [*range(len(texts))] * whole + drawn.tolist()
        speakers_read.append([Sentence(f"SX{n}", texts[i]) for n, i in enumerate(chosen, 1)])
    return speakers_read
