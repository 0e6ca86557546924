"""`zoo report`: write a run's report as one HTML page."""

from __future__ import annotations

import argparse

from zoo.seeds import seed_argument


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument("run", metavar="RUN", help="a run folder of zoo train")
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument("--split", default="test", help="part of the set (default test)")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="page to write (default RUN/report.html; NAME.html for weights that ship)",
    )
    parser.add_argument("--seed", type=seed_argument, default=0, help="of the class-balanced draw")


def run(args: argparse.Namespace) -> int:
    """Score the run and write the page."""
    from zoo.data.sets.prepared import Prepared
    from zoo.runs import Run

    trained = Run.open(args.run)
    prepared = Prepared(args.data)
    from zoo.startup import start_backend

    start_backend()
    from zoo.evaluation.report import write_report
    from zoo.evaluation.runs import evaluate

    evaluation = evaluate(trained, prepared, args.split, args.seed)
    print(write_report(trained, prepared, evaluation, args.out or trained.report))
    return 0
