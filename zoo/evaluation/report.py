"""A run's report: one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.phones import (
    CLASSES,
    AccuracyNames,
    accuracy_names,
    group_names,
    recorded_names,
)
from zoo.data.features.representations import STFT_FORMS
from zoo.data.sets.prepared import Prepared
from zoo.errors import UsageError
from zoo.evaluation.runs import Evaluation, OneRun
from zoo.evaluation.scores import confusion
from zoo.pages import drawn, new_figure, numbered, png, write_page
from zoo.runs import Run
from zoo.settings import implied
from zoo.training.settings import Settings

EXAMPLES_SHOWN = 12
"""Number of spectrograms in the report, each of a different class."""


def write_report(run: OneRun, prepared: Prepared, evaluation: Evaluation, out: str | Path) -> Path:
    """Write learning curves, confusion matrix, example spectrograms and a table of phones.

    Args:
        run: run to describe.
        prepared: the set that `evaluation` was made on.
        evaluation: scores and predictions of `zoo.evaluation.runs.evaluate`.
        out: the HTML file to write.

    Returns:
        `out`.

    Raises:
        RunError: `out` cannot be written.
    """
    run, out = Run.open(run), Path(out)
    scores = evaluation.scores
    names = group_names(prepared.classes, prepared.groups)
    called = accuracy_names(prepared.classes, prepared.groups)
    count = confusion(
        evaluation.labels,
        evaluation.probabilities.argmax(axis=-1),
        prepared.classes,
        prepared.groups,
    )
    speakers = prepared.manifest["splits"][scores["split"]]["speakers"]
    write_page(
        out,
        Path(__file__).with_name("report.html"),
        title=f"{scores['model']} on {prepared.manifest['corpus']}",
        lead=(
            f"{scores['examples']} segments of the split “{scores['split']}”, {speakers} speakers; "
            f"{scores['excluded']} segments left out as too long."
            + (
                " Accuracies count confusions within a group of Lee & Hon’s 39 as right."
                if prepared.classes == CLASSES
                else ""
            )
        ),
        tiles=[
            (
                f"{scores[called.accuracy]:.1%}",
                f"of all segments, {len(names)} {called.scored}",
            ),
            (f"{scores[called.uniform]:.1%}", "with 200 examples of each class"),
            (f"{scores[called.balanced]:.1%}", f"mean recall of the {called.scored}"),
            *(
                [
                    (
                        f"{scores[called.unfolded]:.1%}",
                        f"of all segments, {len(prepared.classes)} classes",
                    )
                ]
                if called.unfolded
                else []
            ),
        ],
        figures=_figures(run, prepared, evaluation, count),
        phones=_phones(scores["per_phone"], count, names),
        facts=facts(run.config, run.history),
    )
    return out


def _figures(
    run: Run,
    prepared: Prepared,
    evaluation: Evaluation,
    count: np.ndarray,
) -> list[tuple[str, str, bytes, str]]:
    scored = accuracy_names(prepared.classes, prepared.groups).scored
    ticks, unknown = numbered(group_names(prepared.classes, prepared.groups))
    return [
        *curves_figure(run.history),
        (
            f"Confusion between the {len(count)} {scored}",
            "Rows are the labelled, columns the predicted ones; shades give the share of a row’s "
            f"segments that the network put into each column.{unknown}",
            _confusion_matrix(count, ticks),
            f"Matrix of labelled against predicted {scored}, whose figures are in the table below.",
        ),
        (
            "Examples",
            "Input spectrograms as the network sees them, the mean added back; a green title is a "
            "right answer, a red one a wrong one.",
            _spectrograms(run, prepared, evaluation),
            "Spectrograms of segments with their label and the network’s answer.",
        ),
    ]


def curves_figure(history: dict[str, list[float]]) -> list[tuple[str, str, bytes, str]]:
    """The figure of the learning curves, as `base.html` shows it; empty without an epoch."""
    names = recorded_names(history)
    if not history.get(names.accuracy):
        return []
    return [
        (
            "Learning curves",
            f"Loss and {names.text} after each epoch.",
            _learning_curves(history, names),
            f"{names.text.capitalize()} rises to {history[names.accuracy][-1]:.1%} in training.",
        )
    ]


def _learning_curves(history: dict[str, list[float]], names: AccuracyNames) -> bytes:
    figure = new_figure(9, 3.2)
    axes = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    curves = (("loss", "loss"), (names.accuracy, names.text))
    for axis, (name, label) in zip(axes, curves, strict=True):
        axis.plot(epochs, history[name], color="#3b6ea8", marker="o", ms=3, label="training")
        if f"val_{name}" in history:
            axis.plot(
                epochs,
                history[f"val_{name}"],
                color="#c2571a",
                marker="s",
                ms=3,
                label="validation speakers",
            )
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    axes[1].yaxis.set_major_formatter("{x:.0%}")
    return png(figure)


def _confusion_matrix(count: np.ndarray, names: list[str]) -> bytes:
    present = np.flatnonzero(count.sum(axis=1))
    share = count[present] / count[present].sum(axis=1, keepdims=True)
    figure = new_figure(9, 8)
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axis.set_yticks(range(len(present)), [names[g] for g in present], fontsize=8)
    axis.set(xlabel="predicted group", ylabel="labelled group")
    figure.colorbar(image, ax=axis, fraction=0.03, format="{x:.0%}")
    return png(figure)


def _spectrograms(run: Run, prepared: Prepared, evaluation: Evaluation) -> bytes:
    frontend = run.frontend
    if frontend.length is None:
        raise UsageError(
            f"a report requires examples of one length, but those of {prepared.path} "
            "differ in length; prepare the corpus with --length N."
        )
    split = evaluation.scores["split"]
    features, rows = prepared.features(split), prepared.segments(split)
    present = np.unique(evaluation.labels)
    shown = min(EXAMPLES_SHOWN, len(present))
    picked = present[np.linspace(0, len(present) - 1, shown).astype(int)]
    # The middle example of each class: no choice by hand, and the same in every report.
    chosen = [np.flatnonzero(evaluation.labels == c) for c in picked]
    chosen = [members[len(members) // 2] for members in chosen]
    figure = new_figure(9, 6)
    rows_of_six = -(-shown // 6)
    axes = np.ravel(figure.subplots(rows_of_six, 6, sharex=True, sharey=True, squeeze=False))
    for axis in axes[len(chosen) :]:
        axis.set_axis_off()
    milliseconds = 1000 * frontend.length / frontend.sample_rate
    # Only the bins of the Fourier transform are evenly spaced in frequency.
    linear = frontend.kind in STFT_FORMS
    top = frontend.sample_rate / 2000 if linear else features.shape[1]
    for axis, index in zip(axes, chosen, strict=False):
        said = prepared.classes[int(evaluation.probabilities[index].argmax())]
        label = prepared.classes[int(evaluation.labels[index])]
        right = prepared.groups[said] == prepared.groups[label]
        axis.imshow(
            features[index, :, :, 0] + prepared.mean[:, :, 0],
            origin="lower",
            aspect="auto",
            cmap="magma",
            extent=(0, milliseconds, 0, top),
        )
        axis.set_title(
            drawn(f"{label} → {said}\n{rows.speaker[index]}"),
            color="#1d7a3e" if right else "#b3261e",
            fontsize=9,
        )
        axis.label_outer()
    figure.supxlabel("ms", fontsize=9)
    figure.supylabel("kHz" if linear else "band", fontsize=9)
    return png(figure)


def _phones(
    per_phone: dict[str, Any], count: np.ndarray, names: tuple[str, ...]
) -> list[dict[str, Any]]:
    rows = []
    for name, scores in sorted(per_phone.items(), key=lambda item: item[1]["recall"]):
        group = names.index(name)
        wrong = count[group].copy()
        wrong[group] = 0
        worst = int(wrong.argmax())
        share = wrong[worst] / count[group].sum()
        precision = scores["precision"]
        rows.append(
            {
                "name": name,
                "examples": scores["examples"],
                "recall": f"{scores['recall']:.1%}",
                "precision": "–" if precision is None else f"{precision:.1%}",
                "confused": f"{names[worst]} ({share:.1%})" if wrong[worst] else "–",
                "width": f"{100 * scores['recall']:.1f}",
            }
        )
    return rows


def facts(config: dict[str, Any], history: dict[str, list[float]]) -> list[tuple[str, str]]:
    """Names and values of a run's settings, for the end of its page."""
    if "data" not in config:
        return []
    settings, data = {**implied(Settings), **config["settings"]}, config["data"]
    examples = "recordings" if data["settings"].get("examples") == "frames" else "segments"
    return [
        ("Model", f"{config['model']} for inputs of {'×'.join(map(str, config['input_shape']))}"),
        ("Training data", f"{data['corpus']}, {data['segments']} {examples}"),
        (
            "Preparation",
            # Options that were left at "no" say nothing.
            ", ".join(f"{k} {v}" for k, v in data["settings"].items() if v not in (None, False, 0)),
        ),
        (
            "Training",
            f"{len(history['loss'])} {_epochs(settings)}, batches of {settings['batch_size']}, "
            f"{_optimizer(settings)}, seed {settings['seed']}, "
            f"{sum(history['seconds']):.0f} s",
        ),
        ("Versions", ", ".join(f"{k} {v}" for k, v in config["versions"].items())),
    ]


def _optimizer(settings: dict[str, Any]) -> str:
    rate = f"rate {settings['learning_rate']}"
    if settings.get("schedule") == "cosine":
        rate += " falling along a cosine"
    if settings["optimizer"] == "adam":
        return f"Adam ({rate})"
    return f"AdaGrad ({rate}, accumulator from {settings['initial_accumulator']})"


def _epochs(settings: dict[str, Any]) -> str:
    sampling = settings["sampling"]
    text = (
        f"epochs of {settings['per_class']} examples a class"
        if sampling == "balanced"
        else f"{sampling} epochs"
    )
    return f"{text}, augmented by {settings['augment']}" if settings.get("augment") else text
