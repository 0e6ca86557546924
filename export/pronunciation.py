"""Looking up how words are said, inside a graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from zoo.alignment.phonesets import PhoneSet
from zoo.alignment.pronunciations import Dictionary
from zoo.decoding.decoder import Decoder
from zoo.errors import UsageError
from zoo.files import write_text

from .signatures import checked, signature

if TYPE_CHECKING:
    from zoo.runs import Run

PRONOUNCE = "pronounce"
"""The signature that takes words."""

CMUDICT = "cmudict"
"""The name of the CMU Pronouncing Dictionary, where a file's is expected."""

FILE = "pronunciations.tsv"

_APOSTROPHES = "[’‘ʼ]"
_EDGES = r"^[^\p{L}\p{M}\p{N}']+|[^\p{L}\p{M}\p{N}']+$"


class Pronouncer(tf.Module):
    """A table from words to their phones.

    Args:
        path: what `write_pronunciations` wrote; a SavedModel keeps it among its assets.
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


def write_pronunciations(
    path: Path, run: Run, decoder: Decoder, dictionaries: Sequence[str]
) -> None:
    """Write a table of words and the first of their pronunciations that a run's network can say.

    Args:
        path: of the table; lines of a word, a tab and phones with spaces between them.
        run: whose network it is for.
        decoder: of the run.
        dictionaries: files in the order in which they are asked, or `CMUDICT`.

    Raises:
        UsageError: a file is not a dictionary, or the network has the phones of none of its words.
    """
    phones = PhoneSet.trained(run.classes, run.groups, decoder.bigram.follows)
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
    write_text(path, "".join(f"{word}\t{said}\n" for word, said in found.items()))


def _is_known(phones: PhoneSet, phone: str) -> bool:
    try:
        phones.states_of((phone,))
    except UsageError:
        return False
    return True
