"""`zoo export`: a run as a model for serving, or for a runtime of its own."""

from __future__ import annotations

import dataclasses

from zoo.cli.following import print_serving
from zoo.errors import UsageError
from zoo.extras import require
from zoo.settings import at_least, option
from zoo.siblings import sibling
from zoo.startup import quiet, start_backend

FORMATS = ("savedmodel", "litert", "onnx")

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo export`."""

    run: str = option(
        name="run",
        metavar="RUN",
        help="Run folder of zoo train, or the name of a preset or of weights that ship",
    )
    out: str = option(
        name="out",
        metavar="OUT",
        help="Folder to write; a SavedModel goes to OUT/<version>",
    )
    format: str = option("savedmodel", choices=FORMATS, help="Format of the exported model")
    # `version` is where `zoo --version` keeps its flag.
    number: int | None = option(
        None,
        name="--version",
        metavar="N",
        check=at_least(1),
        help="Version of the SavedModel",
        shown="the next free number",
        group="savedmodel",
    )
    batching: bool = option(
        False,
        help="Also write OUT/batching_parameters.txt for the server",
        group="savedmodel",
    )
    dictionary: list[str] = option(
        [],
        metavar="FILE",
        help=(
            "File of pronunciations in the format of CMUdict or Montreal Forced "
            "Aligner, or cmudict (3 MB), for the words that a server is asked to align; "
            "may be given several times; for networks that transcribe"
        ),
        group="savedmodel",
    )
    quantize: list[str] | None = option(
        None,
        nargs="+",
        choices=QUANTIZATIONS,
        metavar="KIND",
        help=f"Kinds of weights to write (litert): {', '.join(QUANTIZATIONS)}",
        shown="float32",
        group="litert and onnx",
    )
    data: str | None = option(
        None,
        metavar="PREPARED",
        help="Prepared set on which to compare the export with Keras, and to calibrate int8",
        group="litert and onnx",
    )


def run(options: Options) -> None:
    """Export and show what can be called, or how the exported files compare with Keras."""
    _check(options)
    # Before Keras starts: what it is exported by may be missing.
    require("serving" if options.format == "savedmodel" else options.format)
    start_backend()
    if options.format == "savedmodel":
        _savedmodel(options)
        return
    portable = sibling("export.portable")
    kinds = options.quantize or ["float32"]
    report = portable.export_portable(options.run, options.out, options.format, kinds, options.data)
    print(portable.table(report))


def _check(options: Options) -> None:
    of_savedmodel = options.format == "savedmodel"
    if of_savedmodel and options.data:
        raise UsageError("--data goes with --format litert or onnx.")
    if options.format != "litert" and options.quantize:
        raise UsageError("--quantize goes with --format litert.")
    if not of_savedmodel and (options.number is not None or options.batching or options.dictionary):
        raise UsageError("--version, --batching and --dictionary go with --format savedmodel.")


def _savedmodel(options: Options) -> None:
    export_savedmodel = sibling("export.savedmodel").export_savedmodel
    path = export_savedmodel(
        options.run, options.out, options.number, options.batching, options.dictionary
    )
    print(path)
    with quiet():
        # Where Keras runs on another backend, this is what starts TensorFlow here.
        signatures = sibling("serving.servable").Servable(path).signatures
    for name, signature in sorted(signatures.items()):
        for spec in signature.inputs.values():
            print(f"  {name:<17}in   {spec}")
        for spec in signature.outputs.values():
            print(f"  {'':<17}out  {spec}")
    print_serving(options.out)
