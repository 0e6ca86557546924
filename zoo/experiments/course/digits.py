"""Spoken digits by the four digit models: accuracy on speakers left out, parameters, time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.data.corpora.corpus import CorpusSettings, open_corpus
from zoo.errors import UsageError
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    CellSettings,
    computed,
    numbers_of,
    provenance,
    write_results,
)
from zoo.settings import above, at_least, option

NAME = "digits"
SETS = {"log_mel": "log_mel", "waveform": "waveform"}
MODELS = {
    "digits_residual": ("residual blocks over a mel spectrogram", "log_mel"),
    "digits_filterbank": ("the same behind a learnt filterbank", "waveform"),
    "digits_ltas": ("long-term average, dense network", "log_mel"),
    "digits_frames": ("dense network on frames, Viterbi search", "log_mel"),
}
"""Model -> what it is, and the representation that it takes."""

STATES = 3
"""Number of states of a digit, for the network on frames."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(CellSettings, CorpusSettings):
    """Options of the experiment.

    Attributes:
        sets: folder of the prepared sets; None: `sets` in `out`.
        epochs: number of epochs of each training.
        learning_rate: learning rate of Adam.
    """

    sets: str | None = option(
        None, metavar="DIR", help="Folder of the prepared sets", shown="OUT/sets"
    )
    epochs: int = option(20, check=at_least(1), help="Epochs of each training")
    learning_rate: float = option(0.002, check=above(0), help="Learning rate of Adam")


