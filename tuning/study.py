"""A study's folder: its plan, its decisions and the results of its trials."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.corpora.phones import PHONE_ACCURACIES, accuracy_names
from zoo.data.sets.prepared import Prepared, content_hash
from zoo.errors import RunError, UsageError
from zoo.files import make_folder, os_failure, read_json, write_json
from zoo.machine import versions
from zoo.runs import Run
from zoo.startup import compute_repeatably
from zoo.training.inputs import as_seen
from zoo.training.settings import TrainingSettings

from .data import Parts, training_and_validation
from .journal import Journal
from .objectives import Objective, parse_objective
from .oracles import StudyOracle, make_oracle, spread
from .settings import Plan
from .spaces import Space, augmentations_for

STUDY = "study.json"
JOURNAL = "journal.jsonl"
TRIALS = "trials"
VALUES = "trial.json"
RESULT = "result.json"
LOCK = "lock"

COMPLETED, FAILED = "COMPLETED", "FAILED"


class Study:
    """A search's folder and the settings that its trials share.

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
        names: what the accuracies over its labels are called.
        objective: what is looked for.
        space: search space.

    Raises:
        UsageError: a plan that cannot be followed.
    """

    def __init__(self, path: str | Path, plan: Plan) -> None:
        from zoo import registry

        self.path, self.plan = Path(path), plan
        if plan.deterministic:
            # Before the space builds a network.
            compute_repeatably()
        card = registry.describe(plan.model)
        family = card.family
        self.prepared = Prepared(plan.data)
        self.names = accuracy_names(self.prepared.classes, self.prepared.groups)
        self.objective: Objective = parse_objective(plan.objective, family, self.names)
        self.parts: Parts = training_and_validation(self.prepared, plan.seed)
        self.space = Space(
            plan.model,
            as_seen(card, self.prepared, TrainingSettings()).shape,
            len(self.prepared.classes) if card.names_classes else None,
            plan.budget,
            augmentations=augmentations_for(self.prepared),
            narrowed=plan.narrowed,
            only=plan.only,
            marked=self.prepared.frontend.context > 0,
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
        # Options that studies from before them do not know.
        for name in ("deterministic", "mixed_precision"):
            if not plan[name]:
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
        """Create the folder, or resume the study in it if it is the same.

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
            UsageError: it holds one; the message names every difference.
        """
        if not self.begun:
            if self.path.is_dir() and any(f.name != LOCK for f in self.path.iterdir()):
                raise UsageError(
                    f"{self.path} is not empty and holds no study; choose a new folder."
                )
            return
        found = read_json(self.path / STUDY)["fingerprint"]
        family = self.space.card.family
        found["objective"] = parse_objective(found["objective"], family, self.names).text
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
                f"{self.path} holds a study with other settings ({'; '.join(differing)}); "
                f"choose another folder, or give the same settings.{hint}"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against a second search; a killed process releases it.

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
        journal = Journal(self.path / JOURNAL)
        for event in journal.events:
            if event["event"] == "end":
                event["result"] = self.named(event["result"])
        oracle.attach(
            self.space,
            journal,
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

    def result(self, trial_id: str) -> dict[str, Any]:
        """Result of a trial that has ended."""
        return self.named(read_json(self.trial(trial_id) / RESULT))

    def named(self, result: dict[str, Any]) -> dict[str, Any]:
        """A result with this study's name of the accuracy, if a run uses the old name."""

        def renamed(record: dict[str, Any]) -> dict[str, Any]:
            return {
                key.replace(PHONE_ACCURACIES.accuracy, self.names.accuracy): value
                for key, value in record.items()
            }

        curves = [renamed(history) for history in result.get("curves", [])]
        return {
            **result,
            "measures": renamed(result["measures"]),
            **({"curves": curves} if curves else {}),
        }

    def _write_values(self, trial_id: str, values: dict[str, Any]) -> None:
        # A folder that a kill has left before the journal named its trial is another trial's.
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.trial(trial_id))
        make_folder(self.trial(trial_id))
        write_json(self.trial(trial_id) / VALUES, values)

    def seed(self, trial_id: str, execution: int) -> int:
        """Seed of one training, which follows from the study's seed and the trial, so that it can
        be repeated."""
        return spread(self.plan.seed, int(trial_id), execution)

    def run(self, trial_id: str, execution: int = 0) -> Run:
        """One of a trial's trainings, whether it has begun or not."""
        return Run(self.trial(trial_id) / f"run-{execution}")

    def free(self, trial_id: str) -> None:
        """Remove a trial's weights; its settings and results stay."""
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
