"""`zoo train`: train a classifier, a recognizer or an autoencoder on a prepared set."""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli import main
from zoo.cli.following import print_next
from zoo.errors import UsageError
from zoo.models.card import DECODERS, TRAINED, UNPOOLINGS
from zoo.parsers import heading
from zoo.settings import add_options, at_least, from_arguments, given, option
from zoo.training.distribution import Lost, Place, joined, launch
from zoo.training.settings import AutoencoderSettings, Settings, TrainingSettings

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class BuilderOptions:
    """Arguments of an autoencoder's builder that have an option of their own; None: as built."""

    units: int | None = option(
        None, metavar="N", check=at_least(1), help="Number of units, outermost first"
    )
    unpooling: str | None = option(
        None,
        choices=UNPOOLINGS,
        help="How decoders undo pooling: by the encoder's switches, or blind",
    )
    decoder: str | None = option(
        None,
        choices=DECODERS,
        help=(
            "Filters of the decoder. free: its own; transpose_init: its own, "
            "initialised with the encoder's, transposed; tied: the encoder's"
        ),
    )
    activation: str | None = option(
        None, metavar="NAME", help="Activation function: relu, tanh, sigmoid, ..."
    )
    train_encoder: str | None = option(
        None, choices=TRAINED, help="Part of the encoder that is trained"
    )
    train_decoder: str | None = option(
        None, choices=TRAINED, help="Part of the decoder that is trained"
    )


class _Sets(argparse.Action):
    """Takes prepared sets, and MODEL where it comes after them."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        (model,) = (a for a in parser._actions if a.dest == "model")
        if getattr(namespace, "model", None) is None and len(values) > 1:
            # Commands from when there was one set may have it in this order.
            *values, namespace.model = values
            model.required = False
        namespace.data = values


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="MODEL", help="Classifier, recognizer or autoencoder of zoo list"
    )
    data = heading(parser, "prepared sets")
    data.add_argument(
        "--data",
        required=True,
        nargs="+",
        action=_Sets,
        metavar="PREPARED",
        help="Prepared set, or several with the same front end and the same classes",
    )
    data.add_argument(
        "--data-weights",
        nargs="+",
        type=float,
        metavar="W",
        help="Relative weight of each set: its share of the examples of an epoch, or, in balanced "
        "epochs, of the examples of every class (default: the number of its examples)",
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="Run folder to write")
    parser.description = (
        "Train a classifier, a recognizer or an autoencoder on a prepared set. Interrupted runs "
        "resume. Some models have a recipe of their own, which replaces the defaults below."
    )
    # A model's recipe takes the place of defaults.
    add_options(parser, TrainingSettings, given_only=True)
    parser.add_argument(
        "--distribute",
        metavar="N",
        help="Number of processes on this machine that share every batch. On several machines, "
        "start the same command on each with HOST:PORT,N,I: process I of N, which meet at "
        "HOST:PORT. Requires KERAS_BACKEND=jax",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="Option of the model's builder, for example --set dropout=0.3",
    )
    classifiers = parser.add_argument_group("classifiers and recognizers")
    add_options(classifiers, Settings, beside=[TrainingSettings], given_only=True)
    autoencoders = parser.add_argument_group("autoencoders")
    add_options(autoencoders, BuilderOptions, given_only=True)
    learning = parser.add_argument_group("training of autoencoders")
    add_options(learning, AutoencoderSettings, beside=[TrainingSettings], given_only=True)


def run(args: argparse.Namespace) -> int:
    """Train and print where the run is and how it ended."""
    from zoo import registry
    from zoo.data.sets.joined import joined as joined_sets
    from zoo.data.sets.prepared import Prepared

    card = registry.describe(args.model)
    family = card.family
    if not card.names_classes and not card.is_autoencoder:
        raise UsageError(
            f"{args.model} is of the family {family!r}; zoo train takes classifiers, recognizers "
            "and autoencoders."
        )
    builder = overrides(args.set)
    chosen: Settings | AutoencoderSettings
    if card.is_autoencoder:
        foreign = given(Settings, args, but=[TrainingSettings])
        chosen = from_arguments(AutoencoderSettings, args, **card.recipe)
        of_builder = from_arguments(BuilderOptions, args)
        builder |= {k: v for k, v in vars(of_builder).items() if v is not None}
    else:
        foreign = given(AutoencoderSettings, args, but=[TrainingSettings])
        foreign += given(BuilderOptions, args)
        chosen = from_arguments(Settings, args, **card.recipe)
    for flag in foreign:
        kind = "classifiers and recognizers" if card.is_autoencoder else "autoencoders"
        raise UsageError(f"{flag} is for {kind}; {args.model} is of the family {family!r}.")
    prepared = joined_sets([Prepared(path) for path in args.data], args.data_weights)
    place = None
    if args.distribute and args.distribute.isdecimal():
        if not int(args.distribute):
            raise UsageError("--distribute takes 1 process or more; received 0.")
        return launch(main, args.words, int(args.distribute))
    if args.distribute:
        place = Place.parse(args.distribute)

    from zoo.startup import compute_repeatably, start_backend

    if chosen.deterministic:
        compute_repeatably()
    start_backend()
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(args.out)
            if place is not None:
                folder = stack.enter_context(joined(place, folder))
            first = place is None or not place.number
            if first and isinstance(chosen, Settings) and chosen.acoustic_units is None:
                for clause in prepared.missing_classes():
                    print(f"zoo train: note: {clause}", file=sys.stderr)
            out = _train(args.model, prepared, folder, chosen, builder, first)
    except Lost as error:
        print(f"zoo train: {error}", file=sys.stderr, flush=True)
        # An orderly end would wait for the lost process, and then be an abort.
        os._exit(1)
    if first:
        print(f"{out}: {_ended(out)}")
        if isinstance(chosen, Settings) and chosen.acoustic_units:
            # Whatever else it is, a network of units is an encoder.
            print_next(
                "train", args.model, "--encoder", out, "--data", "LABELLED", "--out", f"{out}-tuned"
            )
        else:
            print_next("evaluate", out, "--data", args.data[0])
    return 0


def _train(
    model: str,
    prepared: Prepared,
    folder: Path,
    chosen: Settings | AutoencoderSettings,
    builder: dict[str, Any],
    progress: bool,
) -> Path:
    if isinstance(chosen, AutoencoderSettings):
        from zoo.training.autoencoder import train_autoencoder

        return train_autoencoder(
            model, prepared, folder, chosen, overrides=builder, progress=progress
        )
    from zoo.training.classifier import train_classifier

    return train_classifier(model, prepared, folder, chosen, overrides=builder, progress=progress)


def _ended(out: Path) -> str:
    from zoo.data.corpora.phones import recorded_names
    from zoo.runs import Run

    history = Run.open(out).history
    epochs = len(history.get("loss", []))
    if not epochs:
        return "untrained"
    names = recorded_names(history)
    name, text, form = (
        (names.accuracy, names.text, ".1%")
        if names.accuracy in history
        else ("euclidean_error", "Euclidean error", ".3f")
    )
    line = f"{epochs} epochs, {text} {history[name][-1]:{form}}"
    if f"val_{name}" in history:
        line += f" (validation {history[f'val_{name}'][-1]:{form}})"
    return line


def overrides(settings: list[str]) -> dict[str, Any]:
    """`OPTION=VALUE` strings as builder arguments: Python literals, anything else as text.

    Raises:
        UsageError: one has no `=`.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes OPTION=VALUE; received {setting!r}.")
        if name == "name":
            raise UsageError("--set takes a builder's options; the model's name is the first word.")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found
