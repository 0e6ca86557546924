"""What layers keep of speech: searches compared, and judged by an independent network.

Segments of a set are reconstructed from layers of networks that ship. Each reconstruction is
compared with its input, and classified by the network itself and by another one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.experiments.engine.claims import Claim, NotRun, Numbers, claims_table
from zoo.experiments.engine.runner import Cell, Context, found_records
from zoo.experiments.engine.tables import (
    PICTURE,
    CellSettings,
    computed,
    numbers_of,
    provenance,
    typed,
    write_results,
)
from zoo.inversion.settings import DecoderSettings
from zoo.settings import again, at_least, option

if TYPE_CHECKING:
    import numpy as np

NAME = "hearing"

LAYERS = {
    "freq_fullpad": ("conv1", "pool1", "conv2", "pool2", "conv3", "pool3", "pool4", "fc1", "fc3"),
    "freq_best": ("pool1", "pool2", "pool3", "block3_act", "fc1"),
    "freq_overlap": ("conv1", "pool1", "pool2", "pool3", "fc2"),
}
"""Network -> its layers, from the input on."""

METHODS = {
    "bold": "bold driver from noise, 300 steps (the default before)",
    "smooth": "L-BFGS, smooth prior (no training inputs)",
    "regression": "regression alone (where the search starts)",
    "training": "L-BFGS from the regression, its prior (the default)",
    "decoder": "decoder, normalised objective",
}

OTHERS = {
    "adam": "Adam from noise, 300 steps",
    "unprioritised": "L-BFGS from noise, without a prior, 300 steps",
    "total_variation": "L-BFGS from noise, total variation of 0.01",
}
"""Further methods that are tried on dev segments."""

SETTINGS: dict[str, dict[str, Any]] = {
    "bold": {"optimizer": "bold", "steps": 300},
    "adam": {"optimizer": "adam", "steps": 300},
    "unprioritised": {"prior": "none", "steps": 300},
    "total_variation": {"prior": "none", "total_variation": 0.01, "steps": 300},
    "smooth": {"prior": "smooth"},
    "training": {"prior": "training"},
}

LEARNING = ("regression", "training", "decoder")
"""Methods that take training inputs."""

MEASURES = {
    "correlation": "Maximal cross-correlation of the spectrograms",
    "log_spectral_distance": "Log-spectral distance in dB",
    "own_accuracy": "Accuracy of the network itself on the reconstructions",
    "own_same_answer": "Share that the network itself answers as it does the original",
    "other_accuracy": "Accuracy of the other network on the reconstructions",
    "other_same_answer": "Share that the other network answers as it does the original",
}

GAIN = 0.1
"""Gain that the default method should have over the earlier one, from the third layer on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(CellSettings):
    """Options of the experiment.

    Attributes:
        data: labelled segments.
        training: set whose train split priors and decoders learn from; None: `data`.
        split: whose segments are reconstructed.
        networks: weights that ship.
        judges: networks of which the first that is not the reconstructed one judges.
        methods: keys of `METHODS` and `OTHERS`.
        examples: segments.
        few: segments of the slow methods, which take no training inputs.
        decoder_epochs: number of epochs of each stage of a decoder.
    """

    data: str = option(metavar="PREPARED", help="Prepared set of labelled segments")
    training: str | None = option(
        None,
        metavar="PREPARED",
        help="Prepared set of whose train split priors and decoders learn",
        shown="--data",
    )
    split: str = option("test", help="Split whose segments are reconstructed")
    networks: str = option(
        "freq_fullpad,freq_best,freq_overlap", metavar="A,B", help="Networks, whose weights ship"
    )
    judges: str = option(
        "freq_best,freq_fullpad",
        metavar="A,B",
        help="Networks, the first of which that is not the one looked into judges",
    )
    methods: str = option(",".join(METHODS), metavar="A,B", help="Ways to reconstruct")
    examples: int = option(100, metavar="N", check=at_least(2), help="Number of segments")
    few: int = option(
        24,
        metavar="N",
        check=at_least(2),
        help="Number of segments, of the same, for the methods without training inputs",
    )
    decoder_epochs: int = again(
        DecoderSettings, "epochs", metavar="N", help="Epochs of each stage of a decoder"
    )


