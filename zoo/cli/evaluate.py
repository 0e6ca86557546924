"""`zoo evaluate`: score a run on a prepared set."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument("run", metavar="RUN", help="a run folder of zoo train")
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument("--split", default="test", help="part of the set (default test)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.add_argument("--seed", type=int, default=0, help="of the class-balanced draw")


def run(args: argparse.Namespace) -> int:
    """Score and print."""
    from zoo.data.prepared import Prepared
    from zoo.saving import model_path

    model_path(args.run)
    prepared = Prepared(args.data)
    from zoo.startup import start_backend

    start_backend()
    from zoo.evaluation.runs import evaluate

    scores = evaluate(args.run, prepared, args.split, args.seed).scores
    print(
        json.dumps(scores, indent=2)
        if args.json
        else table(scores, len(prepared.classes), len(set(prepared.groups.values())))
    )
    return 0


def table(scores: dict[str, Any], classes: int = 48, groups: int = 39) -> str:
    """Scores for people, percentages."""
    lines = [
        f"{scores['model']} on {scores['split']}: {scores['examples']} segments "
        f"({scores['excluded']} excluded as too long)",
        f"{f'  folded accuracy ({groups} groups)':<39} {scores['accuracy_39']:7.1%}",
        f"  the same, 200 examples of each class  {scores['accuracy_39_uniform']:7.1%}",
        f"  class-balanced folded accuracy        {scores['balanced_accuracy_39']:7.1%}",
        f"{f'  accuracy over {classes} classes':<39} {scores['accuracy_48']:7.1%}",
        "  phone  examples  recall  precision",
    ]
    for phone, row in scores["per_phone"].items():
        precision = "      -" if row["precision"] is None else f"{row['precision']:7.1%}"
        lines.append(f"  {phone:<7}{row['examples']:>8} {row['recall']:7.1%}    {precision}")
    return "\n".join(lines)
