"""MkDocs hook: a page for each network of the zoo, written from its card and those of its weights.

python scripts/model_pages.py       # write the table of models in the README
python scripts/model_pages.py --speed FILE --machine TEXT   # keep what a benchmark measured

FILE is what `python -m benchmarks networks --json FILE` writes; the pages show its times.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A page is for the zoo's own models, not for presets of whoever builds the site.
os.environ["ZOO_PRESETS"] = os.devnull

SPEED = ROOT / "docs" / "results" / "speed" / "networks.json"
"""Times of the networks, and the machine that took them."""

PHASES = {
    "inference_1": "an example by itself",
    "inference_16": "a batch of 16",
    "inference_128": "a batch of 128",
    "training": "a training step on 128",
}
"""Phase of the benchmark -> what it is called on a page."""

INDEX = "models/index.md"
TABLE = "<!-- The table of models stands here. -->"
FAMILIES = {
    "classifier": (
        "Phone classifiers",
        "Names the phone in one segment of speech whose bounds are known; on the windows of a set "
        "of whole recordings, the phone of every frame.",
        "[training](../training.md), `zoo.classify`, `zoo predict`",
    ),
    "recognizer": (
        "Recognizers",
        "Scores every frame of a recording of any length, to transcribe it or to align it with its "
        "text.",
        "[transcription](../transcription.md), [alignment](../alignment.md)",
    ),
    "autoencoder": (
        "Autoencoders",
        "Reconstructs spectrograms from a code. Its encoder starts a classifier or a recognizer.",
        "[training](../training.md#autoencoders)",
    ),
    "inversion": (
        "Inversion networks",
        "Finds the input of a classifier from the activity of one of its layers.",
        "[what a network hears](../inversion.md)",
    ),
    "digits": (
        "Spoken digits",
        "Names the digit in a recording of one spoken digit. Built and tested; `zoo experiment "
        "digits` trains it, otherwise a loop of your own.",
        "[results](../results/README.md)",
    ),
    "denoiser": (
        "Denoisers",
        "Takes noise off a waveform. Built and tested; `zoo experiment denoise` trains it, "
        "otherwise a loop of your own.",
        "[results](../results/README.md)",
    ),
    "waveform": (
        "Waveform networks",
        "Names the phone in a framed waveform, without a spectrogram. Built and tested; trained by "
        "a loop of your own.",
        "[representations](../representations.md)",
    ),
}
"""Family -> title, intended use, where to read on."""


README_TABLE = re.compile(r"^\| family \| models \|\n(?:\|.*\n)+", re.MULTILINE)


def readme_table() -> str:
    """All networks, a row for each family."""
    import zoo

    lines = ["| family | models |", "| --- | --- |"]
    for family in FAMILIES:
        names = ", ".join(f"`{name}`" for name in zoo.list_models(family=family))
        lines.append(f"| {family} | {names} |")
    return "\n".join(lines) + "\n"


def on_config(config: Any) -> Any:
    """List the pages in the navigation, by family."""
    import zoo

    (section,) = (part["Models"] for part in config.nav if "Models" in part)
    for family, (title, _, _) in FAMILIES.items():
        names = zoo.list_models(family=family)
        section.append({title: [{name: f"models/{name}.md"} for name in names]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add a page and a picture for each network."""
    import zoo

    for name in zoo.list_models():
        text, picture = model_page(name)
        files.append(File.generated(config, f"models/{name}.md", content=text))
        if picture is not None:
            files.append(File.generated(config, f"models/{name}.svg", content=picture))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put the table of all networks into their first page."""
    return markdown.replace(TABLE, table()) if page.file.src_uri == INDEX else markdown


def table() -> str:
    """All networks, a row each, by family."""
    import zoo

    lines = ["| model | parameters | published accuracy | weights | what it is |"]
    lines += ["| --- | ---: | ---: | --- | --- |"]
    for family, (title, _, _) in FAMILIES.items():
        lines.append(f"| **{title}** | | | | |")
        for name in zoo.list_models(family=family):
            card = zoo.describe(name)
            published = card.published.get("accuracy_39_uniform")
            lines.append(
                f"| [`{name}`]({name}.md) | {card.parameters:,} "
                f"| {'' if published is None else f'{published:.1%}'} "
                f"| {'yes' if card.weights else ''} | {card.summary} |"
            )
    return "\n".join(lines)


def model_page(name: str) -> tuple[str, bytes | None]:
    """The page of a network in Markdown, and the drawing of its maps if they have a size."""
    import zoo
    from tuning.costs import UNKNOWN_AXIS, multiply_adds
    from zoo.cli.models import input_text, layer_table

    card = zoo.describe(name)
    model = zoo.build(name)
    picture = drawing(model)
    _, use, guides = FAMILIES[card.family]
    any_length = None in card.input_shape
    facts = {
        "family": card.family,
        "input": input_text(card),
        "outputs": f"{card.outputs}: {card.labels}" if card.outputs else card.labels,
        "parameters": f"{card.parameters:,}",
        "multiply-adds": f"{multiply_adds(model):,} for one example"
        + (f" with {UNKNOWN_AXIS} on each axis of any length" if any_length else ""),
        "trained with": settings(card.recipe) if card.recipe else "the defaults of `zoo train`",
    }
    if card.family not in ("classifier", "recognizer", "autoencoder", "inversion"):
        del facts["trained with"]
    lines = [f"# {name}", "", card.summary, ""]
    if picture is not None:
        lines += [f"![Maps of {name}]({name}.svg)", ""]
    lines += ["| | |", "| --- | --- |", *(f"| {k} | {cell(v)} |" for k, v in facts.items() if v)]
    lines += ["", "## Intended use", "", use, "", f"Read on: {guides}.", ""]
    lines += ["```python", "import zoo", "", f'model = zoo.build("{name}")', "```", ""]
    lines += ["## Source", "", card.source, ""]
    if card.given:
        lines += [f"**What it says.** {card.given}", ""]
    if card.chosen:
        lines += [f"**What it leaves open and we chose.** {card.chosen}", ""]
    if card.published:
        lines += ["**Published.** "]
        lines += [", ".join(f"`{key}` {value:.1%}" for key, value in card.published.items()), ""]
    lines += speed_part(name)
    lines += ["## Weights", ""]
    if not card.weights:
        lines += ["None ship for this network.", ""]
    for weights in card.weights:
        lines += weights_part(weights)
    lines += ["## Layers", "", "```", layer_table(model), "```", ""]
    return "\n".join(lines), picture


def drawing(model: Any) -> bytes | None:
    """The maps as SVG, or None where their size depends on the input."""
    from zoo.errors import UsageError
    from zoo.models.diagram import draw_maps

    with tempfile.TemporaryDirectory() as folder:
        try:
            return draw_maps(model, Path(folder, "maps.svg")).read_bytes()
        except UsageError:
            return None


def speed_part(name: str, file: Path = SPEED) -> Iterator[str]:
    """How long a network takes by batch size, if that was measured.

    Args:
        name: name of the network.
        file: what `keep_speed` has written.
    """
    if not file.is_file():
        return
    kept = json.loads(file.read_text(encoding="utf-8"))
    row = next((row for row in kept["rows"] if row["name"] == name), None)
    if row is None:
        return
    how = "[how it was measured](../results/speed.md#networks)"
    yield from ["## Speed", "", f"On {kept['machine']} ({how}):", ""]
    yield from [
        "| | ms | examples a second | times PyTorch's speed |",
        "| --- | ---: | ---: | ---: |",
    ]
    for phase, what in PHASES.items():
        examples = int(phase.rpartition("_")[2]) if "_" in phase else 128
        seconds, ratio = row[phase]["ours"], row[phase].get("ratio")
        shown = "" if ratio is None else f"{ratio:.1f}"
        yield f"| {what} | {rounded(1000 * seconds)} | {rounded(examples / seconds)} | {shown} |"
    yield ""


def rounded(value: float) -> str:
    """A number to three digits, in full."""
    return f"{float(f'{value:.3g}'):,.10g}"


def keep_speed(measured: Path, machine: str, file: Path = SPEED) -> None:
    """Keep of a benchmark's record what the pages show.

    Args:
        measured: record of `python -m benchmarks networks --json`.
        machine: what it ran on, as it follows the word "on".
        file: where to write.
    """
    rows = []
    for row in json.loads(measured.read_text(encoding="utf-8"))["rows"]:
        phases = {
            phase: {
                key: float(f"{row[phase][key]:.3g}")
                for key in ("ours", "ratio")
                if key in row[phase]
            }
            for phase in PHASES
        }
        rows.append(json.dumps({"name": row["name"], **phases}))
    file.parent.mkdir(parents=True, exist_ok=True)
    text = f'{{"machine": {json.dumps(machine)}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"
    file.write_text(text, encoding="utf-8")


def weights_part(name: str) -> Iterator[str]:
    """A model card of weights that ship, from the card beside them."""
    from zoo.runs import Run, weights_cards

    card = weights_cards()[name]
    size = Run.open(name).network.stat().st_size
    yield from [
        f"### {name}",
        "",
        f"```python\nzoo.build({card['model']!r}, weights={name!r})\n```",
    ]
    yield from ["", "| | |", "| --- | --- |"]
    facts = {
        "task": card["task"],
        "learnt from": settings(card["data"]),
        "prepared with": settings(card["preparation"]),
        "recipe": settings(card["recipe"]),
        "limits": card["limits"],
        "licence": card["licence"],
        "made by": f"`{card['command']}`",
        "versions": settings(card["versions"]),
        "size": f"{size / 1e6:.1f} MB",
        "SHA-256": f"`{card['sha256']}`",
    }
    yield from (f"| {key} | {cell(value)} |" for key, value in facts.items() if value)
    names = list(dict.fromkeys(key for scores in card["scores"].values() for key in scores))
    yield from [
        "",
        "| judged on | " + " | ".join(f"`{n}`" if "_" in n else n for n in names) + " |",
    ]
    yield "| --- |" + " ---: |" * len(names)
    for judged, scores in card["scores"].items():
        shown = (f"{scores[n]:.1%}" if n in scores else "" for n in names)
        yield f"| {judged.replace('_', ' ')} | " + " | ".join(shown) + " |"
    yield ""


def settings(values: Mapping[str, Any]) -> str:
    """`name value` of each setting that has one."""
    return "; ".join(
        f"{key.replace('_', ' ')} {words(value)}"
        for key, value in values.items()
        if value not in (None, False)
    )


def words(value: Any) -> str:
    """A value for people."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {words(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def cell(text: str) -> str:
    """A text that stays within its cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def main() -> None:
    """Write the README's table, and keep what a benchmark measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speed", type=Path, metavar="FILE", help="Record of the benchmark")
    parser.add_argument("--machine", metavar="TEXT", help="Machine that it ran on")
    options = parser.parse_args()
    if (options.speed is None) != (options.machine is None):
        parser.error("--speed and --machine go together")
    if options.speed is not None:
        keep_speed(options.speed, options.machine)
    readme = ROOT / "README.md"
    readme.write_text(
        README_TABLE.sub(lambda _: readme_table(), readme.read_text(encoding="utf-8")),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
