"""`zoo data`: look at a prepared set, check that it is intact."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.extras import require


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the sub-commands of `zoo data`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="counts and pictures of a prepared set",
        description="Print a prepared set's counts and write a page of pictures: the number of "
        "examples of each class, durations and example spectrograms; for pairs, signal-to-noise "
        "ratios and waveforms.",
        example="zoo data show prepared",
    )
    show.add_argument("prepared", metavar="PREPARED", help="Prepared set")
    show.add_argument(
        "--out",
        type=Path,
        metavar="FILE.html|DIR",
        help="Page to write, or a folder for it and for every picture as a PNG file "
        "(default: overview.html in PREPARED)",
    )
    show.set_defaults(do=_show)
    check = actions.add_parser(
        "check",
        help="compare every file of a prepared set with its hash",
        description="Compare every file of a prepared set with the hash in its manifest. The exit "
        "code is 0 if all of them are unchanged, else 1.",
        example="zoo data check prepared",
    )
    check.add_argument("prepared", metavar="PREPARED", help="Prepared set")
    check.set_defaults(do=_check)


def run(args: argparse.Namespace) -> int | None:
    """Run the chosen sub-command."""
    return args.do(args)


def _show(args: argparse.Namespace) -> None:
    from zoo.data.sets.overview import counts, write_overview
    from zoo.data.sets.prepared import Prepared

    require("reports")
    prepared = Prepared(args.prepared)
    page = write_overview(prepared, args.out or prepared.path / "overview.html")
    rows = counts(prepared)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))
    print(f"\n{page}")


def _check(args: argparse.Namespace) -> int:
    from zoo.data.sets.prepared import Prepared

    prepared = Prepared(args.prepared)
    wrong = prepared.verify()
    for line in wrong:
        print(line)
    if not wrong:
        print(
            f"{prepared.path}: {len(prepared.manifest['sha256'])} files unchanged, "
            "content "
            f"{prepared.manifest.get('content', 'without a hash (first format)')}"
        )
    return 1 if wrong else 0
