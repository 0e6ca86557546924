"""`zoo export`: a run as a model for serving."""

from __future__ import annotations

import argparse

FORMATS = ("savedmodel",)


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="run folder of zoo train")
    parser.add_argument("out", metavar="OUT", help="base folder; the model goes to OUT/<version>")
    parser.add_argument(
        "--format", choices=FORMATS, default="savedmodel", help="default: %(default)s"
    )
    # `version` is where `zoo --version` keeps its flag.
    parser.add_argument(
        "--version", type=int, metavar="N", dest="number", help="default: the next free number"
    )


def run(args: argparse.Namespace) -> None:
    """Export and show what can be called."""
    from zoo.startup import start_backend

    start_backend()
    from export import export_savedmodel
    from serving.servable import Servable

    path = export_savedmodel(args.run, args.out, args.number)
    print(path)
    for name, signature in sorted(Servable(path).signatures.items()):
        for spec in signature.inputs.values():
            print(f"  {name:<16} in   {spec}")
        for spec in signature.outputs.values():
            print(f"  {'':<16} out  {spec}")
