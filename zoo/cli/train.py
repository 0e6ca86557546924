"""`zoo train`: train a classifier on a prepared set."""

from __future__ import annotations

import argparse
import ast
from typing import Any

from zoo.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    from zoo.data.samplers import SAMPLINGS

    parser.add_argument("model", metavar="MODEL", help="a classifier of zoo list")
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument(
        "--out", required=True, metavar="RUN", help="the run folder; a broken-off run goes on"
    )
    parser.add_argument("--epochs", type=int, default=20, help="how many in all (default 20)")
    parser.add_argument(
        "--per-class", type=int, default=500, help="examples a class an epoch (default 500)"
    )
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, help="of AdaGrad")
    parser.add_argument("--initial-accumulator", type=float, help="of AdaGrad's squared gradients")
    parser.add_argument(
        "--labels-per-class", type=int, metavar="N", help="use at most N examples of each class"
    )
    parser.add_argument(
        "--label-fraction",
        type=float,
        metavar="F",
        help="use this share of each class (0.01: 1 %%)",
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
        help="change every batch: some of pitch,shift,gain,noise,mask,mixup, each with =NUMBER or "
        "its default (zoo.data.augmentation)",
    )
    parser.add_argument(
        "--validation", metavar="SPLIT", help="split to score each epoch (default: dev, if any)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the model's builder, for example --set dropout=0.3",
    )


def run(args: argparse.Namespace) -> int:
    """Train and print where the run is and how it ended."""
    import zoo
    from zoo.data.prepared import Prepared

    zoo.describe(args.model)
    prepared = Prepared(args.data)

    from zoo.startup import start_backend

    start_backend()
    from zoo.files import read_json
    from zoo.training.classifier import Settings, train_classifier
    from zoo.training.runs import HISTORY

    chosen = {
        name: getattr(args, name)
        for name in (
            "epochs",
            "per_class",
            "batch_size",
            "learning_rate",
            "initial_accumulator",
            "labels_per_class",
            "label_fraction",
            "sampling",
            "augment",
            "validation",
            "seed",
        )
        if getattr(args, name) is not None
    }
    out = train_classifier(
        args.model,
        prepared,
        args.out,
        Settings(**chosen),
        overrides=overrides(args.set),
        progress=True,
    )
    history = read_json(out / HISTORY)
    line = f"{out}: {len(history['loss'])} epochs, folded accuracy {history['accuracy_39'][-1]:.1%}"
    if "val_accuracy_39" in history:
        line += f" (validation {history['val_accuracy_39'][-1]:.1%})"
    print(line)
    return 0


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
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found
