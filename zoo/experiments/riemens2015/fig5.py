"""Riemens' figure 5: a transposed decoder's output looks right and lies far away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, Numbers, claims_table
from zoo.experiments.engine.runner import Context

NAME = "riemens_fig5"
DECODERS = {"transposed": "the encoder's transpose", "random": "random filters"}
COLUMN = "1_unit"
CONDITIONS = {
    "transposed": {"row": "transposed", "decoder": "tied"},
    "random": {"row": "random", "decoder": "free"},
}
SHOWN = 6


def _far(numbers: Numbers) -> tuple[bool, str]:
    error = numbers("transposed", COLUMN, "euclidean_error")
    null = numbers("transposed", COLUMN, "null_distance")
    return error > 2 * null, f"error {error:.3g}, null distance {null:.3g}"


def _alike(numbers: Numbers) -> tuple[bool, str]:
    one, other = (numbers(row, COLUMN, "cross_correlation") for row in DECODERS)
    return one > 0.5 and one > other, f"transposed {one:.2f}, random {other:.2f}"


def _intensity(numbers: Numbers) -> tuple[bool, str]:
    error = numbers("transposed", COLUMN, "euclidean_error_at_best_gain")
    null = numbers("transposed", COLUMN, "null_distance")
    return error < null, f"error at the best gain {error:.3g}, null distance {null:.3g}"


SOURCE = "R, 6.1"
CLAIMS = (
    Claim("Its Euclidean error is enormous", SOURCE, "above twice the null distance", _far),
    Claim(
        "It looks like the input",
        SOURCE,
        "cross-correlation above 0.5 and above a random decoder's",
        _alike,
    ),
    Claim(
        "What is wrong is its intensity",
        SOURCE,
        "with the best gain for each spectrogram, the error falls below the null distance",
        _intensity,
    ),
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One decoder, untrained, on the forward network's encoder."""
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.runs import evaluate_autoencoder
    from zoo.experiments.engine.trainings import FORWARD, RECONSTRUCTION, autoencoder, classifier
    from zoo.files import make_folder, write_array

    prepared = Prepared(context.data)
    encoder = classifier(FORWARD, settings, prepared, context)
    run = autoencoder(
        "inversion_unit1",
        settings,
        prepared,
        context,
        {"decoder": settings["decoder"]},
        untrained=True,
        encoder=str(encoder),
        freeze_encoder=True,
    )
    scored = evaluate_autoencoder(run, prepared, "test", settings["seed"])
    x = scored.inputs.reshape(len(scored.inputs), -1).astype("float64")
    y = scored.outputs.reshape(x.shape).astype("float64")
    gain = (x * y).sum(axis=1) / np.maximum((y * y).sum(axis=1), 1e-30)
    found = {key: scored.scores[key] for key in RECONSTRUCTION}
    found["euclidean_error_at_best_gain"] = float(
        np.linalg.norm(x - gain[:, None] * y, axis=1).mean()
    )
    chosen = np.linspace(0, len(x) - 1, SHOWN).astype(int)
    pictures = np.stack([z[chosen, :, :, 0] for z in (scored.inputs, scored.outputs)])
    folder = make_folder(context.out / "pictures")
    write_array(folder / f"{settings['row']}-seed-{settings['seed']}.npy", pictures)
    return {f"{settings['row']}/{COLUMN}": found}


Options = tables.ClassifierTableSettings


def run(options: tables.ClassifierTableSettings) -> int:
    """Compute, write and print."""
    out = Path(options.out)
    cells = tables.seeded(options, CONDITIONS)
    tables.computed(options, cells, "zoo.experiments.riemens2015.fig5:compute", options.context)
    title = "A transposed decoder on the forward network's encoder"
    results = tables.experiment_results(options, NAME, title, cells, ())
    numbers = tables.numbers_of(results["cells"])
    results["claims"] = [claim.verdict(numbers) for claim in CLAIMS]
    results["text"] = _markdown(results, numbers)
    tables.write_results(out, results, lambda path: _draw(path, out), tables.PICTURE)
    return 0


def _markdown(results: dict[str, Any], numbers: Numbers) -> str:
    lines = [
        *tables.preamble(results),
        "One unit, nothing trained but the encoder, which is freq_fullpad's.",
        "",
        "| decoder | Euclidean error | the same at the best gain | null distance | "
        "cross-correlation |",
        "|---|---|---|---|---|",
    ]
    names = (
        *("euclidean_error", "euclidean_error_at_best_gain", "null_distance"),
        "cross_correlation",
    )
    for row, text in DECODERS.items():
        if (row, COLUMN) in numbers.measures:
            values = " | ".join(f"{numbers(row, COLUMN, name):.3g}" for name in names)
            lines.append(f"| {text} | {values} |")
    lines += ["", "## Claims", "", claims_table(results["claims"]), ""]
    lines += [f"![Inputs and outputs, each with its own range of values]({tables.PICTURE})"]
    return "\n".join(lines) + "\n"


def _draw(path: Path, out: Path) -> None:
    import numpy as np

    from zoo.experiments.engine.pictures import spectrogram_rows

    rows = []
    for row, text in DECODERS.items():
        file = out / "pictures" / f"{row}-seed-0.npy"
        if file.exists():
            inputs, outputs = np.load(file)
            rows += [("input", list(inputs)), (f"through {text}", list(outputs))]
    spectrogram_rows(path, rows, [""] * SHOWN)