def _third_layer_on(numbers: Numbers) -> tuple[bool, str]:
    gains = {
        column: numbers("training", column, "correlation") - numbers("bold", column, "correlation")
        for _, column in numbers.measures
        if ("training", column) in numbers.measures and ("bold", column) in numbers.measures
    }
    deep = {c: gain for c, gain in gains.items() if _depth(c) >= 2}
    if not deep:
        raise NotRun("correlations from the third layer on")
    text = f"smallest gain {min(deep.values()):.2f}, at {min(deep, key=lambda c: deep[c])}"
    return min(deep.values()) >= GAIN, text


def _never_below(numbers: Numbers) -> tuple[bool, str]:
    gains = {
        column: numbers("training", column, "correlation") - numbers("bold", column, "correlation")
        for _, column in numbers.measures
        if ("training", column) in numbers.measures and ("bold", column) in numbers.measures
    }
    if not gains:
        raise NotRun("correlations")
    text = f"smallest gain {min(gains.values()):.3f}, at {min(gains, key=lambda c: gains[c])}"
    return min(gains.values()) > -0.005, text


def _depth(column: str) -> int:
    network, layer = column.split()
    return LAYERS[network].index(layer)


CLAIMS = (
    Claim(
        "No layer is reconstructed worse than before",
        "zoo",
        "correlation of the default, less that of the bold driver, above -0.005",
        _never_below,
    ),
    Claim(
        "From the third layer on the default is far better",
        "zoo",
        f"correlation at least {GAIN} above that of the bold driver",
        _third_layer_on,
    ),
)


