"""Riemens' figure 3: what an autoencoder still reconstructs when its code is set to zero.

A code of zeros leaves a decoder nothing of the input but the switches. If reconstructions still
look like their inputs, the switches leak them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, Numbers, claims_table
from zoo.experiments.engine.runner import Context
from zoo.models.card import UNPOOLINGS

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.features.frontend import Frontend

NAME = "riemens_fig3"
SOUNDS = ("chirps", "speech")
CONDITIONS = {
    f"{unpooling}/{units}_units": {"unpooling": unpooling, "units": units}
    for unpooling in UNPOOLINGS
    for units in (2, 4)
}
EXAMPLES = 100
SHOWN = 3


def _survive(sound: str, least: float):
    def judge(numbers: Numbers) -> tuple[bool, str]:
        found = {u: numbers("switch", u, f"{sound}_recognised") for u in ("2_units", "4_units")}
        text = ", ".join(f"{u} {v:.0%}" for u, v in found.items())
        return min(found.values()) >= least, f"{text} of {EXAMPLES} (chance {1 / EXAMPLES:.0%})"

    return judge


def _no_leak(numbers: Numbers) -> tuple[bool, str]:
    found = {u: numbers("blind", u, "chirps_recognised") for u in ("2_units", "4_units")}
    text = ", ".join(f"{u} {v:.0%}" for u, v in found.items())
    return max(found.values()) <= 5 / EXAMPLES, text


CLAIMS = (
    Claim(
        "Switches leak: chirps survive a zeroed code",
        "R, 4.2.2",
        "at least 90 % of the outputs are more like their own input than like any other chirp",
        _survive("chirps", 0.9),
    ),
    Claim(
        "To some extent, speech does as well",
        "R, 4.2.2",
        "at least half of them are more like their own input than like any other segment",
        _survive("speech", 0.5),
    ),
    Claim("Blind upsampling does not leak", "R, 4.2.2", "no more than chance allows", _no_leak),
)


def chirps(frontend: Frontend, count: int, seed: int) -> np.ndarray:
    """Centred spectrograms (count, F, T, C) of linear frequency sweeps between drawn ends.

    Args:
        frontend: turns samples into spectrograms.
        count: number of sweeps.
        seed: random seed of the frequencies, from 200 Hz to 90 % of half the sample rate.
    """
    import numpy as np

    from zoo.inversion.sounds import sweep_waves

    rng = np.random.default_rng(seed)
    samples = frontend.length or frontend.sample_rate // 4
    ends = rng.uniform(200, 0.45 * frontend.sample_rate, (count, 2))
    waves = 0.5 * sweep_waves(ends[:, 0], ends[:, 1], samples, frontend.sample_rate)
    return frontend.examples([wave.astype("float32") for wave in waves])


def zeroed(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """An autoencoder's reconstructions of `inputs` from their switches and a code of zeros."""
    from zoo.evaluation.runs import predict
    from zoo.inversion import mangled

    return predict(mangled(model, "code"), inputs)


