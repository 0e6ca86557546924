"""Churchman's figure 10: how much of the intensity a layer keeps."""

from __future__ import annotations

from pathlib import Path

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015.figures import value
from zoo.experiments.churchman2015.study import COMPARED, KINDS, LAYERS, METHODS, Study
from zoo.experiments.engine.claims import Claim, Numbers

NAME = "churchman_fig10"
PHONES = ("ao", "ow")
"""The thesis shows one case of [o]; the first of these that occurs is taken."""

BINS = 41


def _lost(numbers: Numbers) -> tuple[bool, str]:
    found = {
        (m, layer): numbers(m, layer, "phones_intensity") for m in METHODS for layer in LAYERS[1:]
    }
    text = "; ".join(
        f"{m}: " + ", ".join(f"{x} {value(numbers, m, x, 'phones_intensity')}" for x in LAYERS[1:])
        for m in METHODS
    )
    return max(found.values()) < 0.5, text


def _kept(numbers: Numbers) -> tuple[bool, str]:
    found = {m: numbers(m, "L1", "phones_intensity") for m in ("decoder", "decoder+gradient")}
    return min(found.values()) > 0.8, ", ".join(
        f"{m} {value(numbers, m, 'L1', 'phones_intensity')}" for m in found
    )


CLAIMS = (
    Claim(
        "From L3 on intensities are greatly reduced, with every method",
        "C, 7.1.1 and 8",
        "root mean square of phones' reconstructions below half of the inputs'",
        _lost,
    ),
    Claim(
        "From L1 they are not",
        "C, 8 (nearly perfect)",
        "above 80 % with the decoder and with the decoder, then gradient descent",
        _kept,
    ),
)


def _text(numbers: Numbers) -> list[str]:
    lines = ["Root mean square of a reconstruction as a share of its input's, mean of all.", ""]
    for kind in KINDS:
        lines += [f"### {kind.capitalize()}", ""]
        lines += churchman_figures.table_of(numbers, f"{kind}_intensity", list(COMPARED), LAYERS)
        lines += [""]
    lines.append("The histograms are of one phone; both axes' ends are those of its input.")
    return lines


def _draw(path: Path, study: Study, numbers: Numbers) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    from zoo.experiments.engine.pictures import save

    place = study.phone(PHONES)
    original = study.sounds.inputs[place].ravel()
    cells = churchman_figures.found(study, numbers, list(COMPARED), LAYERS)
    limit = float(np.abs(original).max())
    edges = np.linspace(-limit, limit, BINS)
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    axes = figure.subplots(len(COMPARED), 1 + len(LAYERS), sharex=True, sharey=True)
    for row, (method, text) in enumerate(COMPARED.items()):
        shown = [("input", original)]
        shown += [
            (f"from {x}", cells[method, x][place].ravel()) for x in LAYERS if (method, x) in cells
        ]
        for axis, (heading, values) in zip(axes[row], shown, strict=False):
            axis.hist(np.clip(values, -limit, limit), edges, color="#3b6ea8", log=True)
            if row == 0:
                axis.set_title(heading, fontsize=9)
        axes[row][0].set_ylabel(text, fontsize=7)
    figure.supxlabel(f"centred intensity of one [{study.sounds.labels[place]}]", fontsize=9)
    save(figure, path)


FIGURE = churchman_figures.Figure(
    NAME,
    "Intensities of reconstructions",
    tuple(COMPARED),
    LAYERS,
    CLAIMS,
    _text,
    _draw,
    lambda study: [study.phone(PHONES)],
)


Options = churchman_figures.Options


def run(options: churchman_figures.Options) -> int:
    """Compute, write and print."""
    return churchman_figures.run(options, FIGURE)
