"""From a corpus' labels to classes and scored groups."""

from __future__ import annotations

import dataclasses
import functools
import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from zoo.data.corpora.intervals import is_name
from zoo.data.corpora.phones import CLASSES, DROPPED, GROUPS, LABEL_TO_CLASS, as_timit
from zoo.data.corpora.textfiles import read_text
from zoo.data.corpora.utterances import refuse
from zoo.errors import UsageError

_NEEDED = {
    "train": "no training example, so that it is never learnt, of",
    "test": "no test example, so that no score covers it, of",
}
"""Split -> what is said of classes that it has no example of."""

_LISTED = 10
"""Classes that a note lists."""


@dataclasses.dataclass(frozen=True)
class Labelling:
    """What a corpus' labels stand for.

    Attributes:
        mapping: label -> class; None for labels that belong to no class and are left out.
        classes: in the order of a network's outputs.
        groups: class -> scored group.
    """

    mapping: Mapping[str, str | None]
    classes: tuple[str, ...]
    groups: Mapping[str, str]

    @classmethod
    def of(cls, mapping: Mapping[str, str | None]) -> Labelling:
        """Sorted targets of `mapping` as classes, each scored on its own."""
        classes = tuple(sorted({c for c in mapping.values() if c is not None}))
        return cls(dict(mapping), classes, {c: c for c in classes})

    def known(self, label: str) -> str | None:
        """The label of the mapping that `label` is, however its accents are composed; or None.

        Of TIMIT's labels, in whatever case and with whatever stress.
        """
        if label in self.mapping:
            return label
        alike = self._composed.get(unicodedata.normalize("NFC", label))
        return as_timit(label) if alike is None and self is TIMIT else alike

    @functools.cached_property
    def _composed(self) -> dict[str, str]:
        """Labels by their composed form."""
        return {unicodedata.normalize("NFC", label): label for label in sorted(self.mapping)}

    @classmethod
    def own(cls, labels: Iterable[str]) -> Labelling:
        """A class of every label; of labels that differ in composition alone, of the composed."""
        found = set(labels)
        composed = {label: unicodedata.normalize("NFC", label) for label in found}
        return cls.of({x: x for x in found if x == composed[x] or composed[x] not in found})

    def with_classes(self, classes: Iterable[str], groups: Mapping[str, str]) -> Labelling:
        """The same labels for a network that has other `classes` too.

        Raises:
            UsageError: a label's class is not among them.
        """
        classes = tuple(classes)
        foreign = sorted(set(self.classes) - set(classes))
        if foreign:
            raise UsageError(
                f"the corpus has the class {foreign[0]!r}, which the network to be like has not; "
                f"map its labels (--mapping) to {', '.join(classes[:60])}."
            )
        return Labelling(self.mapping, classes, dict(groups))


def groups_of(classes: Iterable[str]) -> dict[str, str]:
    """Class -> the group that it is scored as: the 39 of the 48 phones, others on their own."""
    names = tuple(classes)
    return dict(GROUPS) if names == CLASSES else {name: name for name in names}


def missing_classes(per_class: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A clause for all classes that lack examples where some are needed; each is named once.

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


TIMIT = Labelling({**LABEL_TO_CLASS, DROPPED: None}, CLASSES, GROUPS)
"""TIMIT's 61 labels, the 48 classes of Lee & Hon (1989) and their 39 groups."""


def read_mapping(source: str | Path) -> Labelling:
    """Read which class each label belongs to.

    Args:
        source: a file of lines `label<TAB>class`, or of one JSON object (`.json`); a label
            without a class (nothing after the tab, null) is left out of the corpus. Or
            `"timit"`: TIMIT's 61 labels, with its 48 classes and 39 groups.

    Raises:
        UsageError: no such file, a line that is none, or two classes for one label.
    """
    if str(source) == "timit":
        return TIMIT
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
            refuse(path, place, f"{label[:60]!r} to {to!r} is no label and class.")
        if mapping.setdefault(label, to) != to:
            refuse(path, place, f"{label!r} belongs to {mapping[label]!r} already.")
    if not any(mapping.values()):
        refuse(path, None, "names no class; lines of `label<TAB>class` were expected.")
    return Labelling.of(mapping)


def _json_pairs(path: Path, text: str) -> list[tuple[int | None, str, str | None]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(found, dict) or not all(
        isinstance(value, str | None) for value in found.values()
    ):
        refuse(path, None, 'is no mapping; one JSON object {"label": "class"} was expected.')
    return [(None, label.strip(), (value or "").strip() or None) for label, value in found.items()]
