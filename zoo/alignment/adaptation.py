"""Learning from transcripts: align, train on the alignments, and align again."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.alignment.flat import LEARNT_SECONDS, FlatStart
from zoo.alignment.labelled import align_all, as_utterance, labelling_of
from zoo.alignment.models import has_classes, load_aligner
from zoo.alignment.recordings import (
    How,
    digest,
    inputs_of,
    said_in,
    seconds_of,
    worthwhile_jobs,
)
from zoo.alignment.refinement import Refinement, learn
from zoo.alignment.settings import Adaptation
from zoo.data import prepare
from zoo.data.corpora.annotated import OwnCorpus
from zoo.data.corpora.audio import SAMPLE_RATE
from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.transcripts import Transcribed
from zoo.decoding.edits import SILENCE
from zoo.decoding.formats import PHONES
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.files import emptied, make_folder, read_json, write_json
from zoo.registry import describe
from zoo.runs import Run
from zoo.settings import as_record
from zoo.training.classifier import train_classifier
from zoo.training.settings import Settings

NETWORK = "tdnn"
"""What is trained after a flat start; otherwise a network of the kind that aligned."""

LEARNING_SHARE = 0.25
"""Of a network's learning rate, where it is not trained from the start."""

AUGMENT = "mask,pitch=0.08"

HELD_OUT = 10
"""Of so many recordings, or of so many speakers where there are as many, one is not learnt from:
by these the decoder is chosen and rounds are scored."""

DOUBTFUL = 0.05
"""Share of the recordings, those of the lowest scores, that are not learnt from."""

MOVED = 0.02
"""Seconds from which on the border of a phone counts as moved."""


class Round(NamedTuple):
    """The result of a round.

    Attributes:
        number: 0 for the alignment that was there before any training.
        aligned: how many recordings could be aligned.
        score: mean score of those that were not learnt from.
        score_of_all: mean score of all.
        moved: share of the phones' borders that lie elsewhere than a round before; None of
            the first.
    """

    number: int
    aligned: int
    score: float
    score_of_all: float
    moved: float | None

    def __str__(self) -> str:
        moved = "" if self.moved is None else f", {self.moved:.1%} of borders moved by over 20 ms"
        return (
            f"round {self.number}: {self.aligned} recordings aligned, score {self.score:.3f} on "
            f"those not learnt from{moved}"
        )


def adapt(
    recordings: Sequence[Transcribed],
    how: How,
    out: Path,
    settings: Adaptation,
    *,
    jobs: int | None = None,
    overwrite: bool = False,
    say: Callable[[str], object] = lambda line: None,
    failing: Callable[[str], object] = lambda problem: None,
    progress: bool = False,
) -> Path:
    """Learn from recordings and their texts; interrupted runs resume.

    Args:
        recordings: what `zoo.data.corpora.transcripts.transcribed_recordings` gives.
        how: they are aligned at first; its model is not looked at in a flat start.
        out: folder of the rounds.
        settings: of the rounds.
        jobs: processes that align at a time; None: as many as are worth their start.
        overwrite: begin anew, whatever was begun from other recordings or settings.
        say: is told what came of each round, and what is done.
        failing: is told what is wrong with a recording, in the first round.
        progress: show progress bars on stderr.

    Returns:
        The model that aligns best: `how.model`, a run folder below `out`, or a flat start there.

    Raises:
        UsageError: there is no such model, or it is not one for recordings; nothing to learn from;
            rounds of other recordings or settings are there.
        RunError: a file cannot be written.
    """
    if how.channel is not None:
        raise UsageError(
            "--rounds and --flat-start learn from mono recordings; leave --channel out."
        )
    begun = how.said if settings.flat_start else how.fingerprint
    inputs = {recording.name: inputs_of(recording, begun) for recording in recordings}
    _begin(out, {**as_record(settings), "recordings": inputs}, overwrite)
    jobs = jobs or worthwhile_jobs(recordings)
    if settings.flat_start:
        model: str | Path = out / "0" / "flat"
        if not FlatStart.is_in(model):
            _flat_start(recordings, how, Path(model), say)
    else:
        model = how.model
        _check_network(model, settings)
    held_out = _held_out(recordings)
    rounds: list[Round] = []
    before: Mapping[str, Transcript] = {}
    models = [model]
    while True:
        folder = out / str(len(rounds))
        flat = FlatStart.is_in(models[-1])
        aligned = align_all(
            recordings,
            dataclasses.replace(how, model=models[-1], classes=not flat),
            folder,
            jobs,
            failing if not rounds else lambda problem: None,
        )
        if not aligned:
            raise UsageError("no recording could be aligned, so there is nothing to learn from.")
        rounds.append(_round(len(rounds), aligned, held_out, before))
        say(str(rounds[-1]))
        # Scores of a flat start are of another kind.
        if len(rounds) > 1 + settings.flat_start and rounds[-1].score <= rounds[-2].score:
            say("scores have stopped rising")
            models.pop()
            break
        if len(rounds) > settings.rounds:
            break
        models.append(_train(recordings, aligned, held_out, models[-1], folder, settings, progress))
        before = aligned
    write_json(out / "rounds.json", [found._asdict() for found in rounds])
    return Path(models[-1])


