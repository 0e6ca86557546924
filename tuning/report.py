"""A search's report: one HTML page that needs nothing beside it, and the same as JSON."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np

from tuning.importance import importances, ranks
from tuning.objectives import MEASURES, pareto_front
from tuning.oracles import own_values
from tuning.search import Search
from tuning.study import COMPLETED
from zoo.files import write_json, write_text

REPORT = "report.html"
RESULTS = "results.json"

SHOWN = 10
"""Trials in the table, and learning curves in the figure."""

MARKS = 8
"""Values that an axis of the parallel coordinates may name."""

BLUE, ORANGE = "#3b6ea8", "#c2571a"


def results(search: Search) -> dict[str, Any]:
    """What came of a search, as JSON.

    `trials` has one record for each, best first, failed ones last: id, values, status, value (of
    the objective), measures, error, seconds, and whether it is on the front between its measure of
    quality, parameters and latency.
    """
    study, found = search.study, search.oracle.results
    best = search.best()
    quality = next(iter(MEASURES[study.space.card.family]))
    axes = {quality: MEASURES[study.space.card.family][quality], **FRONT}
    front = {best[i] for i in pareto_front([found[t]["measures"] for t in best], axes)}
    order = [*best, *sorted(t for t in found if t not in best)]
    trials = [
        {
            "trial": trial_id,
            **{k: found[trial_id][k] for k in ("status", "value", "measures", "error", "seconds")},
            "front": trial_id in front,
            "values": own_values(study.values(trial_id)),
        }
        for trial_id in order
    ]
    completed = trials[: len(best)]
    return {
        "model": study.plan.model,
        "objective": study.objective.text,
        "direction": study.objective.direction,
        "quality": quality,
        "plan": {k: v for k, v in study.plan.to_json().items() if k != "data"},
        "fingerprint": study.fingerprint(),
        "refused": sum(e["event"] == "refuse" for e in search.oracle.journal.events),
        "validation": len(study.parts.labels("dev")),
        "importance": importances(
            [t["values"] for t in completed], [t["value"] for t in completed], study.plan.seed
        ),
        "trials": trials,
    }


FRONT = {"parameters": False, "latency_ms": False}
"""Costs that a better network may not have more of, and whether more is better."""


def write_report(search: Search) -> Path:
    """Write `report.html` and `results.json` into the study's folder.

    Returns:
        The page.

    Raises:
        RunError: it cannot be written.
    """
    import jinja2

    record = results(search)
    write_json(search.study.path / RESULTS, record)
    curves = {t: search.oracle.results[t].get("curves", []) for t in search.best()[:SHOWN]}
    template = jinja2.Environment(autoescape=True).from_string(
        (Path(__file__).parent / REPORT).read_text(encoding="utf-8")
    )
    path = search.study.path / REPORT
    write_text(path, template.render(**_page(record, curves, search)))
    return path


def _page(record: dict[str, Any], curves: dict[str, Any], search: Search) -> dict[str, Any]:
    trials = [t for t in record["trials"] if t["status"] == COMPLETED]
    failed = [t for t in record["trials"] if t["status"] != COMPLETED]
    best, quality = trials[0], record["quality"]
    varied = [
        name
        for name in best["values"]
        if len({repr(t["values"].get(name)) for t in record["trials"]}) > 1
    ]
    figures = [
        (
            "Quality against cost",
            "Every completed trial; those of the front, which no other one beats in quality, "
            "parameters and latency at once, are orange and named.",
            _front(trials, quality),
            "Scatter plots of the trials' quality against parameters and latency.",
        ),
        (
            "What was tried",
            "One line a trial, from blue (worst) to orange (best).",
            _parallel(trials, varied),
            "Parallel coordinates of the hyperparameters that varied.",
        ),
    ]
    if record["importance"]:
        figures.append(
            (
                "What mattered",
                "Permutation importance in a random forest fitted to the trials"
                + (
                    f": with {len(trials)} of them no more than a hint."
                    if len(trials) < 50
                    else "."
                ),
                _bars(record["importance"]),
                "Importance of each hyperparameter.",
            )
        )
    figures.append(
        (
            "Learning curves",
            f"Validation speakers, the {len(curves)} best trials.",
            _curves(curves, quality),
            "Learning curves of the best trials.",
        )
    )
    plan, versions = record["plan"], record["fingerprint"]["versions"]
    budget = [f"{k.replace('_', ' ')} {v:,}" for k, v in plan["budget"].items() if v is not None]
    return {
        "title": f"Search around {record['model']}",
        "lead": (
            f"{plan['tuner'].capitalize()} search for {record['objective']} "
            f"({'more' if record['direction'] == 'max' else 'less'} is better), judged on "
            f"{record['validation']} examples of speakers that nothing was trained on; the test "
            "speakers play no part."
        ),
        "tiles": [
            (_number(best["value"]), f"best {search.study.objective.name}, trial {best['trial']}"),
            (f"{best['measures']['parameters']:,}", "its parameters"),
            (str(len(trials)), "trials completed"),
            (str(len(failed)), "failed"),
            (str(record["refused"]), "networks refused before training"),
        ],
        "columns": [record["quality"], "parameters", "multiply_adds", "latency_ms"],
        "varied": varied,
        "trials": trials[:SHOWN],
        "failed": failed,
        "number": _number,
        "figures": figures,
        "facts": [
            ("Space", ", ".join(record["fingerprint"]["space"])),
            ("Limits", ", ".join(budget) or "none"),
            (
                "A trial",
                f"trained {plan['executions']} times for {plan['epochs']} epochs of "
                f"{plan['per_class']} examples a class, batches of {plan['batch_size']}; what the "
                "last epoch left is scored",
            ),
            ("Seed", str(plan["seed"])),
            ("Time", f"{sum(t['seconds'] or 0 for t in record['trials']):.0f} s of trials"),
            ("Versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ],
    }


def _number(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _front(trials: list[dict[str, Any]], quality: str) -> str:
    figure = _figure(9, 3.6)
    for axis, cost in zip(figure.subplots(1, 2, sharey=True), FRONT, strict=True):
        points = [(t["measures"][cost], t["measures"][quality], t) for t in trials]
        axis.scatter(*zip(*[p[:2] for p in points], strict=True), color=BLUE, s=18, alpha=0.7)
        front = [p for p in points if p[2]["front"]]
        axis.scatter(*zip(*[p[:2] for p in front], strict=True), color=ORANGE, s=30)
        for x, y, trial in front:
            axis.annotate(
                trial["trial"], (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7
            )
        axis.set(xlabel=cost.replace("_", " "), xscale="log")
        axis.grid(alpha=0.3)
        axis.label_outer()
    figure.axes[0].set_ylabel(quality)
    return _png(figure)


def _parallel(trials: list[dict[str, Any]], varied: list[str]) -> str:
    figure = _figure(max(9, 0.75 * len(varied)), 4.2)
    axis = figure.subplots()
    columns = []
    for place, name in enumerate(varied):
        raw = [t["values"].get(name) for t in trials]
        column = np.array(ranks(raw))
        if name == "learning_rate":
            column = np.log10(column)
        low, high = column.min(), column.max()
        columns.append((column - low) / (high - low) if high > low else np.full(len(raw), 0.5))
        marks = {_number(v): h for v, h in zip(raw, columns[-1], strict=True)}
        for value, height in marks.items():
            # Of many values the ends are enough.
            if len(marks) <= MARKS or height in (0, 1):
                axis.annotate(value, (place, height), fontsize=6, ha="left", va="center")
    for number in range(len(trials) - 1, -1, -1):
        share = 1 - number / max(len(trials) - 1, 1)
        color = [b + share * (o - b) for b, o in zip(_rgb(BLUE), _rgb(ORANGE), strict=True)]
        axis.plot(
            [c[number] for c in columns], color=color, alpha=0.3 + 0.6 * share, lw=0.8 + share
        )
    axis.set_xticks(range(len(varied)), varied, rotation=40, ha="right", fontsize=8)
    axis.set_yticks([])
    axis.grid(axis="x", alpha=0.4)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    return _png(figure)


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _bars(shares: dict[str, float]) -> str:
    figure = _figure(9, 0.5 + 0.28 * len(shares))
    axis = figure.subplots()
    axis.barh(list(shares)[::-1], list(shares.values())[::-1], color=BLUE)
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.grid(axis="x", alpha=0.3)
    return _png(figure)


def _curves(curves: dict[str, Any], quality: str) -> str:
    figure = _figure(9, 3.4)
    for axis, name in zip(figure.subplots(1, 2), ("loss", quality), strict=True):
        for place, (trial_id, histories) in enumerate(curves.items()):
            for execution, history in enumerate(histories):
                curve = history.get(f"val_{name}", [])
                axis.plot(
                    range(1, len(curve) + 1),
                    curve,
                    color=ORANGE if place == 0 else BLUE,
                    alpha=1 if place == 0 else 0.5,
                    lw=1.8 if place == 0 else 1,
                    marker="o",
                    ms=2.5,
                    label=f"trial {trial_id}" if place == 0 and execution == 0 else None,
                )
        axis.set(xlabel="epoch", ylabel=name)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return _png(figure)
