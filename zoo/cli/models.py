"""`zoo list` and `zoo show`: what is in the zoo."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from zoo.extras import require

if TYPE_CHECKING:
    import keras

    from zoo.registry import ModelCard


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    if name == "list":
        parser.add_argument("pattern", nargs="?", help="Pattern of names, such as 'freq*'")
        parser.add_argument("--family", help="Family of models to list")
    else:
        parser.add_argument("name", metavar="NAME", help="Model of zoo list")
        parser.add_argument(
            "--map",
            metavar="FILE",
            help="File for a drawing of the model's maps: .svg, .png or .pdf",
        )


def run(args: argparse.Namespace) -> int:
    """Print the table of models, or one model's card and layers."""
    from zoo.registry import describe, list_models

    if args.command == "list":
        names = list_models(args.pattern, args.family)
        print(f"{'model':<22}{'family':<14}{'parameters':>10}  published accuracy")
        for name in names:
            card = describe(name)
            published = card.published.get("accuracy_39_uniform")
            shown = "-" if published is None else f"{published:.1%}"
            print(f"{name:<22}{card.family:<14}{card.parameters:>10,}  {shown}")
        return 0
    card = describe(args.name)
    fields = {
        "family": card.family,
        "input": input_text(card),
        "outputs": f"{card.outputs}: {card.labels}" if card.outputs else card.labels,
        "parameters": f"{card.parameters:,}",
        "source": card.source,
        "given": card.given,
        "chosen": card.chosen,
        "published": ", ".join(f"{k} {v:.1%}" for k, v in card.published.items()),
        "weights": ", ".join(card.weights) or "none ship",
    }
    print(f"{card.name}: {card.summary}")
    for field, text in fields.items():
        if text:
            print(
                textwrap.fill(text, 96, initial_indent=f"  {field:<12}", subsequent_indent=" " * 14)
            )
    from zoo.startup import start_backend

    start_backend()
    from zoo import registry

    model = registry.build(card.name)
    print()
    print(layer_table(model))
    if args.map:
        from zoo.models.diagram import draw_maps

        require("reports")
        print(f"\n{draw_maps(model, args.map)}")
    return 0


def input_text(card: ModelCard) -> str:
    """The input's shape in words, `any` for an axis of any length."""
    shape = ", ".join("any" if size is None else str(size) for size in card.input_shape)
    centred = ", centred" if card.axes[0] == "frequency" else ""
    return f"({shape}): {', '.join(card.axes)}{centred}"


def layer_table(model: keras.Model) -> str:
    """Every layer's name, type, map size and parameters."""
    lines = [f"  {'layer':<16}{'type':<20}{'output':<20}{'parameters':>10}"]
    for layer in model.layers:
        output = layer.output
        shapes = [tuple(o.shape[1:]) for o in (output if isinstance(output, list) else [output])]
        shown = ", ".join("x".join("?" if n is None else str(n) for n in s) for s in shapes)
        lines.append(
            f"  {layer.name:<16}{type(layer).__name__:<20}{shown:<20}{layer.count_params():>10,}"
        )
    lines.append(f"  {'total':<56}{model.count_params():>10,}")
    return "\n".join(lines)
