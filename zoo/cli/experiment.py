"""`zoo experiment`: a table or a figure of the literature, beside what was published."""

from __future__ import annotations

import argparse
import dataclasses
import importlib

from zoo.experiments import EXPERIMENTS
from zoo.extras import require
from zoo.settings import add_options, from_arguments


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Add a sub-command for every experiment."""
    names = parser.add_subparsers(dest="experiment", metavar="NAME", required=True)
    for experiment, path in EXPERIMENTS.items():
        module = importlib.import_module(path)
        text = (module.__doc__ or "").strip().splitlines()[0]
        example = f"zoo experiment {experiment}{_required(module.Options)}"
        sub = names.add_parser(experiment, help=text, description=text, example=example)
        add_options(sub, module.Options, defaults={"out": f"runs/{experiment}"})


def _required(options: type) -> str:
    """The words of an example that an experiment requires."""
    words = {"data": " --data prepared", "corpus": " corpus"}
    required = [f.name for f in dataclasses.fields(options) if f.default is dataclasses.MISSING]
    return "".join(words.get(name, "") for name in required)


def run(args: argparse.Namespace) -> int | None:
    """Run the chosen experiment."""
    require("reports")
    module = importlib.import_module(EXPERIMENTS[args.experiment])
    return module.run(from_arguments(module.Options, args))
