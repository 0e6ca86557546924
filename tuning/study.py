"""A study's folder: what was asked for, what has been decided, what came of every trial."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuning.costs import Budget
from tuning.data import Parts, training_and_validation
from tuning.journal import Journal
from tuning.objectives import Objective, parse_objective
from tuning.oracles import TUNERS, StudyOracle, make_oracle, spread
from tuning.spaces import Space, augmentations_for
from zoo.data.sets.prepared import Prepared, content_hash
from zoo.errors import RunError, UsageError, nearest
from zoo.files import make_folder, os_failure, read_json, write_json
from zoo.machine import versions
from zoo.runs import Run

STUDY = "study.json"
JOURNAL = "journal.jsonl"
TRIALS = "trials"
VALUES = "trial.json"
RESULT = "result.json"
LOCK = "lock"

MAX_TRIALS = 20
"""Trials of a search, unless told otherwise; Hyperband knows its own number."""

COMPLETED, FAILED = "COMPLETED", "FAILED"


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that decides what a search does.

    Attributes:
        model: of the zoo.
        data: path of the prepared set; what counts is its content.
        tuner: `"random"`, `"hyperband"`, `"bayesian"` or `"grid"`.
        objective: for `tuning.objectives.parse_objective`; None: the family's.
        max_trials: None: as many as Hyperband or the grid has.
        epochs: of each trial; with Hyperband the most that one gets.
        per_class: examples of each class in an epoch.
        batch_size: examples a step.
        seed: of the search and every training.
        executions: trainings of each trial, whose measures are averaged.
        budget: limits of every network.
        narrowed: hyperparameter -> the only values to try.
        only: hyperparameters that vary; None: all.
    """

    model: str
    data: str
    tuner: str = "random"
    objective: str | None = None
    max_trials: int | None = MAX_TRIALS
    epochs: int = 5
    per_class: int = 200
    batch_size: int = 128
    seed: int = 0
    executions: int = 1
    budget: Budget = dataclasses.field(default_factory=Budget)
    narrowed: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    only: list[str] | None = None

    def __post_init__(self) -> None:
        if self.tuner not in TUNERS:
            raise UsageError(f"unknown tuner {self.tuner!r}. {nearest(self.tuner, TUNERS)}")
        for field in ("max_trials", "epochs", "per_class", "batch_size", "executions"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise UsageError(
                    f"--{field.replace('_', '-')} must be 1 or more; received {value}."
                )
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more; received {self.seed}.")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Plan:
        """What `to_json` gave."""
        return cls(**{**record, "budget": Budget(**record["budget"])})


class Study:
    """A search's folder and all that its trials have in common.

    `study.json` holds the plan and a fingerprint of all that decides the result; `journal.jsonl`
    every decision; `trials/NNNN/` the values (`trial.json`), the training runs and the result
    (`result.json`) of a trial. A result is complete before the journal names it.

    Args:
        path: the folder.
        plan: what is asked for.

    Attributes:
        path: the folder.
        plan: what was asked for.
        prepared: the set to search on.
        parts: its examples for training (`train`) and validation (`dev`).
        objective: what is looked for.
        space: where.

    Raises:
        UsageError: a plan that cannot be followed.
    """

    def __init__(self, path: str | Path, plan: Plan) -> None:
        from zoo import registry

        self.path, self.plan = Path(path), plan
        family = registry.describe(plan.model).family
        self.objective: Objective = parse_objective(plan.objective, family)
        self.prepared = Prepared(plan.data)
        self.parts: Parts = training_and_validation(self.prepared, plan.seed)
        self.space = Space(
            plan.model,
            self.prepared.shape,
            len(self.prepared.classes) if family == "classifier" else None,
            plan.budget,
            augmentations=augmentations_for(self.prepared),
            narrowed=plan.narrowed,
            only=plan.only,
        )

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """The study that was begun in `path`, for a worker that joins it.

        Raises:
            UsageError: there is none, or it was begun with other versions or data.
        """
        study = cls(path, Plan.from_json(read_json(Path(path) / STUDY)["plan"]))
        study.check()
        return study

    def fingerprint(self) -> dict[str, Any]:
        """What must be the same for trials to be comparable, by name."""
        plan = self.plan.to_json()
        for name in ("data", "narrowed", "only"):
            del plan[name]
        return {
            **plan,
            "objective": self.objective.text,
            "space": {hp.pop("name"): hp for hp in self.space.record()},
            "data": content_hash(self.prepared.manifest),
            "versions": {
                name: value
                for name, value in {
                    **versions(),
                    "keras-tuner": importlib.metadata.version("keras-tuner"),
                }.items()
                if name not in ("python", "machine")
            },
        }

    def begin(self) -> None:
        """Create the folder, or take up the study in it if it is the same.

        Raises:
            UsageError: it holds another study, or something else.
            RunError: it cannot be written.
        """
        self.check()
        if self.begun:
            return
        make_folder(self.path / TRIALS)
        write_json(
            self.path / STUDY, {"plan": self.plan.to_json(), "fingerprint": self.fingerprint()}
        )

    @property
    def begun(self) -> bool:
        """Whether there is a study in the folder."""
        return (self.path / STUDY).exists()

    def check(self) -> None:
        """Refuse a folder with another study, or with something else, in it.

        Raises:
            UsageError: it is so; the message names every difference.
        """
        if not self.begun:
            if self.path.is_dir() and any(f.name != LOCK for f in self.path.iterdir()):
                raise UsageError(
                    f"{self.path} is not empty and holds no study; choose a new folder."
                )
            return
        found = read_json(self.path / STUDY)["fingerprint"]
        # Through JSON, which knows no tuples.
        mine = json.loads(json.dumps(self.fingerprint()))
        differing = _differences(found, mine)
        if differing:
            hint = (
                " Trials are added by --extend."
                if any(line.startswith("max_trials") for line in differing)
                else ""
            )
            raise UsageError(
                f"{self.path} holds a study with other settings ({'; '.join(differing)}); choose "
                f"another folder, or ask for the same.{hint}"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second search out of the folder; a kill lets go of it.

        Raises:
            RunError: a search is running in it.
        """
        make_folder(self.path)
        try:
            file = open(self.path / LOCK, "ab")  # noqa: SIM115, closed below
        except OSError as error:
            raise os_failure(error, f"cannot write {self.path}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"another search is running in {self.path}.") from None
            yield

    def oracle(self, extend: int = 0, **hooks: Any) -> StudyOracle:
        """The search's oracle, rebuilt from the journal.

        Args:
            extend: trials more than planned.
            **hooks: `on_end` of `StudyOracle.attach`.
        """
        plan = self.plan
        limit = None if plan.max_trials is None else plan.max_trials + extend
        oracle = make_oracle(
            plan.tuner, self.space, self.objective, plan.seed, plan.epochs, plan.max_trials
        )
        oracle.attach(
            self.space,
            Journal(self.path / JOURNAL),
            limit,
            on_create=self._write_values,
            **hooks,
        )
        return oracle

    def trial(self, trial_id: str) -> Path:
        """A trial's folder."""
        return self.path / TRIALS / trial_id

    def values(self, trial_id: str) -> dict[str, Any]:
        """A trial's values."""
        return read_json(self.trial(trial_id) / VALUES)

    def _write_values(self, trial_id: str, values: dict[str, Any]) -> None:
        # A folder that a kill has left before the journal named its trial is another trial's.
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.trial(trial_id))
        make_folder(self.trial(trial_id))
        write_json(self.trial(trial_id) / VALUES, values)

    def seed(self, trial_id: str, execution: int) -> int:
        """Of one training: by the study's seed and the trial alone, so that it can be repeated."""
        return spread(self.plan.seed, int(trial_id), execution)

    def run(self, trial_id: str, execution: int = 0) -> Run:
        """One of a trial's trainings, whether it has begun or not."""
        return Run(self.trial(trial_id) / f"run-{execution}")

    def free(self, trial_id: str) -> None:
        """Remove a trial's weights; what it was and what came of it stays."""
        for execution in range(self.plan.executions):
            self.run(trial_id, execution).free()

    def has_weights(self, trial_id: str) -> bool:
        """Whether the trial's network can still be loaded."""
        return self.run(trial_id).finished


def _differences(found: Any, mine: Any, name: str = "") -> list[str]:
    """Where two records differ, in words."""
    if isinstance(found, dict) and isinstance(mine, dict) and not name.startswith("space "):
        return [
            line
            for key in sorted({*found, *mine})
            for line in _differences(
                found.get(key), mine.get(key), f"{name} {key}".strip() if name else key
            )
        ]
    if found == mine:
        return []
    if name.startswith("space ") and found is not None and mine is not None:
        return [f"{name} {_range(found)}, now {_range(mine)}"]
    if name == "data":
        return ["the prepared set's content differs"]
    return [f"{name} {_short(found)}, now {_short(mine)}"]


def _range(hyperparameter: dict[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in hyperparameter.items())


def _short(value: Any) -> str:
    return "none" if value is None else json.dumps(value)
