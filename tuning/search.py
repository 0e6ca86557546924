"""Running a search: rehearsal, trials in one process or by workers, and results."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TextIO

from zoo.errors import RunError, UsageError
from zoo.interrupts import heeded, safe_point

from .hparams import write_trial
from .kerastuner import Trial, TrialStatus
from .oracles import StudyOracle, own_values
from .study import COMPLETED, FAILED, Study
from .trials import rehearse, run_trial

HPARAMS = "hparams"
"""Folder of the trials for TensorBoard."""

KEPT = 3
"""Number of trials whose weights stay on disk."""

FAILURES = 5
"""Number of failed trials at the start of a search after which it gives up."""

WAIT = 0.5
"""Seconds before a worker asks again for a trial that cannot be proposed yet."""


class TrialSource(Protocol):
    """Source of trials: an oracle, or keras-tuner's client of a remote one."""

    def create_trial(self, tuner_id: str) -> Trial:
        """A trial to run; IDLE: ask again later; STOPPED: there are no more."""
        ...

    def end_trial(self, trial: Trial) -> None:
        """Take a trial's result, which lies in its folder."""
        ...


def work(study: Study, source: TrialSource, worker: str) -> Iterator[str]:
    """Run trials from `source` until it has no more; gives each one's id before it is run."""
    while True:
        safe_point()
        trial = source.create_trial(worker)
        if trial.status == TrialStatus.STOPPED:
            return
        if trial.status == TrialStatus.IDLE:
            time.sleep(WAIT)
            continue
        yield trial.trial_id
        trial.status = run_trial(study, trial.trial_id, worker)["status"]
        source.end_trial(trial)


@dataclasses.dataclass
class Search:
    """A study's oracle, its live table, and the weights that are kept.

    Attributes:
        study: the study.
        extend: trials more than planned.
        keep: best trials whose weights stay on the disk.
        table: where a line about every trial goes; None: nowhere.
    """

    study: Study
    extend: int = 0
    keep: int = KEPT
    table: TextIO | None = None

    def prepare(self) -> StudyOracle:
        """Rebuild the oracle; a study that has not begun is rehearsed first.

        Raises:
            UsageError, RunError: the search cannot be run.
        """
        if not self.study.begun:
            self.study.check()
            rehearse(self.study)
        self.study.begin()
        oracle = self.oracle = self.study.oracle(self.extend, on_end=self._ended)
        done = len(oracle.end_order)
        self._say(heading(self.study.objective.name))
        if done:
            again = len(oracle.trials) - done
            self._say(
                f"{done} trials done before"
                + (
                    f", {again} interrupted and run again; --workers 1 outlives a trial that the "
                    "system kills."
                    if again
                    else "."
                )
            )
        return oracle

    def run(self) -> None:
        """Run all trials in this process, one after the other."""
        with heeded():
            for _ in work(self.study, self.oracle, "this"):
                pass
        self.check()

    def check(self) -> None:
        """Raise the error that ended the search early, or an error if no trial was completed.

        Raises:
            UsageError, RunError: it is so.
        """
        failure = self.oracle.failure
        if isinstance(failure, (UsageError, RunError)):
            raise failure
        if failure is not None:
            raise RunError(f"{type(failure).__name__}: {failure}") from failure
        results = self.oracle.results
        if not any(r["status"] == COMPLETED for r in results.values()):
            last = next(reversed(results.values()), {"error": "nothing was tried"})
            raise RunError(
                f"none of {len(results)} trials was completed; the last one: {last['error']}"
            )

    def best(self, more: Mapping[str, dict[str, Any]] | None = None) -> list[str]:
        """Completed trials, best first; equally good ones in their order.

        Args:
            more: results that the oracle does not have yet.
        """
        results = {**self.oracle.results, **(more or {})}
        done = sorted(t for t, r in results.items() if r["status"] == COMPLETED)
        up = self.study.objective.direction == "max"
        return sorted(done, key=lambda t: -results[t]["value"] if up else results[t]["value"])

    def _ended(self, trial_id: str) -> dict[str, Any]:
        result = self.study.result(trial_id)
        self._tidy(trial_id, result)
        results = {**self.oracle.results, trial_id: result}
        self._say(row(trial_id, result, changed(self.study, self.study.values(trial_id))))
        write_trial(
            self.study.path / HPARAMS,
            trial_id,
            own_values(self.study.values(trial_id)),
            result["measures"],
            result["status"] == COMPLETED,
        )
        if len(results) >= FAILURES and all(r["status"] == FAILED for r in results.values()):
            self.oracle.failure = RunError(
                f"the first {len(results)} trials failed; the last one: {result['error']}"
            )
        return result

    def _tidy(self, trial_id: str, result: dict[str, Any]) -> None:
        """Remove the weights of all but the best trials, and of those that may go on."""
        kept = {*self.best({trial_id: result})[: self.keep], *self.oracle.promotable()}
        for ended in (*self.oracle.end_order, trial_id):
            if ended not in kept:
                self.study.free(ended)

    def _say(self, line: str) -> None:
        if self.table is not None:
            with contextlib.suppress(BrokenPipeError):
                print(line, file=self.table, flush=True)


def heading(objective: str) -> str:
    """The table's first line."""
    return (
        f"{'trial':<7}{objective:>12}{'parameters':>12}{'mult-adds':>12}{'ms':>7}{'s':>7}  values"
    )


def row(trial_id: str, result: dict[str, Any], values: str) -> str:
    """A trial's line."""
    seconds = "" if result["seconds"] is None else f"{result['seconds']:.0f}"
    if result["status"] != COMPLETED:
        return f"{trial_id:<7}{'failed':>12}{'':>31}{seconds:>7}  {result['error']}  ({values})"
    m = result["measures"]
    return (
        f"{trial_id:<7}{result['value']:>12.5g}{m['parameters']:>12,}{m['multiply_adds']:>12,}"
        f"{m['latency_ms']:>7.1f}{seconds:>7}  {values}"
    )


def changed(study: Study, values: dict[str, Any]) -> str:
    """Values that differ from the model's own, for people."""
    own = study.space.own
    parts = [
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in own_values(values).items()
        if own.get(name) != value
    ]
    return " ".join(parts) or f"{study.plan.model} as it is"


def stderr() -> TextIO:
    """Stream of the live table."""
    return sys.stderr
