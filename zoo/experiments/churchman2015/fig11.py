"""Churchman's figure 11: reconstructions of chirps beside those of phones."""

from __future__ import annotations

from pathlib import Path

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015.figures import value
from zoo.experiments.churchman2015.study import COMPARED, KINDS, TODAY, Study
from zoo.experiments.engine.claims import Claim, Numbers

NAME = "churchman_fig11"
METHOD = "decoder+gradient"
SHOWN = (METHOD, TODAY)
LAYERS = ("L6", "L12")
MEASURES = ("cross_correlation", "waveform_cross_correlation", "time_spread", "output_time_spread")


def _slightly_better(numbers: Numbers) -> tuple[bool, str]:
    pairs = {
        layer: [numbers(METHOD, layer, f"{kind}_waveform_cross_correlation") for kind in KINDS]
        for layer in LAYERS
    }
    text = "; ".join(
        f"{layer}: "
        + ", ".join(
            f"{kind} {value(numbers, METHOD, layer, f'{kind}_waveform_cross_correlation')}"
            for kind in KINDS
        )
        for layer in LAYERS
    )
    return all(p > c for p, c in pairs.values()), text


def smeared(numbers: Numbers) -> tuple[bool, str]:
    """Whether reconstructions of phones are spread over more frames than the phones."""
    names = ("phones_time_spread", "phones_output_time_spread")
    pairs = {layer: [numbers(METHOD, layer, name) for name in names] for layer in LAYERS}
    text = "; ".join(
        f"{layer}: {value(numbers, METHOD, layer, names[0])} to "
        f"{value(numbers, METHOD, layer, names[1])}"
        for layer in LAYERS
    )
    return all(b > a for a, b in pairs.values()), text


SMEARED = Claim(
    "Activity is smeared over time",
    "C, 7.1.2 and 8",
    "the energy of phones' reconstructions is spread over a larger share of the frames",
    smeared,
)
CLAIMS = (
    Claim(
        "Phones are reconstructed slightly better than chirps",
        "C, 7.1.2",
        "higher waveform correlation from both layers",
        _slightly_better,
    ),
    SMEARED,
)


def _text(numbers: Numbers) -> list[str]:
    lines = [
        "The last two columns: share of the frames that the energy is "
        "spread over, of the input and of the reconstruction.",
        "",
        "| method | layer | sounds | " + " | ".join(m.replace("_", " ") for m in MEASURES) + " |",
        "|---|---|---|" + "---|" * len(MEASURES),
    ]
    for method in SHOWN:
        for layer in LAYERS:
            if (method, layer) not in numbers.measures:
                continue
            measures = numbers.measures[method, layer][0]
            for kind in KINDS:
                values = [
                    value(numbers, method, layer, f"{kind}_{m}")
                    if f"{kind}_{m}" in measures
                    else "–"
                    for m in MEASURES
                ]
                lines.append(
                    f"| {COMPARED[method]} | {layer} | {kind} | " + " | ".join(values) + " |"
                )
    return lines


def _shown(study: Study) -> list[int]:
    """A chirp up through the whole band, one down through a low one, two phones."""
    chirps = study.places("chirps")
    names = [study.sounds.names[place] for place in chirps]
    two = [chirps[names.index(n)] for n in ("up, whole, 1 sweep", "down, lower, 1 sweep")]
    return [*map(int, two), study.phone(("ao", "ow")), study.phone(("sh", "s"))]


def _draw(path: Path, study: Study, numbers: Numbers) -> None:
    from zoo.experiments.engine.pictures import spectrogram_rows

    cells = churchman_figures.found(study, numbers, SHOWN, LAYERS)
    places = _shown(study)
    rows = [("input", [study.sounds.inputs[p, :, :, 0] for p in places])]
    for method, layer in cells:
        pictures = [cells[method, layer][p, :, :, 0] for p in places]
        rows.append((f"{METHOD if method == METHOD else 'today'}\nfrom {layer}", pictures))
    headings = [study.sounds.names[p] for p in places]
    spectrogram_rows(path, rows, headings, compressed=True)


FIGURE = churchman_figures.Figure(
    NAME,
    "Reconstructions of chirps and of phones",
    SHOWN,
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
