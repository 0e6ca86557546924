"""Churchman's figure 9: errors and correlations of reconstructions from five layers."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015.figures import mean_value, value
from zoo.experiments.churchman2015.study import (
    COMPARED,
    KINDS,
    LAYERS,
    MEASURES,
    METHODS,
    TODAY,
    Study,
)
from zoo.experiments.engine.claims import Claim, NotRun, Numbers

NAME = "churchman_fig9"
SOURCE = "C, 7.1"
BEST, WORST = "decoder+gradient", "annealing"
SOUND = "waveform_cross_correlation"
SAME = 0.005
"""Largest difference of correlations that counts as equal."""


def _over_layers(numbers: Numbers, method: str, kind: str, layers: Sequence[str] = LAYERS) -> float:
    return sum(numbers(method, layer, f"{kind}_{SOUND}") for layer in layers) / len(layers)


def _best(numbers: Numbers) -> tuple[bool, str]:
    means = {method: _over_layers(numbers, method, "phones") for method in METHODS}
    text = ", ".join(
        f"{method} {mean_value(numbers, method, LAYERS, f'phones_{SOUND}')}" for method in METHODS
    )
    return max(means, key=lambda m: means[m]) == BEST, text


def _worst(numbers: Numbers) -> tuple[bool, str]:
    lost, text = [], []
    for layer in LAYERS:
        values = {m: numbers(m, layer, f"phones_{SOUND}") for m in METHODS}
        lowest = min(values, key=lambda m: values[m])
        lost.append(lowest == WORST)
        shown = dict.fromkeys((lowest, WORST))
        each = (f"{m} {value(numbers, m, layer, f'phones_{SOUND}')}" for m in shown)
        text.append(f"{layer}: {', '.join(each)}")
    return all(lost), "; ".join(text)


def _nearly_perfect(numbers: Numbers) -> tuple[bool, str]:
    found = {m: numbers(m, "L1", "phones_cross_correlation") for m in ("decoder", BEST)}
    text = ", ".join(
        f"{m} {value(numbers, m, 'L1', 'phones_cross_correlation', '.3f')}" for m in found
    )
    return min(found.values()) > 0.95, text


def _falls(numbers: Numbers) -> tuple[bool, str]:
    found = [numbers(BEST, layer, f"phones_{SOUND}") for layer in LAYERS]
    text = ", ".join(f"{x} {value(numbers, BEST, x, f'phones_{SOUND}')}" for x in LAYERS)
    return all(a >= b for a, b in itertools.pairwise(found)), text


def _phones_first(numbers: Numbers) -> tuple[bool, str]:
    pairs = {
        method: [_over_layers(numbers, method, kind, LAYERS[1:]) for kind in KINDS]
        for method in METHODS
    }
    text = "; ".join(
        f"{m}: "
        + ", ".join(f"{k} {mean_value(numbers, m, LAYERS[1:], f'{k}_{SOUND}')}" for k in KINDS)
        for m in METHODS
    )
    return all(p > c for p, c in pairs.values()), text


def _late_layers(numbers: Numbers) -> tuple[bool, str]:
    pairs = {
        method: [numbers(method, layer, f"phones_{SOUND}") for layer in ("L9", "L12")]
        for method in METHODS
    }
    text = "; ".join(
        f"{m}: "
        + ", ".join(f"{x} {value(numbers, m, x, f'phones_{SOUND}')}" for x in ("L9", "L12"))
        for m in METHODS
    )
    return all(b >= 0.8 * a for a, b in pairs.values()), text


def _above(methods: Sequence[str]):
    def judge(numbers: Numbers) -> tuple[bool, str]:
        threshold = _threshold(numbers)
        values = {
            (m, layer): numbers(m, layer, f"phones_{SOUND}") for m in methods for layer in LAYERS
        }
        lowest = min(values, key=lambda key: values[key])
        least = value(numbers, *lowest, f"phones_{SOUND}")
        text = f"threshold {threshold:.2f}, lowest {' '.join(lowest)} {least}"
        return values[lowest] > threshold, text

    return judge


def _chirps_below(numbers: Numbers) -> tuple[bool, str]:
    threshold = _threshold(numbers)
    methods = [m for m in METHODS if m != BEST]
    values = {
        f"{m} {layer}": numbers(m, layer, f"chirps_{SOUND}")
        for m in methods
        for layer in LAYERS[1:]
    }
    above = [key for key, value in values.items() if value >= threshold]
    text = f"threshold {threshold:.2f}, above it {len(above)} of {len(values)}"
    return len(above) <= 1, text


def _today(numbers: Numbers) -> tuple[bool, str]:
    held, text = [], []
    for layer in LAYERS:
        found = {m: numbers(m, layer, "phones_cross_correlation") for m in METHODS}
        best = max(found, key=lambda m: found[m])
        ours, theirs = (value(numbers, m, layer, "phones_cross_correlation") for m in (TODAY, best))
        held.append(numbers(TODAY, layer, "phones_cross_correlation") >= found[best] - SAME)
        text.append(f"{layer}: {ours}, {best} {theirs}")
    return all(held), "; ".join(text)


def _threshold(numbers: Numbers) -> float:
    for (method, layer), found in numbers.measures.items():
        if "threshold" in found[0]:
            return numbers(method, layer, "threshold")
    raise NotRun("threshold")


CLAIMS = (
    Claim(
        "Decoding followed by gradient descent reconstructs phones best",
        SOURCE,
        "the highest waveform correlation of phones, averaged over the layers",
        _best,
    ),
    Claim(
        "Simulated annealing performs worst over all layers",
        SOURCE,
        "the lowest waveform correlation of phones from every layer",
        _worst,
    ),
    Claim(
        "From the first layer decoders are nearly perfect, with gradient descent and without",
        "C, 8",
        "spectrograms of phones correlate above 0.95",
        _nearly_perfect,
    ),
    Claim(
        "The waveform correlation falls with depth",
        SOURCE,
        "of decoder+gradient on phones, never higher from a deeper layer",
        _falls,
    ),
    Claim(
        "Phones are reconstructed better than chirps",
        SOURCE,
        "waveform correlation from L3 on, averaged, with every method",
        _phones_first,
    ),
    Claim(
        "The second fully-connected layer is only slightly worse than late convolutional ones",
        SOURCE,
        "waveform correlation of phones from L12 at least 80 % of that from L9, with every method",
        _late_layers,
    ),
    Claim(
        "Gradient descent, alone or after decoding, stays above the threshold with phones",
        SOURCE,
        "waveform correlation from every layer above the average waveform's",
        _above(("gradient", BEST)),
    ),
    Claim(
        "Almost all chirps are below the threshold from L3 on, but for decoder+gradient",
        SOURCE,
        "of the other methods and layers at most one is above",
        _chirps_below,
    ),
    Claim(
        "Today's search loses to none of the thesis' methods",
        "zoo",
        f"spectrogram correlation of phones from every layer at most {SAME} below the best one's",
        _today,
    ),
)


def _text(numbers: Numbers) -> list[str]:
    lines = []
    for kind in KINDS:
        for measure, text in MEASURES.items():
            lines += [f"### {kind.capitalize()}: {text}", ""]
            lines += churchman_figures.table_of(
                numbers, f"{kind}_{measure}", list(COMPARED), LAYERS
            )
            lines += [""]
    first = next(iter(numbers.measures), None)
    if first:
        distances = [f"{kind} {numbers(*first, f'{kind}_null_distance'):.3g}" for kind in KINDS]
        lines.append(f"Distance of the average spectrogram from {', from '.join(distances)}.")
        if "threshold" in numbers.measures[first][0]:
            lines.append(
                "Threshold, the waveform correlation of phones with the average waveform: "
                f"{numbers(*first, 'threshold'):.3f} (published 0.12)."
            )
    return lines


def _draw(path: Path, study: Study, numbers: Numbers) -> None:
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    figure = Figure(figsize=(10, 9), layout="constrained")
    axes = figure.subplots(len(MEASURES), len(KINDS), sharex=True, sharey="row")
    colours = ("#7a4fa3", "#3b6ea8", "#2f8f5b", "#c2571a", "#222222")
    for row, (measure, text) in enumerate(MEASURES.items()):
        for column, kind in enumerate(KINDS):
            axis, name = axes[row][column], f"{kind}_{measure}"
            for number, method in enumerate(COMPARED):
                shown = [
                    place
                    for place, layer in enumerate(LAYERS)
                    if name in (numbers.measures.get((method, layer)) or [{}])[0]
                ]
                values = [numbers(method, LAYERS[p], name) for p in shown]
                halves = [numbers(method, LAYERS[p], f"{name}_interval") for p in shown]
                axis.errorbar(
                    [p + 0.06 * (number - 2) for p in shown],
                    values,
                    halves,
                    marker="o",
                    ms=4,
                    capsize=3,
                    color=colours[number],
                    label=COMPARED[method],
                )
            _reference(axis, numbers, kind, measure)
            axis.set_xticks(range(len(LAYERS)), LAYERS)
            axis.grid(alpha=0.3)
            if row == 0:
                axis.set_title(kind)
            if column == 0:
                axis.set_ylabel(textwrap.fill(text, 30), fontsize=8)
    axes[0][0].legend(frameon=False, fontsize=7)
    save(figure, path)


def _reference(axis, numbers: Numbers, kind: str, measure: str) -> None:
    """A line at what no reconstruction at all would have."""
    references = {"euclidean_error": f"{kind}_null_distance", SOUND: "threshold"}
    name = references.get(measure, "")
    for (method, layer), found in numbers.measures.items():
        if name in found[0]:
            axis.axhline(numbers(method, layer, name), color="#555555", ls=":", lw=1)
            return


def _shown(study: Study) -> list[int]:
    chirps = study.places("chirps")
    return [study.phone(("ao", "ow")), study.phone(("sh", "s")), *map(int, chirps[[0, -1]])]


FIGURE = churchman_figures.Figure(
    NAME,
    "Reconstructions from five layers by the thesis' methods and today's search",
    tuple(COMPARED),
    LAYERS,
    CLAIMS,
    _text,
    _draw,
    _shown,
)


Options = churchman_figures.Options


def run(options: churchman_figures.Options) -> int:
    """Compute, write and print."""
    return churchman_figures.run(options, FIGURE)