def recognised(inputs: np.ndarray, outputs: np.ndarray) -> float:
    """Share of outputs whose cosine with their own input is the largest of those with all inputs.

    Args:
        inputs: (N, ...).
        outputs: (N, ...), each of the input in its place.
    """
    import numpy as np

    def directions(x: np.ndarray) -> np.ndarray:
        flat = x.reshape(len(x), -1).astype("float64")
        flat = flat - flat.mean(axis=0)
        lengths = np.linalg.norm(flat, axis=1, keepdims=True)
        # What all outputs have in common says nothing of one input; rounding is no difference.
        flat[lengths[:, 0] <= 1e-4 * np.linalg.norm(x.reshape(len(x), -1), axis=1)] = 0
        return flat / np.maximum(lengths, 1e-30)

    likeness = directions(outputs) @ directions(inputs).T
    own = np.diag(likeness)
    others = np.where(np.eye(len(own), dtype=bool), -np.inf, likeness).max(axis=1)
    return float((own > others).mean())


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One autoencoder: its reconstructions of chirps and speech with the code and without."""
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.measures import normalised_cross_correlation
    from zoo.evaluation.runs import predict
    from zoo.experiments.engine.trainings import FORWARD, autoencoder
    from zoo.files import make_folder, write_array
    from zoo.runs import load

    prepared = Prepared(context.data)
    overrides = {"units": settings["units"], "unpooling": settings["unpooling"]}
    run = autoencoder(
        f"{FORWARD}_ae", settings, prepared, context, {**overrides, "decoder_relu": True}
    )
    model = load(run)
    features = prepared.features("test")
    drawn = np.random.default_rng(settings["seed"]).permutation(len(features))[:EXAMPLES]
    sounds = {
        "chirps": chirps(prepared.frontend, EXAMPLES, settings["seed"]),
        "speech": np.asarray(features[np.sort(drawn)]),
    }
    found: dict[str, float] = {}
    shown = []
    for name, inputs in sounds.items():
        whole, mangled = predict(model, inputs), zeroed(model, inputs)
        for kind, outputs in (("", whole), ("_zeroed", mangled)):
            likeness = normalised_cross_correlation(inputs, outputs)
            found[f"{name}_cross_correlation{kind}"] = float(likeness.mean())
        found[f"{name}_recognised"] = recognised(inputs, mangled)
        shown.append(np.stack([x[:SHOWN, :, :, 0] for x in (inputs, whole, mangled)], axis=1))
    write_array(
        make_folder(context.out / "pictures") / f"{_picture(settings)}.npy", np.stack(shown)
    )
    return {f"{settings['unpooling']}/{settings['units']}_units": found}


def _picture(settings: Mapping[str, Any]) -> str:
    return f"{settings['unpooling']}-{settings['units']}-seed-{settings['seed']}"


Options = tables.TableSettings


def run(options: tables.TableSettings) -> int:
    """Compute, write and print."""
    out = Path(options.out)
    cells = tables.seeded(options, CONDITIONS)
    records = tables.computed(
        options, cells, "zoo.experiments.riemens2015.fig3:compute", options.context
    )
    title = "Reconstructions from a code of zeros"
    results = tables.experiment_results(options, NAME, title, cells, ())
    numbers = tables.numbers_of(results["cells"])
    results["claims"] = [claim.verdict(numbers) for claim in CLAIMS]
    results["text"] = _markdown(results, numbers)
    tables.write_results(out, results, lambda path: _draw(path, out, records), tables.PICTURE)
    return 0


def _markdown(results: dict[str, Any], numbers: Numbers) -> str:
    lines = [
        *tables.preamble(results),
        f"Mean cross-correlation of {EXAMPLES} inputs and their reconstructions, from the code and "
        "from a code of zeros; and the share of the latter that are most like their own input.",
        "",
        "| unpooling | units | sound | from the code | from zeros | recognised |",
        "|---|---|---|---|---|---|",
    ]
    names = ("cross_correlation", "cross_correlation_zeroed", "recognised")
    for unpooling, units in sorted(numbers.measures):
        for sound in SOUNDS:
            one, two, three = (numbers(unpooling, units, f"{sound}_{name}") for name in names)
            lines.append(
                f"| {unpooling} | {units[0]} | {sound} | {one:.2f} | {two:.2f} | {three:.0%} |"
            )
    lines += ["", "## Claims", "", claims_table(results["claims"]), ""]
    lines += [f"![Inputs, reconstructions, and those from a code of zeros]({tables.PICTURE})"]
    return "\n".join(lines) + "\n"


def _draw(path: Path, out: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    import numpy as np

    from zoo.experiments.engine.pictures import spectrogram_rows

    rows = []
    for key, record in records.items():
        if "result" not in record or not key.endswith("seed-0"):
            continue
        pictures = np.load(out / "pictures" / f"{_picture(record['settings'])}.npy")
        for sound, examples in zip(SOUNDS, pictures, strict=True):
            label = f"{key.removesuffix('/seed-0').replace('_', ' ')}\n{sound}"
            rows.append((label, [p for example in examples[:2] for p in example]))
    headings = ["input", "from its code", "from zeros"] * 2
    spectrogram_rows(path, rows, headings, compressed=True)
