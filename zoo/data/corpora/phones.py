"""TIMIT's 61 phone labels, the 48 classes of the networks and the 39 groups that count.

Source: K.-F. Lee and H.-W. Hon, "Speaker-independent phone recognition using hidden Markov
models", IEEE Trans. ASSP 37(11), 1989; the same folding in Riemens (2015), section 2.1.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CLASSES: tuple[str, ...] = tuple(
    "iy ih eh ae ix ax ah uw uh ao aa ey ay oy aw ow er l el r w y m n en ng v f dh th z s zh sh "
    "jh ch b p d dx t g k hh cl vcl epi sil".split()
)
"""The 48 training classes, in the order of every network's output."""

DROPPED = "q"
"""The glottal stop: a TIMIT label that belongs to no class."""

_RENAMED = {
    "ux": "uw",
    "axr": "er",
    "ax-h": "ax",
    "em": "m",
    "nx": "n",
    "eng": "ng",
    "hv": "hh",
    **dict.fromkeys("pcl tcl kcl qcl".split(), "cl"),
    **dict.fromkeys("bcl dcl gcl".split(), "vcl"),
    **dict.fromkeys("h# #h pau".split(), "sil"),
}

# TIMIT knows no "cl", "vcl" or "sil" of its own; labels already folded to 48 are accepted as well.
LABEL_TO_CLASS: dict[str, str] = {**{c: c for c in CLASSES}, **_RENAMED}
"""Every accepted label -> its class; `q` is not in it."""

TIMIT_LABELS: tuple[str, ...] = tuple(
    sorted({*LABEL_TO_CLASS, DROPPED} - {"cl", "vcl", "sil", "qcl", "#h"})
)
"""The 61 labels of TIMIT's .PHN files."""

PAUSES = frozenset(("sp", "<eps>", "<sil>", "<p:>", "<p>", "!sil", "silence", "pause"))
"""Aligners' labels for pauses, which are `pau` or `h#` in TIMIT."""

SPOKEN_NOISE = ("spn", "<unk>", "nsn")
"""Aligners' labels for sounds of unknown phones, which belong to no class."""

_MERGED = ("sil cl vcl epi", "l el", "n en", "sh zh", "aa ao", "ih ix", "ah ax")

GROUPS: dict[str, str] = {c: c for c in CLASSES} | {
    member: names.split()[0] for names in _MERGED for member in names.split()
}
"""Class -> the scored group that it belongs to."""

CLOSURES = {
    "p": "pcl", "t": "tcl", "k": "kcl", "b": "bcl", "d": "dcl", "g": "gcl",
    "ch": "tcl", "jh": "dcl",
}  # fmt: skip
"""Stop or affricate -> the label of its closure."""

GROUP_NAMES: tuple[str, ...] = tuple(c for c in CLASSES if GROUPS[c] == c)
"""The 39 groups, in the order of CLASSES."""


_STRESSED_VOWEL = re.compile("([AEIOU][A-Z])[012]")
_POSITION = re.compile("_[BIES]$")


def without_stress(phone: str) -> str:
    """A vowel of ARPABET without its stress digit; other phones as they are.

    Example:
        >>> without_stress("AH0"), without_stress("T"), without_stress("a1")
        ('AH', 'T', 'a1')
    """
    vowel = _STRESSED_VOWEL.fullmatch(phone)
    return vowel.group(1) if vowel else phone


def as_timit(label: str) -> str | None:
    """TIMIT's spelling of a label that differs in case, stress or position in the word, if any.

    Example:
        >>> as_timit("AH0"), as_timit("HH"), as_timit("ah1_B"), as_timit("sp"), as_timit("x")
        ('ah', 'hh', 'ah', 'sil', None)
    """
    upper = without_stress(_POSITION.sub("", label).upper())
    low = upper.lower()
    if low in LABEL_TO_CLASS or low == DROPPED:
        return low
    return "sil" if low in PAUSES else None


def group_names(
    classes: Sequence[str] = CLASSES, groups: Mapping[str, str] = GROUPS
) -> tuple[str, ...]:
    """The scored groups in the order of `classes`; GROUP_NAMES by default."""
    return tuple(dict.fromkeys(groups[c] for c in classes))


def group_index(classes: Sequence[str] = CLASSES, groups: Mapping[str, str] = GROUPS) -> list[int]:
    """For each class the index of its group in `group_names` of the same arguments."""
    names = group_names(classes, groups)
    return [names.index(groups[c]) for c in classes]


@dataclasses.dataclass(frozen=True)
class AccuracyNames:
    """Names of the accuracies over one set of labels in scores, histories and studies.

    Attributes:
        accuracy: over all examples, counted over the scored groups.
        uniform: the same over as many examples of each class.
        balanced: the mean recall of the groups.
        unfolded: over all examples, counted over the classes; None where every class is scored on
            its own, so that it would be `accuracy` again.
    """

    accuracy: str
    uniform: str
    balanced: str
    unfolded: str | None

    @property
    def text(self) -> str:
        """Description of `accuracy` for people."""
        return "folded accuracy" if self.unfolded else "accuracy"

    @property
    def scored(self) -> str:
        """Name of the units that it is counted over."""
        return "groups" if self.unfolded else "classes"

    def renamed(self, found: Mapping[str, Any], names: AccuracyNames) -> dict[str, Any]:
        """A record whose accuracies are called by these names, under other `names`."""
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(names), strict=True)
        other = {one: two for one, two in pairs if one is not None}
        return {
            other.get(key, key): value
            for key, value in found.items()
            if other.get(key, key) is not None
        }

    def called(self, name: str) -> str:
        """Name here of the number that has `name` for phones; other numbers keep theirs."""
        return next(iter(PHONE_ACCURACIES.renamed({name: None}, self)), name)


PHONE_ACCURACIES = AccuracyNames(
    "accuracy_39", "accuracy_39_uniform", "balanced_accuracy_39", "accuracy_48"
)
"""Names for TIMIT's 48 classes and 39 groups."""

_FOLDED = AccuracyNames(
    "folded_accuracy", "folded_accuracy_uniform", "balanced_folded_accuracy", "accuracy"
)
_PLAIN = AccuracyNames("accuracy", "accuracy_uniform", "balanced_accuracy", None)


def accuracy_names(
    classes: Sequence[str] = CLASSES, groups: Mapping[str, str] = GROUPS
) -> AccuracyNames:
    """Names for a set with these classes, scored in these groups."""
    if len(group_names(classes, groups)) == len(classes):
        return _PLAIN
    return PHONE_ACCURACIES if tuple(classes) == CLASSES and groups == GROUPS else _FOLDED


def recorded_names(keys: Iterable[str]) -> AccuracyNames:
    """Names that fit the accuracies among a record's keys.

    Old records use the names for phones whatever the labels.
    """
    found = set(keys)
    # A folded record has an `accuracy` too, so the plain ones are looked for last.
    return next((n for n in (PHONE_ACCURACIES, _FOLDED) if n.accuracy in found), _PLAIN)
