"""`zoo tune`: search for a better network."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.seeds import seed_argument


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="a model of zoo list")
    parser.add_argument("--data", metavar="PREPARED", help="a prepared set")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="the study; a broken-off search goes on"
    )
    parser.add_argument(
        "--tuner", choices=("random", "hyperband", "bayesian", "grid"), default="random"
    )
    parser.add_argument(
        "--objective",
        metavar="MEASURES",
        help="accuracy_39 (classifiers' default), euclidean_error (autoencoders'), loss, "
        "parameters, multiply_adds, latency_ms; or several with weights, whose sum is raised: "
        "accuracy_39:1,parameters:-1e-7",
    )
    parser.add_argument(
        "--max-trials", type=int, metavar="N", help="default 20; hyperband and grid: all they have"
    )
    parser.add_argument(
        "--extend", type=int, default=0, metavar="N", help="trials more than --max-trials"
    )
    parser.add_argument(
        "--epochs", type=int, default=5, help="of a trial, at most with hyperband (default 5)"
    )
    parser.add_argument(
        "--per-class", type=int, default=200, help="examples a class an epoch (default 200)"
    )
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument(
        "--executions", type=int, default=1, metavar="N", help="trainings a trial, averaged"
    )
    parser.add_argument("--seed", type=seed_argument, default=0)
    limits = parser.add_argument_group("limits", "larger networks are never trained")
    limits.add_argument("--max-params", type=int, metavar="N")
    limits.add_argument("--max-multiply-adds", type=int, metavar="N", help="of one example")
    limits.add_argument(
        "--max-latency-ms", type=float, metavar="MS", help="of one example, measured"
    )
    space = parser.add_argument_group("space", "zoo tune MODEL --show-space lists it")
    space.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE]",
        help="try these values of a hyperparameter only",
    )
    space.add_argument("--only", metavar="NAMES", help="vary these hyperparameters only")
    space.add_argument("--show-space", action="store_true", help="print the space and end")
    several = parser.add_argument_group("several workers")
    several.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes on this machine, a GPU each; even one outlives a trial that the system "
        "kills for its memory",
    )
    several.add_argument(
        "--chief", metavar="HOST:PORT", help="let workers of other machines join here"
    )
    several.add_argument(
        "--join", metavar="HOST:PORT", help="work for that chief; takes --out alone, shared with it"
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=3,
        metavar="K",
        help="best trials whose weights stay (default 3)",
    )
    parser.add_argument(
        "--save-as", metavar="NAME", help="add the winner to the zoo, in the folder ZOO_PRESETS"
    )


def run(args: argparse.Namespace) -> int:
    """Search, and print what was found."""
    # A search shares its GPU with the processes it starts.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if args.join:
        from zoo.startup import start_backend

        start_backend()
        _library()
        from tuning.worker import join

        join(args.out, args.join)
        return 0
    if args.model is None or args.data is None:
        raise UsageError("zoo tune takes MODEL and --data PREPARED, or --join HOST:PORT.")
    for option in ("extend", "keep", "workers"):
        least = 0 if option != "keep" else 1
        value = getattr(args, option)
        if value is not None and value < least:
            raise UsageError(f"--{option} must be {least} or more; received {value}.")

    from zoo import registry
    from zoo.data.sets.prepared import Prepared

    registry.describe(args.model)
    Prepared(args.data)
    from zoo.startup import start_backend

    start_backend()
    _library()
    from tuning.costs import Budget
    from tuning.study import MAX_TRIALS, Plan, Study

    # The others end by themselves.
    chooses = args.tuner in ("random", "bayesian")
    if args.extend and args.max_trials is None and not chooses:
        raise UsageError(f"--extend goes with --max-trials; {args.tuner} alone runs all it has.")
    study = Study(
        args.out,
        Plan(
            model=args.model,
            data=str(Path(args.data).resolve()),
            tuner=args.tuner,
            objective=args.objective,
            max_trials=MAX_TRIALS if args.max_trials is None and chooses else args.max_trials,
            epochs=args.epochs,
            per_class=args.per_class,
            batch_size=args.batch_size,
            seed=args.seed,
            executions=args.executions,
            budget=Budget(args.max_params, args.max_multiply_adds, args.max_latency_ms),
            narrowed=_narrowed(args.set),
            only=args.only.split(",") if args.only else None,
        ),
    )
    if args.show_space:
        for hp in study.space.record():
            name, rest = hp.pop("name"), ", ".join(f"{k} {v}" for k, v in hp.items())
            print(f"{name:<22}{rest}")
        return 0
    if args.save_as:
        from tuning.winner import study_digest
        from zoo.presets import check_name
        from zoo.registry import own_models

        check_name(args.save_as, study_digest(study), own_models())
    return _search(args, study)


def _search(args: argparse.Namespace, study: Any) -> int:
    from tuning.report import write_report
    from tuning.search import Search, stderr
    from tuning.winner import save_preset

    with study.locked():
        search = Search(study, args.extend, args.keep, stderr())
        search.prepare()
        if args.workers or args.chief:
            from tuning.chief import run_chief

            run_chief(search, args.workers or 0, args.chief)
        else:
            search.run()
        best = search.best()[0]
        result = search.oracle.results[best]
        print(
            f"best of {len(search.oracle.results)} trials: {best}, {study.objective.name} "
            f"{result['value']:.5g}, {result['measures']['parameters']:,} parameters"
        )
        print(f"its run: {study.run(best).path}")
        print(f"report: {write_report(search)}")
        if args.save_as:
            print(f"preset: {save_preset(study, best, result, args.save_as)}")
    return 0


def _library() -> None:
    try:
        import keras_tuner  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError(
            f"zoo tune needs {error.name}; install it: pip install 'phone-zoo[tuning]'."
        ) from None


def _narrowed(settings: list[str]) -> dict[str, list[Any]]:
    from zoo.cli.train import overrides

    found: dict[str, list[Any]] = {}
    for name, value in overrides(settings).items():
        if isinstance(value, str):
            found[name] = [overrides([f"v={part}"])["v"] for part in value.split(",")]
        else:
            found[name] = list(value) if isinstance(value, tuple) else [value]
    return found
