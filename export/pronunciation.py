"""Looking up pronunciations inside a graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from zoo.alignment.phonesets import PhoneSet
from zoo.alignment.pronunciations import Dictionary
from zoo.errors import UsageError

from .exportable import decoder_of
from .signatures import checked, signature

if TYPE_CHECKING:
    from zoo.runs import Run

PRONOUNCE = "pronounce"
"""The signature that takes words."""

CMUDICT = "cmudict"
"""Name of the CMU Pronouncing Dictionary, in place of a file's."""

FILE = "pronunciations.tsv"

_APOSTROPHES = "[’‘ʼ]"
_EDGES = r"^[^\p{L}\p{M}\p{N}']+|[^\p{L}\p{M}\p{N}']+$"


class Pronouncer(tf.Module):
    """A table from words to their phones.

    Args:
        path: a file of what `pronunciations_of` gives; a SavedModel keeps it among its assets.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(name="pronouncer")
        columns = tf.lookup.TextFileInitializer(
            str(path), tf.string, 0, tf.string, 1, delimiter="\t"
        )
        self.table = tf.lookup.StaticHashTable(columns, "")

    def signatures(self) -> dict[str, Any]:
        """`pronounce`: words (N,) -> `phones` (N,), those of a word with spaces between them.

        Case and punctuation around a word do not matter; an unknown one has no phones, "".
        """

        def of_words(words):
            low = tf.strings.lower(checked(words, "words"), "utf-8")
            low = tf.strings.regex_replace(low, _APOSTROPHES, "'")
            low = tf.strings.regex_replace(low, _EDGES, "")
            found = self.table.lookup(low)
            unquoted = tf.strings.regex_replace(low, "^'+|'+$", "")
            return {"phones": tf.where(found == "", self.table.lookup(unquoted), found)}

        return {PRONOUNCE: signature(of_words, tf.TensorSpec([None], tf.string, "words"))}


def pronunciations_of(run: Run, dictionaries: Sequence[str]) -> str:
    """Words and the first of their pronunciations that a run's network can say.

    Args:
        run: whose network it is for.
        dictionaries: files in the order in which they are asked, or `CMUDICT`.

    Returns:
        The contents of a table: lines of a word, a tab and phones with spaces between them.

    Raises:
        UsageError: the network does not transcribe, a file is not a dictionary, or the network has
            none of its phones.
    """
    if not run.transcribes:
        raise UsageError(
            f"a dictionary requires a network that transcribes; that of {run.path} does not."
        )
    follows = decoder_of(run).bigram.follows
    phones = PhoneSet.trained(run.classes, run.groups, follows)
    known: dict[str, bool] = {}
    found: dict[str, str] = {}
    for name in dictionaries:
        dictionary = Dictionary.cmu() if name == CMUDICT else Dictionary.read(name)
        every = {p for said in dictionary.entries.values() for one in said for p in one}
        known |= {phone: _is_known(phones, phone) for phone in every - known.keys()}
        if not any(map(known.get, every)):
            raise UsageError(
                f"{name} is in other phones ({', '.join(sorted(every)[:5])}, ...) than those of "
                f"{run.path}."
            )
        for word, pronunciations in dictionary.entries.items():
            said = next((p for p in pronunciations if all(map(known.get, p))), None)
            if said is not None:
                found.setdefault(word.lower(), " ".join(said))
    return "".join(f"{word}\t{said}\n" for word, said in found.items())


def _is_known(phones: PhoneSet, phone: str) -> bool:
    try:
        phones.states_of((phone,))
    except UsageError:
        return False
    return True
