"""`zoo prepare`: turn a corpus into a prepared set."""

from __future__ import annotations

import argparse
import itertools
import shlex
from typing import TYPE_CHECKING

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.data.corpora.corpus import Corpus
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.shards import WriteShards

# Option -> its default. What only labelled segments, or only pairs, have a use for.
_OF_SEGMENTS = {
    "representation": "real",
    "deltas": 0,
    "mean": None,
    "too_long": "drop",
    "like": None,
}
_OF_PAIRS = {"snr": None, "pairs": None}


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    from zoo.cli.corpus import add_corpus_arguments
    from zoo.data.features.frontend import LEVELS
    from zoo.data.features.representations import DELTAS, MEANS, REPRESENTATIONS, WAVEFORM
    from zoo.data.sets.selection import DTYPES, TOO_LONG

    parser.description = (
        "Turn a corpus into a prepared set: of phones or other segments, of one length; of "
        "whole utterances, each of its own (--length any, the default for spoken digits); or, "
        "with --noise, of pairs of noisy and clean excerpts. A broken-off one is gone on with."
    )
    add_corpus_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="folder to write; a broken-off one is finished")
    parser.add_argument(
        "--representation",
        default=_OF_SEGMENTS["representation"],
        choices=(*REPRESENTATIONS, WAVEFORM),
    )
    parser.add_argument(
        "--deltas",
        type=int,
        default=_OF_SEGMENTS["deltas"],
        choices=DELTAS,
        help="append temporal derivatives up to this order as channels (default: 0, none)",
    )
    parser.add_argument(
        "--mean",
        choices=MEANS,
        help="subtract the training set's mean of every element (default), of every bin over all "
        "frames (default where lengths differ), or nothing",
    )
    parser.add_argument(
        "--length",
        metavar="p95|any|N",
        help="samples that segments are padded to: the 95th percentile of the training segments "
        "(p95, default) or a number; or any: each has its own (default for spoken digits). Of "
        "pairs a number (default: one second)",
    )
    parser.add_argument(
        "--too-long",
        default=_OF_SEGMENTS["too_long"],
        choices=TOO_LONG,
        help="leave longer segments out (default) or keep their centre",
    )
    parser.add_argument(
        "--level",
        default="segment",
        choices=LEVELS,
        help="scale every segment (default) or every file to peak 1, or (-rms) to a root mean "
        "square of 0.1, or nothing; of a pair both by what the noisy one takes",
    )
    parser.add_argument(
        "--sample-rate",
        type=int,
        metavar="HZ",
        help="of the set (default: 16000; the corpus' own where lengths differ, and of pairs)",
    )
    parser.add_argument(
        "--resample", action="store_true", help="accept recordings of other rates than the set's"
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=DTYPES,
        help="what is stored; float16 takes half the room, and is read as float32 too",
    )
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
        help="take length, level, representation, mean, rate and classes from a run or a set",
    )
    parser.add_argument(
        "--noise",
        metavar="white|pink|PATH",
        help="make pairs: add this noise, or recordings of a folder, to clean excerpts",
    )
    parser.add_argument(
        "--snr",
        type=_ratio,
        metavar="DB[:DB]",
        help="signal-to-noise ratio of pairs, or its bounds (default: 0)",
    )
    parser.add_argument(
        "--pairs",
        type=_counts,
        metavar="TRAIN,TEST[,DEV]",
        help="how many (default: 250,50,50)",
    )
    parser.add_argument(
        "--beam",
        metavar="ARGUMENTS",
        help="do the work as an Apache Beam pipeline with these arguments, for example "
        "'--runner=FlinkRunner --flink_master=HOST:8081'; CORPUS and OUT must be where every "
        "worker sees them",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare and print the counts."""
    from zoo.cli.corpus import chosen_corpus

    options = _OF_PAIRS if args.noise is None else _OF_SEGMENTS
    for name, default in options.items():
        if getattr(args, name) != default:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} is of pairs only; give --noise too, or leave it out."
                if args.noise is None
                else f"{option} does not go with --noise; leave one of them out."
            )
    corpus = chosen_corpus(args)
    prepared = _segments(corpus, args) if args.noise is None else _pairs(corpus, args)
    print(summary(prepared))
    return 0


def _write(args: argparse.Namespace) -> WriteShards:
    from zoo.data.sets.shards import write_shards

    if args.beam is None:
        return write_shards
    from zoo.data.sets.beam import on_beam

    return on_beam(shlex.split(args.beam))


def _segments(corpus: Corpus, args: argparse.Namespace) -> Prepared:
    from zoo.data.sets.preparation import prepare
    from zoo.runs import resolve

    return prepare(
        corpus,
        args.out,
        representation=args.representation,
        length=args.length,
        too_long=args.too_long,
        level=args.level,
        deltas=args.deltas,
        mean=args.mean,
        sample_rate=args.sample_rate,
        dtype=args.dtype,
        resample=args.resample,
        dev_speakers=args.dev_speakers,
        like=args.like and resolve(args.like),
        progress=True,
        write=_write(args),
    )


def _pairs(corpus: Corpus, args: argparse.Namespace) -> Prepared:
    from zoo.data.corpora.utterances import SPLITS
    from zoo.data.sets.noisy_pairs import prepare_pairs

    if args.length is not None and not str(args.length).isdecimal():
        raise UsageError(f"--length of pairs is a number of samples; received {args.length!r}.")
    return prepare_pairs(
        corpus,
        args.out,
        noise=args.noise,
        snr=args.snr or 0.0,
        pairs=dict(zip(SPLITS, args.pairs, strict=False)) if args.pairs else None,
        length=None if args.length is None else int(args.length),
        level=args.level,
        sample_rate=args.sample_rate,
        dtype=args.dtype,
        resample=args.resample,
        dev_speakers=args.dev_speakers,
        seed=args.seed,
        progress=True,
        write=_write(args),
    )


def _ratio(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"takes DB or DB:DB, as in 0:10; received {text!r}"
        ) from None


def _counts(text: str) -> list[int]:
    counts = text.split(",")
    if not 2 <= len(counts) <= 3 or not all(count.isdecimal() for count in counts):
        raise argparse.ArgumentTypeError(
            f"takes TRAIN,TEST or TRAIN,TEST,DEV, as in 250,50; received {text!r}"
        )
    return [int(count) for count in counts]


def _shared_speakers(prepared: Prepared) -> list[str]:
    """A line for every two splits that have speakers in common, where there should be none."""
    stored = [n for n in prepared.splits if prepared.manifest["splits"][n]["stored_in"] == n]
    speakers = {name: set(prepared.segments(name).speaker) for name in stored}
    lines = []
    for one, other in itertools.combinations(stored, 2):
        both = sorted(speakers[one] & speakers[other])
        if both:
            some = ", ".join(map(str, both[:3])) + (", ..." if len(both) > 3 else "")
            lines.append(
                f"  note: {one} and {other} share speakers ({some}); "
                "scores will not be those of voices never heard"
            )
    return lines


def summary(prepared: Prepared) -> str:
    """Counts of a prepared set, a line a split."""
    from zoo.data.corpora.phones import CLASSES

    manifest = prepared.manifest
    shape = "x".join("any" if size is None else str(size) for size in prepared.shape)
    first = f"{prepared.path}: "
    if prepared.kind == "pairs":
        low, high = manifest["settings"]["snr"]
        ratio = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        first += f"pairs of {shape} at {prepared.sample_rate} Hz, {ratio} dB above noise"
    else:
        first += f"{manifest['settings']['representation']}, {shape}, segments of "
        first += (
            f"any length at {prepared.sample_rate} Hz"
            if manifest["length"] is None
            else f"up to {manifest['length']} samples"
        )
    lines = [first]
    dropped = "labelled q" if prepared.classes == CLASSES else "of no class"
    for name in prepared.splits:
        split = manifest["splits"][name]
        of = f"{split['utterances']} utterances, {split['speakers']} speakers"
        if prepared.kind == "pairs":
            lines.append(f"  {name:<6}{split['examples']:>8} pairs of {of}")
            continue
        present = sum(count > 0 for count in split["per_class"].values())
        lines.append(
            f"  {name:<6}{split['segments']:>8} segments, {present} classes, {of}; "
            f"excluded: {split['excluded_too_long']} too long, {split['dropped_q']} {dropped}"
        )
    if prepared.kind != "pairs":
        lines += _shared_speakers(prepared)
    return "\n".join(lines)
