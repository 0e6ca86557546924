"""`zoo evaluate`: score a run, or an ensemble of runs, on a prepared set."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from zoo.cli.following import print_next
from zoo.data.corpora.phones import accuracy_names, recorded_names
from zoo.errors import UsageError
from zoo.seeds import seed_option
from zoo.settings import at_least, option

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo evaluate`."""

    run: list[str] = option(
        name="run",
        metavar="RUN",
        nargs="+",
        help="Run folder of zoo train; several are scored as an ensemble",
    )
    data: str = option(metavar="PREPARED", help="Prepared set")
    split: str = option("test", help="Split of the set to score")
    ensemble: str | None = option(
        None,
        choices=("mean", "vote"),
        help="How the outputs of several runs are combined: by their mean, or by a majority vote",
        group="scores",
    )
    probe: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help=(
            "Also score a linear probe and nearest neighbours on the code, trained on N "
            "labelled examples per class of the training split"
        ),
        group="scores",
    )
    json: bool = option(False, help="Print the scores as JSON", group="results")
    seed: int = seed_option("Random seed of the class-balanced sample")


def run(options: Options) -> int:
    """Score and print."""
    from zoo.data.sets.prepared import Prepared
    from zoo.runs import Run

    runs = [Run.open(path) for path in options.run]
    if options.probe is not None and len(options.run) > 1:
        raise UsageError("--probe takes one run; several were given.")
    prepared = Prepared(options.data)
    transcribing = [one for one in runs if one.transcribes]
    if transcribing:
        if len(runs) > 1:
            raise UsageError(
                f"{transcribing[0].path} transcribes recordings; such runs are scored one "
                "at a time."
            )
        if options.probe is not None:
            raise UsageError(
                f"--probe is for networks of segments; {runs[0].path} transcribes recordings."
            )
    elif options.probe is not None and prepared.kind == "frames":
        raise UsageError(
            f"--probe needs a set of segments, but {prepared.path} holds whole recordings."
        )
    from zoo.startup import start_backend

    start_backend()
    if transcribing:
        from zoo.evaluation.transcripts import evaluate_transcripts

        scores = evaluate_transcripts(runs[0], prepared, options.split).scores
        if options.json:
            print(json.dumps(scores, indent=2))
            return 0
        print(transcript_table(scores, prepared))
        _print_next(options)
        return 0
    from zoo.evaluation.runs import evaluate, evaluate_autoencoder

    autoencoder = runs[0].is_autoencoder
    score = evaluate_autoencoder if autoencoder else evaluate
    scores = score(runs, prepared, options.split, options.seed, ensemble=options.ensemble).scores
    if options.probe is not None:
        from zoo.evaluation.probe import probe

        scores["probe"] = probe(runs[0], prepared, options.split, options.probe, options.seed)
    if options.json:
        print(json.dumps(scores, indent=2))
        return 0
    print(
        reconstruction_table(scores)
        if autoencoder
        else table(scores, len(prepared.classes), len(set(prepared.groups.values())))
    )
    if "probe" in scores:
        print(probe_table(scores["probe"]))
    if len(runs) == 1:
        _print_next(options)
    return 0


def _print_next(options: Options) -> None:
    split = [] if options.split == "test" else ["--split", options.split]
    print_next("report", *options.run, "--data", options.data, *split)


def _heading(scores: dict[str, Any]) -> str:
    runs = f" ({scores['ensemble']} of {scores['runs']} runs)" if "ensemble" in scores else ""
    what = (
        f"windows of {scores['window']} frames"
        if "window" in scores
        else f"segments ({scores['excluded']} excluded as too long)"
    )
    return f"{scores['model']}{runs} on {scores['split']}: {scores['examples']} {what}"


def _stops(scores: dict[str, Any]) -> str:
    return "; label set merged (stops whole)" if scores.get("label_set") == "merged" else ""


