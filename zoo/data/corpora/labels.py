"""From a corpus' labels to classes and scored groups."""

from __future__ import annotations

import dataclasses
import functools
import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.corpora.intervals import is_name
from zoo.data.corpora.phones import (
    CLASSES,
    CLOSURES,
    DROPPED,
    GROUPS,
    LABEL_TO_CLASS,
    as_timit,
)
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import Segment, refuse
from zoo.errors import UsageError

_NEEDED = {
    "train": "no training example (so never learnt) of",
    "test": "no test example (so in no score) of",
}
"""Split -> what is said of classes that it has no example of."""

_LISTED = 10
"""Classes that a note lists."""


@dataclasses.dataclass(frozen=True)
class Labelling:
    """Meaning of a corpus' labels.

    Attributes:
        mapping: label -> class; None for labels that belong to no class and are left out.
        classes: in the order of a network's outputs.
        groups: class -> scored group.
        joins: label -> labels whose segment, where it ends as that of this label begins, becomes
            part of it.
        name: name of a known set of labels, as `read_mapping` takes it.
    """

    mapping: Mapping[str, str | None]
    classes: tuple[str, ...]
    groups: Mapping[str, str]
    joins: Mapping[str, Collection[str]] = dataclasses.field(default_factory=dict)
    name: str | None = dataclasses.field(default=None, compare=False)

    @classmethod
    def of(cls, mapping: Mapping[str, str | None]) -> Labelling:
        """Labelling with the sorted targets of `mapping` as classes, each scored on its own."""
        classes = tuple(sorted({c for c in mapping.values() if c is not None}))
        return cls(dict(mapping), classes, {c: c for c in classes})

    def known(self, label: str) -> str | None:
        """The label of the mapping that equals `label`, however its accents are composed; or None.

        For TIMIT's labels, case and stress are ignored.
        """
        if label in self.mapping:
            return label
        alike = self._composed.get(unicodedata.normalize("NFC", label))
        return as_timit(label) if alike is None and self.of_timit else alike

    @property
    def of_timit(self) -> bool:
        """Whether the labels are TIMIT's."""
        return self.name is not None

    def joined(self, segments: Sequence[Segment]) -> list[Segment]:
        """Segments in order, neighbours that `joins` names as one with the label of the second."""
        found: list[Segment] = []
        for segment in segments:
            before = found[-1] if found else None
            if (
                before is not None
                and before.label in self.joins.get(segment.label, ())
                and before.end == segment.start
            ):
                found[-1] = segment._replace(start=before.start)
            else:
                found.append(segment)
        return found

    @functools.cached_property
    def _composed(self) -> dict[str, str]:
        """Labels by their composed form."""
        return {unicodedata.normalize("NFC", label): label for label in sorted(self.mapping)}

    @classmethod
    def own(cls, labels: Iterable[str]) -> Labelling:
        """Labelling with a class for every label; labels that differ only in composed accents share
        one."""
        found = set(labels)
        composed = {label: unicodedata.normalize("NFC", label) for label in found}
        return cls.of({x: x for x in found if x == composed[x] or composed[x] not in found})

    def with_classes(self, classes: Iterable[str], groups: Mapping[str, str]) -> Labelling:
        """The same labelling for a network that has further `classes`.

        Raises:
            UsageError: a label's class is not among them.
        """
        classes = tuple(classes)
        foreign = sorted(set(self.classes) - set(classes))
        if foreign:
            raise UsageError(
                f"the corpus has the class {foreign[0]!r}, which the --like run does not "
                f"have; map its labels (--mapping) to {', '.join(classes[:60])}."
            )
        return dataclasses.replace(self, classes=classes, groups=dict(groups))


def groups_of(classes: Iterable[str]) -> dict[str, str]:
    """Class -> the group that it is scored as: the 39 of the 48 phones, others on their own."""
    names = tuple(classes)
    return dict(GROUPS) if names == CLASSES else {name: name for name in names}


