"""From the phones of a dictionary to the classes of a network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from zoo.data.corpora.phones import CLASSES, CLOSURES, DROPPED, GROUPS, LABEL_TO_CLASS
from zoo.decoding.edits import SILENCE
from zoo.errors import UsageError, nearest


class State(NamedTuple):
    """One stretch of a phone.

    Attributes:
        classes: of a network, in ascending order; any of them, so that their probabilities add.
        optional: whether it may be left out. No phone consists of optional states alone.
    """

    classes: tuple[int, ...]
    optional: bool = False


_SILENCES = frozenset(
    "sil silence ssil sp spn pau pause h# #h # _ __ <sil> <p> <p:> <eps> <s> </s> !sil".split()
)
"""What aligners and corpora call pauses, in lower case."""

_ALLOPHONES = {
    "aa": "aa ao", "ao": "ao aa", "ah": "ah ax", "ah0": "ax ah ix", "ih": "ih ix",
    "ih0": "ix ih ax", "iy0": "iy ih ix", "uw0": "uw uh", "uh0": "uh ax", "l": "l el",
    "n": "n en", "t": "t dx", "d": "d dx", "zh": "zh sh", "ax": "ax ah ix", "dx": "dx t d",
}  # fmt: skip
"""Phone of ARPABET -> the classes that it is heard as; others are their own class alone."""

_IPA = {
    "aj": "ay", "aɪ": "ay", "aw": "aw", "aʊ": "aw", "ej": "ey", "eɪ": "ey", "e": "ey", "ow": "ow",
    "oʊ": "ow", "əw": "ow", "əʊ": "ow", "ɔj": "oy", "ɔɪ": "oy", "i": "iy", "ɪ": "ih", "ɛ": "eh",
    "æ": "ae", "a": "aa", "ɑ": "aa", "ɒ": "aa", "ɔ": "ao", "ɐ": "ah", "ʌ": "ah", "ə": "ah0",
    "ɚ": "er", "ɝ": "er", "ɜ": "er", "u": "uw", "ʉ": "uw", "ʊ": "uh", "p": "p", "b": "b", "t": "t",
    "d": "d", "k": "k", "c": "k", "g": "g", "ɡ": "g", "ɟ": "g", "ʔ": DROPPED, "ɾ": "dx",
    "tʃ": "ch", "ʧ": "ch", "dʒ": "jh", "ʤ": "jh", "f": "f", "v": "v", "θ": "th", "ð": "dh",
    "s": "s", "z": "z", "ʃ": "sh", "ʒ": "zh", "h": "hh", "ç": "hh", "m": "m", "ɱ": "m", "n": "n",
    "ɲ": "n", "ɾ̃": "n", "ŋ": "ng", "l": "l", "ɫ": "l", "ʎ": "l", "ɹ": "r", "r": "r", "w": "w",
    "j": "y",
}  # fmt: skip
"""IPA without length, stress and secondary articulation, as MFA writes English -> ARPABET."""

MODIFIERS = "[ʰʲʷˠˤˑːˈˌ\u0300-\u036f]"
"""Regular expression of what is left out of IPA that is not known with it."""

_MODIFIERS = re.compile(MODIFIERS)
_LONG = "ː"
_STRESS = re.compile(r"(?<=\D)[0-9]$")


FRAMES = 2
"""Least frames that a network hears a state for."""


class Spelling(NamedTuple):
    """How a phone is said wherever it stands.

    Attributes:
        before: number of the kind of phone that it is to the one after it; 0: any.
        after: number of the kind of phone that it is to the one before it; 0: any.
        states: of the phone after each kind and before each kind.
    """

    before: int
    after: int
    states: tuple[tuple[tuple[State, ...], ...], ...]


class Phones(Protocol):
    """How phones are said in the classes of whatever scores frames.

    Attributes:
        frames: least number that a state lasts, where a recording is long enough for it.
        pause: the states of silence; none where there is no class for it.
    """

    @property
    def frames(self) -> int:
        """See the attributes."""
        ...

    @property
    def pause(self) -> tuple[State, ...]:
        """See the attributes."""
        ...

    def states_of(self, phones: Sequence[str], where: str = ...) -> list[tuple[State, ...]]:
        """The states of each phone."""
        ...


class PhoneSet:
    """How phones of a dictionary are said in a network's classes.

    A phone that is the name of a class is that class. Other spellings of a name are found without
    regard to case and stress. If the classes are of English, whether TIMIT's 61 labels, its 48
    classes or fewer, phones in ARPABET and in MFA's IPA are heard as any of their allophones,
    TIMIT's labels as their class, and a stop begins with its closure where the network tells
    closures apart.

    Args:
        classes: in the order of the network's outputs.
        groups: class -> scored group.
        seen: indices of the classes that occurred in training; others are never used. None: all.

    Attributes:
        silence: indices of the classes of pauses, closures not among them; may be empty.
        english: whether TIMIT's labels, which letter-to-sound gives, have classes here.
    """

    def __init__(
        self,
        classes: Sequence[str],
        groups: Mapping[str, str],
        seen: Collection[int] | None = None,
    ) -> None:
        self.classes = tuple(classes)
        self.seen = tuple(range(len(self.classes))) if seen is None else tuple(sorted(seen))
        named = [i for i in self.seen if _is_silence(self.classes[i])]
        grouped = [i for i in self.seen if groups.get(self.classes[i]) == SILENCE]
        self.silence = tuple(named or grouped)
        self._exact = {_composed(self.classes[i]): i for i in self.seen}
        spoken = [name for name in self.classes if not _is_silence(name)]
        self._cased = any(map(str.isupper, spoken)) and any(map(str.islower, spoken))
        self._bare = _indices((self._key(self.classes[i]), i) for i in self.seen)
        folding = {**LABEL_TO_CLASS, DROPPED: DROPPED}
        english = {name: folding.get(_STRESS.sub("", name.lower())) for name in spoken}
        self.english = bool(english) and all(english.values())
        self._english: dict[str, tuple[int, ...]] = {}
        if self.english:
            self._english = _indices(
                (english.get(self.classes[i]) or SILENCE, i) for i in self.seen
            )

    frames = FRAMES

    @classmethod
    def trained(
        cls, classes: Sequence[str], groups: Mapping[str, str], follows: np.ndarray
    ) -> PhoneSet:
        """That of a network whose training had class j after class i `follows[i, j]` times.

        A class that training never showed has no probability of its own.
        """
        seen = np.flatnonzero(follows.sum(axis=0) + follows.sum(axis=1)).tolist()
        return cls(classes, groups, seen or None)

    @property
    def pause(self) -> tuple[State, ...]:
        """The states of silence between words."""
        return (State(self.silence),) if self.silence else ()

    def states_of(
        self, phones: Sequence[str], where: str = "the pronunciation"
    ) -> list[tuple[State, ...]]:
        """The states of each phone, which depend on its neighbours.

        Args:
            phones: as a dictionary or a corpus writes them, silences included.
            where: names their source in messages.

        Raises:
            UsageError: a phone has no class; the message names it, `where` and similar classes.
        """
        around = ("", *phones, "")
        return [
            self._states(phone, before, after, where)
            for before, phone, after in zip(around, phones, around[2:], strict=False)
        ]

    def states(self, phone: str, where: str = "the pronunciation") -> tuple[State, ...]:
        """The states of a phone without neighbours; see `states_of`."""
        return self.states_of((phone,), where)[0]

    def spellings(self) -> dict[str, Spelling]:
        """Phones that have states, for graphs, which cannot ask a `PhoneSet`.

        These are the network's classes, silences and, of English, ARPABET, TIMIT's labels and IPA,
        in lower case and in capitals, vowels with or without stress. IPA's further `MODIFIERS` are
        without number: a space and IPA without them stands for IPA with any.
        """
        before = ("", *sorted({c for stop in CLOSURES for c in _closing(stop)}))
        after = ("", *CLOSURES)
        if not self.english:
            before = after = ("",)
        spelled = {phone: phone for phone in self._written()}
        if self.english:
            spelled |= {f" {phone}": phone + _LONG for phone in _IPA}
        found = {}
        for written, phone in spelled.items():
            try:
                self._states(phone, "", "", "")
            except UsageError:
                continue
            label = self._label(phone)
            found[written] = Spelling(
                before.index(label) if label in before else 0,
                after.index(label) if label in after else 0,
                tuple(tuple(self._states(phone, b, a, "") for a in after) for b in before),
            )
        return found

    def _written(self) -> Iterator[str]:
        """What may be a phone."""
        names = {*self.classes, *LABEL_TO_CLASS, DROPPED}
        names |= {_STRESS.sub("", name) for name in names}
        stressed = {name + digit for name in names for digit in "012"}
        for name in {*names, *stressed, *_SILENCES, *_IPA} - {""}:
            for form in {name, unicodedata.normalize("NFD", name)}:
                yield from {form, form.lower(), form.upper()}

    def _states(self, phone: str, before: str, after: str, where: str) -> tuple[State, ...]:
        exact = self._exact.get(_composed(phone))
        if exact is None and _is_silence(phone):
            # Without a class of pauses, anything may be heard in them.
            return (State(self.silence or self.seen),)
        label = self._label(phone)
        if exact is None and label == DROPPED:
            return (State(self.seen),)
        if exact is not None:
            classes: tuple[int, ...] = (exact,)
        elif label:
            classes = self._heard_as(label, phone in LABEL_TO_CLASS, self._label(after))
        else:
            classes = self._bare.get(self._key(phone), ())
        if not classes:
            raise UsageError(self._explained(phone, where))
        closure = CLOSURES.get(label, "")
        closed = () if self._label(before) in _closing(label) else self._closure(closure)
        return (State(closed, optional=True), State(classes)) if closed else (State(classes),)

    def _label(self, phone: str) -> str:
        """A phone as a TIMIT label, with a 0 for no stress where that matters; or nothing."""
        if not self._english:
            return ""
        low = phone.lower()
        bare = _STRESS.sub("", low)
        if bare in LABEL_TO_CLASS or bare == DROPPED:
            return low if low in _ALLOPHONES else bare
        composed = _composed(low)
        return _IPA.get(composed) or _IPA.get(_MODIFIERS.sub("", composed), "")

    def _heard_as(self, label: str, narrow: bool, after: str) -> tuple[int, ...]:
        """The classes of a label: its own, or where the network knows none of these, similar ones.

        Args:
            label: of `_label`.
            narrow: whether its transcriber told allophones apart.
            after: the next phone's label.
        """
        own = LABEL_TO_CLASS[_STRESS.sub("", label)]
        heard = self._any((own,) if narrow else _ALLOPHONES.get(label, own).split())
        if heard:
            return heard
        # A stop that is one class begins with its closure.
        if label in _closing(after):
            return self._any((after,))
        if stops := [stop for stop in "ptkbdg" if label in _closing(stop)]:
            return self._any(stops)
        if own == "dx":
            return self._any(("t", "d"))
        return self._any(c for c in CLASSES if GROUPS[c] == GROUPS[own])

    def _closure(self, label: str) -> tuple[int, ...]:
        if not self._english or not label:
            return ()
        exact = self._exact.get(label)
        return self._any((LABEL_TO_CLASS[label],)) if exact is None else (exact,)

    def _any(self, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted({i for name in names for i in self._english.get(name, ())}))

    def _key(self, name: str) -> str:
        name = _composed(name if self._cased else name.lower())
        return _STRESS.sub("", name)

    def _explained(self, phone: str, where: str) -> str:
        if self._label(phone) or _composed(phone) in map(_composed, self.classes):
            return f"{where}: the network was not trained on the phone {phone!r}."
        similar = nearest(phone, (self.classes[i] for i in self.seen), "phone")
        return f"{where}: the network has no phone {phone!r}. {similar}"


def _closing(stop: str) -> tuple[str, ...]:
    """What the closure of a stop or affricate may be called; empty for other labels."""
    closure = CLOSURES.get(stop)
    return (closure, LABEL_TO_CLASS[closure]) if closure else ()


def _is_silence(name: str) -> bool:
    return not name or name.lower() in _SILENCES


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _indices(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name, index in pairs:
        found[name] = (*found.get(name, ()), index)
    return found
