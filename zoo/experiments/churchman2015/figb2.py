"""Churchman's figure B.2: one fricative, reconstructed by every method from every layer."""

from __future__ import annotations

import argparse

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015.fig11 import SMEARED

NAME = "churchman_figB2"
FIGURE = churchman_figures.one_phone(
    NAME, "One fricative from five layers by four methods", ("sh", "s", "f"), (SMEARED,)
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    churchman_figures.add_arguments(parser, NAME)


def run(args: argparse.Namespace) -> int:
    """Compute, write and print."""
    return churchman_figures.run(args, FIGURE)
