"""`zoo train`: train a classifier or an autoencoder on a prepared set."""

from __future__ import annotations

import argparse
import ast
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli import main
from zoo.errors import UsageError
from zoo.seeds import seed_argument
from zoo.training.distribution import Place, joined, launch

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared

COMMON = (
    *("epochs", "per_class", "batch_size", "optimizer", "learning_rate"),
    *("initial_accumulator", "sampling"),
    *("augment", "validation", "seed", "l2", "encoder", "freeze_encoder"),
)
CLASSIFIER = ("schedule", "labels_per_class", "label_fraction", "weights")
AUTOENCODER = (
    *("objective", "stack", "patience", "min_improvement", "corrupt", "masked", "patch"),
    *("sparse", "contractive"),
)
BUILDER = ("units", "unpooling", "decoder", "activation", "train_encoder", "train_decoder")
"""Options of an autoencoder's builder that have a flag of their own."""


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    from zoo.data.sets.samplers import SAMPLINGS
    from zoo.training.runs import OPTIMIZERS

    parser.add_argument("model", metavar="MODEL", help="a classifier or autoencoder of zoo list")
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument(
        "--out", required=True, metavar="RUN", help="the run folder; a broken-off run goes on"
    )
    parser.add_argument(
        "--epochs", type=int, help="how many in all (default 20); with --stack for each unit"
    )
    parser.add_argument(
        "--per-class", type=int, help="examples a class in a balanced epoch (default 500)"
    )
    parser.add_argument("--batch-size", type=int, help="examples a step (default 128)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="default adagrad")
    parser.add_argument("--learning-rate", type=float, help="of the optimiser (default 0.01)")
    parser.add_argument(
        "--initial-accumulator", type=float, help="of AdaGrad's squared gradients (default 0)"
    )
    parser.add_argument(
        "--sampling",
        choices=SAMPLINGS,
        help="balanced: --per-class examples of each class an epoch (default); natural: every "
        "example once; weighted: the same, with losses that count every class alike",
    )
    parser.add_argument(
        "--augment",
        metavar="LIST",
        help="change every batch: some of pitch,shift,gain,noise,lowpass,mask,mixup, each with "
        "=NUMBER or its default (zoo.data.sets.augmentation)",
    )
    parser.add_argument(
        "--validation", metavar="SPLIT", help="split to score each epoch (default: dev, if any)"
    )
    parser.add_argument("--l2", type=float, metavar="F", help="penalty on squared filters")
    parser.add_argument(
        "--encoder",
        metavar="RUN",
        help="start from this encoder: a run folder, a .keras file, or weights of MODEL",
    )
    parser.add_argument(
        "--freeze-encoder",
        action="store_true",
        help="leave the encoder as it starts, and train the rest",
    )
    parser.add_argument("--seed", type=seed_argument, help="of all that is drawn (default 0)")
    parser.add_argument(
        "--distribute",
        metavar="N",
        help="train in N processes on this machine, each with its part of every batch (needs "
        "KERAS_BACKEND=jax); HOST:PORT,N,I as process I of N on several machines, started with the "
        "same words on each",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the model's builder, for example --set dropout=0.3",
    )
    _classifier_arguments(parser.add_argument_group("classifiers"))
    _autoencoder_arguments(parser.add_argument_group("autoencoders"))


def _classifier_arguments(group: argparse._ArgumentGroup) -> None:
    from zoo.training.runs import SCHEDULES

    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        help="of the learning rate: constant (default), or down along half a cosine over all "
        "epochs",
    )
    group.add_argument(
        "--weights",
        metavar="RUN",
        help="start with all weights of a network of this kind: a run folder, a .keras file, or "
        "the name of weights that ship",
    )
    group.add_argument(
        "--labels-per-class", type=int, metavar="N", help="use at most N examples of each class"
    )
    group.add_argument(
        "--label-fraction",
        type=float,
        metavar="F",
        help="use this share of each class (0.01: 1 %%)",
    )