def refine(
    recordings: Sequence[Transcribed],
    how: How,
    folder: Path,
    *,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Adapt to recordings by a network's alignments of up to an hour of them.

    Args:
        recordings: what `zoo.data.corpora.transcripts.transcribed_recordings` gives.
        how: they are aligned at first.
        folder: of what is learnt; what is there from the same recordings is kept.
        say: is told of each round.

    Returns:
        The folder, which is a model that aligns.

    Raises:
        UsageError: there is no such network, or no recording can be aligned.
        RunError: a file cannot be written.
    """
    if how.channel is not None:
        raise UsageError("--refine learns from mono recordings; leave --channel out.")
    inputs = digest([inputs_of(recording, how.fingerprint) for recording in recordings])
    if Refinement.is_in(folder) and Refinement.load(folder).inputs == inputs:
        return folder
    if not has_classes(how.model):
        raise UsageError(f"{how.model} holds no network, which --refine requires.")
    step = max(1, math.ceil(seconds_of(recordings) / LEARNT_SECONDS))
    say("adapting to the recordings")
    chosen = [(r.audio, said_in(r, how.phones)) for r in recordings[::step]]
    gaussians = learn(
        load_aligner(how.model, how.dictionary), chosen, lambda line: say(f"  {line}")
    )
    Refinement(gaussians, str(Run.open(how.model).path.absolute()), inputs).save(folder)
    return folder


def _begin(out: Path, plan: dict[str, Any], overwrite: bool) -> None:
    """Make the folder of the rounds, unless the same ones were begun there."""
    file = out / "plan.json"
    if file.is_file() and not overwrite:
        # More rounds than before follow those that are there.
        found = {**read_json(file), "rounds": plan["rounds"]}
        if found != json.loads(json.dumps(plan)):
            raise UsageError(
                f"{out} holds rounds of other recordings, transcripts or settings; choose "
                "another folder for --out, or start over with --overwrite."
            )
    elif out.exists():
        with emptied(out):
            pass
    make_folder(out)
    write_json(file, plan)


def _check_network(model: str | Path, settings: Adaptation) -> None:
    run = Run.open(model)
    if settings.rounds and run.family != "recognizer":
        raise UsageError(
            f"{run.path} holds {run.model_name}, which classifies windows; --rounds "
            f"trains networks that take whole recordings, such as {NETWORK}."
        )


def _held_out(recordings: Sequence[Transcribed]) -> set[str]:
    """Names of the recordings that are not learnt from."""
    speakers = sorted({recording.speaker for recording in recordings})
    if len(speakers) >= HELD_OUT:
        chosen = set(speakers[HELD_OUT // 2 :: HELD_OUT])
        return {r.name for r in recordings if r.speaker in chosen}
    names = sorted(recording.name for recording in recordings)
    return set(names[HELD_OUT // 2 :: HELD_OUT])


def _flat_start(
    recordings: Sequence[Transcribed], how: How, folder: Path, say: Callable[[str], object]
) -> None:
    say("flat start: learning phones from equal sounds")
    FlatStart.learn(recordings, how.dictionary, how.phones, lambda line: say(f"  {line}")).save(
        folder
    )


def _round(
    number: int,
    aligned: Mapping[str, Transcript],
    held_out: set[str],
    before: Mapping[str, Transcript],
) -> Round:
    scores = {name: transcript.score or 0.0 for name, transcript in aligned.items()}
    unseen = [score for name, score in scores.items() if name in held_out]
    return Round(
        number,
        len(aligned),
        float(np.mean(unseen or [*scores.values()])),
        float(np.mean([*scores.values()])),
        _moved(before, aligned) if before else None,
    )


def _moved(before: Mapping[str, Transcript], after: Mapping[str, Transcript]) -> float:
    """Share of the borders of phones that lie elsewhere, in recordings of the same phones."""
    moved: list[np.ndarray] = []
    for name in before.keys() & after.keys():
        one, other = (
            [phone for phone in found[name].tiers[PHONES] if phone.label != SILENCE]
            for found in (before, after)
        )
        if [phone.label for phone in one] == [phone.label for phone in other]:
            times = [[phone[:2] for phone in phones] for phones in (one, other)]
            moved.append(np.abs(np.diff(times, axis=0)).ravel() > MOVED)
    return float(np.mean(np.concatenate(moved))) if moved else 1.0


def _train(
    recordings: Sequence[Transcribed],
    aligned: Mapping[str, Transcript],
    held_out: set[str],
    model: str | Path,
    folder: Path,
    settings: Adaptation,
    progress: bool,
) -> Path:
    """Train a network on alignments; gives its run folder."""
    run = folder / "run"
    if (run.is_dir()) and Run(run).finished:
        return run
    flat = FlatStart.is_in(model)
    corpus = _corpus(recordings, aligned, held_out, labelling_of(model))
    prepared = prepare(
        corpus,
        folder / "set",
        examples="frames",
        resample=True,
        progress=progress,
        **({"sample_rate": min(corpus.sample_rate, SAMPLE_RATE)} if flat else {"like": model}),
    )
    name = NETWORK if flat else Run.open(model).model_name
    recipe = {"schedule": "cosine", **describe(name).recipe}
    if not flat:
        recipe["learning_rate"] = LEARNING_SHARE * recipe["learning_rate"]
    train_classifier(
        name,
        prepared,
        run,
        Settings(
            epochs=settings.epochs,
            seed=settings.seed,
            augment=AUGMENT,
            weights=None if flat else str(model),
            **recipe,
        ),
        progress=progress,
    )
    # It is large, and can be made again from the alignments.
    shutil.rmtree(folder / "set")
    return run


def _corpus(
    recordings: Sequence[Transcribed],
    aligned: Mapping[str, Transcript],
    held_out: set[str],
    labelling: Labelling | None,
) -> OwnCorpus:
    """Recordings with the labels that an alignment gave them."""
    order = sorted(aligned, key=lambda name: (aligned[name].score or 0.0, name))
    doubtful = set(order[: int(DOUBTFUL * len(order))])
    utterances = []
    for recording in recordings:
        if recording.name not in aligned or recording.name in doubtful:
            continue
        split = "dev" if recording.name in held_out else "train"
        utterances.append(as_utterance(recording, aligned[recording.name], split))
    if labelling is None:
        labels = {span.label for utterance in utterances for span in utterance.spans}
        labelling = Labelling.of({label: label for label in labels})
    return OwnCorpus("aligned", Path("aligned"), utterances, labelling)