def run(options: Options) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.svg`, print."""
    out = Path(options.out)
    sets = Path(options.sets or out / "sets")
    prepared = {name: _prepare(options, name, sets) for name in SETS}
    speakers = sorted(
        {str(s) for p in prepared.values() for split in p.splits for s in p.segments(split).speaker}
    )
    if len(speakers) < 2:
        raise UsageError(
            f"{options.corpus} has one speaker; each is left out once, so two or more are needed."
        )
    cells = [
        Cell(
            f"{model}/{speaker}/seed-{seed}",
            {
                **{"model": model, "speaker": speaker, "seed": seed, "epochs": options.epochs},
                **{"learning_rate": options.learning_rate, "representation": representation},
                "data": prepared[representation].manifest["plan"],
            },
        )
        for seed in range(options.seeds)
        for model, (_, representation) in MODELS.items()
        for speaker in speakers
    ]
    computed(
        options, cells, "zoo.experiments.course.digits:compute", Context(sets, out / "runs", out)
    )
    results = _results(options, cells, speakers, prepared["log_mel"].manifest)
    write_results(out, results, lambda path: _plot(path, results))
    return 0


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One model, trained on all speakers except one, on whom it is tested."""
    import time

    import numpy as np

    from zoo import registry
    from zoo.data.sets.prepared import Prepared
    from zoo.decoding.isolated import recognise, uniform_states
    from zoo.startup import set_random_seed
    from zoo.training.classifier import Settings
    from zoo.training.recordings import fit_recordings, outputs_of

    prepared, seed = Prepared(context.data / settings["representation"]), settings["seed"]
    shape = prepared.shape
    x, y, speakers = _pooled(prepared)
    own = speakers == settings["speaker"]
    train = [x[i] for i in np.flatnonzero(~own)]
    axis = shape.index(None)
    # What a test speaker has said takes no part in the mean.
    mean = np.concatenate(train, axis=axis).mean(axis=axis, keepdims=True)
    if settings["representation"] == "waveform":
        mean = np.zeros_like(mean)
    train = [example - mean for example in train]
    set_random_seed(seed)
    framewise = settings["model"] == "digits_frames"
    more: dict[str, Any] = {"states": STATES} if framewise else {}
    model = registry.build(
        settings["model"], classes=len(prepared.classes), input_shape=shape, **more
    )
    learning = Settings(
        optimizer="adam",
        learning_rate=settings["learning_rate"],
        epochs=settings["epochs"],
        seed=seed,
    )
    targets = (lambda label, n: uniform_states(label, n, STATES)) if framewise else None
    start = time.perf_counter()
    fit_recordings(model, train, y[~own], shape, learning, targets)
    trained = time.perf_counter() - start
    test = [x[i] - mean for i in np.flatnonzero(own)]

    def recognised_classes():
        return [
            recognise(output, STATES).class_index if framewise else int(output.argmax())
            for output in outputs_of(model, test, shape)
        ]

    recognised_classes()  # compiles
    start = time.perf_counter()
    answers = recognised_classes()
    recognised = time.perf_counter() - start
    return {
        f"{settings['model']}/{settings['speaker']}": {
            "accuracy": float(np.mean(np.array(answers) == y[own])),
            "examples": len(test),
            "parameters": model.count_params(),
            "training_seconds": round(trained, 1),
            "milliseconds_a_recording": round(1000 * recognised / len(test), 3),
        }
    }


def _pooled(prepared: Any) -> tuple[list[Any], Any, Any]:
    """All recordings of a set: raw examples, labels (N,), speakers (N,)."""
    import numpy as np

    splits = prepared.splits
    return (
        [x + prepared.mean for split in splits for x in prepared.features(split)],
        np.concatenate([prepared.labels(s) for s in splits]),
        np.concatenate([np.asarray(prepared.segments(s).speaker) for s in splits]),
    )


def _prepare(options: Options, name: str, sets: Path) -> Any:
    from zoo.data.sets.preparation import prepare

    corpus = open_corpus(options)
    return prepare(
        corpus, sets / name, representation=SETS[name], length="any", resample=True, progress=True
    )


def _results(
    options: Options, cells: Sequence[Cell], speakers: Sequence[str], manifest: Any
) -> dict[str, Any]:
    import statistics

    records = found_records(cells, Path(options.out))
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": "Spoken digits, each speaker left out once",
        "budget": {key: getattr(options, key) for key in ("epochs", "learning_rate", "seeds")},
        "data": {
            "corpus": manifest["corpus"],
            "sample_rate": manifest["sample_rate"],
            "recordings": sum(split["segments"] for split in manifest["splits"].values()),
        },
        "speakers": list(speakers),
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    measures = numbers_of(results["cells"]).measures
    rows: dict[str, Any] = {}
    for model in MODELS:
        found = {s: measures[model, s] for s in speakers if (model, s) in measures}
        every = [one for several in found.values() for one in several]
        if every:
            rows[model] = {
                "accuracy": {
                    s: statistics.fmean(one["accuracy"] for one in several)
                    for s, several in found.items()
                },
                **{
                    key: statistics.fmean(one[key] for one in every)
                    for key in ("training_seconds", "milliseconds_a_recording")
                },
                "parameters": every[0]["parameters"],
            }
            rows[model]["mean"] = statistics.fmean(rows[model]["accuracy"].values())
    results["rows"] = rows
    results["text"] = _markdown(results)
    return results


def _markdown(results: Mapping[str, Any]) -> str:
    budget, data, speakers = results["budget"], results["data"], results["speakers"]
    lines = [
        f"# {results['title']}",
        "",
        f"{data['corpus']}: {data['recordings']} recordings at {data['sample_rate']} Hz, of any "
        f"length, each scaled to peak 1; {budget['epochs']} epochs of all recordings of the other "
        f"speakers, Adam at {budget['learning_rate']:g}, {budget['seeds']} seed(s). Accuracy on "
        "the speaker left out, in percent; seconds of one training; milliseconds to recognise one "
        "recording among others.",
        "",
        *provenance(results["cells"]),
        "| model | " + " | ".join(speakers) + " | mean | parameters | training | a recording |",
        "|---|" + "---|" * (len(speakers) + 4),
    ]
    for model, (text, _) in MODELS.items():
        row = results["rows"].get(model)
        if row is None:
            lines.append(f"| {model}: {text} |" + " – |" * (len(speakers) + 4))
            continue
        entries = [
            f"{100 * row['accuracy'][s]:.1f}" if s in row["accuracy"] else "–" for s in speakers
        ]
        lines.append(
            f"| {model}: {text} | {' | '.join(entries)} | {100 * row['mean']:.1f} | "
            f"{row['parameters']:,} | {row['training_seconds']:.0f} s | "
            f"{row['milliseconds_a_recording']:.2f} ms |"
        )
    lines += ["", "A dash stands for what was not run.", "", "![Accuracy](results.svg)"]
    return "\n".join(lines) + "\n"


def _plot(path: Path, results: Mapping[str, Any]) -> None:
    """Every speaker as a dot, the mean as a bar."""
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    rows = results["rows"]
    figure = Figure(figsize=(6.5, 1.2 + 0.45 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.barh(list(rows), [row["mean"] for row in rows.values()], color="#9db9d6")
    for number, speaker in enumerate(results["speakers"]):
        places = [m for m, row in rows.items() if speaker in row["accuracy"]]
        values = [rows[m]["accuracy"][speaker] for m in places]
        axis.plot(values, places, "osD^vP*X"[number % 8], color="#23476e", ms=5, label=speaker)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.set_xlabel("accuracy on the speaker left out")
    axis.grid(axis="x", alpha=0.3)
    if len(results["speakers"]) <= 8:
        figure.legend(
            *axis.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside right upper"
        )
    save(figure, path)
