"""The recognizer that heard people: corpora in TIMIT's layout, brought to one set of labels.

Labels of people's speech were made by a machine and have stops whole, those of synthetic speech
tell closures from releases. A network that knows synthetic speech alone first divides the stops;
one that learns from both then aligns the transcripts anew, at times that suit how each corpus
sounds, and learns from that for some epochs more.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NETWORK = "tdnn"
FIRST_EPOCHS = 8
EPOCHS = 18
LAST_EPOCHS = 6
LAST_SHARE = 0.25
"""Of the learning rate, on alignments, from the weights that aligned."""

AUGMENT = "mask,pitch=0.08"

TEST_SPEAKERS = 8
"""Of each corpus of people; nothing is learnt from them."""

DEV_SPEAKERS = 4
"""Of each corpus of people; the decoder's settings are chosen on them."""

SAME_PERSON = {"mdcs2": "mdcs"}
"""Speakers of AN4 that may be one man."""


class Learnt(NamedTuple):
    """The recognizer, and what it and others can learn from.

    Attributes:
        run: its folder.
        before: that of the recognizer that aligned the transcripts.
        judges: name of each corpus -> prepared set of speakers that neither heard.
        synthetic: utterances whose stops are closure and release.
        people: utterances with the labels that they came with, stops whole.
        aligned: the same with labels by alignment, closure and release.
    """

    run: Path
    before: Path
    judges: dict[str, Any]
    synthetic: list[Any]
    people: dict[str, list[Any]]
    aligned: list[Any]


def train(synthetic: Path, people: Mapping[str, Path], work: Path, seed: int) -> Learnt:
    """Train on all speakers but those that are left out.

    Args:
        synthetic: corpus with exact labels.
        people: name -> corpus in TIMIT's layout, with `.TXT` beside each recording.
        work: folder of sets and runs.
        seed: of speakers and trainings.
    """
    from zoo.alignment.labelled import align_all, as_utterance
    from zoo.alignment.recordings import How
    from zoo.data import open_corpus
    from zoo.data.corpora.transcripts import transcribed_recordings

    own = list(_utterances("synthetic", open_corpus(synthetic), {}))
    first = _learn([u for u in own if u.split == "train"], work / "synthetic", seed, FIRST_EPOCHS)
    labelled = {
        name: list(_utterances(name, corpus, _roles(corpus, seed)))
        for name, corpus in ((name, open_corpus(path)) for name, path in people.items())
    }
    judges = {
        name: prepared(
            [u for u in found if u.split == "test"],
            work / f"test-{name}",
            examples="frames",
            like=first,
        )
        for name, found in {"synthetic": own, **labelled}.items()
    }
    divided = [_divided(u, first) for found in labelled.values() for u in found]
    second = _learn([*own, *divided], work / "divided", seed, EPOCHS)
    realigned = []
    for name, path in people.items():
        splits = {u.name: u.split for u in labelled[name]}
        recordings = [r._replace(name=f"{name}/{r.name}") for r in transcribed_recordings(path)]
        how = How(model=second, classes=True)
        found = align_all(recordings, how, work / f"aligned-{name}", 2, print)
        recordings = [r for r in recordings if r.name in found]
        times = _refined(recordings, found, second, work / f"refined-{name}")
        realigned += [as_utterance(r, times[r.name], splits[r.name]) for r in recordings]
    third = _learn([*own, *realigned], work / "refined", seed, LAST_EPOCHS, second)
    return Learnt(third, second, judges, own, labelled, realigned)


def _refined(recordings: Sequence[Any], found: Mapping[str, Any], run: Path, out: Path) -> Any:
    """The same classes at times that suit how these recordings sound; name -> transcript."""
    import zoo
    from zoo.alignment.aligner import CLASSES
    from zoo.alignment.refinement import refined
    from zoo.decoding import Transcript
    from zoo.files import make_folder

    said = {
        r.name: {"phones": [label for _, _, label, _ in found[r.name].tiers[CLASSES]]}
        for r in recordings
    }
    files = {r.name: make_folder(out) / f"{r.name.replace('/', '-')}.json" for r in recordings}
    if not all(file.is_file() for file in files.values()):
        aligner = refined(
            zoo.load_aligner(run), [(r.audio, said[r.name]) for r in recordings], print
        )
        for r in recordings:
            aligner.align_file(r.audio, **said[r.name]).save(files[r.name])
    return {name: Transcript.load(file) for name, file in files.items()}


