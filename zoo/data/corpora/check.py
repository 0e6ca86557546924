"""Counting the contents of a corpus and finding every problem."""

from __future__ import annotations

import collections
import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zoo.data.corpora.audio import read_audio
from zoo.data.corpora.corpus import Corpus
from zoo.data.corpora.labels import missing_classes
from zoo.data.corpora.timit import Corpus as TimitCorpus
from zoo.data.corpora.utterances import SPLITS, Findings, Problem, Report, Segment, Utterance
from zoo.errors import FileWarning, UsageError
from zoo.progress import progress_bar


def check_corpus(open_with: Callable[[Report], Corpus], progress: bool = False) -> dict[str, Any]:
    """Read every recording and every label of a corpus.

    Args:
        open_with: opens the corpus with the given report, as `zoo.data.open_corpus` does.
        progress: show a progress bar on stderr.

    Returns:
        `kind`, `root`, `sample_rate`, `seconds` (labelled), `splits` (speakers, utterances,
        segments, seconds, and of TIMIT how many are SA sentences, which experiments leave out),
        `labels` and `classes` (segments by split, total, mean, shortest, longest and 95th
        "classes": counts,
        "remarks": [*corpus.findings.remarks(), *doubts.said],
        "notes": missing_classes(per_class),

    Raises:
        UsageError: there is nothing to check.
    """
    problems: list[Problem] = []

    def note(file, line, text) -> None:
        problems.append(Problem(file, line, text))

    doubts = _Doubts()
    with doubts.caught():
        corpus = open_with(note)
    utterances = (
        corpus.utterances(sa=True) if isinstance(corpus, TimitCorpus) else corpus.utterances()
    )
    for path in corpus.unlabelled():
        corpus.findings(path, None, "has no labels.")
    _check_speakers(corpus, utterances, note)
    splits: dict[str, dict[str, Any]] = {
        name: {"speakers": len({u.speaker for u in part}), "utterances": len(part)}
        for name in SPLITS
        if (part := [u for u in utterances if u.split == name])
    }
    durations: dict[str, dict[str, list[float]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    with doubts.caught():
        rate_of_corpus = corpus.sample_rate
    with (
        progress_bar(len(utterances), "utterance", shown=progress) as bar,
        doubts.caught(),
    ):
        for utterance in utterances:
            segments, rate = _check_recording(utterance, rate_of_corpus, corpus.findings)
            for start, end, label in segments:
                durations[label][utterance.split].append((end - start) / rate)
            bar.update()
    for name, split in splits.items():
        of_split = [d for by_split in durations.values() for d in by_split[name]]
        split["segments"], split["seconds"] = len(of_split), sum(of_split)
        if isinstance(corpus, TimitCorpus):
            split["sa_utterances"] = split["utterances"] - len(corpus.utterances(name))
    classes: dict[str, dict[str, list[float]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    mapping, names = corpus.labelling.mapping, corpus.labelling.classes
    for label, by_split in durations.items():
        for name, found in by_split.items():
            classes[mapping[label] or ""][name] += found
    counts = {c: _counts(classes[c]) for c in names}
    per_class = {s: {c: counts[c]["segments"][s] for c in names} for s in splits}
    return {
        "kind": corpus.kind,
        "root": str(corpus.root),
        "sample_rate": corpus.sample_rate,
        "seconds": sum(split["seconds"] for split in splits.values()),
        "splits": splits,
        "labels": {x: {"class": mapping[x], **_counts(durations[x])} for x in sorted(durations)},
        "classes": counts,
        "remarks": [*corpus.findings.remarks(), *doubts.said],
        "notes": missing_classes(per_class),
        "problems": [{"file": str(p.file), "line": p.line, "problem": p.text} for p in problems],
    }


class _Doubts:
    """What is said of files that are read although something about them is doubtful."""

    def __init__(self) -> None:
        self.said: dict[str, None] = {}

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FileWarning)
            yield
        for warning in caught:
            if issubclass(warning.category, FileWarning):
                self.said[str(warning.message)] = None
            else:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )


def _counts(by_split: dict[str, list[float]]) -> dict[str, Any]:
    found = np.array([d for part in by_split.values() for d in part])
    return {
        "segments": {name: len(by_split.get(name, ())) for name in SPLITS},
        "seconds": float(found.sum()),
        "mean_seconds": float(found.mean()) if len(found) else 0.0,
        "min_seconds": float(found.min()) if len(found) else 0.0,
        "max_seconds": float(found.max()) if len(found) else 0.0,
        "p95_seconds": float(np.percentile(found, 95)) if len(found) else 0.0,
    }


def _check_speakers(corpus: Corpus, utterances, note: Report) -> None:
    splits = collections.defaultdict(set)
    for utterance in utterances:
        splits[utterance.speaker].add(utterance.split)
    for speaker, found in sorted(splits.items()):
        if len(found) > 1:
            sides = " and ".join(s for s in SPLITS if s in found)
            note(
                corpus.root,
                None,
                f"has the speaker {speaker!r} in {sides}; a speaker belongs to one of them.",
            )


def _check_recording(
    utterance: Utterance, rate: int, findings: Findings
) -> tuple[list[Segment], int]:
    """Usable segments and the recording's rate."""
    try:
        samples, found = read_audio(utterance.audio)
        if samples.ndim != 1:
            findings(
                utterance.audio,
                None,
                f"has {samples.shape[1]} channels; a mono recording was expected.",
            )
            if findings.skip:
                return [], rate
        if found != rate:
            # Not left out as unusable: it is not, if it is converted.
            text = f"is sampled at {found} Hz, the corpus at {rate} Hz."
            findings.strict(utterance.audio, None, text)
        return utterance.segments(len(samples), findings), found
    except UsageError as error:
        findings.unreadable(utterance.audio, error)
    # What is wrong with the labels is told all the same, where it can be without the recording.
    with contextlib.suppress(UsageError):
        utterance.segments(None, findings)
    return [], rate
