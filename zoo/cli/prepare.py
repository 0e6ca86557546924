"""`zoo prepare`: turn a corpus into a prepared set."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    from zoo.cli.corpus import add_corpus_arguments
    from zoo.data.frontend import LEVELS
    from zoo.data.representations import DELTAS, MEANS, REPRESENTATIONS

    add_corpus_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="folder to write; a broken-off one is finished")
    parser.add_argument("--representation", default="real", choices=REPRESENTATIONS)
    parser.add_argument(
        "--deltas",
        type=int,
        default=0,
        choices=DELTAS,
        help="append temporal derivatives up to this order as channels (default: 0, none)",
    )
    parser.add_argument(
        "--mean",
        default="element",
        choices=MEANS,
        help="subtract the training set's mean of every element (default), of every bin over all "
        "frames, or nothing",
    )
    parser.add_argument(
        "--length",
        default="p95",
        metavar="p95|N",
        help="samples at 16 kHz that segments are padded to: the 95th percentile of the training "
        "segments (default) or a number",
    )
    parser.add_argument(
        "--too-long",
        default="drop",
        choices=("drop", "crop"),
        help="leave longer segments out (default) or keep their centre",
    )
    parser.add_argument(
        "--level",
        default="segment",
        choices=LEVELS,
        help="scale every segment (default) or every file to peak 1, or (-rms) to a root mean "
        "square of 0.1, or nothing",
    )
    parser.add_argument("--resample", action="store_true", help="accept other rates than 16 kHz")
    parser.add_argument(
        "--dev-speakers",
        type=int,
        default=0,
        metavar="N",
        help="take N training speakers out as a split of their own, dev",
    )
    parser.add_argument(
        "--like",
        metavar="RUN",
        help="take length, level, representation, mean and classes from a run or a prepared set",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare and print the counts."""
    from zoo.cli.corpus import chosen_corpus
    from zoo.startup import start_backend

    corpus = chosen_corpus(args)
    start_backend()
    from zoo.data.preparation import prepare

    prepared = prepare(
        corpus,
        args.out,
        representation=args.representation,
        length=args.length,
        too_long=args.too_long,
        level=args.level,
        deltas=args.deltas,
        mean=args.mean,
        resample=args.resample,
        dev_speakers=args.dev_speakers,
        like=args.like,
        progress=True,
    )
    print(summary(prepared))
    return 0


def summary(prepared) -> str:
    """Counts of a prepared set, a line a split."""
    from zoo.data.phones import CLASSES

    manifest = prepared.manifest
    shape = "x".join(map(str, prepared.shape))
    lines = [
        f"{prepared.path}: {manifest['settings']['representation']}, {shape}, "
        f"segments of up to {manifest['length']} samples"
    ]
    dropped = "labelled q" if prepared.classes == CLASSES else "of no class"
    for name in prepared.splits:
        split = manifest["splits"][name]
        present = sum(count > 0 for count in split["per_class"].values())
        lines.append(
            f"  {name:<6}{split['segments']:>8} segments, {present} classes, "
            f"{split['utterances']} utterances, {split['speakers']} speakers; "
            f"excluded: {split['excluded_too_long']} too long, {split['dropped_q']} {dropped}"
        )
    return "\n".join(lines)