def missing_classes(per_class: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Clauses that name the classes without necessary examples, each once.

    Args:
        per_class: `"train"` and `"test"`, where there are such splits -> class -> examples.
    """
    splits = [split for split in _NEEDED if split in per_class]
    without = {split: {c for c, n in per_class[split].items() if not n} for split in splits}
    anywhere = set.intersection(*without.values()) if splits else set()
    clauses = [("no example of", anywhere)]
    clauses += [(_NEEDED[split], without[split] - anywhere) for split in splits]
    return [f"{text} {_listed(per_class[splits[0]], names)}" for text, names in clauses if names]


def _listed(classes: Iterable[str], names: Collection[str]) -> str:
    """Names in the order of the classes."""
    ordered = [name for name in classes if name in names]
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return ", ".join(ordered[:_LISTED]) + more


TIMIT = Labelling({**LABEL_TO_CLASS, DROPPED: None}, CLASSES, GROUPS, name="timit")
"""TIMIT's 61 labels, the 48 classes of Lee & Hon (1989) and their 39 groups."""

_FOLDED = {stop: "vcl" if stop in ("b", "d", "g", "jh") else "cl" for stop in CLOSURES}
"""Stop or affricate -> the class of its closure, as which some corpora label it."""

MERGED = Labelling(
    {
        **TIMIT.mapping,
        **{CLOSURES[stop]: stop for stop in "ptkbdg"},
        **dict.fromkeys(("cl", "vcl", "qcl")),
    },
    CLASSES,
    GROUPS,
    joins={stop: (CLOSURES[stop], _FOLDED[stop]) for stop in CLOSURES},
    name="merged",
)
"""TIMIT's labels with stops whole, as dictionaries and most aligners have them.

A closure and the release after it are one segment with the release's label. A closure on its own is
its stop, unreleased; of no class where its label does not say whose closure it is. The classes stay
the 48, of which `cl` and `vcl` then have no example.
"""

_NAMED = {"timit": TIMIT, "merged": MERGED}


def label_set(record: Mapping[str, Any]) -> str:
    """`"timit"`, `"merged"`, or `"own"` for a corpus' own labels, by a manifest.

    Manifests of earlier versions do not name it.
    """
    own = tuple(record.get("classes", CLASSES)) != CLASSES
    return record.get("label_set", "own" if own else "timit")


def read_mapping(source: str | Path) -> Labelling:
    """Read the class of each label.

    Args:
        source: a file of lines `label<TAB>class`, or of one JSON object (`.json`); a label
            without a class (nothing after the tab, null) is left out of the corpus. Or
            `"timit"`: TIMIT's 61 labels, with its 48 classes and 39 groups; or `"merged"`: the
            same with every closure and the release after it as one segment, see `MERGED`.

    Raises:
        UsageError: there is no such file, a line is invalid, or a label has two classes.
    """
    if str(source) in _NAMED:
        return _NAMED[str(source)]
    path = Path(source)
    text = read_text(path, refuse)
    pairs: list[tuple[int | None, str, str | None]] = []
    if path.suffix.lower() == ".json":
        pairs = _json_pairs(path, text)
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                label, tab, target = line.partition("\t")
                if not tab or "\t" in target:
                    refuse(path, number, f"expected `label<TAB>class`, found {line[:60]!r}.")
                pairs.append((number, label.strip(), target.strip() or None))
    mapping: dict[str, str | None] = {}
    for place, label, to in pairs:
        if not is_name(label) or not (to is None or is_name(to)):
            refuse(path, place, f"{label[:60]!r} to {to!r} are not a label and a class.")
        if mapping.setdefault(label, to) != to:
            refuse(path, place, f"{label!r} already belongs to {mapping[label]!r}.")
    if not any(mapping.values()):
        refuse(path, None, "assigns no class; lines of `label<TAB>class` were expected.")
    return Labelling.of(mapping)


def _json_pairs(path: Path, text: str) -> list[tuple[int | None, str, str | None]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(found, dict) or not all(
        isinstance(value, str | None) for value in found.values()
    ):
        refuse(path, None, 'is not a mapping; one JSON object {"label": "class"} was expected.')
    return [(None, label.strip(), (value or "").strip() or None) for label, value in found.items()]
