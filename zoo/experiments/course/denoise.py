"""Removing noise from waveforms: the setting of lab 2B, longer filters and more layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    PICTURE,
    CellSettings,
    computed,
    numbers_of,
    provenance,
    write_results,
)
from zoo.settings import above, at_least, option

NAME = "denoise"
PLACE = "pairs"
LAB = "lab"
NETWORKS = {
    LAB: ("lab 2B", (40, 40), (1, 5, 1)),
    "longer": ("filters four times as long", (160, 160), (1, 5, 1)),
    "wider": ("four times as many features", (40, 40), (1, 20, 1)),
    "deeper": ("four layers", (40, 40, 40, 40), (1, 5, 5, 5, 1)),
    "deeper_wider": ("four layers of more features", (40, 40, 40, 40), (1, 20, 20, 20, 1)),
}
"""Name -> what it is, taps and features."""

SHOWN_SECONDS = 0.3
"""Seconds of the waveform in the figure."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(CellSettings):
    """Options of the experiment.

    Attributes:
        data: the prepared set of pairs.
        epochs: number of epochs of each training.
        learning_rate: learning rate of SGD.
        batch_size: pairs a step.
    """

    data: str = option(metavar="PREPARED", help="Prepared set of pairs (zoo prepare --noise)")
    epochs: int = option(20, check=at_least(1), help="Epochs of each training")
    learning_rate: float = option(0.5, check=above(0), help="Learning rate of SGD")
    batch_size: int = option(32, check=at_least(1), help="Number of pairs per step")


