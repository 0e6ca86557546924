"""Scoring a run on a prepared set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.corpora.labels import label_set
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.storage import Examples
from zoo.data.sets.windows import WINDOW, Windows
from zoo.errors import UsageError
from zoo.evaluation.reconstruction import reconstruction_scores
from zoo.evaluation.scores import classification_scores
from zoo.runs import Run
from zoo.training.inputs import EXCERPT

if TYPE_CHECKING:
    import keras

OneRun = str | Path | Run
"""A run folder, the name of a preset or of weights that ship, or a `Run`."""

Runs = OneRun | Sequence[OneRun]

ENSEMBLES = ("mean", "vote")

BATCH = 512
"""Number of examples in a step of evaluation."""

MOST_FRAMES = 500_000
"""Most frames of the windows of recordings on which an autoencoder is scored."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of a run on one split, and what they were computed from.

    Attributes:
        scores: as `zoo evaluate --json` prints them.
        labels: class indices (N,).
        probabilities: (N, classes).
    """

    scores: dict[str, Any]
    labels: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reconstructed:
    """Scores of an autoencoder's run on one split, and what they were computed from.

    Attributes:
        scores: as `zoo evaluate --json` prints them.
        inputs: centred, (N, F, T, C).
        outputs: like them.
    """

    scores: dict[str, Any]
    inputs: np.ndarray
    outputs: np.ndarray


def inputs_for(run: OneRun, prepared: Prepared | Windows, split: str) -> Examples | np.ndarray:
    """`split`'s features, centred by the mean that the run was trained with, (N, F, T, C).

    Raises:
        UsageError: the set's front end is not the run's.
    """
    run = Run.open(run)
    check_frontend(run, prepared)
    theirs, ours = run.frontend, prepared.frontend
    features = prepared.features(split)
    if np.array_equal(theirs.mean, ours.mean):
        return features
    return features + (ours.mean - theirs.mean)


def check_frontend(run: Run, prepared: Prepared | Windows) -> None:
    """Refuse a set whose examples differ, except in the mean, from those a run was trained on.

    Raises:
        UsageError: it is one.
    """
    theirs, ours = run.frontend, prepared.frontend
    if theirs.whole != ours.whole:
        words = {True: ("whole recordings", "with"), False: ("segments", "without")}
        raise UsageError(
            f"{prepared.path} holds {words[ours.whole][0]}, but {run.path} was trained on "
            f"{words[theirs.whole][0]}; prepare the corpus {words[theirs.whole][1]} --examples "
            f"frames, and with --like {run.path}."
        )
    for name, one, other in (
        ("representation", theirs.representation, ours.representation),
        ("level", theirs.level, ours.level),
        ("normalisation", theirs.normalize, ours.normalize),
        ("length", theirs.length, ours.length),
    ):
        if one != other:
            if name == "representation" and theirs.kind != ours.kind:
                one, other = theirs.kind, ours.kind
            raise UsageError(
                f"{prepared.path} has {name} {other!r}, but {run.path} was trained on {name} "
                f"{one!r}; prepare the corpus with --like {run.path}."
            )


def check_classes(run: Run, prepared: Prepared) -> None:
    """Refuse a set with other classes than those a run was trained on.

    Raises:
        UsageError: it is one.
    """
    if run.classes != prepared.classes:
        raise UsageError(
            f"{prepared.path} has {len(prepared.classes)} classes ({_some(prepared.classes)}), "
            f"but {run.path} was trained on {len(run.classes)} ({_some(run.classes)}); "
            f"prepare the corpus with --like {run.path}."
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def evaluate(
    run: Runs,
    prepared: Prepared,
    split: str = "test",
    seed: int = 0,
    *,
    ensemble: str | None = None,
) -> Evaluation:
    """Score a classifier's run, or several as an ensemble, on one split of a prepared set.

    Args:
        run: a run folder; or several, with `ensemble`.
        prepared: a set with the run's representation, level and length.
        split: name of the split to score.
        seed: random seed of the class-balanced draw, as in `accuracy_39_uniform`.
        ensemble: `"mean"` averages the runs' probabilities; `"vote"` gives every run one vote, and
            where votes are equal the averages decide.

    Raises:
        UsageError: no such run or split, an empty split, a set that does not fit a run, or runs
            that make no ensemble.
    """
    runs = _opened(run, ensemble, autoencoders=False)
    for one in runs:
        check_frontend(one, prepared)
        if one.transcribes:
            raise UsageError(
                f"{one.path} transcribes recordings; zoo.evaluation.transcripts scores what it "
                "recognises."
            )
        check_classes(one, prepared)
    labels = _labels(prepared, split)
    answers = [predict(r.model, inputs_for(r, prepared, split)) for r in runs]
    probabilities = vote(answers) if ensemble == "vote" else np.mean(answers, axis=0)
    scores = {
        **_heading(runs, prepared, split, ensemble),
        "label_set": label_set(prepared.manifest),
        **classification_scores(labels, probabilities, seed, prepared.classes, prepared.groups),
    }
    return Evaluation(scores, labels, probabilities)


def evaluate_autoencoder(
    run: Runs,
    prepared: Prepared,
    split: str = "test",
    seed: int = 0,
    *,
    ensemble: str | None = None,
) -> Reconstructed:
    """Score an autoencoder's run, or the average of several, on one split of a prepared set.

    On whole recordings, it is scored on windows around labelled frames, as long as those that the
    first run was trained on. If all of them had more than `MOST_FRAMES` frames, evenly spaced ones
    are taken.

    Args:
        run: a run folder; or several, with `ensemble`.
        prepared: a set with the run's representation, level and length.
        split: name of the split to score.
        seed: random seed of the draws of `reconstruction_scores`.
        ensemble: `"mean"`, of the reconstructions (Churchman 2015, section 5.4).

    Raises:
        UsageError: no such run or split, an empty split, a set that does not fit a run, or runs
            that make no ensemble.
    """
    runs = _opened(run, ensemble, autoencoders=True)
    if ensemble == "vote":
        raise UsageError("reconstructions can be averaged (--ensemble mean), not voted on.")
    frontend = runs[0].frontend
    seen: Prepared | Windows = prepared
    window: dict[str, int] = {}
    if prepared.kind == "frames":
        seen = Windows(prepared, _window(runs[0]))
        window = {"window": seen.window}
    labels = _labels(seen, split)
    features = [inputs_for(r, seen, split) for r in runs]
    if window:
        some = slice(None, None, -(-len(labels) * window["window"] // MOST_FRAMES))
        labels, features = labels[some], [x[some] for x in features]
    outputs = np.mean(
        [
            predict(r.model, x) + (r.frontend.mean - frontend.mean)
            for r, x in zip(runs, features, strict=True)
        ],
        axis=0,
    )
    inputs = np.asarray(features[0])
    scores = {
        **_heading(runs, prepared, split, ensemble),
        **window,
        **reconstruction_scores(inputs, outputs, labels, frontend, seed),
    }
    return Reconstructed(scores, inputs, outputs)


def _window(run: Run) -> int:
    """Frames of what an autoencoder was shown of recordings."""
    asked = run.config.get("settings", {}).get("window")
    return run.window or asked or (EXCERPT if run.model.input_shape[2] is None else WINDOW)


def _opened(run: Runs, ensemble: str | None, *, autoencoders: bool) -> list[Run]:
    """Runs that can be scored together."""
    runs = [Run.open(r) for r in ([run] if isinstance(run, OneRun) else run)]
    if ensemble not in (None, *ENSEMBLES):
        raise UsageError(f"ensemble must be mean or vote; received {ensemble!r}.")
    if len(runs) > 1 and ensemble is None:
        raise UsageError(
            f"{len(runs)} runs are scored as an ensemble: add --ensemble mean or vote."
        )
    for one in runs:
        if one.is_autoencoder != autoencoders:
            wanted = "an autoencoder" if autoencoders else "a classifier"
            raise UsageError(f"{one.path} is not a run of {wanted}.")
    return runs


def _heading(
    runs: Sequence[Run], prepared: Prepared, split: str, ensemble: str | None
) -> dict[str, Any]:
    return {
        "model": ", ".join(dict.fromkeys(run.model_name for run in runs)),
        **({"ensemble": ensemble, "runs": len(runs)} if ensemble else {}),
        "split": split,
        "excluded": prepared.excluded(split),
    }


def _labels(prepared: Prepared | Windows, split: str) -> np.ndarray:
    labels = prepared.labels(split)
    if not len(labels):
        raise UsageError(f"the split {split!r} of {prepared.path} holds no examples to score.")
    return labels


def vote(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Each run votes for its most probable class; the mean probability decides a tie.

    Args:
        probabilities: (N, classes) of each run.

    Returns:
        (N, classes): votes and mean probability, scaled to a sum of 1.
    """
    classes = probabilities[0].shape[1]
    votes = sum(np.eye(classes)[p.argmax(axis=1)] for p in probabilities)
    # A mean probability is at most 1, so it decides only between equal votes.
    return (votes + np.mean(probabilities, axis=0)) / (len(probabilities) + 1)


def predict(model: keras.Model, features: Examples | np.ndarray) -> np.ndarray:
    """A model's outputs for memory-mapped features, batch by batch."""
    return np.concatenate(
        [
            np.asarray(model.predict_on_batch(np.asarray(features[first : first + BATCH])))
            for first in range(0, len(features), BATCH)
        ]
    )
