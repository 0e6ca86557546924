"""Riemens' table 5: classifiers on an autoencoder's encoder, fixed or as a start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, Numbers, below
from zoo.experiments.engine.runner import Context

NAME = "riemens_table5"
MEASURE = "error"
COLUMNS = {"fixed_encoder": "fixed encoder", "pretraining": "pretraining"}

# Row -> its text, and the autoencoder's training (None: there is none) and unpooling.
CONDITIONS = {
    "random": ("Random encoder", None, "switch"),
    "regular_switch": ("Regular autoencoder, switch unpooling", "regular", "switch"),
    "regular_blind": ("Regular autoencoder, blind upsampling", "regular", "blind"),
    "strong_switch": ("Strongly stacked autoencoder, switch unpooling", "strong", "switch"),
    "weak_switch": ("Weakly stacked autoencoder, switch unpooling", "weak", "switch"),
    "weak_blind": ("Weakly stacked autoencoder, blind upsampling", "weak", "blind"),
}
AUTOENCODERS = tuple(row for row, (_, training, _) in CONDITIONS.items() if training)
CHANCE = 0.95
"""Error above which a classifier has hardly learnt anything; chance over 39 groups is 97 %."""


def _errors(one: str, other: str, column: str = "pretraining"):
    return ((one, column, MEASURE), (other, column, MEASURE))


def _pretraining_beats_fixed(numbers: Numbers) -> tuple[bool, str]:
    pairs = {
        row: (numbers(row, "pretraining", MEASURE), numbers(row, "fixed_encoder", MEASURE))
        for row in CONDITIONS
    }
    counted = {row: pair for row, pair in pairs.items() if min(pair) < CHANCE}
    text = ", ".join(f"{row} {a:.1%} / {b:.1%}" for row, (a, b) in pairs.items())
    return bool(counted) and all(a < b for a, b in counted.values()), text


def _close(numbers: Numbers) -> tuple[bool, str]:
    random = numbers("random", "pretraining", MEASURE)
    errors = {row: numbers(row, "pretraining", MEASURE) for row in AUTOENCODERS}
    best = min(errors, key=lambda row: errors[row])
    return errors[best] - random <= 0.03, f"{best} {errors[best]:.1%}, random {random:.1%}"


def _bad_predictor(numbers: Numbers) -> tuple[bool, str]:
    reconstruction = {r: numbers(r, "autoencoder", "euclidean_error_uniform") for r in AUTOENCODERS}
    errors = {row: numbers(row, "pretraining", MEASURE) for row in AUTOENCODERS}
    one = min(reconstruction, key=lambda row: reconstruction[row])
    other = min(errors, key=lambda row: errors[row])
    text = ", ".join(f"{r} {reconstruction[r]:.3g} / {errors[r]:.1%}" for r in AUTOENCODERS)
    return one != other, f"Euclidean / classification error: {text}"


SOURCE = "R, 6.3"
CLAIMS = (
    Claim(
        "Random initialisation beats pretraining by any autoencoder",
        SOURCE,
        "lower error than every other row",
        below([_errors("random", row) for row in AUTOENCODERS], ".1%"),
    ),
    Claim(
        "The best pretraining comes close to it",
        SOURCE,
        "within 3 points of error, or better",
        _close,
    ),
    Claim(
        "Pretraining beats a fixed encoder",
        SOURCE,
        f"lower error wherever one of the two is below {CHANCE:.0%} (pretraining / fixed)",
        _pretraining_beats_fixed,
    ),
    Claim(
        "Stacked autoencoders beat regular ones as pretraining",
        "R, 7",
        "strong below regular with switches, weak below regular with blind upsampling",
        below(
            [_errors("strong_switch", "regular_switch"), _errors("weak_blind", "regular_blind")],
            ".1%",
        ),
    ),
    Claim(
        "Regular: switches beat blind upsampling",
        SOURCE,
        "lower error",
        below([_errors("regular_switch", "regular_blind")], ".1%"),
    ),
    Claim(
        "Weakly stacked: blind upsampling beats switches",
        SOURCE,
        "lower error",
        below([_errors("weak_blind", "weak_switch")], ".1%"),
    ),
    Claim(
        "Switches: strong beats weak stacking",
        SOURCE,
        "lower error",
        below([_errors("strong_switch", "weak_switch")], ".1%"),
    ),
    Claim(
        "The Euclidean error does not predict how useful an encoder is",
        "R, 7",
        "the autoencoder of the lowest one is not the best pretraining",
        _bad_predictor,
    ),
)

TABLE = tables.Table(
    name=NAME,
    title="Classification with an autoencoder's encoder",
    rows={row: condition[0] for row, condition in CONDITIONS.items()},
    columns=COLUMNS,
    measure=MEASURE,
    conditions={
        f"{row}/{column}": {
            "row": row,
            "column": column,
            "training": training,
            "unpooling": unpooling,
        }
        for row, (_, training, unpooling) in CONDITIONS.items()
        for column in (*COLUMNS, "autoencoder")
        if training or column != "autoencoder"
    },
    compute="zoo.experiments.riemens2015.table5:compute",
    claims=CLAIMS,
    notes=(
        "Classification error over 39 groups, on 200 test segments of each class.",
        "Autoencoders of four units, trained on the same segments, each within the budget.",
    ),
    percent=True,
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The autoencoder, and a classifier that takes its encoder; or the autoencoder's scores."""
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.trainings import (
        FORWARD,
        autoencoder,
        classified,
        classifier,
        reconstructed,
    )

    prepared = Prepared(context.data)
    encoder, training = None, settings["training"]
    if training is not None:
        encoder = autoencoder(
            f"{FORWARD}_ae",
            settings,
            prepared,
            context,
            # As table 4 asks for them, so that the two share trainings.
            {"units": 4, "unpooling": settings["unpooling"], "decoder_relu": True},
            stack=training if training in ("strong", "weak") else None,
        )
    place = f"{settings['row']}/{settings['column']}"
    if settings["column"] == "autoencoder" and encoder is not None:
        return {place: reconstructed(encoder, prepared, settings["seed"])}
    run = classifier(
        FORWARD,
        settings,
        prepared,
        context,
        encoder=str(encoder) if encoder else None,
        freeze_encoder=settings["column"] == "fixed_encoder",
    )
    return {place: classified(run, prepared, settings["seed"])}


Options = tables.ClassifierTableSettings


def run(options: tables.ClassifierTableSettings) -> int:
    """Compute, write and print."""
    return tables.run(options, TABLE)
