"""From espeak-ng's phonemes to TIMIT's labels: a table, and rules that need the signal.

espeak-ng gives the exact sample at which each of its phonemes starts. What TIMIT's transcribers
did beyond that is redone here:

- stops and affricates become a closure and a release. espeak-ng renders a voiceless closure as
  digital silence *before* the phoneme's own start, so the closure starts with the last silent run
  before it; the closure of a voiced one between voiced sounds is the stretch of voicing bar after
  its start, which ends where the high frequencies rise (`_burst`). Where there is neither (after
  a nasal, say), the release stands alone, as TIMIT has it too; after a pause or at the start of
  the utterance the silent closure cannot be told from the pause and belongs to that;
- diphthongs that TIMIT has no label for, and r-coloured vowels other than er, are cut at a fixed
  share of their length, given in the table;
- an r or l with no length to speak of gets the last third of the vowel that it colours;
- unstressed i-like vowels are ix, fronted uw (after y and the tongue-tip consonants) is ux;
- pauses are pau inside an utterance and h# at its edges.

The table is by sound, as TIMIT is: what a West Midlands voice says for "boy" and for "buy" are
both oy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.data.corpora.phones import CLOSURES
from zoo.errors import RunError

ABSENT_LABELS: frozenset[str] = frozenset({"ax-h", "em", "eng", "epi", "hv", "nx"})
"""TIMIT labels that never occur in a synthetic corpus: espeak-ng makes none of these sounds.

Its schwa is never voiceless, its h never voiced; it makes no nasal flap, no syllabic m or ng and
no silence between a fricative and a following sonorant.
"""

ABSENT_CLASSES: frozenset[str] = frozenset({"epi"})
"""Of the 48 classes those that never occur: all of their labels are in ABSENT_LABELS."""

Parts = tuple[tuple[str, float], ...]


def _parts(text: str) -> Parts:
    """'iy:.6 ax:.4' -> (('iy', .6), ('ax', .4))."""
    pairs = [part.partition(":") for part in text.split()]
    return tuple((label, float(share or 1)) for label, _, share in pairs)


_COMMON = {
    "p": "p", "t": "t", "t2": "t", "k": "k", "b": "b", "d": "d", "g": "g", "tS": "ch", "dZ": "jh",
    "t[": "t", "t#": "dx", "?": "q", "f": "f", "T": "th", "s": "s", "S": "sh", "h": "hh",
    "v": "v", "D": "dh", "z": "z", "Z": "zh", "m": "m", "n": "n", "N": "ng", "n-": "en",
    "l": "l", "@L": "el", "r": "r", "r-": "r", "w": "w", "w#": "w", "j": "y",
    "i:": "iy", "i": "iy", "I": "ih", "I2": "ih", "I#": "ix", "eI": "ey", "E": "eh", "a": "ae",
    "aa": "ae", "A:": "aa", "0": "ao", "O:": "ao", "O2": "ao", "oU": "ow", "U": "uh", "u:": "uw",
    "V": "ah", "3:": "er", "3": "ax", "@": "ax", "@2": "ax", "@-": "ax", "a#": "ax",
    "aI": "ay", "aI2": "ay", "aU": "aw", "OI": "oy",
    "aI@": "ay:.65 ax:.35", "aI3": "ay:.65 axr:.35", "A@": "aa", "O@": "ao", "o@": "ao",
    "U@": "uh:.55 ax:.45", "e@": "eh:.6 ax:.4", "i@": "iy:.55 ax:.45", "i@3": "ih:.55 ax:.45",
    "VR": "ah:.6 r:.4", "IR": "er",
    # In words from other languages.
    "x": "k", "l#": "l", "O": "ao", "o": "ow", "i::": "iy", "A~": "aa", "O~": "ao",
}  # fmt: skip

_BY_ACCENT: dict[str, dict[str, str]] = {
    "gmw/en-US": {
        "0": "aa", "3": "axr", "A@": "aa:.6 r:.4", "O@": "ao:.6 r:.4", "o@": "ao:.6 r:.4",
        "U@": "uh:.6 r:.4", "e@": "eh:.6 r:.4", "i@3": "ih:.6 r:.4",
    },
    "gmw/en-US-nyc": {"3:": "ah:.5 ih:.5"},
    "gmw/en-GB-x-rp": {"aa": "aa", "i": "ih", "U@": "ao"},
    "gmw/en-GB-scotland": {"aa": "aa", "i": "ih", "U@": "uh:.6 r:.4", "e@": "eh", "i@3": "ih"},
    "gmw/en-GB-x-gbclan": {"V": "uh"},
    "gmw/en-GB-x-gbcwmd": {"V": "uh", "i:": "ey", "aI": "oy", "e@": "er"},
    "gmw/en-029": {
        "a#": "ah", "aa": "aa", "A@": "aa:.6 ax:.4", "O@": "ao:.6 ax:.4", "o@": "ao:.6 ax:.4",
    },
    "gmw/en": {},
}  # fmt: skip

ACCENTS: tuple[str, ...] = (
    "gmw/en-US", "gmw/en-GB-x-rp", "gmw/en", "gmw/en-GB-scotland", "gmw/en-GB-x-gbclan",
    "gmw/en-GB-x-gbcwmd", "gmw/en-029", "gmw/en-US-nyc",
)  # fmt: skip
"""espeak-ng's English voices: DR1 is the first, DR8 the last."""

