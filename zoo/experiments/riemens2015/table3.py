"""Riemens' table 3: how well convolution is inverted by its transpose, and by learnt filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, Numbers, below
from zoo.experiments.engine.runner import Context

NAME = "riemens_table3"
MEASURE = "euclidean_error_uniform"
NULL = "null_distance_uniform"
COLUMNS = {"conv_inverse": "conv. + inverse", "1_unit": "1 unit", "2_units": "2 units"}
MODELS = {
    "conv_inverse": "inversion_conv",
    "1_unit": "inversion_unit1",
    "2_units": "inversion_unit2",
}

# Row -> its text, and the encoder ("trained": the forward network's), whether it is frozen, the
# decoder, and whether anything is trained.
CONDITIONS = {
    "untrained_random": (
        "Untrained: random encoder, random decoder",
        "random",
        True,
        "free",
        False,
    ),
    "untrained_tied": (
        "Untrained: random encoder, transposed decoder",
        "random",
        True,
        "tied",
        False,
    ),
    "untrained_decoder": (
        *("Untrained: trained encoder, random decoder", "trained", True, "free", False),
    ),
    "fixed_tied": ("Trained encoder, fixed; transposed decoder", "trained", True, "tied", True),
    "fixed_transpose_init": (
        *("Trained encoder, fixed; decoder starts transposed", "trained", True),
        *("transpose_init", True),
    ),
    "fixed_free": (
        "Trained encoder, fixed; decoder starts randomly",
        "trained",
        True,
        "free",
        True,
    ),
    "started_tied": (
        "Starts from trained encoder; transposed decoder",
        "trained",
        False,
        "tied",
        True,
    ),
    "started_transpose_init": (
        *("Starts from trained encoder; decoder starts transposed", "trained", False),
        *("transpose_init", True),
    ),
    "started_free": (
        *("Starts from trained encoder; decoder starts randomly", "trained", False, "free", True),
    ),
    "random_tied": ("Encoder starts randomly; transposed decoder", "random", False, "tied", True),
    "random_fixed": (
        "Random encoder, fixed; decoder starts randomly",
        "random",
        True,
        "free",
        True,
    ),
    "random_free": ("Encoder and decoder start randomly", "random", False, "free", True),
}


def _explodes(numbers: Numbers) -> tuple[bool, str]:
    shares = {
        c: numbers("fixed_tied", c, MEASURE) / numbers("fixed_tied", c, NULL) for c in COLUMNS
    }
    return min(shares.values()) > 2, ", ".join(f"{c} {v:.3g}" for c, v in shares.items())


def _looks_right(numbers: Numbers) -> tuple[bool, str]:
    columns = ("conv_inverse", "1_unit")
    pairs = {
        c: (
            numbers("fixed_tied", c, "cross_correlation"),
            numbers("untrained_decoder", c, "cross_correlation"),
        )
        for c in columns
    }
    holds = all(tied > 0.5 and tied > other for tied, other in pairs.values())
    return holds, ", ".join(f"{c} {t:.2f} (random decoder {o:.2f})" for c, (t, o) in pairs.items())


def _random_is_best(numbers: Numbers) -> tuple[bool, str]:
    best = {}
    for column in COLUMNS:
        # The one cell that the thesis did not run does not count.
        rows = [r for r in CONDITIONS if (r, column) != ("started_tied", "2_units")]
        errors = {row: numbers(row, column, MEASURE) for row in rows}
        best[column] = min(errors, key=lambda row: errors[row])
    return set(best.values()) == {"random_free"}, ", ".join(f"{c}: {r}" for c, r in best.items())


def _rows(one: str, other: str, columns=tuple(COLUMNS)):
    return [((one, c, MEASURE), (other, c, MEASURE)) for c in columns]


def _pooling(row: str):
    return ((row, "1_unit", MEASURE), (row, "conv_inverse", MEASURE))


SOURCE = "R, 6.1"
CLAIMS = (
    Claim(
        "With the forward network's fixed encoder, the transposed decoder's Euclidean error "
        "explodes",
        SOURCE,
        "error above twice the null distance in every column (shares of the null distance)",
        _explodes,
    ),
    Claim(
        "Yet its output looks like the input",
        SOURCE,
        "cross-correlation above 0.5 and above a random decoder's, but for two units",
        _looks_right,
    ),
    Claim(
        "Leaving the transpose, or letting the encoder learn, brings the error down",
        SOURCE,
        "both rows below the fixed transpose, convolution alone",
        below(
            [
                *_rows("fixed_transpose_init", "fixed_tied", ("conv_inverse",)),
                *_rows("started_tied", "fixed_tied", ("conv_inverse",)),
            ]
        ),
    ),
    Claim(
        "The forward network's representation is not the best one to reconstruct from",
        SOURCE,
        "encoder started randomly below one started from the forward network, every column",
        below(_rows("random_free", "started_free")),
    ),
    Claim(
        "A decoder started randomly beats one started from the transpose",
        SOURCE,
        "below, for fixed and for started encoders, every column",
        below(
            [
                *_rows("fixed_free", "fixed_transpose_init"),
                *_rows("started_free", "started_transpose_init"),
            ]
        ),
    ),
    Claim(
        "Random initialisation of both beats all",
        SOURCE,
        "lowest error of every column",
        _random_is_best,
    ),
    Claim(
        "Pooling pulls bad reconstructions towards the average, and so helps them",
        SOURCE,
        "one unit below convolution alone, where the transpose is fixed or nothing is trained",
        below([_pooling(r) for r in ("untrained_random", "untrained_tied", "fixed_tied")]),
    ),
    Claim(
        "Pooling harms good reconstructions",
        SOURCE,
        "convolution alone below one unit, where encoder and decoder start randomly",
        below([(_pooling("random_free")[1], _pooling("random_free")[0])]),
    ),
)

TABLE = tables.Table(
    name=NAME,
    title="Inverting convolution, Euclidean error",
    rows={row: condition[0] for row, condition in CONDITIONS.items()},
    columns=COLUMNS,
    measure=MEASURE,
    conditions={
        f"{row}/{column}": {
            "row": row,
            "column": column,
            "encoder": encoder,
            "freeze_encoder": frozen,
            "decoder": decoder,
            "untrained": not trained,
        }
        for row, (_, encoder, frozen, decoder, trained) in CONDITIONS.items()
        for column in COLUMNS
    },
    compute="zoo.experiments.riemens2015.table3:compute",
    claims=CLAIMS,
    notes=(
        "Mean Euclidean distance a spectrogram, on 200 test segments of each class.",
        "The trained encoder is freq_fullpad's, trained within the same budget and seed.",
        "A transposed decoder that is fixed still learns its biases, where anything is trained.",
    ),
    unit=(NULL, "null_distance"),
    logarithmic=True,
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One network, trained where it is to be, and scored."""
    from zoo.data.sets.prepared import Prepared
    from zoo.experiments.engine.trainings import FORWARD, autoencoder, classifier, reconstructed

    prepared = Prepared(context.data)
    encoder = None
    if settings["encoder"] == "trained":
        encoder = str(classifier(FORWARD, settings, prepared, context))
    run = autoencoder(
        MODELS[settings["column"]],
        settings,
        prepared,
        context,
        {"decoder": settings["decoder"]},
        untrained=settings["untrained"],
        encoder=encoder,
        freeze_encoder=settings["freeze_encoder"],
    )
    place = f"{settings['row']}/{settings['column']}"
    return {place: reconstructed(run, prepared, settings["seed"])}


Options = tables.ClassifierTableSettings


def run(options: tables.ClassifierTableSettings) -> int:
    """Compute, write and print."""
    return tables.run(options, TABLE)
