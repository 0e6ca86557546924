"""`zoo corpus`: make the synthetic corpus, check any."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.seeds import seed_argument

if TYPE_CHECKING:
    from zoo.data.corpora.corpus import Corpus
    from zoo.data.corpora.utterances import Report


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
    synth.add_argument("--seed", type=seed_argument, default=0, metavar="S", help="default: 0")
    like = synth.add_argument_group("speech like yours, to pretrain on")
    like.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="sentences or words, one a line, that every speaker reads (default: a grammar's)",
    )
    like.add_argument(
        "--rate",
        type=float,
        nargs=2,
        default=[150, 205],
        metavar=("SLOW", "FAST"),
        help="of the slowest and the fastest speaker, words a minute (default: 150 205)",
    )
    like.add_argument(
        "--bandwidth",
        type=float,
        metavar="HZ",
        help="highest frequency of the recordings, such as 4000 (default: 8000)",
    )
    like.add_argument(
        "--no-closures",
        dest="closures",
        action="store_false",
        help="label the closure and the release of a stop as one segment",
    )
    synth.add_argument(
        "--workers", type=int, metavar="W", help="speakers at a time (default: one a core)"
    )
    synth.set_defaults(do=_synth)
    check = actions.add_parser(
        "check",
        help="count what a corpus holds and name all that is wrong",
        description="Count what a corpus holds and name all that is wrong, with file and line. "
        "Exit code 0 without problems, 1 with any.",
    )
    add_corpus_arguments(check)
    check.add_argument("--json", action="store_true", help="print JSON")
    check.set_defaults(do=_check)


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    """Add CORPUS and the options of `zoo.data.open_corpus`."""
    from zoo.data.corpora.corpus import KINDS

    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        type=Path,
        help="TIMIT's layout, spoken digits (DIGIT_SPEAKER_TAKE.wav), or your own recordings with "
        "TextGrids, a .ctm, or a .csv, .tsv or .jsonl of audio, start, end, label[, speaker, "
        "split]",
    )
    parser.add_argument("--kind", choices=KINDS, help="of corpus (default: found out)")
    parser.add_argument(
        "--mapping",
        metavar="FILE",
        help="lines label<TAB>class, or a .json object; no class: left out. Or: timit "
        "(default: every label is a class)",
    )
    parser.add_argument(
        "--test-speakers",
        metavar="A,B",
        type=lambda names: [name.strip() for name in names.split(",") if name.strip()],
        help="who is for test, where the corpus does not say it (default: a quarter of the "
        "speakers by the seed; of spoken digits the last one by name)",
    )
    parser.add_argument("--tier", metavar="NAME", help="of the TextGrids (default: the first)")
    parser.add_argument("--seed", type=seed_argument, default=0, help="of all that is drawn")


def chosen_corpus(args: argparse.Namespace, report: Report | None = None) -> Corpus:
    """The corpus that the command line asks for; problems are refused, or go to `report`."""
    from zoo.data.corpora.corpus import open_corpus
    from zoo.data.corpora.utterances import refuse

    return open_corpus(
        args.corpus,
        args.kind,
        mapping=args.mapping,
        test_speakers=args.test_speakers,
        tier=args.tier,
        seed=args.seed,
        report=report or refuse,
    )


def run(args: argparse.Namespace) -> int | None:
    """Run the chosen sub-command."""
    return args.do(args)


def _synth(args: argparse.Namespace) -> None:
    from zoo.data.corpora.synthetic import synthesise
    from zoo.files import read_json

    there = (args.out / "corpus.json").is_file()
    record = synthesise(
        args.out,
        speakers=args.speakers,
        sentences=args.sentences,
        seed=args.seed,
        workers=args.workers,
        text=args.text,
        rate=tuple(args.rate),
        bandwidth=args.bandwidth,
        closures=args.closures,
    )
    counts = read_json(record)["counts"]
    text = "; ".join(
        f"{split}: {c['speakers']} speakers, {c['utterances']} utterances, {c['hours']:.2f} h"
        for split, c in counts.items()
    )
    print(f"{args.out}: {'already there' if there else 'made'} ({text})")


def _check(args: argparse.Namespace) -> int:
    from zoo.data.corpora.check import check_corpus

    found = check_corpus(lambda report: chosen_corpus(args, report), progress=not args.json)
    print(json.dumps(found, indent=2, ensure_ascii=False) if args.json else _findings(found))
    return 1 if found["problems"] else 0


def _findings(found: dict[str, Any]) -> str:
    """What a check found, for people."""
    rate = f"{found['sample_rate']} Hz"
    lines = [f"{found['root']}: {found['kind']}, {rate}, {found['seconds'] / 60:.1f} min labelled"]
    for name, split in found["splits"].items():
        lines.append(
            f"  {name:<6}{split['speakers']:>5} speakers {split['utterances']:>7} utterances "
            f"{split['segments']:>8} segments {split['seconds'] / 60:>8.1f} min"
        )
    lines.append("  label       class        train     test      dev  mean ms   p95 ms")
    for label, row in found["labels"].items():
        of_splits = "".join(f"{row['segments'][name]:>9}" for name in ("train", "test", "dev"))
        lines.append(
            f"  {label:<11} {row['class'] or '-':<8}{of_splits}"
            f"{1000 * row['mean_seconds']:>9.0f}{1000 * row['p95_seconds']:>9.0f}"
        )
    for problem in found["problems"]:
        place = "" if problem["line"] is None else f", line {problem['line']}:"
        lines.append(f"{problem['file']}{place} {problem['problem']}")
    count = len(found["problems"])
    lines.append(f"{count} problem{'' if count == 1 else 's'}" if count else "no problems")
    return "\n".join(lines)
