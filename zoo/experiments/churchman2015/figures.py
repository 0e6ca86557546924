"""Parts of the figures of Churchman (2015): options, tables, pictures and pages."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.corpora.phones import accuracy_names
from zoo.errors import UsageError
from zoo.experiments.churchman2015.study import (
    COMPARED,
    KINDS,
    LAYERS,
    NETWORK,
    PADDED,
    Study,
)
from zoo.experiments.engine import tables
from zoo.experiments.engine.claims import Claim, NotRun, Numbers, claims_table
from zoo.experiments.engine.runner import Cell, Context
from zoo.files import make_folder, sha256
from zoo.inversion.settings import DecoderSettings
from zoo.settings import at_least, option

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared

TRAINED = ("epochs", "learning_rate", "patience", "deterministic", "mixed_precision")
"""Options of trainings, which decide nothing where networks are given."""

DECISIVE = ("examples", "steps", "annealing_steps", "decoder_epochs")
"""Options of these experiments that determine every cell's result."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of the thesis.

    Attributes:
        name: name of the experiment.
        title: title of the report.
        methods: that it shows.
        layers: that it shows.
        claims: judged by the numbers of all cells.
        text: numbers -> lines of Markdown, between what was done and the claims.
        draw: path, study and numbers -> the figure, written there.
        shown: study -> the sounds that the page lets hear.
    """

    name: str
    title: str
    methods: Sequence[str]
    layers: Sequence[str]
    claims: Sequence[Claim]
    text: Callable[[Numbers], list[str]]
    draw: Callable[[Path, Study, Numbers], None]
    shown: Callable[[Study], Sequence[int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(tables.TableSettings):
    """Options of every figure's experiment.

    Attributes:
        examples: phones of each class.
        steps: most steps of gradient descent.
        annealing_steps: number of steps of simulated annealing.
        decoder_epochs: number of epochs of each stage of a decoder.
        study: folder of the cells; None: that of `shared_folder`.
        network: a run whose layers are looked into; None: one is trained.
        padded: a run of its padded twin, whose activity decoders decode; None: one is trained.
        training: set whose train split decoders and today's search learn from; None: `data`.
    """

    examples: int = option(5, metavar="N", check=at_least(1), help="Number of phones per class")
    steps: int = option(
        300, metavar="N", check=at_least(1), help="Steps of gradient descent, at most"
    )
    annealing_steps: int = option(
        5000, metavar="N", check=at_least(1), help="Steps of simulated annealing"
    )
    decoder_epochs: int = option(
        5,
        metavar="N",
        check=at_least(1),
        help="Epochs of each stage of a decoder, of --per-class examples per class",
    )
    study: str | None = option(
        None,
        metavar="DIR",
        help="Folder of the cells, which figures of one budget share",
        shown="OUT where it holds cells, otherwise a folder of the budget's own in --work",
    )
    network: str | None = option(
        None,
        metavar="RUN",
        help=f"Run or shipped weights of {NETWORK}, whose layers are looked into; with --padded",
        shown="trained within the budget",
    )
    padded: str | None = option(
        None,
        metavar="RUN",
        help=f"Run or shipped weights of {PADDED}, whose activity is decoded; with --network",
        shown="trained within the budget",
    )
    training: str | None = option(
        None,
        metavar="PREPARED",
        help="Prepared set of whose train split decoders and the default search learn",
        shown="--data",
    )

    @property
    def given(self) -> dict[str, Path]:
        """Model's name -> the run that is used as it is.

        Raises:
            UsageError: only one is given, or a set is not what they were trained on.
        """
        from zoo.runs import resolve

        if not self.network and not self.padded:
            return {}
        if not self.network or not self.padded:
            raise UsageError("--network and --padded are given together or not at all.")
        found = {NETWORK: resolve(self.network), PADDED: resolve(self.padded)}
        for path in found.values():
            for data in {self.data, self.training or self.data}:
                check_inputs(path, data)
        return found


def check_inputs(path: Path, data: str) -> None:
    """Refuse a set whose inputs are not exactly those that a run takes.

    Raises:
        UsageError: the set's front end or mean differs from the run's.
    """
    import numpy as np

    from zoo.data.sets.prepared import set_of_segments
    from zoo.evaluation.runs import check_frontend
    from zoo.runs import Run

    run, prepared = Run.open(path), set_of_segments(data)
    check_frontend(run, prepared)
    if not np.array_equal(run.frontend.mean, prepared.frontend.mean):
        raise UsageError(
            f"{data} has another mean than {path} was trained with; prepare the corpus with "
            f"--like {path}."
        )


def run(options: Options, figure: Figure) -> int:
    """Compute what is missing, write `results.json`, `.md`, `.webp` and `index.html`."""
    from zoo.data.sets.prepared import set_of_segments
    from zoo.runs import Run

    given = options.given
    chosen = {name: getattr(options, name) for name in DECISIVE}
    chosen["decoder_objective"] = DecoderSettings.objective
    if given:
        chosen["networks"] = {name: sha256(Run.open(path).network) for name, path in given.items()}
    if options.training:
        chosen["training"] = set_of_segments(options.training).manifest["plan"]
    conditions = {
        f"{method}/{layer}": {"method": method, "layer": layer, **chosen}
        for method in figure.methods
        for layer in figure.layers
    }
    cells = tables.seeded(options, conditions)
    if given:
        cells = [Cell(cell.key, _without(cell.settings, TRAINED)) for cell in cells]
    out = Path(options.out)
    work = options.trainings
    shared = Path(options.study) if options.study else shared_folder(cells, out, work)
    training = Path(options.training) if options.training else None
    context = Context(Path(options.data), make_folder(work), shared, training, given)
    tables.computed(options, cells, "zoo.experiments.churchman2015.study:compute", context)
    results = tables.experiment_results(options, figure.name, figure.title, cells, (), shared)
    results["budget"] |= {name: chosen[name] for name in DECISIVE}
    if given:
        results["budget"] = _without(results["budget"], TRAINED)
        results["given"] = {name: path.name for name, path in given.items()}
    # The cells name the commands that computed them, perhaps for another figure.
    results["command"] = tables.typed()
    numbers = tables.numbers_of(results["cells"])
    results["claims"] = [claim.verdict(numbers) for claim in figure.claims]
    study = Study(cells[0].settings, context)
    results["networks"] = _accuracies(study)
    results["constant_outputs"] = _constant(study, figure, numbers)
    results["text"] = _markdown(results, figure, numbers)
    if shared != out:
        results["cells"] = _references(cells, shared, out)
    tables.write_results(
        out, results, lambda path: figure.draw(path, study, numbers), tables.PICTURE
    )
    write_figure_page(out, results, _sections(figure, study, numbers))
    return 0


def _without(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in names}


def shared_folder(cells: Sequence[Cell], out: Path, work: Path) -> Path:
    """The folder of a study's cells: `out` if it has some, else one for all its figures.

    Args:
        cells: cells of one figure.
        out: folder of the figure.
        work: folder of the trainings, which figures of several budgets may share.
    """
    if (out / "cells").exists():
        return out
    apart = ("method", "layer", "seed")
    budget = {key: value for key, value in cells[0].settings.items() if key not in apart}
    digest = hashlib.sha256(json.dumps(budget, sort_keys=True).encode()).hexdigest()
    return work / f"study-{digest[:16]}"


def _references(cells: Sequence[Cell], shared: Path, out: Path) -> list[dict[str, Any]]:
    """The cells of a figure as the files that hold them, from its folder."""
    return [
        {"key": cell.key, "record": os.path.relpath(cell.record(shared), out)}
        if cell.record(shared).exists()
        else {"key": cell.key, "not_run": True}
        for cell in cells
    ]


def found(study: Study, numbers: Numbers, methods: Sequence[str], layers: Sequence[str]):
    """(method, layer) -> reconstructions of all sounds, of those cells that were run."""
    return {
        (method, layer): study.reconstructions(method, layer)["reconstruction"]
        for method in methods
        for layer in layers
        if (method, layer) in numbers.measures
    }


def table_of(
    numbers: Numbers, measure: str, methods: Sequence[str], layers: Sequence[str], form: str = ".3g"
) -> list[str]:
    """Lines of Markdown: methods by layers, with the 95 % interval over examples."""
    lines = ["| | " + " | ".join(layers) + " |", "|---|" + "---|" * len(layers)]
    for method in methods:
        entries = []
        for layer in layers:
            try:
                entries.append(value(numbers, method, layer, measure, form))
            except NotRun:
                entries.append("–")
        lines.append(f"| {COMPARED[method]} | " + " | ".join(entries) + " |")
    return lines


def value(numbers: Numbers, method: str, layer: str, measure: str, form: str = ".2f") -> str:
    """A number and, after ±, half its 95 % interval over examples, where it is known.

    Raises:
        NotRun: there is no such number.
    """
    text = f"{numbers(method, layer, measure):{form}}"
    try:
        return f"{text} ± {numbers(method, layer, f'{measure}_interval'):.2g}"
    except NotRun:
        return text


def mean_value(numbers: Numbers, method: str, layers: Sequence[str], measure: str) -> str:
    """The mean over layers and, after ±, the most that half its 95 % interval can be.

    One layer's reconstructions are of the same examples as another's: half the interval of their
    mean is no longer than the mean of theirs.

    Raises:
        NotRun: there is no such number from one of the layers.
    """
    mean = sum(numbers(method, layer, measure) for layer in layers) / len(layers)
    try:
        halves = [numbers(method, layer, f"{measure}_interval") for layer in layers]
    except NotRun:
        return f"{mean:.2f}"
    return f"{mean:.2f} ± {sum(halves) / len(halves):.2g}"


def _accuracies(study: Study) -> dict[str, float]:
    """Accuracy of the networks over the test part, if they have been trained."""
    from zoo.files import read_json, write_json

    path = study.folder / "networks.json"
    if not path.exists():
        seed = study.settings["seed"]
        found = {n: accuracy(study.run(n), study.prepared, seed) for n in (NETWORK, PADDED)}
        write_json(path, found)
    return read_json(path)


def accuracy(run: Path, prepared: Prepared, seed: int) -> float:
    """Accuracy of a classifier on the test part's groups, at most 200 examples of each class."""
    from zoo.evaluation.runs import evaluate

    uniform = accuracy_names(prepared.classes, prepared.groups).uniform
    return evaluate(run, prepared, "test", seed).scores[uniform]


