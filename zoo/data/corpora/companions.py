"""The annotation of one recording, in any of the formats that corpora have."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from zoo.data.corpora.annotated import called_like
from zoo.data.corpora.audio import LONGEST_SECONDS
from zoo.data.corpora.intervals import in_order, to_segments
from zoo.data.corpora.tables import Row, read_ctm, read_table
from zoo.data.corpora.textgrid import read_textgrid
from zoo.data.corpora.timit import read_phn
from zoo.data.corpora.utterances import Segment, refuse

_TABLES = (".csv", ".tsv", ".jsonl")


def read_annotation(
    path: str | Path,
    audio: str | Path,
    rate: int,
    samples: int,
    *,
    tier: str | None = None,
    phones: Collection[str] | None = None,
) -> list[Segment]:
    """Read the labelled segments of one recording.

    Args:
        path: a TextGrid, a CTM file or a table, which may know of other recordings too, or else a
            .PHN file.
        audio: the recording; a CTM file or a table knows it by its name.
        rate: sample rate of the recording, in Hz.
        samples: its length.
        tier: tier of a TextGrid; None: as `read_textgrid` chooses it.
        phones: the labels that a .PHN file may have; None: any.

    Raises:
        UsageError: with file and line, something is wrong with it, or it has no segment of `audio`.
    """
    path, audio = Path(path), Path(audio)
    suffix = path.suffix.lower()
    if tier is not None and suffix != ".textgrid":
        refuse(path, None, "is not a TextGrid, and has no tiers to choose from.")
    if suffix == ".textgrid":
        spans = read_textgrid(path, tier, limit=LONGEST_SECONDS)
    elif suffix == ".ctm" or suffix in _TABLES:
        ctm = suffix == ".ctm"
        rows = (read_ctm if ctm else read_table)(path, limit=LONGEST_SECONDS)
        own = [row for row in rows if _is_of(row, path, audio, ctm)]
        if rows and not own:
            refuse(path, None, f"has no segment of {audio.name}; it names {rows[0].audio}.")
        spans = in_order(path, [row.span for row in own], refuse)
    else:
        return read_phn(path, samples, labels=phones)
    segments = to_segments(path, spans, rate, samples, refuse)
    if not segments:
        refuse(path, None, "holds no segments.")
    return segments


def _is_of(row: Row, path: Path, audio: Path, ctm: bool) -> bool:
    if ctm:
        return bool(called_like([audio.absolute()])(row.audio))
    named = path.parent / row.audio
    # Somebody may have moved either; the name alone still tells which one is meant.
    return os.path.abspath(named) == os.path.abspath(audio) or (
        not os.path.exists(named) and named.name == audio.name
    )