PHONEMES: dict[str, dict[str, Parts]] = {
    accent: {name: _parts(text) for name, text in {**_COMMON, **_BY_ACCENT[accent]}.items()}
    for accent in ACCENTS
}
"""Accent -> espeak-ng's mnemonic -> TIMIT labels, each with its share of the phoneme's length."""

_VOICED = {"b", "d", "g", "jh"}
_VOWELS = {
    "iy",
    "ih",
    "eh",
    "ae",
    "ix",
    "ax",
    "ah",
    "uw",
    "ux",
    "uh",
    "ao",
    "aa",
    "ey",
    "ay",
    "oy",
    "aw",
    "ow",
    "er",
    "axr",
}
_FRONTING = {"y", "t", "d", "n", "s", "z", "sh", "zh", "ch", "jh", "th", "dh", "l", "dx"}
_PAUSES = {"_", "_:"}
_GLIDE_ON = ";"
_STRESS = "',"
_UNSTRESSED = "%="

_LIQUID_SHARE = 0.35
"""Share of a vowel that goes to an r or l with no length to speak of (Scottish "beer")."""

_SHORTEST = 44
"""2 ms at espeak-ng's rate: a shorter closure or release is none."""

_FRAME = 55
"""2.5 ms at espeak-ng's rate."""

_BAR_DB = 15
"""A voicing bar's power over that of its differences; bursts have some 10 dB."""

_BRIEF = 330
"""15 ms at espeak-ng's rate: an r or l that short is heard in the vowel before it."""


@dataclass
class Segment:
    """A labelled slice, in samples; `word` counts the utterance's words from 0, -1 is a pause."""

    start: int
    end: int
    label: str
    word: int


@dataclass(frozen=True)
class _Phoneme:
    start: int
    mnemonic: str
    stressed: bool
    word: int


def _phonemes(events: list[list]) -> list[_Phoneme]:
    found, word = [], -1
    for event in events:
        if event[0] == "word":
            word += 1
        else:
            name = event[2].lstrip(_STRESS + _UNSTRESSED)
            found.append(_Phoneme(event[1], name, event[2][:1] in tuple(_STRESS), word))
    return found


def _silence_before(samples: np.ndarray, start: int, end: int) -> int:
    """Where the run of digital silence that ends at `end` begins, not before `start`."""
    sounding = np.flatnonzero(samples[start:end])
    return start + int(sounding[-1]) + 1 if sounding.size else start


def _burst(samples: np.ndarray, start: int, end: int) -> int:
    """Where a voiced stop's voicing bar ends and its burst begins; `start` if it has no bar.

    A bar has little above its fundamental, a burst much: of all ways to cut the slice in two, the
    one that best separates two levels of the differenced signal counts, if the second is 5 dB
    above the first and the first is as dull as a bar. Without such a cut (an unreleased stop) a
    slice that is dull as a whole is cut at two thirds.
    """
    count = (end - start) // _FRAME
    if count < 5:
        return start
    frames = samples[start : start + count * _FRAME].astype(np.float64).reshape(count, _FRAME)
    power = np.mean(frames**2, axis=1) + 1
    slope = np.mean(np.diff(frames, axis=1) ** 2, axis=1) + 1
    # The first frame still belongs to the vowel before; dips between glottal pulses mean nothing.
    level = np.maximum(10 * np.log10(slope[1:]), 25.0)
    cuts = np.arange(2, level.size - 1)
    sums = np.cumsum(level)
    below = sums[cuts - 1] / cuts
    above = (sums[-1] - sums[cuts - 1]) / (level.size - cuts)
    best = int(np.argmax((above - below) * np.sqrt(cuts * (level.size - cuts))))
    cut = int(cuts[best]) + 1

    def dullness(till: int) -> float:
        return 10 * float(np.log10(power[1:till].sum() / slope[1:till].sum()))

    if above[best] - below[best] >= 5 and dullness(cut) >= _BAR_DB:
        return start + cut * _FRAME
    return start + (end - start) * 2 // 3 if dullness(count) >= _BAR_DB + 3 else start


def _vowel(label: str, phoneme: _Phoneme, before: str) -> str:
    if label == "ih" and not phoneme.stressed and phoneme.mnemonic in ("I", "I2"):
        return "ix"
    if label == "uw" and before in _FRONTING:
        return "ux"
    return label