def _constant(study: Study, figure: Figure, numbers: Numbers) -> list[str]:
    """Layers whose decoder gives the same output whatever its input, of those that are shown."""
    from zoo.evaluation.reconstruction import CONSTANT, output_variation

    if "decoder" not in figure.methods:
        return []
    inputs = study.sounds.inputs
    return [
        layer
        for (_, layer), outputs in found(study, numbers, ["decoder"], figure.layers).items()
        if output_variation(inputs, outputs) < CONSTANT
    ]


def _markdown(results: dict[str, Any], figure: Figure, numbers: Numbers) -> str:
    budget = results["budget"]
    accuracies = ", ".join(f"{n} {a:.1%}" for n, a in results["networks"].items())
    first = next(iter(numbers.measures.values()), [{}])[0]
    counts = ", ".join(f"{first[f'{k}_examples']:.0f} {k}" for k in KINDS if first)
    lines = [
        *tables.preamble(results),
        "The figure was drawn by",
        "",
        f"    {results['command']}",
        "",
        f"Sounds: {counts or 'none'}; {budget['examples']} phones of each class of the test part, "
        f"where there are so many. At most {budget['steps']} steps of gradient descent, "
        f"{budget['annealing_steps']} of annealing, decoders trained for "
        f"{budget['decoder_epochs']} epochs a stage on {budget['per_class']} examples a class, "
        "normalised objective. Accuracy of the networks on the test part, over the 39 groups "
        f"with 200 examples a class: {accuracies}"
        + (f" ({', '.join(results['given'].values())})" if "given" in results else "")
        + ". After ±: half the 95 % interval over examples.",
        "",
        *figure.text(numbers),
        "",
        *(
            [f"The same output whatever the input: decoder from {', '.join(constant)}.", ""]
            if (constant := results["constant_outputs"])
            else []
        ),
        "## Claims",
        "",
        claims_table(results["claims"]),
        "",
        f"![{figure.title}]({tables.PICTURE})",
    ]
    return "\n".join(lines) + "\n"