def run(options: Options) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.webp`, print."""
    from zoo.data.sets.prepared import Prepared

    out, prepared = Path(options.out), Prepared(options.data)
    if prepared.kind != "pairs":
        raise UsageError(
            f"{options.data} holds no pairs; zoo prepare CORPUS OUT --noise makes them."
        )
    budget = {key: getattr(options, key) for key in ("epochs", "learning_rate", "batch_size")}
    cells = [
        Cell(
            f"{name}/seed-{seed}",
            {
                **{"name": name, "taps": list(taps), "features": list(features)},
                **{"seed": seed, "data": prepared.manifest["plan"], **budget},
            },
        )
        for seed in range(options.seeds)
        for name, (_, taps, features) in NETWORKS.items()
    ]
    computed(
        options,
        cells,
        "zoo.experiments.course.denoise:compute",
        Context(Path(options.data), out / "runs", out),
    )
    results = _results(options, cells, prepared)
    write_results(out, results, lambda path: _draw(path, out, results), PICTURE)
    return 0


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One network: its losses, and those of leaving the noise and of giving silence."""
    import keras
    import numpy as np

    from zoo import registry
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.runs import predict
    from zoo.files import make_folder, write_array
    from zoo.startup import set_random_seed
    from zoo.training.fitting import check_losses

    prepared = Prepared(context.data)
    noisy = {split: prepared.features(split)[:] for split in ("train", "test")}
    clean = {split: prepared.targets(split)[:] for split in ("train", "test")}
    set_random_seed(settings["seed"])
    model = registry.build("denoiser", taps=settings["taps"], features=settings["features"])
    model.compile(keras.optimizers.SGD(settings["learning_rate"]), loss="mean_absolute_error")
    history = model.fit(
        noisy["train"],
        clean["train"],
        batch_size=settings["batch_size"],
        epochs=settings["epochs"],
        verbose=0,
    ).history
    check_losses(history["loss"])
    found: dict[str, Any] = {"parameters": model.count_params(), "history": history["loss"]}
    for split in ("train", "test"):
        cleaned = predict(model, noisy[split])
        for name, output in (("", cleaned), ("noisy_", noisy[split]), ("silent_", 0.0)):
            error = output - clean[split]
            found[f"{name}{split}_l1"] = float(np.abs(error).mean())
            power = (clean[split] ** 2).mean(axis=(1, 2)) / (error**2).mean(axis=(1, 2))
            found[f"{name}{split}_snr_db"] = float(10 * np.log10(power).mean())
    waves = np.stack([noisy["test"][0], cleaned[0], clean["test"][0]])[..., 0]
    write_array(make_folder(context.out / "waveforms") / _file(settings), waves)
    return {f"{settings['name']}/{PLACE}": found}


def _file(settings: Mapping[str, Any]) -> str:
    return f"{settings['name']}-seed-{settings['seed']}.npy"


def _results(options: Options, cells: Sequence[Cell], prepared: Any) -> dict[str, Any]:
    from zoo.evaluation.statistics import mean_interval

    records = found_records(cells, Path(options.out))
    manifest = prepared.manifest
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": "Removing noise from waveforms",
        "source": "University of Pennsylvania, lab 2B, section 3.3, task 4",
        "budget": {
            key: getattr(options, key) for key in ("epochs", "learning_rate", "batch_size", "seeds")
        },
        "data": {"corpus": manifest["corpus"], "settings": manifest["settings"]},
        "sample_rate": prepared.sample_rate,
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    measures = numbers_of(results["cells"]).measures
    shown = [f"{split}_{what}" for what in ("l1", "snr_db") for split in ("train", "test")]
    rows = {}
    for name, (text, taps, features) in NETWORKS.items():
        found = measures.get((name, PLACE), ())
        if found:
            rows[name] = {
                "text": f"{text}: taps {list(taps)}, features {list(features)}",
                "parameters": found[0]["parameters"],
                **{key: mean_interval([one[key] for one in found]) for key in shown},
            }
    every = [one for several in measures.values() for one in several]
    for kind, text in (("noisy", "the noisy waveform itself"), ("silent", "silence")):
        if every:
            rows[kind] = {
                "text": text,
                "parameters": 0,
                **{key: (every[0][f"{kind}_{key}"], None) for key in shown},
            }
    results["rows"] = rows
    results["text"] = _markdown(results, shown)
    return results


def _markdown(results: Mapping[str, Any], shown: Sequence[str]) -> str:
    budget, made = results["budget"], results["data"]["settings"]
    low, high = made["snr"]
    ratio = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    lines = [
        f"# {results['title']}",
        "",
        f"{results['source']}: two layers, 5 features, 40 taps, tanh, no biases, L1 loss, SGD. "
        f"Ours: {results['data']['corpus']}, {made['pairs']['train']} training and "
        f"{made['pairs']['test']} test pairs of {made['length']} samples at "
        f"{results['sample_rate']} Hz, {made['noise']} noise at {ratio} dB, level "
        f"{made['level']}; {budget['epochs']} epochs, batches of {budget['batch_size']}, rate "
        f"{budget['learning_rate']:g}, {budget['seeds']} seed(s). L1: mean absolute error a "
        "sample; ratio: of clean waveform to error, in dB, mean over pairs.",
        "",
        *provenance(results["cells"]),
        "| | parameters | train L1 | test L1 | train ratio | test ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["rows"].values():
        entries = []
        for key in shown:
            mean, half = row[key]
            digits = 4 if key.endswith("l1") else 1
            entries.append(f"{mean:.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}"))
        lines.append(f"| {row['text']} | {row['parameters']:,} | {' | '.join(entries)} |")
    missing = [name for name in NETWORKS if name not in results["rows"]]
    if missing:
        lines += ["", f"Not run, or diverged: {', '.join(missing)}."]
    lines += ["", f"![A noisy, a cleaned and a clean waveform]({PICTURE})"]
    return "\n".join(lines) + "\n"


def _draw(path: Path, out: Path, results: Mapping[str, Any]) -> None:
    """The loudest stretch of the first test pair: noisy, cleaned (lab 2B, the best one), clean."""
    import numpy as np
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    networks = [name for name in results["rows"] if name in NETWORKS]
    best = sorted(networks, key=lambda name: results["rows"][name]["test_l1"][0])[:1]
    shown = dict.fromkeys(name for name in (LAB, *best) if name in networks)
    waves = {
        name: np.load(file)
        for name in shown
        if (file := out / "waveforms" / f"{name}-seed-0.npy").is_file()
    }
    rows: list[tuple[str, Any]] = []
    for name, (noisy, cleaned, clean) in waves.items():
        if not rows:
            rows = [("noisy", noisy), ("clean", clean)]
        rows.insert(-1, (f"cleaned: {name.replace('_', ', ')}", cleaned))
    figure = Figure(figsize=(8, 0.8 + 1.2 * len(rows)), layout="constrained")
    if rows:
        rate, clean = results["sample_rate"], rows[-1][1]
        width = min(len(clean), int(SHOWN_SECONDS * rate))
        power = np.convolve(clean**2, np.ones(width), "valid")
        first = int(power.argmax())
        seconds = np.arange(first, first + width) / rate
        for axis, (label, wave) in zip(
            np.atleast_1d(figure.subplots(len(rows), sharex=True, sharey=True)), rows, strict=True
        ):
            axis.plot(seconds, wave[first : first + width], color="#23476e", lw=0.7)
            axis.set_title(label, fontsize=8, loc="left")
            axis.grid(alpha=0.3)
        axis.set_xlabel("seconds")
    save(figure, path)
