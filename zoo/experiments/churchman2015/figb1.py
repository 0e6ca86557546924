"""Churchman's figure B.1: one vowel, reconstructed by every method from every layer."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015 import study as churchman
from zoo.experiments.engine.claims import Claim, Numbers

NAME = "churchman_figB1"
BEST, WORST = "decoder+gradient", "annealing"


def _by_correlation(numbers: Numbers, layers: tuple[str, ...]) -> dict[str, float]:
    return {
        m: sum(numbers(m, layer, "phones_cross_correlation") for layer in layers) / len(layers)
        for m in churchman.METHODS
    }


def _ranked(numbers: Numbers, methods: Iterable[str], layers: tuple[str, ...]) -> str:
    return ", ".join(
        f"{m} {churchman_figures.mean_value(numbers, m, layers, 'phones_cross_correlation')}"
        for m in methods
    )


def _order(numbers: Numbers) -> tuple[bool, str]:
    found = _by_correlation(numbers, churchman.LAYERS)
    ranked = sorted(found, key=lambda m: -found[m])
    return ranked[0] == BEST, _ranked(numbers, ranked, churchman.LAYERS)


def _second(numbers: Numbers) -> tuple[bool, str]:
    found = _by_correlation(numbers, churchman.LAYERS[2:])
    ranked = sorted(found, key=lambda m: -found[m])
    return ranked[1] == "gradient", _ranked(numbers, ranked, churchman.LAYERS[2:])


def _last(numbers: Numbers) -> tuple[bool, str]:
    found = _by_correlation(numbers, churchman.LAYERS)
    lowest = min(found, key=lambda m: found[m])
    return lowest == WORST, _ranked(numbers, dict.fromkeys((lowest, WORST)), churchman.LAYERS)


SOURCE = "C, 7.1.2"
CLAIMS = (
    Claim(
        "To the eye decoding followed by gradient descent is best",
        SOURCE,
        "the highest spectrogram correlation of phones, averaged over the layers",
        _order,
    ),
    Claim(
        "Gradient descent is second-best, especially from L6 on",
        SOURCE,
        "the second-highest spectrogram correlation, averaged over L6, L9 and L12",
        _second,
    ),
    Claim(
        "Simulated annealing is worst",
        SOURCE,
        "the lowest spectrogram correlation, averaged over the layers",
        _last,
    ),
)
FIGURE = churchman_figures.one_phone(NAME, "One vowel from five layers", ("ao", "ow"), CLAIMS)


Options = churchman_figures.Options


def run(options: churchman_figures.Options) -> int:
    """Compute, write and print."""
    return churchman_figures.run(options, FIGURE)
