"""`zoo corpus`: make the synthetic corpus, check any."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zoo.cli.following import print_next
from zoo.settings import add_options, from_arguments


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the sub-commands of `zoo corpus`."""
    from zoo.data.corpora.corpus import CorpusSettings
    from zoo.data.corpora.synthetic.settings import SyntheticSettings

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    synth = actions.add_parser(
        "synth",
        help="make a synthetic corpus in TIMIT's layout",
        description="Make a synthetic corpus in TIMIT's layout, spoken by espeak-ng "
        "(pip install 'phone-zoo[synth]'). Interrupted runs resume.",
        example="zoo corpus synth corpus --speakers 56",
    )
    synth.add_argument("out", metavar="OUT", type=Path, help="Folder to write")
    add_options(synth, SyntheticSettings)
    synth.add_argument(
        "--workers",
        type=int,
        metavar="W",
        help="Number of parallel processes (default: one per core)",
    )
    synth.set_defaults(do=_synth)
    check = actions.add_parser(
        "check",
        help="count what a corpus holds and list every problem",
        description="Count what a corpus holds and list every problem with its file and line. The "
        "exit code is 0 if there is no problem, else 1.",
        example="zoo corpus check my_recordings --mapping timit",
    )
    add_options(check, CorpusSettings)
    check.add_argument("--json", action="store_true", help="Print JSON")
    check.set_defaults(do=_check)


def run(args: argparse.Namespace) -> int | None:
    """Run the chosen sub-command."""
    return args.do(args)


def _synth(args: argparse.Namespace) -> None:
    from zoo.data.corpora.synthetic import synthesise
    from zoo.data.corpora.synthetic.settings import SyntheticSettings
    from zoo.files import read_json

    there = (args.out / "corpus.json").is_file()
    settings = from_arguments(SyntheticSettings, args)
    record = synthesise(args.out, settings, workers=args.workers)
    counts = read_json(record)["counts"]
    text = "; ".join(
        f"{split}: {c['speakers']} speakers, {c['utterances']} utterances, {c['hours']:.2f} h"
        for split, c in counts.items()
    )
    print(f"{args.out}: {'already there' if there else 'made'} ({text})")
    print_next("prepare", args.out, "prepared")


def _check(args: argparse.Namespace) -> int:
    from zoo.data.corpora.check import check_corpus
    from zoo.data.corpora.corpus import CorpusSettings, open_corpus

    settings = from_arguments(CorpusSettings, args)
    found = check_corpus(
        lambda report: open_corpus(settings, report=report), progress=not args.json
    )
    if args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(_findings(found))
        if not found["problems"]:
            # The same words: what the check was told of the corpus, prepare has to know too.
            print_next("prepare", *args.words[2:], "prepared")
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
    lines += [f"note: {remark}" for remark in found["remarks"]]
    lines += [f"note: {clause}" for clause in found["notes"]]
    for problem in found["problems"]:
        place = "" if problem["line"] is None else f", line {problem['line']}:"
        lines.append(f"{problem['file']}{place} {problem['problem']}")
    count = len(found["problems"])
    lines.append(f"{count} problem{'' if count == 1 else 's'}" if count else "no problems")
    return "\n".join(lines)
