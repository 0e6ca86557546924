"""Riemens' table 2: accuracies of classifiers that convolve over frequency, time or both."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from zoo.experiments import tables
from zoo.experiments.cells import Context
from zoo.experiments.claims import Claim, Numbers

NAME = "riemens_table2"
ROWS = {
    "time": "Time convolution",
    "freq_large": "Frequency convolution, large filters",
    "freq": "Frequency convolution",
    "freq_fullpad": "Frequency convolution, deeper, fully-padded, pooling overlap",
    "freq_overlap": "Frequency convolution, deeper, pooling overlap",
    "conv2d": "2-D convolution (not in the table)",
    "freq_best": "Ours, frequency convolution (not in the table)",
}
MEASURE = "accuracy_39_uniform"
COLUMN = "accuracy"


def _above(better: str, worse: str):
    def judge(numbers: Numbers) -> tuple[bool, str]:
        one, other = numbers(better, COLUMN, MEASURE), numbers(worse, COLUMN, MEASURE)
        return one > other, f"{better} {one:.1%}, {worse} {other:.1%}"

    return judge


def _best(numbers: Numbers) -> tuple[bool, str]:
    ours = numbers("freq_best", COLUMN, MEASURE)
    others = {row: numbers(row, COLUMN, MEASURE) for row in ROWS if row != "freq_best"}
    nearest = max(others, key=lambda row: others[row])
    return ours > others[
        nearest
    ], f"freq_best {ours:.1%}, best other {nearest} {others[nearest]:.1%}"


SOURCE = "R, 3.3"
CLAIMS = (
    Claim("Frequency beats time convolution", SOURCE, "freq > time", _above("freq", "time")),
    Claim("Large filters do worse", SOURCE, "freq > freq_large", _above("freq", "freq_large")),
    Claim(
        "Overlapping pooling, deeper, helps",
        SOURCE,
        "freq_overlap > freq",
        _above("freq_overlap", "freq"),
    ),
    Claim(
        "Full padding lowers accuracy a little",
        SOURCE,
        "freq_overlap > freq_fullpad",
        _above("freq_overlap", "freq_fullpad"),
    ),
    Claim(
        "No 2-D convolution was found that does well",
        SOURCE,
        "freq > conv2d",
        _above("freq", "conv2d"),
    ),
    Claim("freq_best beats every network of the table", "ours", "freq_best > all others", _best),
)

TABLE = tables.Table(
    name=NAME,
    title="Accuracy of classifiers",
    rows=ROWS,
    columns={COLUMN: "accuracy"},
    measure=MEASURE,
    conditions={name: {"model": name} for name in ROWS},
    compute="zoo.experiments.riemens_table2:compute",
    claims=CLAIMS,
    notes=(
        "Counted over 39 groups on 200 test segments of each class, as published.",
        "Every network is trained by the same settings, so freq_best without its augmentation.",
    ),
    percent=True,
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One network, trained and scored."""
    from zoo.data.prepared import Prepared
    from zoo.experiments.trainings import classified, classifier

    prepared = Prepared(context.data)
    run = classifier(settings["model"], settings, prepared, context)
    return {f"{settings['model']}/{COLUMN}": classified(run, prepared, settings["seed"])}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    tables.add_budget(parser, NAME)


def run(args: argparse.Namespace) -> int:
    """Compute, write and print."""
    return tables.run(args, TABLE)
