"""Annotation files as other programs write them, and a small corpus of recordings to annotate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import soundfile

from tests.helpers.trees import LABELS, sounds

RATE = 16000
SPEAKERS = ("anna", "ben", "carl", "dora")


def spans_of(rng: np.random.Generator, labels=LABELS, rate=RATE):
    """Samples and (start, end, label) rows in seconds, to the millisecond."""
    rows, parts, start = [], [], 0
    for label in labels:
        milliseconds = int(rng.integers(40, 140))
        parts.append(sounds(label, RATE * milliseconds // 1000, rng)[:: RATE // rate])
        rows.append((start / 1000, (start + milliseconds) / 1000, label))
        start += milliseconds
    return np.concatenate(parts).clip(-1, 1), rows


def make_recordings(root: Path, speakers=SPEAKERS, takes=2, rate=RATE, seed=0):
    """Recordings root/SPEAKER/TAKE.wav; name -> (start, end, label) rows in seconds."""
    rng = np.random.default_rng(seed)
    rows = {}
    for speaker in speakers:
        (root / speaker).mkdir(parents=True, exist_ok=True)
        for take in range(takes):
            samples, found = spans_of(rng, rate=rate)
            name = f"{speaker}/{speaker}{take}"
            soundfile.write(root / f"{name}.wav", samples, rate, subtype="PCM_16")
            rows[name] = found
    return rows


def long_textgrid(tiers, end):
    """Praat's long text format; tiers: name -> rows, their gaps filled with empty intervals."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0 ",
        f"xmax = {end} ",
        "tiers? <exists> ",
        f"size = {len(tiers)} ",
        "item []: ",
    ]
    for number, (name, rows) in enumerate(tiers.items(), 1):
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier" ',
            f'        name = "{_quoted(name)}" ',
            "        xmin = 0 ",
            f"        xmax = {end} ",
            f"        intervals: size = {len(filled(rows, end))} ",
        ]
        for place, (start, stop, label) in enumerate(filled(rows, end), 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start} ",
                f"            xmax = {stop} ",
                f'            text = "{_quoted(label)}" ',
            ]
    return "\n".join(lines) + "\n"


def short_textgrid(tiers, end):
    """Praat's short text format."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end)]
    lines += ["<exists>", str(len(tiers))]
    for name, rows in tiers.items():
        lines += ['"IntervalTier"', f'"{_quoted(name)}"', "0", str(end)]
        lines += [str(len(filled(rows, end)))]
        for start, stop, label in filled(rows, end):
            lines += [str(start), str(stop), f'"{_quoted(label)}"']
    return "\n".join(lines) + "\n"


def _quoted(text):
    return text.replace('"', '""')


def filled(rows, end):
    """`rows` with the gaps between them as empty intervals."""
    found, last = [], 0
    for start, stop, label in rows:
        if start != last:
            found.append((last, start, ""))
        found.append((start, stop, label))
        last = stop
    return found if last == end else [*found, (last, end, "")]


def write_csv(path: Path, records, delimiter=","):
    """A table with the keys of the first record as its columns."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


def write_jsonl(path: Path, records):
    """An object a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def records_of(rows, suffix=".wav", **columns):
    """Records of a table for what `make_recordings` returned."""
    return [
        {"audio": name + suffix, "start": start, "end": end, "label": label, **columns}
        for name, found in rows.items()
        for start, end, label in found
    ]
