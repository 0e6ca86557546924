"""`zoo corpus`: make the synthetic corpus."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the sub-commands of `zoo corpus`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    synth = actions.add_parser(
        "synth",
        help="make a synthetic corpus in TIMIT's layout",
        description="Make a synthetic corpus in TIMIT's layout, spoken by espeak-ng "
        "(pip install 'phone-zoo[synth]'). An interrupted run goes on when started again.",
    )
    synth.add_argument("out", metavar="OUT", type=Path, help="folder to make it in")
    synth.add_argument(
        "--speakers",
        type=int,
        default=56,
        metavar="N",
        help="how many in all, 4/15 of them for test (default: 56, 40 train and 16 test)",
    )
    synth.add_argument(
        "--sentences", type=int, default=10, metavar="N", help="sentences a speaker (default: 10)"
    )
    synth.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    synth.add_argument(
        "--workers", type=int, metavar="W", help="speakers at a time (default: one a core)"
    )
    synth.set_defaults(do=_synth)


def run(args: argparse.Namespace) -> int | None:
    """Run the chosen sub-command."""
    return args.do(args)


def _synth(args: argparse.Namespace) -> None:
    from zoo.data.synthetic import synthesise
    from zoo.files import read_json

    there = (args.out / "corpus.json").is_file()
    record = synthesise(
        args.out,
        speakers=args.speakers,
        sentences=args.sentences,
        seed=args.seed,
        workers=args.workers,
    )
    counts = read_json(record)["counts"]
    text = "; ".join(
        f"{split}: {c['speakers']} speakers, {c['utterances']} utterances, {c['hours']:.2f} h"
        for split, c in counts.items()
    )
    print(f"{args.out}: {'already there' if there else 'made'} ({text})")
