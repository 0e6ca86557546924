"""The report of a run that transcribes: one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.phones import CLASSES, accuracy_names
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.tiers import busiest, draw_recording
from zoo.decoding.edits import SILENCE, aligned
from zoo.evaluation.report import curves_figure, facts
from zoo.evaluation.runs import OneRun
from zoo.evaluation.transcripts import Recording, Transcribed, spoken, worst
from zoo.pages import new_figure, numbered, png, write_page
from zoo.runs import Run

WORST_SHOWN = 3
"""Number of recordings with the highest error rates that are drawn, beside a typical one."""


def write_transcript_report(
    run: OneRun, prepared: Prepared, transcribed: Transcribed, out: str | Path
) -> Path:
    """Write error rates, pictures of recordings with both tiers, confusion and tables.

    Args:
        run: run to describe.
        prepared: the set that `transcribed` was made on.
        transcribed: what `zoo.evaluation.transcripts.evaluate_transcripts` gave.
        out: the HTML file to write.

    Returns:
        `out`.

    Raises:
        RunError: `out` cannot be written.
    """
    run, out = Run.open(run), Path(out)
    scores = transcribed.scores
    called = accuracy_names(prepared.classes, prepared.groups)
    over = f"{len(set(prepared.groups.values()))} {called.scored}"
    speakers, within = scores["speakers"], scores["boundaries"]["20ms"]
    spread = speakers["interval_95"]
    write_page(
        out,
        Path(__file__).with_name("transcript_report.html"),
        title=f"{scores['model']} transcribes {prepared.manifest['corpus']}",
        lead=(
            f"{scores['recordings']} recordings of the split “{scores['split']}”, "
            f"{scores['phones']} phones of {speakers['number']} speakers. Errors are substituted, "
            "deleted and inserted phones, divided by the phones of the reference."
            + (
                " Confusions within a group of Lee & Hon’s 39 count as right."
                if prepared.classes == CLASSES
                else ""
            )
        ),
        tiles=[
            (_share(scores["phone_error_rate"]), f"phone error rate without silence, {over}"),
            (_share(scores["phone_error_rate_with_silence"]), "phone error rate with silence"),
            (
                _share(speakers["phone_error_rate"])
                + ("" if spread is None else f" ± {100 * spread:.1f}"),
                "mean over speakers, without silence, and its 95\u00a0% interval",
            ),
            (_share(scores[f"frame_{called.accuracy}"]), "of all labelled frames right"),
            (_share(within["f_score"]), "F-score of boundaries within 20 ms"),
            (_value(within["r_value"]), "R-value of boundaries within 20 ms"),
        ],
        recordings=_pictures(prepared, transcribed),
        figures=[
            *curves_figure(run.history),
            (
                "Confusion of phones",
                "Rows are the reference’s, columns the recognised phones of the alignment with the "
                "fewest errors; shades give the share of a row. In the last column are deletions, "
                f"in the last row insertions.{numbered(transcribed.groups)[1]}",
                _confusion_matrix(transcribed),
                "Matrix of the reference’s against recognised phones, whose figures are in the "
                "table of phones below.",
            ),
        ],
        boundaries=[
            (
                name.replace("ms", " ms"),
                *(_share(row[measure]) for measure in ("precision", "recall", "f_score")),
                _value(row["r_value"]),
            )
            for name, row in scores["boundaries"].items()
        ],
        speakers=[(name, row["recordings"], *_errors(row)) for name, row in _by_rate(scores)],
        worst=[(row["recording"], row["speaker"], *_errors(row)) for row in _worst_rows(scores)],
        phones=_phones(transcribed),
        facts=facts(run.config, run.history),
    )
    return out


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _errors(row: dict[str, Any]) -> tuple[Any, ...]:
    kinds = (row[kind] for kind in ("substitutions", "deletions", "insertions"))
    return (row["phones"], _share(row["phone_error_rate"]), *kinds)


def _by_rate(scores: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = scores["per_speaker"].items()
    return sorted(rows, key=lambda item: -(item[1]["phone_error_rate"] or 0.0))


def _worst_rows(scores: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in scores["worst_recordings"] if row["phone_error_rate"]]


def _pictures(prepared: Prepared, transcribed: Transcribed) -> list[dict[str, Any]]:
    """Of the worst recordings and a typical one: words, picture and both tiers as text."""
    order = [r for r in worst(transcribed.recordings) if r.errors.length]
    chosen = [("Among the worst", r) for r in order[:WORST_SHOWN]]
    if len(order) > WORST_SHOWN:
        chosen.insert(0, ("Typical", order[len(order) // 2]))
    found = []
    for kind, recording in chosen:
        wrong = _wrong(recording)
        found.append(
            {
                "heading": f"{kind}: {recording.name}, {recording.speaker}",
                "text": f"{_share(recording.errors.rate)} errors in {recording.errors.length} "
                f"phones: {recording.errors.substitutions} substituted, "
                f"{recording.errors.deletions} deleted, {recording.errors.insertions} inserted.",
                "png": _picture(prepared, transcribed.scores["split"], recording, wrong),
                "tiers": [
                    (name, [(i.label, place in bad) for place, i in enumerate(side)])
                    for name, side, bad in zip(
                        ("Reference", "Recognised"),
                        (recording.reference, recording.transcript),
                        wrong,
                        strict=True,
                    )
                ],
            }
        )
    return found


def _wrong(recording: Recording) -> tuple[set[int], set[int]]:
    """Places of the intervals that are errors, in the reference and in the transcript."""
    sides = (recording.reference, recording.transcript)
    places = [[n for n, i in enumerate(side) if i.label != SILENCE] for side in sides]
    labels = [spoken(side, SILENCE) for side in sides]
    wrong: tuple[set[int], set[int]] = (set(), set())
    for pair in aligned(*labels):
        said = {None if n is None else labels[side][n] for side, n in enumerate(pair)}
        if len(said) == 2:
            for side, n in enumerate(pair):
                if n is not None:
                    wrong[side].add(places[side][n])
    return wrong


def _picture(
    prepared: Prepared, split: str, recording: Recording, wrong: Sequence[set[int]]
) -> bytes:
    spectrogram = (prepared.features(split)[recording.number] + prepared.mean)[:, :, 0]
    hop = prepared.hop / prepared.sample_rate
    sides = (recording.reference, recording.transcript)
    times = sorted(s[n].start for s, bad in zip(sides, wrong, strict=True) for n in bad)
    figure = new_figure(9, 2.7)
    draw_recording(
        figure,
        spectrogram,
        hop,
        [("reference", sides[0], wrong[0]), ("recognised", sides[1], wrong[1])],
        busiest(times, spectrogram.shape[1] * hop),
    )
    return png(figure)


def _confusion_matrix(transcribed: Transcribed) -> bytes:
    count, names = transcribed.confusion, transcribed.groups
    rows = np.flatnonzero(count.sum(axis=1))
    share = count[rows] / count[rows].sum(axis=1, keepdims=True)
    figure = new_figure(9, 8)
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ticks, _ = numbered(names)
    columns, labels = [*ticks, "(deleted)"], [*ticks, "(inserted)"]
    axis.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
    axis.set_yticks(range(len(rows)), [labels[g] for g in rows], fontsize=8)
    axis.set(xlabel="recognised", ylabel="reference")
    figure.colorbar(image, ax=axis, fraction=0.03, format="{x:.0%}")
    return png(figure)


def _phones(transcribed: Transcribed) -> list[tuple[Any, ...]]:
    """Rows of the table of phones, least often recognised first."""
    count, names = transcribed.confusion, transcribed.groups
    rows = []
    per_phone = transcribed.scores["per_phone"]
    for name, scores in sorted(per_phone.items(), key=lambda item: item[1]["recall"]):
        group = names.index(name)
        *taken, deleted = count[group]
        taken[group] = 0
        other = int(np.argmax(taken))
        rows.append(
            (
                name,
                scores["phones"],
                _share(scores["recall"]),
                _share(scores["precision"]),
                _share(deleted / scores["phones"]),
                f"{names[other]} ({taken[other] / scores['phones']:.1%})" if taken[other] else "–",
            )
        )
    return rows