def run(options: Options) -> int:
    """Compute what is missing, write `results.json`, `results.md` and `results.webp`, print."""
    networks, methods = (text.split(",") for text in (options.networks, options.methods))
    for name in networks:
        if name not in LAYERS:
            raise UsageError(f"unknown network {name!r}; valid are {', '.join(LAYERS)}.")
    for name in methods:
        if name not in METHODS | OTHERS:
            raise UsageError(f"unknown method {name!r}; valid are {', '.join(METHODS | OTHERS)}.")
    cells = _cells(options, networks, methods)
    out = Path(options.out)
    context = Context(Path(options.data), out / "runs", out, Path(options.training or options.data))
    computed(options, cells, "zoo.experiments.comparisons.hearing:compute", context)
    records = found_records(cells, out)
    results: dict[str, Any] = {
        "experiment": NAME,
        "title": "What layers keep of speech",
        "command": typed(),
        "split": options.split,
        "cells": [records.get(c.key, {"key": c.key, "not_run": True}) for c in cells],
    }
    numbers = numbers_of(results["cells"])
    results["claims"] = [claim.verdict(numbers) for claim in CLAIMS]
    results["text"] = _markdown(options, results, numbers, networks, methods)
    results["cells"] = [_short(cell) for cell in results["cells"]]
    write_results(out, results, lambda path: _plot(path, numbers, networks), PICTURE)
    return 0


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a cell found; how, and the intervals, its record in `cells` and the report say."""
    found = {
        place: {
            name: round(value, 4)
            for name, value in measures.items()
            if not name.endswith("_interval")
        }
        for place, measures in record.get("result", {}).items()
    }
    return {"key": record["key"], "result": found} if found else dict(record)


def _cells(options: Options, networks: Sequence[str], methods: Sequence[str]) -> list[Cell]:
    from zoo.data.sets.prepared import set_of_segments

    plans = {
        name: set_of_segments(path).manifest["plan"]
        for name, path in (("data", options.data), ("training", options.training or options.data))
    }
    cells = []
    for seed in range(options.seeds):
        for network in networks:
            judge = next((j for j in options.judges.split(",") if j != network), None)
            for layer in LAYERS[network]:
                for method in methods:
                    if method == "regression" or (method == "decoder" and network == "freq_best"):
                        # The first is a part of "training"; the second has no decoder.
                        continue
                    settings = {
                        "network": network,
                        "layer": layer,
                        "method": method,
                        "judge": judge,
                        "split": options.split,
                        "examples": options.examples,
                        "few": options.few,
                        "seed": seed,
                        **plans,
                    }
                    if method == "decoder":
                        settings["decoder_epochs"] = options.decoder_epochs
                    cells.append(Cell(f"{method}/{network}/{layer}/seed-{seed}", settings))
    return cells


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One method on one layer: means of all measures, with 95 % intervals over segments."""
    import time

    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import reconstruct
    from zoo.inversion.kept import answers, kept
    from zoo.runs import Run

    prepared = Prepared(context.data)
    method, network, layer = (settings[k] for k in ("method", "network", "layer"))
    run, judge = (Run.open(f"{name}-synthetic") for name in (network, settings["judge"]))
    labels = prepared.labels(settings["split"])
    drawn = np.random.default_rng(settings["seed"]).permutation(len(labels))
    drawn = drawn[: settings["examples" if method in LEARNING else "few"]]
    inputs = _features(run, prepared, settings["split"], drawn)
    options = dict(SETTINGS.get(method, {}))
    if method in LEARNING:
        options["training"] = _training(run, context, settings["seed"])
    if method == "decoder":
        options["epochs"] = settings["decoder_epochs"]
    start = time.perf_counter()
    way = "decoder" if method == "decoder" else "gradient"
    found = reconstruct(run.model, layer, inputs, way, settings["seed"], **options)
    seconds = time.perf_counter() - start
    outputs = {method: found.reconstruction}
    if method == "training" and found.start is not None:
        outputs["regression"] = found.start
    names = prepared.classes
    group_of = [prepared.groups[name] for name in names]
    groups = np.array([group_of.index(group) for group in group_of])
    networks = {"own": run.model, "other": judge.model}
    answered = answers(inputs, networks)
    results = {}
    for name, output in outputs.items():
        measures = kept(
            inputs,
            output,
            labels[drawn],
            groups,
            run.frontend,
            networks,
            answered,
        )
        results[f"{name}/{network} {layer}"] = _means(measures) | {
            "examples": len(inputs),
            "reconstruction_seconds": round(seconds, 1),
        }
        if found.output_variation is not None:
            results[f"{name}/{network} {layer}"] |= {
                "output_variation": found.output_variation,
                "constant_output": float(found.constant_output),
            }
    return results


def _features(run: Any, prepared: Any, split: str, places: np.ndarray) -> np.ndarray:
    import numpy as np

    from zoo.evaluation.runs import inputs_for

    return np.asarray(inputs_for(run, prepared, split)[np.sort(places)])[
        np.argsort(np.argsort(places))
    ]


def _training(run: Any, context: Context, seed: int) -> np.ndarray:
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.inversion.reconstruction import TRAINING

    prepared = Prepared(context.pretraining or context.data)
    count = len(prepared.labels("train"))
    drawn = np.random.default_rng([seed, 1]).permutation(count)[:TRAINING]
    return _features(run, prepared, "train", drawn)


def _means(measures: Mapping[str, np.ndarray]) -> dict[str, float]:
    from zoo.evaluation.statistics import mean_interval

    found = {}
    for name, values in measures.items():
        mean, half = mean_interval(values.tolist())
        found[name] = mean
        if half is not None:
            found[f"{name}_interval"] = half
    return found


