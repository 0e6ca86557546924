"""`zoo predict`: the phones in a recording."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.inference import Answer


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="recording: WAV, SPHERE, FLAC, ...")
    parser.add_argument(
        "--model", required=True, metavar="PATH", help="run folder or exported model"
    )
    parser.add_argument("--phn", metavar="FILE", help="labelled segments, in TIMIT's .PHN format")
    parser.add_argument("--start", type=float, metavar="S", help="one segment's start in seconds")
    parser.add_argument("--end", type=float, metavar="S", help="its end in seconds")
    parser.add_argument(
        "--top-k", type=int, default=5, metavar="K", help="classes to name (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Read, classify and print."""
    from zoo.data.audio import read_audio
    from zoo.inference import classify, load_classifier
    from zoo.startup import start_backend

    if args.phn and (args.start is not None or args.end is not None):
        raise UsageError("--phn says where the segments are; leave out --start and --end.")
    audio, rate = read_audio(args.file)
    segments, labels = _segments(args, len(audio), rate)
    start_backend()
    answers = classify(load_classifier(args.model), audio, rate, segments, args.top_k)
    records = [_record(a, rate, label) for a, label in zip(answers, labels, strict=True)]
    counted = [r["agrees"] for r in records if r.get("agrees") is not None]
    if args.json:
        result = {"file": args.file, "model": args.model, "sample_rate": rate, "segments": records}
        if counted:
            result |= {"accuracy_39": sum(counted) / len(counted), "scored": len(counted)}
        print(json.dumps(result, indent=2))
        return
    for record in records:
        print(_line(record, with_label=args.phn is not None))
    if counted:
        share = 100 * sum(counted) / len(counted)
        print(f"right (39 groups): {sum(counted)} of {len(counted)}, {share:.1f} %")


def _segments(
    args: argparse.Namespace, samples: int, rate: int
) -> tuple[list[tuple[int, int]] | None, list[str | None]]:
    """Segments to classify (None: the whole) and their labels, where there are any."""
    from zoo.inference import MAX_WHOLE_SECONDS

    if args.phn:
        from zoo.data.timit import read_phn

        rows = read_phn(args.phn, samples)
        if not rows:
            raise UsageError(f"{args.phn} holds no segments.")
        return [(row.start, row.end) for row in rows], [row.label for row in rows]
    if args.start is None and args.end is None:
        if samples > MAX_WHOLE_SECONDS * rate:
            raise UsageError(
                f"{args.file} lasts {samples / rate:.2f} s, longer than one segment of up to "
                f"{MAX_WHOLE_SECONDS:g} s: give --phn FILE.phn, or --start and --end."
            )
        return None, [None]
    start = 0.0 if args.start is None else args.start
    end = samples / rate if args.end is None else args.end
    if not 0 <= start < end or end > samples / rate + 0.5 / rate:
        raise UsageError(
            f"--start {start:g} --end {end:g} lies outside {args.file}, "
            f"which lasts {samples / rate:.3f} s."
        )
    return [(round(start * rate), min(round(end * rate), samples))], [None]


def _record(answer: Answer, rate: int, label: str | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "start": answer.start,
        "end": answer.end,
        "start_seconds": answer.start / rate,
        "end_seconds": answer.end / rate,
        "phones": list(answer.phones),
        "scores": list(answer.scores),
    }
    if label is not None:
        record |= {"label": label, "agrees": _agrees(label, answer.phones[0])}
    return record


def _agrees(label: str, phone: str) -> bool | None:
    """Whether both fall into one scored group; None for a label that is not scored."""
    from zoo.data.phones import GROUPS, LABEL_TO_CLASS

    if label not in LABEL_TO_CLASS:
        return None
    return GROUPS[LABEL_TO_CLASS[label]] == GROUPS.get(phone, phone)


def _line(record: dict[str, Any], with_label: bool) -> str:
    named = "  ".join(
        f"{p:<4} {s:.3f}" for p, s in zip(record["phones"], record["scores"], strict=True)
    )
    times = f"{record['start_seconds']:8.3f} {record['end_seconds']:8.3f}"
    if not with_label:
        return f"{times}  {named}"
    mark = {True: "right", False: "wrong", None: "-"}[record["agrees"]]
    return f"{times}  {record['label']:<5} {mark:<6} {named}"
