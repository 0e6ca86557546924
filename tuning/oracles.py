"""keras-tuner's four oracles, with a journal and with networks refused before training.

keras-tuner saves an oracle's state in several files that a kill can leave in contradiction, and
forgets part of it (the grid's order, the random state of Bayesian optimisation). Here every
decision is a line of the study's journal, and an oracle is rebuilt by taking the same decisions
again: what it proposes next is what it would have proposed.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from zoo.errors import RunError, UsageError

from .journal import Journal
from .kerastuner import Trial, TrialStatus
from .objectives import Objective
from .spaces import Space

DRAWS = 300
"""Number of refused draws in a row after which random search gives up."""

COMBINATIONS = 3000
"""Number of refused combinations in a row after which grid search gives up."""

CANDIDATES = 64
"""Number of random networks that Bayesian optimisation chooses from if its own proposal is
refused."""

OURS = "tuner/"
"""Prefix of Hyperband's bookkeeping among a trial's values."""

RUNNING, IDLE, STOPPED = TrialStatus.RUNNING, TrialStatus.IDLE, TrialStatus.STOPPED


def own_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters among a trial's values, without Hyperband's bookkeeping."""
    return {name: value for name, value in values.items() if not name.startswith(OURS)}


def spread(*numbers: int) -> int:
    """A seed from several numbers; neighbouring ones give seeds that are far apart, never 0."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] % (2**31 - 1)) + 1


class StudyOracle(keras_tuner.Oracle):
    """Base of the four oracles; `attach` makes one ready.

    Attributes:
        failure: what ended the search early, or None.
        journal: journal of the study.
        results: results of the ended trials, by id.
    """

    failure: Exception | None = None

    def attach(
        self,
        space: Space,
        journal: Journal,
        limit: int | None,
        on_create: Callable[[str, dict[str, Any]], None],
        on_end: Callable[[str], dict[str, Any]],
    ) -> None:
        """Rebuild the oracle from `journal` and keep it there from now on.

        Args:
            space: judges every proposal.
            journal: journal of the study.
            limit: trials in all; None: as many as the oracle wants.
            on_create: gets a new trial's id and values before anyone runs it.
            on_end: gives the result of the trial with this id, which has ended.

        Raises:
            RunError: the oracle does not take the journal's decisions again.
        """
        self._space, self.journal, self.limit = space, journal, limit
        self._on_create, self._on_end = on_create, on_end
        self._lock = threading.RLock()
        self._verdicts: dict[str, str | None] = {}
        self._recorded: dict[str, Any] | None = None
        self.results: dict[str, dict[str, Any]] = {}
        self.verbose = 0
        # The study decides when failures are too many. -1 is never reached.
        self.max_consecutive_failed_trials = -1
        self._replay()

    def save(self) -> None:
        """Nothing: the journal holds it all."""

    def _save_trial(self, trial: Trial) -> None:
        """Nothing: the journal holds it all."""

    def create_trial(self, tuner_id: str) -> Trial:
        """Propose a trial, or give back one whose worker died."""
        with self._lock:
            before = len(self.trials)
            trial = super().create_trial(tuner_id)
            if len(self.trials) > before:
                values = dict(trial.hyperparameters.values)
                try:
                    self._on_create(trial.trial_id, values)
                    self.journal.append(
                        {
                            "event": "create",
                            "trial": trial.trial_id,
                            "values": values,
                            "seed_state": self._seed_state,
                        }
                    )
                except RunError as error:
                    return self._stop(error, tuner_id, trial)
            return trial

    def _stop(self, error: Exception, tuner_id: str, trial: Trial) -> Trial:
        self.failure = error
        self.ongoing_trials.pop(tuner_id, None)
        return Trial(trial.hyperparameters, trial_id=trial.trial_id, status=STOPPED)

    def end_trial(self, trial: Trial) -> None:
        """Record a trial's result, once: a worker that was given up may still report."""
        with self._lock:
            if trial.trial_id in self.end_order:
                return
            try:
                result = self._on_end(trial.trial_id)
                self.journal.append({"event": "end", "trial": trial.trial_id, "result": result})
            except RunError as error:
                self.failure = error
                return
            self._enter(trial.trial_id, result)

    def requeue(self, tuner_id: str) -> str | None:
        """Give the trial of a dead worker to the next one; returns its id, or None."""
        with self._lock:
            self.tuner_ids.discard(tuner_id)
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is None:
                return None
            self._retry_queue.append(trial.trial_id)
            return trial.trial_id

    def give_up(self, trial_id: str) -> None:
        """End a trial that waits to run again; its result says why."""
        with self._lock:
            self._retry_queue.remove(trial_id)
            self.end_trial(self.trials[trial_id])

    @property
    def finished(self) -> bool:
        """Whether nothing is running, waits to run again, or may still be proposed."""
        with self._lock:
            full = self.limit is not None and len(self.trials) >= self.limit
            return full and not self.ongoing_trials and not self._retry_queue

    def promotable(self) -> set[str]:
        """Trials whose training may still be continued."""
        return set()

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """keras-tuner's proposal, unless the search is over."""
        if self.failure or (self.limit is not None and len(self.trials) >= self.limit):
            return {"status": STOPPED, "values": None}
        try:
            answer = self._propose(trial_id)
            if answer["status"] == STOPPED and not self.trials:
                raise UsageError(self._impossible())
        except Exception as error:
            # keras-tuner would keep its lock for ever.
            self.failure = error
            answer = {"status": STOPPED, "values": None}
        if answer["status"] == STOPPED:
            self.limit = len(self.trials)
        return answer

    def _propose(self, trial_id: str) -> dict[str, Any]:
        return super().populate_space(trial_id)

    def _random_values(self) -> dict[str, Any] | None:
        """The model's own values first, then random ones that the space accepts."""
        if not self.trials:
            values = {hp.name: hp.default for hp in self.hyperparameters.space}
            if self._accepts(values):
                return values
        for _ in range(DRAWS):
            drawn = super()._random_values()
            if drawn is None or self._accepts(drawn):
                return drawn
        return None

    def _accepts(self, values: Mapping[str, Any]) -> bool:
        key = _key(values)
        if key not in self._verdicts:
            problem = self._space.problem(own_values(values))
            self._verdicts[key] = problem
            if problem:
                self.journal.append({"event": "refuse", "values": dict(values), "why": problem})
        return self._verdicts[key] is None

    def _impossible(self) -> str:
        reasons = [why for why in self._verdicts.values() if why]
        return (
            f"no network of {self._space.card.name}'s search space can be tried; of the "
            f"{len(reasons)} drawn, the last: {reasons[-1] if reasons else 'no values'}. "
            "Raise the limits, or widen the space."
        )

    def _enter(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tell keras-tuner of a result."""
        self.results[trial_id] = result
        trial = self.trials[trial_id]
        trial.status = TrialStatus.FAILED
        if result["status"] == TrialStatus.COMPLETED:
            self.update_trial(trial_id, {self.objective.name: result["value"]})
            trial.status = TrialStatus.COMPLETED
        trial.message = result["error"]
        super().end_trial(trial)

    def _replay(self) -> None:
        for event in self.journal.events:
            if event["event"] != "end":
                self._verdicts[_key(event["values"])] = event.get("why")
        limit, self.limit = self.limit, None
        for event in self.journal.events:
            if event["event"] == "create":
                self._recorded = event["values"]
                # A name for each, as keras-tuner gives a known one the trial that it has.
                trial = super().create_trial(f"replay-{event['trial']}")
                if (trial.trial_id, trial.hyperparameters.values) != (
                    event["trial"],
                    event["values"],
                ):
                    raise RunError(
                        f"trial {event['trial']} of {self.journal.path} cannot be drawn again; "
                        "the journal was changed, or keras-tuner was."
                    ) from self.failure
                self._seed_state = event["seed_state"]
            elif event["event"] == "end":
                self._enter(event["trial"], event["result"])
        self._recorded = None
        self.limit = limit
        # keras-tuner takes the last one first.
        unfinished = [t for t in self.start_order if t not in self.end_order]
        self._retry_queue = unfinished[::-1]
        self.ongoing_trials.clear()
        self.tuner_ids.clear()


def _key(values: Mapping[str, Any]) -> str:
    return repr(sorted(own_values(values).items()))


class RandomOracle(StudyOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search."""


class GridOracle(StudyOracle, keras_tuner.oracles.GridSearchOracle):
    """All combinations, the model's own first."""

    def _propose(self, trial_id: str) -> dict[str, Any]:
        answer = super()._propose(trial_id)
        if not self.start_order and not self._accepts(answer["values"]):
            values = self._get_next_combination(answer["values"])
            return {"status": STOPPED if values is None else RUNNING, "values": values}
        return answer

    def _get_next_combination(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        for _ in range(COMBINATIONS):
            found = super()._get_next_combination(values)
            if found is None or self._accepts(found):
                return found
            values = found
        raise UsageError(
            f"{COMBINATIONS} combinations in a row cannot be tried; narrow the space with --only "
            "and --set."
        )


class HyperbandOracle(StudyOracle, keras_tuner.oracles.HyperbandOracle):
    """Hyperband: many short trainings, the best ones continued."""

    def promotable(self) -> set[str]:
        """Trials of the brackets that are not complete."""
        return {
            entry["id"]
            for bracket in self._brackets
            for trials in bracket["rounds"]
            for entry in trials
        }


class BayesianOracle(StudyOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Bayesian optimisation by a Gaussian process."""

    def _propose(self, trial_id: str) -> dict[str, Any]:
        ended = sum(t.status == TrialStatus.COMPLETED for t in self.trials.values())
        if ended < self.num_initial_points:
            return super()._propose(trial_id)
        if self._recorded is not None:
            return {"status": RUNNING, "values": self._recorded}
        # By the trial's number, so that a search that was interrupted goes on as it would have.
        self._random_state = np.random.RandomState(spread(self.seed, len(self.trials)))
        with warnings.catch_warnings():
            # Of a length scale at its bound, which a few trials cannot tell.
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer = super()._propose(trial_id)
        values = answer["values"]
        if not self._duplicate(values) and self._accepts(values):
            return answer
        drawn = [v for v in (self._random_values() for _ in range(CANDIDATES)) if v is not None]
        if not drawn:
            return {"status": STOPPED, "values": None}
        mean, deviation = self.gpr.predict([self._vector(v) for v in drawn], return_std=True)
        return {
            "status": RUNNING,
            "values": drawn[int(np.argmin(mean - self.beta * deviation))],
        }

    def _vector(self, values: Mapping[str, Any]) -> list[float]:
        return [hp.value_to_prob(values[hp.name]) for hp in self._nonfixed_space()]


def make_oracle(
    tuner: str, space: Space, objective: Objective, seed: int, epochs: int, max_trials: int | None
) -> StudyOracle:
    """The oracle `tuner`, not attached to a study yet.

    Args:
        tuner: one of `tuning.settings.TUNERS`.
        space: to search in.
        objective: to search by.
        seed: random seed of all draws.
        epochs: most that a trial trains for, for Hyperband.
        max_trials: planned; a third of them, four at least, are random for Bayesian optimisation.
    """
    options: dict[str, Any] = {
        "objective": keras_tuner.Objective(objective.name, objective.direction),
        "hyperparameters": space.hyperparameters(),
        # keras-tuner takes 0 for "draw one", and seeds next to each other for almost the same.
        "seed": spread(seed),
    }
    if tuner == "hyperband":
        return HyperbandOracle(max_epochs=epochs, **options)
    # The study limits the trials: with a limit of its own keras-tuner would number them by it.
    options["max_trials"] = None
    if tuner == "bayesian":
        return BayesianOracle(num_initial_points=max(4, (max_trials or 12) // 3), **options)
    return {"random": RandomOracle, "grid": GridOracle}[tuner](**options)