def one_phone(name: str, title: str, wished: Sequence[str], claims: Sequence[Claim]) -> Figure:
    """A figure of one phone: methods by layers.

    Args:
        name: name of the experiment.
        title: title of the report.
        wished: classes, of which the first that occurs is shown.
        claims: judged by the numbers of all cells.
    """

    def text(numbers: Numbers) -> list[str]:
        return [
            "Spectrogram correlation, mean of all phones.",
            "",
            *table_of(numbers, "phones_cross_correlation", list(COMPARED), LAYERS),
        ]

    def draw(path: Path, study: Study, numbers: Numbers) -> None:
        from zoo.experiments.engine.pictures import spectrogram_rows

        place = study.phone(wished)
        cells = found(study, numbers, list(COMPARED), LAYERS)
        original = study.sounds.inputs[place, :, :, 0]
        rows = []
        for method, label in COMPARED.items():
            layers = [layer for layer in LAYERS if (method, layer) in cells]
            pictures = [cells[method, layer][place, :, :, 0] for layer in layers]
            rows.append((textwrap.fill(label, 20), [original, *pictures]))
        headings = [f"[{study.sounds.labels[place]}]", *(f"from {layer}" for layer in LAYERS)]
        spectrogram_rows(path, rows, headings, compressed=True)

    return Figure(
        name,
        title,
        tuple(COMPARED),
        LAYERS,
        claims,
        text,
        draw,
        lambda study: [study.phone(wished)],
    )


