"""Churchman's figure A.1: what autoencoders reconstruct by their switches alone."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.experiments.churchman2015 import figures as churchman_figures
from zoo.experiments.churchman2015 import study as churchman
from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, NotRun, Numbers, claims_table
from zoo.experiments.engine.runner import Context
from zoo.models.card import UNPOOLINGS
from zoo.settings import again
from zoo.training.settings import TrainingSettings

NAME = "churchman_figA1"
THESIS = "freq_overlap_pad_ae"
KINDS = churchman.KINDS
PARTS = {"decoder": "first decoding convolution", "code": "code"}
SHOWN = 2

KNOWN = "encoder_accuracy"
"""Measure of a cell: accuracy of the classifier whose encoder was given."""


def _conditions(examples: int) -> dict[str, dict[str, Any]]:
    """Every autoencoder of the zoo with switches and without; only one of those that never pool."""
    from zoo.registry import own_models

    found = {}
    for name, card in own_models().items():
        if not card.is_autoencoder or "pool_sizes" not in card.config:
            continue
        for unpooling in UNPOOLINGS if card.config.get("pooling", True) else UNPOOLINGS[:1]:
            found[f"{unpooling}/{name}"] = {
                "network": name,
                "unpooling": unpooling,
                "examples": examples,
            }
    return found


def _survives(numbers: Numbers) -> tuple[bool, str]:
    found = {kind: numbers("switch", THESIS, f"{kind}_decoder_share") for kind in KINDS}
    return min(found.values()) >= 0.5, ", ".join(f"{k} {v:.0%}" for k, v in found.items())


def _networks(unpooling: str) -> list[str]:
    """All autoencoders that are to be looked at with an unpooling."""
    pairs = (key.partition("/") for key in _conditions(1))
    return [name for kind, _, name in pairs if kind == unpooling]


def _blind(numbers: Numbers) -> tuple[bool, str]:
    found = {
        f"{name}, {kind}, {part}": numbers("blind", name, f"{kind}_{part}_share")
        for name in _networks("blind")
        for kind in KINDS
        for part in PARTS
    }
    largest = max(found, key=lambda key: found[key])
    return found[largest] <= 0.01, f"largest: {found[largest]:.1%} ({largest})"


def _all_leak(numbers: Numbers) -> tuple[bool, str]:
    deep = [name for name in _networks("switch") if _deep(name)]
    found = {name: numbers("switch", name, "phones_code_share") for name in deep}
    return min(found.values()) >= 0.5, ", ".join(f"{n} {v:.0%}" for n, v in found.items())


def _deep(name: str) -> bool:
    """Whether a code of zeros can become something before switches are used."""
    from zoo import registry

    return len(registry.describe(name).config["filters"]) > 1


SOURCE = "C, 6.5.2"
CLAIMS = (
    Claim(
        "With switches a mangled decoder still reconstructs",
        SOURCE,
        f"of {THESIS}, at least half of the correlation survives a first decoding convolution of "
        "zeros, of phones and of chirps",
        _survives,
    ),
    Claim(
        "Blind unpooling does not leak",
        SOURCE,
        "of no autoencoder more than 1 % survives, whatever is zeroed",
        _blind,
    ),
    Claim(
        "Every autoencoder of two units or more leaks through its switches",
        "R, 4.2.2",
        "at least half of the correlation of phones survives a code of zeros",
        _all_leak,
    ),
)


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One autoencoder: what survives of phones and of chirps, whichever part is zeroed."""
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.statistics import mean_interval
    from zoo.experiments.engine.trainings import autoencoder, classifier
    from zoo.files import make_folder, write_array
    from zoo.inversion import leak
    from zoo.inversion.sounds import chirps, phones
    from zoo.runs import load

    prepared = Prepared(context.data)
    name, found = settings["network"], dict[str, Any]()
    more = {key: settings[key] for key in ("optimizer",) if key in settings}
    if name == THESIS:
        given = context.given.get(churchman.PADDED)
        if given is not None:
            found[KNOWN] = churchman_figures.accuracy(given, prepared, settings["seed"])
        run = given or classifier(churchman.PADDED, settings, prepared, context, **more)
        more |= {"encoder": str(run), "freeze_encoder": True}
    overrides = {"unpooling": settings["unpooling"]}
    model = load(autoencoder(name, settings, prepared, context, overrides, **more))
    sounds = {
        "phones": phones(prepared, settings["examples"], settings["seed"]).inputs,
        "chirps": chirps(prepared.frontend).inputs,
    }
    shown = []
    for kind, inputs in sounds.items():
        for part in PARTS:
            what = leak(model, inputs, part)
            found[f"{kind}_{part}_share"] = what.share
            for key, values in (
                (f"{kind}_correlation", what.correlation),
                (f"{kind}_{part}_correlation", what.mangled_correlation),
            ):
                found[key], half = mean_interval(values.tolist())
                if half is not None:
                    found[f"{key}_interval"] = half
            if part == "decoder":
                chosen = np.linspace(0, len(inputs) - 1, 2 * SHOWN + 1).astype(int)[1::2]
                triples = (inputs, what.outputs, what.mangled)
                shown.append(np.stack([x[chosen] for x in triples], axis=1))
    folder = make_folder(context.out / "pictures")
    write_array(folder / _picture(settings), np.concatenate(shown))
    return {f"{settings['unpooling']}/{name}": found}


