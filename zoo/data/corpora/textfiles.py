"""Reading text files in the encodings that people and programs use."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from zoo.data.corpora.utterances import Report

MAX_BYTES = 256 * 2**20
"""Largest annotation file that is read."""


def words_of_line(line: str) -> list[str]:
    """Words separated by blanks and tabs; as in Kaldi, other spaces are characters of words."""
    return re.findall(r"[^ \t\v\f]+", line)


def read_text(path: Path, report: Report, empty: bool = False) -> str:
    r"""A text file's content in UTF-8, or UTF-16 with its mark; every line ends in `\n`.

    An unreadable file is reported and counts as empty.

    Args:
        path: path of the file.
        report: takes the problem.
        empty: whether it may hold nothing.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            report(path, None, f"is larger than {MAX_BYTES >> 20} MiB; split it.")
            return ""
        contents = path.read_bytes()
    except OSError as error:
        report(path, None, f"cannot be read: {error.strerror}.")
        return ""
    utf16 = contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = contents.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        report(path, None, "is not text in UTF-8, or UTF-16 with a byte order mark.")
        return ""
    if not empty and not text.strip():
        report(path, None, "is empty.")
    return text.replace("\r\n", "\n").replace("\r", "\n")