def _autoencoder_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--units", type=int, metavar="N", help="units, outermost first")
    group.add_argument("--unpooling", choices=("switch", "blind"))
    group.add_argument(
        "--decoder",
        choices=("free", "transpose_init", "tied"),
        help="decoder filters: their own, started from the encoder's transposed ones, or these",
    )
    group.add_argument("--activation", metavar="NAME", help="relu, tanh, sigmoid, ...")
    parts = ("all", "filters", "biases", "none")
    group.add_argument("--train-encoder", choices=parts, help="what is trained in the encoder")
    group.add_argument("--train-decoder", choices=parts, help="what is trained in the decoder")
    group.add_argument(
        "--objective",
        metavar="NAME",
        help="euclidean (squared, the default), scale_invariant, spectral_convergence or cosine",
    )
    group.add_argument(
        "--stack",
        choices=("strong", "weak"),
        help="train unit by unit; strong freezes the units trained before",
    )
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="epochs without improvement that end a unit's training (default with --stack: 5), or "
        "all of it without --stack",
    )
    group.add_argument(
        "--min-improvement",
        type=float,
        metavar="F",
        help="share of the loss that counts as an improvement (default 0.001)",
    )
    group.add_argument(
        "--corrupt",
        metavar="LIST",
        help="denoising: change the input, as --augment does, and not what is to be given back",
    )
    group.add_argument(
        "--masked",
        type=float,
        metavar="F",
        help="hide this share of the input's patches, and compare these alone",
    )
    group.add_argument(
        "--patch", type=_patch, metavar="ROWSxFRAMES", help="size of a patch (default 20x4)"
    )
    group.add_argument("--sparse", type=float, metavar="F", help="penalty on the code's magnitudes")
    group.add_argument(
        "--contractive", type=float, metavar="F", help="penalty on the code's squared Jacobian"
    )


def run(args: argparse.Namespace) -> int:
    """Train and print where the run is and how it ended."""
    from zoo import registry
    from zoo.data.sets.prepared import Prepared

    card = registry.describe(args.model)
    family = card.family
    if family != "classifier" and not card.is_autoencoder:
        raise UsageError(
            f"{args.model} is of the family {family!r}; zoo train takes classifiers and "
            "autoencoders."
        )
    trains_autoencoder = card.is_autoencoder
    builder = overrides(args.set)
    foreign = CLASSIFIER if trains_autoencoder else (*AUTOENCODER, *BUILDER)
    for option in foreign:
        if getattr(args, option) is not None:
            flag = f"--{option.replace('_', '-')}"
            kind = "classifiers" if trains_autoencoder else "autoencoders"
            raise UsageError(f"{flag} is for {kind}; {args.model} is of the family {family!r}.")
    own = AUTOENCODER if trains_autoencoder else CLASSIFIER
    given = {k: getattr(args, k) for k in (*COMMON, *own) if getattr(args, k) is not None}
    chosen: dict[str, Any] = {**card.recipe, **given}
    builder |= {k: getattr(args, k) for k in BUILDER if getattr(args, k) is not None}
    prepared = Prepared(args.data)
    place = None
    if args.distribute and args.distribute.isdecimal():
        if not int(args.distribute):
            raise UsageError("--distribute takes 1 process or more; received 0.")
        return launch(main, args.words, int(args.distribute))
    if args.distribute:
        place = Place.parse(args.distribute)

    from zoo.startup import start_backend

    start_backend()
    with contextlib.ExitStack() as stack:
        folder = Path(args.out)
        if place is not None:
            folder = stack.enter_context(joined(place, folder))
        first = place is None or not place.number
        out = _train(args.model, prepared, folder, chosen, builder, trains_autoencoder, first)
    if first:
        print(f"{out}: {_ended(out)}")
    return 0


def _train(
    model: str,
    prepared: Prepared,
    folder: Path,
    chosen: dict[str, Any],
    builder: dict[str, Any],
    trains_autoencoder: bool,
    progress: bool,
) -> Path:
    if trains_autoencoder:
        from zoo.training.autoencoder import AutoencoderSettings, train_autoencoder

        autoencoder = AutoencoderSettings(**chosen)
        return train_autoencoder(
            model, prepared, folder, autoencoder, overrides=builder, progress=progress
        )
    from zoo.training.classifier import Settings, train_classifier

    classifier = Settings(**chosen)
    return train_classifier(
        model, prepared, folder, classifier, overrides=builder, progress=progress
    )


def _ended(out: Path) -> str:
    from zoo.runs import Run

    history = Run.open(out).history
    epochs = len(history.get("loss", []))
    if not epochs:
        return "untrained"
    name, text, form = (
        ("accuracy_39", "folded accuracy", ".1%")
        if "accuracy_39" in history
        else ("euclidean_error", "Euclidean error", ".3f")
    )
    line = f"{epochs} epochs, {text} {history[name][-1]:{form}}"
    if f"val_{name}" in history:
        line += f" (validation {history[f'val_{name}'][-1]:{form}})"
    return line


def _patch(text: str) -> tuple[int, int]:
    rows, _, frames = text.partition("x")
    try:
        return int(rows), int(frames)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"takes ROWSxFRAMES, as in 20x4; received {text!r}"
        ) from None


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
