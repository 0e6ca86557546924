"""TIMIT's 61 phone labels, the 48 classes of the networks and the 39 groups that count.

Source: K.-F. Lee and H.-W. Hon, "Speaker-independent phone recognition using hidden Markov
models", IEEE Trans. ASSP 37(11), 1989; the same folding in Riemens (2015), section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

_MERGED = ("sil cl vcl epi", "l el", "n en", "sh zh", "aa ao", "ih ix", "ah ax")

GROUPS: dict[str, str] = {c: c for c in CLASSES} | {
    member: names.split()[0] for names in _MERGED for member in names.split()
}
"""Class -> the scored group that it belongs to."""

GROUP_NAMES: tuple[str, ...] = tuple(c for c in CLASSES if GROUPS[c] == c)
"""The 39 groups, in the order of CLASSES."""


def group_names(
    classes: Sequence[str] = CLASSES, groups: Mapping[str, str] = GROUPS
) -> tuple[str, ...]:
    """The scored groups in the order of `classes`; GROUP_NAMES by default."""
    return tuple(dict.fromkeys(groups[c] for c in classes))


def group_index(classes: Sequence[str] = CLASSES, groups: Mapping[str, str] = GROUPS) -> list[int]:
    """For each class the index of its group in `group_names` of the same arguments."""
    names = group_names(classes, groups)
    return [names.index(groups[c]) for c in classes]