def _sections(figure: Figure, study: Study, numbers: Numbers) -> list[Any]:
    """Of the page: the sounds that the figure shows, by every method from every layer."""
    import numpy as np

    from zoo.evaluation.reconstruction import waveforms
    from zoo.inversion.page import Section, tiles

    sounds, frontend = study.sounds, study.prepared.frontend
    cells = found(study, numbers, figure.methods, figure.layers)
    sections = []
    for place in figure.shown(study):
        rows = []
        for method in figure.methods:
            layers = [layer for layer in figure.layers if (method, layer) in cells]
            if not layers:
                continue
            pictures = np.stack(
                [sounds.inputs[place], *(cells[method, layer][place] for layer in layers)]
            )
            waves = waveforms(pictures, frontend)
            captions = ["input", *layers]
            rows.append((COMPARED[method], tiles(pictures, waves, frontend.sample_rate, captions)))
        sections.append(Section(sounds.names[place], columns=("input", *figure.layers), rows=rows))
    return sections


def write_figure_page(out: Path, results: Mapping[str, Any], sections: Sequence[Any]) -> None:
    """Write `index.html`: the figure, the claims, pictures and sounds."""
    from zoo.inversion.page import Section, write_page

    keys = ("claim", "rule", "numbers", "verdict")
    head = [
        Section("The figure", picture=(out / tables.PICTURE).read_bytes()),
        Section("Claims", table=(keys, [[v[key] for key in keys] for v in results["claims"]])),
    ]
    lead = (
        f"{results['published']['source']}. Centred spectrograms, each on a scale of its own (±), "
        "coloured by the square root of the magnitude. Sounds are scaled to one peak, to be heard."
    )
    write_page(out / "index.html", results["title"], lead, [*head, *sections])
