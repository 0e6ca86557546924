"""Settings of a search, readable without importing Keras or keras-tuner."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from zoo.seeds import seed_option
from zoo.settings import above, again, as_record, at_least, check, from_record, option
from zoo.training.settings import TrainingSettings

if TYPE_CHECKING:
    import keras

TRIAL = "training of a trial"
"""Heading of options in the command's help."""

TUNERS = ("random", "hyperband", "bayesian", "grid")

MAX_TRIALS = 20
"""Default number of trials of a search; Hyperband determines its own."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """Limits of networks; others are not trained. None: no limit.

    Attributes:
        max_params: parameters, trained or not.
        max_multiply_adds: most multiply-adds of one forward pass of an example.
        max_latency_ms: measured on the machine that draws the trials.

    Raises:
        UsageError: a limit is invalid.
    """

    max_params: int | None = option(
        None, metavar="N", check=above(0), help="Maximum number of parameters"
    )
    max_multiply_adds: int | None = option(
        None, metavar="N", check=above(0), help="Maximum number of multiply-adds of one example"
    )
    max_latency_ms: float | None = option(
        None,
        metavar="MS",
        check=above(0),
        help="Maximum measured time for one example, in milliseconds",
    )

    def __post_init__(self) -> None:
        check(self, by_flag=True)

    def exceeded(self, model: keras.Model) -> str | None:
        """The first limit that `model` breaks, in words, or None."""
        from .costs import latency_ms, multiply_adds

        if self.max_params is not None and model.count_params() > self.max_params:
            return f"{model.count_params():,} parameters, more than {self.max_params:,}"
        if self.max_multiply_adds is not None:
            count = multiply_adds(model)
            if count > self.max_multiply_adds:
                return f"{count:,} multiply-adds, more than {self.max_multiply_adds:,}"
        if self.max_latency_ms is not None:
            taken = latency_ms(model)
            if taken > self.max_latency_ms:
                return f"{taken:.1f} ms an example, more than {self.max_latency_ms:g}"
        return None


NO_BUDGET = Budget()


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that determines a search.

    Attributes:
        model: name of a model of the zoo.
        data: path of the prepared set; what counts is its content.
        tuner: `"random"`, `"hyperband"`, `"bayesian"` or `"grid"`.
        objective: for `tuning.objectives.parse_objective`; None: the family's.
        max_trials: None: as many as Hyperband or the grid has.
        epochs: epochs of each trial; with Hyperband, the most that a trial gets.
        per_class: examples of each class in an epoch.
        batch_size: examples a step.
        seed: random seed of the search and every training.
        executions: trainings of each trial, whose measures are averaged.
        deterministic: whether every training is deterministic.
        mixed_precision: whether every training uses mixed precision.
        budget: limits of every network.
        narrowed: hyperparameter -> the only values to try.
        only: hyperparameters that vary; None: all.

    Raises:
        UsageError: a setting is invalid.
    """

    model: str
    data: str
    tuner: str = option("random", choices=TUNERS, help="Search algorithm", group="search")
    objective: str | None = option(
        None,
        metavar="MEASURES",
        help=(
            "Measure to optimise: accuracy_39, euclidean_error, loss, parameters, "
            "multiply_adds or latency_ms; or a weighted sum to maximise, such as "
            "accuracy_39:1,parameters:-1e-7"
        ),
        shown=(
            "accuracy_39 for classifiers (accuracy or folded_accuracy for labels other "
            "than TIMIT's), euclidean_error for autoencoders"
        ),
        group="search",
    )
    max_trials: int | None = option(
        MAX_TRIALS,
        metavar="N",
        check=at_least(1),
        help="Number of trials",
        shown=f"{MAX_TRIALS}; for hyperband and grid, all of theirs",
        group="search",
    )
    epochs: int = option(
        5,
        check=at_least(1),
        help="Number of epochs of a trial; with hyperband, the largest number",
        group=TRIAL,
    )
    per_class: int = option(
        200,
        check=at_least(1),
        help="Number of examples per class and epoch",
        group=TRIAL,
    )
    batch_size: int = option(
        128, check=at_least(1), help="Number of examples per step", group=TRIAL
    )
    seed: int = seed_option("Seed of the search and of every training")
    executions: int = option(
        1,
        metavar="N",
        check=at_least(1),
        help="Number of trainings of each trial, whose scores are averaged",
        group=TRIAL,
    )
    deterministic: bool = again(TrainingSettings, "deterministic", group=TRIAL)
    mixed_precision: str | None = again(TrainingSettings, "mixed_precision", group=TRIAL)
    budget: Budget = dataclasses.field(default_factory=Budget)
    narrowed: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    only: list[str] | None = option(
        None,
        metavar="NAMES",
        parse=lambda names: names.split(",") if names else None,
        help="Hyperparameters to vary",
        shown="all",
        group="space",
    )

    def __post_init__(self) -> None:
        check(self, by_flag=True)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return as_record(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Plan:
        """A plan from the values that `to_json` gives."""
        return from_record(cls, record)
