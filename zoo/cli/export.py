"""`zoo export`: a run as a model for serving, or for a runtime of its own."""

from __future__ import annotations

import argparse

from zoo.errors import UsageError
from zoo.extras import require
from zoo.siblings import sibling
from zoo.startup import quiet, start_backend

FORMATS = ("savedmodel", "litert", "onnx")

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="run folder of zoo train")
    parser.add_argument(
        "out", metavar="OUT", help="folder; a SavedModel goes to OUT/<version>, other files into it"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="savedmodel", help="default: %(default)s"
    )
    # `version` is where `zoo --version` keeps its flag.
    parser.add_argument(
        "--version", type=int, metavar="N", dest="number", help="default: the next free number"
    )
    parser.add_argument(
        "--batching",
        action="store_true",
        help="also write OUT/batching_parameters.txt for a server (savedmodel)",
    )
    parser.add_argument(
        "--quantize",
        nargs="+",
        choices=QUANTIZATIONS,
        metavar="KIND",
        help=f"any of {', '.join(QUANTIZATIONS)} (litert; default: float32)",
    )
    parser.add_argument(
        "--data",
        metavar="PREPARED",
        help="prepared set to compare with Keras on, and to calibrate int8 with (litert, onnx)",
    )


def run(args: argparse.Namespace) -> None:
    """Export and show what can be called, or how the exported files compare with Keras."""
    _check(args)
    # Before Keras starts: what it is exported by may be missing.
    require("serving" if args.format == "savedmodel" else args.format)
    start_backend()
    if args.format == "savedmodel":
        _savedmodel(args)
        return
    portable = sibling("export.portable")
    kinds = args.quantize or ["float32"]
    print(
        portable.table(portable.export_portable(args.run, args.out, args.format, kinds, args.data))
    )


def _check(args: argparse.Namespace) -> None:
    of_savedmodel = args.format == "savedmodel"
    if of_savedmodel and args.data:
        raise UsageError("--data goes with --format litert or onnx.")
    if args.format != "litert" and args.quantize:
        raise UsageError("--quantize goes with --format litert.")
    if not of_savedmodel and (args.number is not None or args.batching):
        raise UsageError("--version and --batching go with --format savedmodel.")


def _savedmodel(args: argparse.Namespace) -> None:
    export_savedmodel = sibling("export.savedmodel").export_savedmodel
    path = export_savedmodel(args.run, args.out, args.number, args.batching)
    print(path)
    with quiet():
        # Where Keras runs on another backend, this is what starts TensorFlow here.
        signatures = sibling("serving.servable").Servable(path).signatures
    for name, signature in sorted(signatures.items()):
        for spec in signature.inputs.values():
            print(f"  {name:<17}in   {spec}")
        for spec in signature.outputs.values():
            print(f"  {'':<17}out  {spec}")