def _markdown(
    options: Options,
    results: Mapping[str, Any],
    numbers: Numbers,
    networks: Sequence[str],
    methods: Sequence[str],
) -> str:
    asked = {*methods, "regression"} if "training" in methods else set(methods)
    rows = [m for m in METHODS | OTHERS if m in asked]
    lines = [
        f"# {results['title']}",
        "",
        f"Segments of the {options.split} split, {options.examples} with the methods that learn "
        f"from training inputs, the first {options.few} of them with the others; seeds "
        f"0 to {options.seeds - 1}. After ±: half the 95 % interval over segments. "
        "The other network took no part in the reconstruction.",
        "",
        *provenance(results["cells"]),
    ]
    for network in networks:
        lines += [f"## {network}", ""]
        columns = [
            f"{network} {layer}"
            for layer in LAYERS[network]
            if any((m, f"{network} {layer}") in numbers.measures for m in rows)
        ]
        if not columns:
            lines += ["Not run.", ""]
            continue
        for who in ("own", "other"):
            for method in ("training", *rows):
                if (method, columns[0]) in numbers.measures:
                    share = numbers(method, columns[0], f"{who}_on_inputs")
                    count = numbers(method, columns[0], "examples")
                    judge = next(j for j in options.judges.split(",") if j != network)
                    name = network if who == "own" else judge
                    lines += [
                        f"{name} names {share:.0%} of the {count:.0f} originals.",
                        "",
                    ]
                    break
        for measure, text in MEASURES.items():
            lines += [f"### {text}", "", *_table(numbers, measure, rows, columns), ""]
    silent = [
        f"{row}, {column}"
        for (row, column), found in numbers.measures.items()
        if found[0].get("constant_output")
    ]
    if silent:
        lines += [f"The same output whatever the input: {'; '.join(silent)}.", ""]
    lines += ["## Claims", "", claims_table(results["claims"]), ""]
    lines += [f"![{results['title']}]({PICTURE})"]
    return "\n".join(lines) + "\n"


def _table(
    numbers: Numbers, measure: str, rows: Sequence[str], columns: Sequence[str]
) -> list[str]:
    lines = [
        "| | " + " | ".join(c.split()[1] for c in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for row in rows:
        entries = []
        for column in columns:
            try:
                entry = f"{numbers(row, column, measure):.2f}"
                entries.append(f"{entry} ± {numbers(row, column, f'{measure}_interval'):.2f}")
            except NotRun:
                entries.append("–")
        if set(entries) != {"–"}:
            lines.append(f"| {(METHODS | OTHERS)[row]} | " + " | ".join(entries) + " |")
    return lines


def _plot(path: Path, numbers: Numbers, networks: Sequence[str]) -> None:
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    shown = {"correlation": "correlation", "other_accuracy": "accuracy of another network"}
    figure = Figure(figsize=(4 * len(networks), 6), layout="constrained")
    axes = figure.subplots(len(shown), len(networks), sharey=True, squeeze=False)
    for column, network in enumerate(networks):
        layers = LAYERS[network]
        for row, (measure, text) in enumerate(shown.items()):
            axis = axes[row][column]
            for method in METHODS:
                places = [
                    n
                    for n, layer in enumerate(layers)
                    if measure in (numbers.measures.get((method, f"{network} {layer}")) or [{}])[0]
                ]
                if places:
                    values = [numbers(method, f"{network} {layers[n]}", measure) for n in places]
                    axis.plot(places, values, marker="o", ms=3, label=method)
            originals = numbers.measures.get(("training", f"{network} {layers[0]}"))
            if originals and measure == "other_accuracy":
                axis.axhline(originals[0]["other_on_inputs"], color="#555555", ls=":", lw=1)
            axis.set_xticks(range(len(layers)), layers, rotation=45, fontsize=7)
            axis.set_ylim(0, 1.02)
            axis.grid(alpha=0.3)
            if row == 0:
                axis.set_title(network)
            if column == 0:
                axis.set_ylabel(text)
    axes[0][0].legend(frameon=False, fontsize=7)
    save(figure, path)
