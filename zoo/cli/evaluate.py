"""`zoo evaluate`: score a run, or an ensemble of runs, on a prepared set."""

from __future__ import annotations

import argparse
import json
from typing import Any

from zoo.errors import UsageError
from zoo.seeds import seed_argument


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.add_argument("run", metavar="RUN", nargs="+", help="run folders of zoo train")
    parser.add_argument("--data", required=True, metavar="PREPARED", help="a prepared set")
    parser.add_argument("--split", default="test", help="part of the set (default test)")
    parser.add_argument(
        "--ensemble",
        choices=("mean", "vote"),
        help="of several runs: average their outputs, or let each vote for a class",
    )
    parser.add_argument(
        "--probe",
        type=int,
        metavar="N",
        help="also score a linear probe and nearest neighbours on the code, which learn from N "
        "labelled examples a class of the training part",
    )
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.add_argument("--seed", type=seed_argument, default=0, help="of the class-balanced draw")


def run(args: argparse.Namespace) -> int:
    """Score and print."""
    from zoo.data.sets.prepared import Prepared
    from zoo.runs import Run

    runs = [Run.open(path) for path in args.run]
    if args.probe is not None and len(args.run) > 1:
        raise UsageError("--probe looks at the code of one run; give one.")
    prepared = Prepared(args.data)
    from zoo.startup import start_backend

    start_backend()
    from zoo.evaluation.runs import evaluate, evaluate_autoencoder

    autoencoder = runs[0].is_autoencoder
    score = evaluate_autoencoder if autoencoder else evaluate
    scores = score(runs, prepared, args.split, args.seed, ensemble=args.ensemble).scores
    if args.probe is not None:
        from zoo.evaluation.probe import probe

        scores["probe"] = probe(runs[0], prepared, args.split, args.probe, args.seed)
    if args.json:
        print(json.dumps(scores, indent=2))
        return 0
    print(
        reconstruction_table(scores)
        if autoencoder
        else table(scores, len(prepared.classes), len(set(prepared.groups.values())))
    )
    if "probe" in scores:
        print(probe_table(scores["probe"]))
    return 0


def _heading(scores: dict[str, Any]) -> str:
    runs = f" ({scores['ensemble']} of {scores['runs']} runs)" if "ensemble" in scores else ""
    return (
        f"{scores['model']}{runs} on {scores['split']}: {scores['examples']} segments "
        f"({scores['excluded']} excluded as too long)"
    )


def table(scores: dict[str, Any], classes: int = 48, groups: int = 39) -> str:
    """A classifier's scores for people, percentages."""
    lines = [
        _heading(scores),
        f"{f'  folded accuracy ({groups} groups)':<39} {scores['accuracy_39']:7.1%}",
        f"  the same, 200 examples of each class  {scores['accuracy_39_uniform']:7.1%}",
        f"  class-balanced folded accuracy        {scores['balanced_accuracy_39']:7.1%}",
        f"{f'  accuracy over {classes} classes':<39} {scores['accuracy_48']:7.1%}",
        "  phone  examples  recall  precision",
    ]
    for phone, row in scores["per_phone"].items():
        precision = "      -" if row["precision"] is None else f"{row['precision']:7.1%}"
        lines.append(f"  {phone:<7}{row['examples']:>8} {row['recall']:7.1%}    {precision}")
    return "\n".join(lines)


def reconstruction_table(scores: dict[str, Any]) -> str:
    """An autoencoder's scores for people."""
    waveform = scores["waveform_cross_correlation"]
    lines = [
        _heading(scores),
        f"  Euclidean error                       {scores['euclidean_error']:8.3f}",
        f"  the null spectrogram's                {scores['null_distance']:8.3f}",
        f"  Euclidean error, 200 of each class    {scores['euclidean_error_uniform']:8.3f}",
        f"  the null spectrogram's                {scores['null_distance_uniform']:8.3f}",
        f"  output variation                      {scores['output_variation']:8.1%}",
        f"  cross-correlation, spectrograms       {scores['cross_correlation']:8.3f}",
        "  cross-correlation, waveforms          "
        + ("       -" if waveform is None else f"{waveform:8.3f}"),
    ]
    if scores["constant_output"]:
        lines.append("  it gives the same output whatever the input: it says nothing of it")
    return "\n".join(lines)


def probe_table(scores: dict[str, Any]) -> str:
    """A probe's scores for people, percentages."""
    lines = [
        f"  on its code of {scores['code']} elements, from {scores['labels_per_class']} labelled "
        "examples a class:"
    ]
    for name, text in (("linear", "linear probe"), ("neighbours", "nearest neighbours")):
        lines.append(
            f"  {text + ', folded accuracy':<38} {scores[name]['accuracy_39']:7.1%}"
            f" (class-balanced {scores[name]['balanced_accuracy_39']:.1%})"
        )
    return "\n".join(lines)