def without_closures(segments: list[Segment]) -> list[Segment]:
    """The same transcription with each stop as one segment, closure and release together.

    Most aligners label stops so. A closure without a release, or of another stop, stays.
    """
    joined: list[Segment] = []
    for segment in segments:
        previous = joined[-1] if joined else None
        if previous and CLOSURES.get(segment.label) == previous.label:
            joined[-1] = Segment(previous.start, segment.end, segment.label, segment.word)
        else:
            joined.append(segment)
    return joined


def spoken_labels(events: list[list], accent: str) -> list[tuple[str, bool]]:
    """The labels of espeak-ng's output without closures and pauses, and whether each is stressed.

    Args:
        events: what `espeak.speak` or `espeak.translate` returned.
        accent: one of ACCENTS.

    Raises:
        RunError: espeak-ng made a phoneme that PHONEMES does not know.
    """
    found: list[tuple[str, bool]] = []
    for phoneme in _phonemes(events):
        if phoneme.mnemonic in _PAUSES or phoneme.mnemonic == _GLIDE_ON:
            continue
        for label, _ in _labels(phoneme, accent):
            before = found[-1][0] if found else ""
            if not before == label == "r":
                found.append((_vowel(label, phoneme, before), phoneme.stressed))
    return found


def _labels(phoneme: _Phoneme, accent: str) -> Parts:
    parts = PHONEMES[accent].get(phoneme.mnemonic)
    if parts is None:
        raise RunError(
            f"espeak-ng made a phoneme without a TIMIT label: {phoneme.mnemonic!r} in {accent}"
        )
    return parts


def transcribe(samples: np.ndarray, events: list[list], accent: str) -> list[Segment]:
    """The labelled segments of one utterance as espeak-ng said it: contiguous, h# to h#.

    Args:
        samples: int16 at espeak-ng's own rate, with nothing added.
        events: what `espeak.speak` returned with them.
        accent: one of ACCENTS.

    Raises:
        RunError: espeak-ng made a phoneme that PHONEMES does not know.
    """
    phonemes = _phonemes(events)
    ends = [p.start for p in phonemes[1:]] + [len(samples)]
    segments: list[Segment] = []
    if phonemes and phonemes[0].start > 0:
        segments.append(Segment(0, phonemes[0].start, "pau", -1))
    for phoneme, end in zip(phonemes, ends, strict=True):
        name, start, word = phoneme.mnemonic, phoneme.start, phoneme.word
        if name in _PAUSES:
            segments.append(Segment(start, end, "pau", -1))
            continue
        previous = segments[-1] if segments else None
        if name == _GLIDE_ON:
            if previous:
                previous.end = end
            continue
        parts = _labels(phoneme, accent)
        first = parts[0][0]
        # What follows the last sound is the next stop's closure.
        heard = _silence_before(samples, start, end) - start
        if first in ("r", "l") and heard < _BRIEF and previous and previous.label in _VOWELS:
            start = previous.end - round((previous.end - previous.start) * _LIQUID_SHARE)
            previous.end = start
        if end <= start:
            continue
        if first in CLOSURES:
            _stop(segments, samples, start, end, first, word)
            continue
        if previous and previous.label == first == "r":
            previous.end = end
            continue
        if first == "q" and previous:
            start = previous.end = _silence_before(samples, previous.start + _SHORTEST, start)
        position, before = float(start), previous.label if previous else ""
        for label, share in parts:
            till = position + share * (heard or end - start)
            segments.append(
                Segment(round(position), round(till), _vowel(label, phoneme, before), word)
            )
            position = till
        segments[-1].end = end
    return _edges(segments, len(samples))


def _stop(
    segments: list[Segment], samples: np.ndarray, start: int, end: int, label: str, word: int
) -> None:
    closed, connected = start, bool(segments) and segments[-1].label != "pau"
    if connected:
        silent = _silence_before(samples, segments[-1].start + _SHORTEST, start)
        if start - silent >= _SHORTEST:
            closed = segments[-1].end = silent
    # Only after sound does espeak-ng voice a closure; the silence at the end is the next stop's.
    released = start
    if label in _VOICED and connected and closed == start:
        released = _burst(samples, start, _silence_before(samples, start, end))
    if released - closed >= _SHORTEST:
        segments.append(Segment(closed, released, CLOSURES[label], word))
    else:
        released = closed
    segments.append(Segment(released, end, label, word))


def _edges(segments: list[Segment], length: int) -> list[Segment]:
    """Join neighbouring pauses, drop empty slices and call the outer pauses h#."""
    joined: list[Segment] = []
    for segment in segments:
        if segment.end <= segment.start:
            continue
        if joined and joined[-1].label == segment.label == "pau":
            joined[-1].end = segment.end
        else:
            joined.append(segment)
    if not joined or joined[0].label != "pau":
        joined.insert(0, Segment(0, 0, "pau", -1))
    if joined[-1].label != "pau":
        joined.append(Segment(length, length, "pau", -1))
    joined[0].label = joined[-1].label = "h#"
    return joined
