"""`zoo tune`: search for a better network."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from zoo.cli.following import print_next
from zoo.errors import UsageError
from zoo.extras import require
from zoo.parsers import heading
from zoo.settings import add_options, at_least, from_arguments, option
from zoo.siblings import sibling
from zoo.startup import start_backend

# Known without Keras and keras-tuner.
SETTINGS = sibling("tuning.settings")


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """How a study is worked on; none of it decides what comes of a trial."""

    extend: int = option(
        0,
        metavar="N",
        check=at_least(0),
        help="Number of further trials, beyond --max-trials",
        group="search",
    )
    keep: int = option(
        3,
        metavar="K",
        check=at_least(1),
        help="Number of best trials whose weights are kept",
        group="results",
    )
    save_as: str | None = option(
        None,
        metavar="NAME",
        help="Name under which to save the best network as a preset, in the folder ZOO_PRESETS",
        group="results",
    )
    workers: int | None = option(
        None,
        metavar="N",
        check=at_least(0),
        help=(
            "Number of worker processes on this machine, one for each GPU. With one or "
            "more, the search survives a trial that the system kills for lack of memory"
        ),
        group="several workers",
    )
    chief: str | None = option(
        None,
        metavar="HOST:PORT",
        help="Address at which workers of other machines can join",
        group="several workers",
    )
    join: str | None = option(
        None,
        metavar="HOST:PORT",
        help=(
            "Address of the chief to work for; requires --out, a folder shared with the "
            "chief, and no other option"
        ),
        group="several workers",
    )


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help="Model of zoo list")
    parser.add_argument("--data", metavar="PREPARED", help="Prepared set")
    parser.add_argument("--out", required=True, metavar="DIR", help="Folder of the study")
    limits = heading(parser, "limits", "networks beyond a limit are not trained")
    add_options(limits, SETTINGS.Budget)
    space = heading(parser, "space")
    add_options(parser, SETTINGS.Plan, defaults={"max_trials": None})
    space.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE]",
        help="Values of a hyperparameter to try, instead of all in the space",
    )
    space.add_argument(
        "--show-space", action="store_true", help="Print the hyperparameters and their values"
    )
    add_options(parser, SearchOptions)


def run(args: argparse.Namespace) -> int:
    """Search, and print what was found."""
    require("tuning")
    # A search shares its GPU with the processes it starts.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if args.join:
        start_backend()
        sibling("tuning.worker").join(args.out, args.join)
        return 0
    if args.model is None or args.data is None:
        raise UsageError("zoo tune takes MODEL and --data PREPARED, or --join HOST:PORT.")
    options = from_arguments(SearchOptions, args)

    from zoo import registry
    from zoo.data.sets.prepared import Prepared

    registry.describe(args.model)
    Prepared(args.data)
    start_backend()

    # The others end by themselves.
    chooses = args.tuner in ("random", "bayesian")
    if args.extend and args.max_trials is None and not chooses:
        raise UsageError(
            f"--extend requires --max-trials; without a limit, {args.tuner} runs all of its trials."
        )
    plan = from_arguments(SETTINGS.Plan, args)
    most = SETTINGS.MAX_TRIALS if plan.max_trials is None and chooses else plan.max_trials
    study = sibling("tuning.study").Study(
        args.out,
        dataclasses.replace(
            plan,
            data=str(Path(plan.data).resolve()),
            max_trials=most,
            budget=from_arguments(SETTINGS.Budget, args),
            narrowed=_narrowed(args.set),
        ),
    )
    if args.show_space:
        for hp in study.space.record():
            name, rest = hp.pop("name"), ", ".join(f"{k} {v}" for k, v in hp.items())
            print(f"{name:<22}{rest}")
        return 0
    if args.save_as:
        from zoo.presets import check_name
        from zoo.registry import own_models

        check_name(args.save_as, sibling("tuning.winner").study_digest(study), own_models())
    return _search(options, study)


def _search(options: SearchOptions, study: Any) -> int:
    searching, report = sibling("tuning.search"), sibling("tuning.report")
    with study.locked():
        search = searching.Search(study, options.extend, options.keep, searching.stderr())
        search.prepare()
        if options.workers or options.chief:
            sibling("tuning.chief").run_chief(search, options.workers or 0, options.chief)
        else:
            search.run()
        best = search.best()[0]
        result = search.oracle.results[best]
        print(
            f"best of {len(search.oracle.results)} trials: {best}, {study.objective.name} "
            f"{result['value']:.5g}, {result['measures']['parameters']:,} parameters"
        )
        print(f"its run: {study.run(best).path}")
        print(f"report: {report.write_report(search)}")
        if options.save_as:
            preset = sibling("tuning.winner").save_preset(study, best, result, options.save_as)
            print(f"preset: {preset}")
        print_next("evaluate", study.run(best).path, "--data", study.plan.data)
    return 0


def _narrowed(settings: list[str]) -> dict[str, list[Any]]:
    from zoo.cli.train import overrides

    found: dict[str, list[Any]] = {}
    for name, value in overrides(settings).items():
        if isinstance(value, str):
            found[name] = [overrides([f"v={part}"])["v"] for part in value.split(",")]
        else:
            found[name] = list(value) if isinstance(value, tuple) else [value]
    return found