def table(scores: dict[str, Any], classes: int = 48, groups: int = 39) -> str:
    """A classifier's scores for people, percentages."""
    names = recorded_names(scores)
    lines = [
        _heading(scores) + _stops(scores),
        f"{f'  {names.text} ({groups} {names.scored})':<39} {scores[names.accuracy]:7.1%}",
        f"  the same, 200 examples of each class  {scores[names.uniform]:7.1%}",
        f"{f'  class-balanced {names.text}':<39} {scores[names.balanced]:7.1%}",
    ]
    if names.unfolded:
        lines.append(f"{f'  accuracy over {classes} classes':<39} {scores[names.unfolded]:7.1%}")
    lines.append("  phone  examples  recall  precision")
    for phone, row in scores["per_phone"].items():
        precision = "      -" if row["precision"] is None else f"{row['precision']:7.1%}"
        lines.append(f"  {phone:<7}{row['examples']:>8} {row['recall']:7.1%}    {precision}")
    return "\n".join(lines)


def transcript_table(scores: dict[str, Any], prepared: Prepared) -> str:
    """Scores of transcripts for people, percentages."""
    names = accuracy_names(prepared.classes, prepared.groups)
    over = f"{len(set(prepared.groups.values()))} {names.scored}"
    speakers = scores["speakers"]
    lines = [
        f"{scores['model']} on {scores['split']}: {scores['recordings']} recordings, "
        f"{scores['phones']} phones of {speakers['number']} speakers"
        + (
            " (the run has no decoder; a plain one was used)"
            if scores["decoder"] == "plain"
            else ""
        )
        + _stops(scores),
        f"{f'  phone error rate ({over})':<39} {_percent(scores['phone_error_rate'])}"
        f"  {_kinds(scores)}",
        f"{'  the same with silence':<39} {_percent(scores['phone_error_rate_with_silence'])}"
        f"  {_kinds(scores, '_with_silence')}",
        f"{'  mean over speakers':<39} {_percent(speakers['phone_error_rate'])}"
        + (
            ""
            if speakers["interval_95"] is None
            else f"  +- {speakers['interval_95']:.1%} (95 % interval)"
        ),
        f"{f'  frame accuracy ({over})':<39} {_percent(scores[f'frame_{names.accuracy}'])}",
        "  boundaries within  precision   recall  F-score  R-value",
    ]
    for within, found in scores["boundaries"].items():
        value = "      -" if found["r_value"] is None else f"{found['r_value']:7.3f}"
        shares = [_percent(found[name]) for name in ("precision", "recall", "f_score")]
        lines.append(f"  {within.replace('ms', ' ms'):<17}    {'  '.join(shares)}  {value}")
    lines.append("  worst recordings")
    lines += [
        f"  {_percent(row['phone_error_rate'])}  {row['recording']} ({row['speaker']}), "
        f"{row['phones']} phones, {_kinds(row)}"
        for row in scores["worst_recordings"]
    ]
    lines.append("  phone    phones  recall  precision")
    lines += [
        f"  {phone:<7}{row['phones']:>8} {_percent(row['recall'])}    {_percent(row['precision'])}"
        for phone, row in scores["per_phone"].items()
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "      -" if share is None else f"{share:7.1%}"


def _kinds(row: dict[str, Any], suffix: str = "") -> str:
    return ", ".join(
        f"{row[kind + suffix]} {kind}" for kind in ("substitutions", "deletions", "insertions")
    )


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
        lines.append("  the output is constant: it does not depend on the input")
    return "\n".join(lines)


def probe_table(scores: dict[str, Any]) -> str:
    """A probe's scores for people, percentages."""
    lines = [
        f"  on its code of {scores['code']} elements, from {scores['labels_per_class']} labelled "
        "examples a class:"
    ]
    for name, text in (("linear", "linear probe"), ("neighbours", "nearest neighbours")):
        names = recorded_names(scores[name])
        lines.append(
            f"  {f'{text}, {names.text}':<38} {scores[name][names.accuracy]:7.1%}"
            f" (class-balanced {scores[name][names.balanced]:.1%})"
        )
    return "\n".join(lines)