def _roles(corpus: Any, seed: int) -> dict[str, str]:
    """Speaker -> split, of those that are not learnt from."""
    code = {u.speaker: _person(u.speaker) for u in corpus.utterances()}
    people = np.random.default_rng(seed).permutation(sorted(set(code.values()))).tolist()
    role = dict.fromkeys(people[:TEST_SPEAKERS], "test")
    role |= dict.fromkeys(people[TEST_SPEAKERS : TEST_SPEAKERS + DEV_SPEAKERS], "dev")
    return {speaker: role[person] for speaker, person in code.items() if person in role}


def _person(speaker: str) -> str:
    found = (one for other, one in SAME_PERSON.items() if speaker.lower()[1:].startswith(other))
    return next(found, speaker)


def _utterances(name: str, corpus: Any, roles: Mapping[str, str]) -> Iterator[Any]:
    """The utterances of a corpus with their labels, under names that no other corpus has."""
    from zoo.data.corpora.annotated import Annotated
    from zoo.data.corpora.audio import audio_size
    from zoo.data.corpora.intervals import Span

    for utterance in corpus.utterances():
        rate = audio_size(utterance.audio)[1]
        spans = tuple(
            Span(number, Decimal(s.start) / rate, Decimal(s.end) / rate, s.label)
            for number, s in enumerate(utterance.segments(), 1)
        )
        split = roles.get(utterance.speaker, "train") if roles else utterance.split
        yield Annotated(
            f"{name}/{utterance.name}",
            utterance.audio,
            f"{name}-{utterance.speaker}",
            split,
            utterance.phn,
            spans,
        )


def prepared(utterances: Sequence[Any], out: Path, **options: Any) -> Any:
    """A prepared set of utterances of any corpora; `options` are those of `zoo.data.prepare`."""
    from zoo.data import prepare
    from zoo.data.corpora.annotated import OwnCorpus
    from zoo.data.corpora.labels import TIMIT

    corpus = OwnCorpus("textgrid", Path("people"), utterances, TIMIT)
    return prepare(corpus, out, progress=True, **options)


def _learn(
    utterances: Sequence[Any], folder: Path, seed: int, epochs: int, start: Path | None = None
) -> Path:
    """A run folder, from random weights or those of `start`; parts for testing are left out."""
    from zoo.registry import describe
    from zoo.training.classifier import train_classifier
    from zoo.training.settings import Settings

    learnt = [u for u in utterances if u.split != "test"]
    set_ = prepared(learnt, folder / "set", examples="frames")
    recipe = {"schedule": "cosine", "augment": AUGMENT, **describe(NETWORK).recipe}
    if start is not None:
        recipe |= {"learning_rate": LAST_SHARE * recipe["learning_rate"], "weights": str(start)}
    settings = Settings(epochs=epochs, seed=seed, **recipe)
    return train_classifier(NETWORK, set_, folder / "run", settings, progress=True)


def _divided(utterance: Any, run: Path) -> Any:
    """The utterance with each stop as a closure and a release, where a network hears them end."""
    from zoo.data.corpora.intervals import Span
    from zoo.data.corpora.phones import CLOSURES

    recognizer = _recognizer(run)
    closed = [recognizer.classes.index(name) for name in ("cl", "vcl", "sil", "epi")]
    samples, _ = utterance.read(True, recognizer.sample_rate)
    heard = np.exp(recognizer.log_posteriors(samples)[:, closed]).sum(axis=1).clip(1e-4, 1 - 1e-4)
    gain = np.append(0.0, np.cumsum(np.log(heard) - np.log(1 - heard)))
    scale = recognizer.sample_rate / recognizer.hop
    spans: list[Span] = []
    for span in utterance.spans:
        closure = CLOSURES.get(span.label)
        first, last = (round(float(edge) * scale) for edge in (span.start, span.end))
        if closure is None or last - first < 2:
            spans.append(span)
            continue
        released = first + int(gain[first:last].argmax())
        border = Decimal(released) * recognizer.hop / recognizer.sample_rate
        if span.start < border < span.end:
            spans.append(span._replace(end=border, label=closure))
            span = span._replace(start=border)
        spans.append(span)
    return dataclasses.replace(utterance, spans=tuple(spans))


@functools.cache
def _recognizer(run: Path) -> Any:
    from zoo.transcription import load_recognizer

    return load_recognizer(run)


def rate(run: Path, prepared: Any) -> float:
    """Phone error rate without silence, over the 39 groups."""
    from zoo.evaluation.transcripts import evaluate_transcripts

    return round(evaluate_transcripts(run, prepared).scores["phone_error_rate"], 4)
