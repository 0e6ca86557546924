"""Churchman's figure B.2: one fricative, reconstructed by every method from every layer."""

from __future__ import annotations

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015.fig11 import SMEARED

NAME = "churchman_figB2"
FIGURE = churchman_figures.one_phone(
    NAME, "One fricative from five layers", ("sh", "s", "f"), (SMEARED,)
)


Options = churchman_figures.Options


def run(options: churchman_figures.Options) -> int:
    """Compute, write and print."""
    return churchman_figures.run(options, FIGURE)
