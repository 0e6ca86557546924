"""Riemens' table 4: autoencoders of one to four units, whole and stacked, two unpoolings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, Numbers, below
from zoo.experiments.engine.runner import Context

NAME = "riemens_table4"
MEASURE = "euclidean_error_uniform"
NULL = "null_distance_uniform"
COLUMNS = {"1_unit": "1 unit", "2_units": "2 units", "3_units": "3 units", "4_units": "4 units"}
UNITS = {"1_unit": 1, "2_units": 2, "3_units": 3, "4_units": 4}

# Row -> its text, and kind of training, unpooling, decoder ReLUs.
CONDITIONS = {
    "untrained_switch": ("Untrained, switch unpooling, decoder ReLUs", "untrained", "switch", True),
    "untrained_switch_norelu": (
        *("Untrained, switch unpooling, no decoder ReLUs", "untrained", "switch", False),
    ),
    "untrained_blind": ("Untrained, blind upsampling, decoder ReLUs", "untrained", "blind", True),
    "untrained_blind_norelu": (
        *("Untrained, blind upsampling, no decoder ReLUs", "untrained", "blind", False),
    ),
    "regular_switch": ("Regular, switch unpooling, decoder ReLUs", "regular", "switch", True),
    "regular_switch_norelu": (
        *("Regular, switch unpooling, no decoder ReLUs", "regular", "switch", False),
    ),
    "regular_blind": ("Regular, blind upsampling, decoder ReLUs", "regular", "blind", True),
    "regular_blind_norelu": (
        *("Regular, blind upsampling, no decoder ReLUs", "regular", "blind", False),
    ),
    "strong_switch": (
        "Stacked (strong), switch unpooling, decoder ReLUs",
        "strong",
        "switch",
        True,
    ),
    "weak_switch": ("Stacked (weak), switch unpooling, decoder ReLUs", "weak", "switch", True),
    "weak_blind": ("Stacked (weak), blind upsampling, decoder ReLUs", "weak", "blind", True),
}
SAME = {
    **{
        (f"{kind}_{pooling}_norelu", "1_unit"): (f"{kind}_{pooling}", "1_unit")
        for kind in ("untrained", "regular")
        for pooling in ("switch", "blind")
    },
    **{
        (f"{kind}_{pooling}", "1_unit"): (f"regular_{pooling}", "1_unit")
        for kind, pooling in (("strong", "switch"), ("weak", "switch"), ("weak", "blind"))
    },
}
"""With one unit, neither stacking nor decoder ReLUs change anything."""


def _conditions() -> dict[str, dict[str, Any]]:
    """A stacked row is one cell: its four units pass through the three smaller autoencoders."""
    found = {}
    for row, (_, training, unpooling, relu) in CONDITIONS.items():
        settings = {
            "row": row,
            "training": training,
            "unpooling": unpooling,
            "decoder_relu": relu,
        }
        if training in ("strong", "weak"):
            found[row] = {**settings, "units": 4}
            continue
        for column, units in UNITS.items():
            if (row, column) not in SAME:
                found[f"{row}/{column}"] = {**settings, "units": units}
    return found


def _rows(one: str, other: str, columns=tuple(COLUMNS)):
    return [((one, c, MEASURE), (other, c, MEASURE)) for c in columns]


def _constant(numbers: Numbers) -> tuple[bool, str]:
    found = numbers("regular_blind", "4_units", "output_variation")
    return found < 0.01, f"output variation {found:.2%}"


def _no_better_than_null(numbers: Numbers) -> tuple[bool, str]:
    shares = {
        c: numbers("regular_blind", c, MEASURE) / numbers("regular_blind", c, NULL)
        for c in ("1_unit", "4_units")
    }
    text = ", ".join(f"{c} {v:.2f}" for c, v in shares.items())
    return min(shares.values()) > 0.95, f"shares of the null distance {text}"


def _relus(numbers: Numbers) -> tuple[bool, str]:
    pairs = [
        (numbers("regular_switch", c, MEASURE), numbers("regular_switch_norelu", c, MEASURE))
        for c in ("3_units", "4_units")
    ]
    text = "; ".join(f"with {a:.3g}, without {b:.3g}" for a, b in pairs)
    return all(abs(a - b) < 0.1 * max(a, b) for a, b in pairs), text


LARGER = ("2_units", "3_units", "4_units")
SOURCE = "R, 6.2"
CLAIMS = (
    Claim(
        "Switch unpooling beats blind upsampling virtually everywhere",
        SOURCE,
        "lower error, regular with one and four units, weakly stacked with two and three",
        below(
            [
                *_rows("regular_switch", "regular_blind", ("1_unit", "4_units")),
                *_rows("weak_switch", "weak_blind", ("2_units", "3_units")),
            ]
        ),
    ),
    Claim(
        "Networks with blind upsampling always output the average",
        SOURCE,
        "output variation below 1 % of the inputs', four units",
        _constant,
    ),
    Claim(
        "Their error is that of the null spectrogram",
        SOURCE,
        "above 0.95 of the null distance, one and four units",
        _no_better_than_null,
    ),
    Claim(
        "Strong stacking is worse than regular training",
        SOURCE,
        "higher error, two to four units, switch unpooling",
        below(_rows("regular_switch", "strong_switch", LARGER)),
    ),
    Claim(
        "Weak stacking beats both for small networks",
        SOURCE,
        "lower error, two units, switch unpooling",
        below(
            [
                *_rows("weak_switch", "regular_switch", ("2_units",)),
                *_rows("weak_switch", "strong_switch", ("2_units",)),
            ]
        ),
    ),
    Claim(
        "The error grows with the units",
        SOURCE,
        "each more than the one before, regular, switch unpooling",
        below(
            [
                (("regular_switch", one, MEASURE), ("regular_switch", other, MEASURE))
                for one, other in zip(COLUMNS, LARGER, strict=False)
            ]
        ),
    ),
    Claim(
        "Decoder ReLUs make no difference once there is training",
        SOURCE,
        "errors with and without within 10 % of each other, switches, three and four units",
        _relus,
    ),
    Claim(
        "Without training, leaving them out does harm",
        SOURCE,
        "error with ReLUs below that without, four units",
        below(
            [
                *_rows("untrained_switch", "untrained_switch_norelu", ("4_units",)),
                *_rows("untrained_blind", "untrained_blind_norelu", ("4_units",)),
            ]
        ),
    ),
)

TABLE = tables.Table(
    name=NAME,
    title="Full-scale autoencoders, Euclidean error",
    rows={row: condition[0] for row, condition in CONDITIONS.items()},
    columns=COLUMNS,
    measure=MEASURE,
    conditions=_conditions(),
    compute="zoo.experiments.riemens2015.table4:compute",
    claims=CLAIMS,
    notes=(
        "Mean Euclidean distance a spectrogram, on 200 test segments of each class.",
        "With one unit, neither stacking nor decoder ReLUs change anything: these entries repeat "
        "the uppermost row of the same set-up.",
        "Stacked: --epochs at most for each unit; a unit has converged after --patience epochs "
        "without an improvement of 0.1 % of the loss (of the dev part, where there is one).",
    ),
    unit=(NULL, "null_distance"),
    same=SAME,
    logarithmic=True,
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One autoencoder, trained and scored; of a stacked one every stage but the first."""
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.trainings import autoencoder, reconstructed, stage_reconstructed

    prepared = Prepared(context.data)
    training = settings["training"]
    stack = training if training in ("strong", "weak") else None
    run = autoencoder(
        "freq_fullpad_ae",
        settings,
        prepared,
        context,
        {key: settings[key] for key in ("units", "unpooling", "decoder_relu")},
        untrained=training == "untrained",
        stack=stack,
    )
    columns = {units: column for column, units in UNITS.items()}
    row, seed = settings["row"], settings["seed"]
    if stack is None:
        return {f"{row}/{columns[settings['units']]}": reconstructed(run, prepared, seed)}
    return {
        f"{row}/{columns[units]}": stage_reconstructed(run, units, prepared, seed)
        for units in range(2, settings["units"] + 1)
    }


Options = tables.TableSettings


def run(options: tables.TableSettings) -> int:
    """Compute, write and print."""
    return tables.run(options, TABLE)
