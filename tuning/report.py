"""A search's report: one self-contained HTML page, and the same as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.files import write_json
from zoo.machine import hardware
from zoo.pages import write_page

from .figures import (
    FRONT,
    curves_figure,
    front_figure,
    importance_figure,
    number,
    parallel_figure,
)
from .importance import importances
from .objectives import COSTS, pareto_front, quality_of
from .oracles import own_values
from .search import Search, changed
from .study import COMPLETED

REPORT = "report.html"
RESULTS = "results.json"

SHOWN = 10
"""Number of trials in the table, and of learning curves in the figure."""


def results(search: Search) -> dict[str, Any]:
    """Results of a search, as JSON.

    `trials` has one record for each, best first, failed ones last: id, values, status, value (of
    the objective), measures, error, seconds, and whether it is on the front between its measure of
    quality, parameters and latency. `own` is the trial of the model itself, if there is one.
    """
    study, found = search.study, search.oracle.results
    best = search.best()
    quality, raised = quality_of(study.space.card.family, study.names)
    axes = {quality: raised, **FRONT}
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
    own = [t["trial"] for t in completed if t["values"] == study.space.own]
    return {
        "model": study.plan.model,
        "objective": study.objective.text,
        "direction": study.objective.direction,
        "quality": quality,
        "own": own[0] if own else None,
        "plan": {k: v for k, v in study.plan.to_json().items() if k != "data"},
        "fingerprint": study.fingerprint(),
        "hardware": hardware(),
        "refused": sum(e["event"] == "refuse" for e in search.oracle.journal.events),
        "validation": len(study.parts.labels("dev")),
        "importance": importances(
            [t["values"] for t in completed], [t["value"] for t in completed], study.plan.seed
        ),
        "trials": trials,
    }


def write_report(search: Search) -> Path:
    """Write `report.html` and `results.json` into the study's folder.

    Returns:
        The page.

    Raises:
        RunError: it cannot be written.
    """
    record = results(search)
    write_json(search.study.path / RESULTS, record)
    curves = {t: search.oracle.results[t].get("curves", []) for t in search.best()[:SHOWN]}
    path = search.study.path / REPORT
    write_page(path, Path(__file__).with_name(REPORT), **_page(record, curves, search))
    return path


def _page(record: dict[str, Any], curves: dict[str, Any], search: Search) -> dict[str, Any]:
    study, quality = search.study, record["quality"]
    trials = [t for t in record["trials"] if t["status"] == COMPLETED]
    failed = [t for t in record["trials"] if t["status"] != COMPLETED]
    best, goal, model = trials[0], study.objective.name, record["model"]
    own = [t for t in trials if t["trial"] == record["own"]]
    varied = [
        name
        for name in best["values"]
        if len({repr(t["values"].get(name)) for t in record["trials"]}) > 1
    ]
    figures = [
        (
            "Quality against cost",
            "Every completed trial; those of the front, which no other one beats in quality, "
            "parameters and latency at once, are orange and numbered"
            + (f"; the cross is {model} itself." if own else "."),
            front_figure(trials, quality, record["own"]),
            "Scatter plots of the trials' quality against parameters and latency.",
        ),
        (
            "What was tried",
            "One line a trial, from blue (worst) to orange (best).",
            parallel_figure(trials, varied),
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
                importance_figure(record["importance"]),
                "Importance of each hyperparameter.",
            )
        )
    figures.append(
        (
            "Learning curves",
            f"Validation speakers; the {len(curves)} best trials"
            + (f", and {model} itself (dashed)." if own else "."),
            curves_figure(curves, quality, {} if not own else search.oracle.results[record["own"]]),
            "Learning curves of the best trials.",
        )
    )
    plan, versions = record["plan"], record["fingerprint"]["versions"]
    budget = [f"{k.replace('_', ' ')} {v:,}" for k, v in plan["budget"].items() if v is not None]
    columns = [quality, *COSTS]
    return {
        "title": f"Search around {model}",
        "lead": (
            f"{plan['tuner'].capitalize()} search for {record['objective']} "
            f"({'more' if record['direction'] == 'max' else 'less'} is better), judged on "
            f"{record['validation']:,} examples of speakers that nothing was trained on; the test "
            "speakers play no part."
        ),
        "tiles": [
            (_shown(goal, best["value"]), f"best {goal}, trial {best['trial']}"),
            *((_shown(goal, t["value"]), f"{model} itself") for t in own),
            (f"{best['measures']['parameters']:,}", "parameters of the best"),
            (f"{len(trials)}", f"trials completed, {len(failed)} failed"),
            (f"{record['refused']:,}", "networks refused before training"),
        ],
        "columns": columns if goal in columns else [goal, *columns],
        "model": model,
        "trials": [
            {
                **t["measures"],
                goal: t["value"],
                "trial": t["trial"],
                "front": t["front"],
                "seconds": t["seconds"],
                "changed": changed(study, t["values"]),
            }
            for t in trials[:SHOWN]
        ],
        "failed": failed,
        "shown": _shown,
        "figures": figures,
        "facts": [
            ("Space", ", ".join(record["fingerprint"]["space"])),
            ("Limits", ", ".join(budget) or "none"),
            (
                "A trial",
                f"trained {_times(plan['executions'])} for {plan['epochs']} epochs"
                f"{' at most' if plan['tuner'] == 'hyperband' else ''} of {plan['per_class']} "
                f"examples a class, batches of {plan['batch_size']}; what the last epoch left is "
                "scored",
            ),
            ("Seed", str(plan["seed"])),
            ("Time", f"{sum(t['seconds'] or 0 for t in record['trials']):.0f} s of trials"),
            ("Hardware", _machine(record["hardware"])),
            ("Versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
        ],
    }


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _shown(name: str, value: Any) -> str:
    """A measure, for people."""
    if "accuracy" in name:
        return f"{100 * value:.1f} %"
    if name == "seconds":
        return f"{value:.0f}"
    return number(value)


def _machine(hardware: dict[str, Any]) -> str:
    memory = hardware.get("memory_gib")
    return ", ".join(
        [
            hardware["processor"],
            f"{hardware['cores']} cores",
            *([] if memory is None else [f"{memory} GiB"]),
            ", ".join(hardware["accelerators"]) or "no accelerator",
        ]
    )