def _picture(settings: Mapping[str, Any]) -> str:
    return f"{settings['unpooling']}-{settings['network']}-seed-{settings['seed']}.npy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(tables.ClassifierTableSettings):
    """Options of the experiment.

    Attributes:
        examples: phones of each class.
        learning_rate: learning rate of the optimiser.
        optimizer: optimiser of every training; None: AdaGrad.
        padded: a run whose encoder the thesis' autoencoder has; None: one is trained.
    """

    examples: int = again(churchman_figures.Options, "examples")
    learning_rate: float = again(TrainingSettings, "learning_rate", group=None)
    optimizer: str | None = again(TrainingSettings, "optimizer", None, shown="adagrad", group=None)
    padded: str | None = again(
        churchman_figures.Options,
        "padded",
        help=f"Run or shipped weights of {churchman.PADDED}, whose encoder {THESIS} has",
    )


def run(options: Options) -> int:
    """Compute, write and print."""
    from zoo.files import sha256
    from zoo.runs import Run, resolve

    conditions, context = _conditions(options.examples), options.context
    if options.optimizer:
        conditions = {k: {**v, "optimizer": options.optimizer} for k, v in conditions.items()}
    if options.padded:
        padded = resolve(options.padded)
        churchman_figures.check_inputs(padded, options.data)
        for condition in conditions.values():
            if condition["network"] == THESIS:
                condition["encoder"] = sha256(Run.open(padded).network)
        context = dataclasses.replace(context, given={churchman.PADDED: padded})
    cells = tables.seeded(options, conditions)
    tables.computed(options, cells, "zoo.experiments.churchman2015.figa1:compute", context)
    results = tables.experiment_results(
        options, NAME, "What autoencoders reconstruct by their switches alone", cells, ()
    )
    numbers = tables.numbers_of(results["cells"])
    results["claims"] = [claim.verdict(numbers) for claim in CLAIMS]
    if options.padded:
        results["networks"] = _known(numbers, context.given[churchman.PADDED].name)
    if options.optimizer:
        results["budget"]["optimizer"] = options.optimizer
    results["text"] = _markdown(results, numbers)
    out = Path(options.out)
    tables.write_results(out, results, lambda path: _draw(path, out), tables.PICTURE)
    churchman_figures.write_figure_page(out, results, _page_sections(options, out, cells))
    return 0


def _known(numbers: Numbers, name: str) -> dict[str, float]:
    """Accuracy of the classifier whose encoder was given, where a cell with it was run."""
    for unpooling in UNPOOLINGS:
        with contextlib.suppress(NotRun):
            return {name: numbers(unpooling, THESIS, KNOWN)}
    return {}


def _markdown(results: dict[str, Any], numbers: Numbers) -> str:
    known = "".join(
        f" ({name}, {share:.1%} of the test part right over the 39 groups with 200 examples a "
        "class)"
        for name, share in results.get("networks", {}).items()
    )
    lines = [
        *tables.preamble(results),
        "Share of the reconstructions' correlation with their inputs that survives when a part of "
        "the network gives zeros; what all outputs have in common is taken off them first. The "
        f"encoder of {THESIS} is a trained classifier's{known} and stays so; the others are "
        "trained whole. A dash: never pooled.",
        "",
        "| autoencoder | sounds | zeroed | switch: correlation | survives | blind: correlation | "
        "survives |",
        "|---|---|---|---|---|---|---|",
    ]
    names = dict.fromkeys(name for _, name in numbers.measures)
    for name in names:
        for kind in KINDS:
            for part, text in PARTS.items():
                entries = []
                for unpooling in UNPOOLINGS:
                    if (unpooling, name) not in numbers.measures:
                        entries += ["–", "–"]
                        continue
                    whole = numbers(unpooling, name, f"{kind}_correlation")
                    share = numbers(unpooling, name, f"{kind}_{part}_share")
                    entries += [f"{whole:.2f}", f"{share:.0%}"]
                lines.append(f"| {name} | {kind} | {text} | " + " | ".join(entries) + " |")
    lines += ["", "## Claims", "", claims_table(results["claims"]), ""]
    lines += [f"![{THESIS}: input, output, and output of the mangled network]({tables.PICTURE})"]
    return "\n".join(lines) + "\n"


def _draw(path: Path, out: Path) -> None:
    import numpy as np

    from zoo.experiments.engine.pictures import spectrogram_rows

    rows = []
    for unpooling in UNPOOLINGS:
        name = _picture({"unpooling": unpooling, "network": THESIS, "seed": 0})
        if (out / "pictures" / name).exists():
            pictures = np.load(out / "pictures" / name)[..., 0]
            for kind, number in zip(KINDS, (0, SHOWN), strict=True):
                pair = [p for example in pictures[number : number + SHOWN] for p in example]
                rows.append((f"{unpooling}\n{kind}", pair))
    headings = ["input", "output", "mangled"] * SHOWN
    if not rows:
        # Other autoencoders were chosen: an empty figure says as much as there is.
        rows = [(f"{THESIS}\nwas not run", [np.zeros((2, 2))] * len(headings))]
    spectrogram_rows(path, rows, headings, compressed=True)


def _page_sections(options: Options, out: Path, cells: Any) -> list[Any]:
    import numpy as np

    from zoo.data.features.representations import STFT_FORMS
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.reconstruction import waveforms
    from zoo.inversion.page import Section, tiles

    frontend = Prepared(options.data).frontend
    captions = ("input", "output", "first decoding convolution zeroed")
    sections = []
    for cell in cells:
        file = out / "pictures" / _picture(cell.settings)
        if not cell.record(out).exists() or not file.exists():
            continue
        rows = []
        for number, pictures in enumerate(np.load(file)):
            heard = waveforms(pictures, frontend) if frontend.kind in STFT_FORMS else None
            kind = KINDS[number // SHOWN].removesuffix("s")
            rows.append((kind, tiles(pictures, heard, frontend.sample_rate, captions)))
        sections.append(Section(cell.key, columns=captions, rows=rows))
    return sections
