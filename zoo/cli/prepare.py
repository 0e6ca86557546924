"""`zoo prepare`: turn a corpus into a prepared set."""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.following import print_training
from zoo.errors import UsageError
from zoo.extras import require
from zoo.parsers import heading
from zoo.settings import add_options, from_arguments, given

if TYPE_CHECKING:
    from zoo.data.corpora.corpus import Corpus, CorpusSettings
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.shards import WriteShards


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    from zoo.data.corpora.corpus import CorpusSettings
    from zoo.data.sets.settings import PairSettings, Preparation

    parser.description = (
        "Turn a corpus into a prepared set. Its examples are labelled segments, all of one length; "
        "utterances, each of its own length (--length any, the default for spoken digits); whole "
        "recordings (--examples frames); or pairs of noisy and clean excerpts (--noise). "
        "Interrupted runs resume."
    )
    add_options(parser, CorpusSettings)
    parser.add_argument("out", metavar="OUT", help="Folder to write")
    add_options(parser, Preparation, given_only=True)
    add_options(parser, PairSettings, beside=[CorpusSettings, Preparation], given_only=True)
    transcripts = heading(parser, "transcripts without times")
    transcripts.add_argument(
        "--align",
        metavar="RUN",
        help="Network that aligns the transcripts of CORPUS first, as zoo align does; its classes "
        "become the labels. The alignments are kept in OUT-alignment",
    )
    transcripts.add_argument(
        "--dictionary",
        metavar="FILE",
        action="append",
        default=[],
        help="File of pronunciations for --align; may be given several times",
    )
    parser.add_argument(
        "--beam",
        metavar="ARGUMENTS",
        help="Arguments of an Apache Beam pipeline that does the work, for example "
        "'--runner=FlinkRunner --flink_master=HOST:8081'. Every worker must be able to open CORPUS "
        "and OUT",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare and print the counts."""
    from zoo.data import prepare
    from zoo.data.corpora.corpus import CorpusSettings, open_corpus
    from zoo.data.sets.noisy_pairs import prepare_pairs
    from zoo.data.sets.settings import PairSettings, Preparation

    of_pairs = hasattr(args, "noise")
    if of_pairs:
        foreign = given(Preparation, args, but=(PairSettings,))
        hint = "cannot be combined with --noise; leave one of them out."
    else:
        foreign = given(PairSettings, args, but=(Preparation, CorpusSettings))
        hint = "is for pairs alone and requires --noise."
    for option in foreign:
        raise UsageError(f"{option} {hint}")
    if args.beam is not None:
        require("beam")
    if args.dictionary and args.align is None:
        raise UsageError("--dictionary requires --align.")
    settings = from_arguments(CorpusSettings, args)
    corpus = open_corpus(settings) if args.align is None else _aligned(settings, args)
    write = _write(args)
    if of_pairs:
        pairs = from_arguments(PairSettings, args)
        prepared = prepare_pairs(corpus, args.out, pairs, progress=True, write=write)
    else:
        segments = from_arguments(Preparation, args)
        prepared = prepare(corpus, args.out, segments, progress=True, write=write)
    for remark in corpus.findings.remarks():
        print(f"zoo prepare: {remark}", file=sys.stderr)
    print(summary(prepared))
    print_training(prepared)
    return 0


def _aligned(settings: CorpusSettings, args: argparse.Namespace) -> Corpus:
    from tqdm import tqdm

    from zoo.alignment.labelled import aligned_corpus
    from zoo.alignment.recordings import How

    out = Path(args.out)
    return aligned_corpus(
        settings,
        How(model=args.align, dictionary=tuple(args.dictionary)),
        out.with_name(f"{out.name}-alignment"),
        failing=lambda problem: tqdm.write(f"zoo prepare: {problem}", file=sys.stderr),
    )


def _write(args: argparse.Namespace) -> WriteShards | None:
    if args.beam is None:
        return None
    from zoo.data.sets.beam import on_beam

    return on_beam(shlex.split(args.beam))


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
                f"  note: {one} and {other} share speakers ({some}); scores are not "
                "speaker-independent"
            )
    return lines


def _recordings(prepared: Prepared, name: str) -> str:
    """What a split of whole recordings holds, in words."""
    split = prepared.manifest["splits"][name]
    minutes = split["frames"] * prepared.hop / prepared.sample_rate / 60
    duration = f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes:.1f} min"
    share = split["labelled_frames"] / split["frames"] if split["frames"] else 0
    unlabelled = sum(not phones for phones in prepared.phones(name))
    return (
        f"{split['examples']:>8} recordings"
        + (f" ({unlabelled} unlabelled)" if unlabelled else "")
        + f", {split['frames']} frames ({duration}), {share:.1%} labelled"
    )


def _shape(prepared: Prepared) -> str:
    """The shape of an example, in words where one of its lengths varies."""
    if None not in prepared.shape:
        return "x".join(map(str, prepared.shape))
    if len(prepared.shape) < 3:
        return "any number of samples"
    bins, _, channels = prepared.shape
    several = "" if channels == 1 else f" in {channels} channels"
    return f"{bins} bins by any number of frames{several}"


def summary(prepared: Prepared) -> str:
    """Counts of a prepared set, a line a split."""
    from zoo.data.corpora.phones import CLASSES

    manifest = prepared.manifest
    shape = _shape(prepared)
    first = f"{prepared.path}: "
    if prepared.kind == "pairs":
        low, high = manifest["settings"]["snr"]
        ratio = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        first += f"pairs of {shape} at {prepared.sample_rate} Hz, {ratio} dB above noise"
    else:
        first += f"{manifest['settings']['representation']}, {shape}, "
        if prepared.kind == "frames":
            hop = 1000 * prepared.hop / prepared.sample_rate
            first += f"whole recordings at {prepared.sample_rate} Hz, a frame every {hop:g} ms"
        elif manifest["length"] is None:
            first += f"segments of any length at {prepared.sample_rate} Hz"
        else:
            own = manifest["length"] - 2 * prepared.frontend.context
            first += f"segments of up to {own} samples"
            if prepared.frontend.context:
                seconds = prepared.frontend.context / prepared.sample_rate
                first += f", {seconds:g} s on either side"
    lines = [first]
    dropped = "labelled q" if prepared.classes == CLASSES else "of no class"
    for name in prepared.splits:
        split = manifest["splits"][name]
        of = f"{split['utterances']} utterances, {split['speakers']} speakers"
        if prepared.kind == "pairs":
            lines.append(f"  {name:<6}{split['examples']:>8} pairs of {of}")
            continue
        present = sum(count > 0 for count in split["per_class"].values())
        if prepared.kind == "frames":
            lines.append(
                f"  {name:<6}{_recordings(prepared, name)}, {present} classes, "
                f"{split['speakers']} speakers; excluded: {split['dropped_q']} segments {dropped}"
            )
            continue
        lines.append(
            f"  {name:<6}{split['segments']:>8} segments, {present} classes, {of}; "
            f"excluded: {split['excluded_too_long']} too long, {split['dropped_q']} {dropped}"
        )
    if prepared.kind != "pairs":
        lines += _shared_speakers(prepared)
        lines += [f"  note: {clause}" for clause in prepared.missing_classes()]
    return "\n".join(lines)
