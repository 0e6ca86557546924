"""Search spaces: what a search varies around the model that it starts at.

Every hyperparameter has the model's own value among its candidates, and as its default: the first
trial of a search is the model itself, so that a report compares with it.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner
import numpy as np

from zoo import registry
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.prepared import Prepared
from zoo.errors import UsageError, nearest
from zoo.registry import ModelCard
from zoo.training.autoencoder import AutoencoderSettings
from zoo.training.inputs import mark_argument
from zoo.training.objectives import OBJECTIVES
from zoo.training.settings import OPTIMIZERS

from .costs import out_of_memory
from .families import FAMILIES, NONE, Draw, general
from .kerastuner import Boolean
from .settings import NO_BUDGET, Budget

ATTEMPTS = 300
"""Number of refused networks after which a space counts as impossible."""

SETTINGS = dataclasses.asdict(AutoencoderSettings())
"""Defaults of all trainings: classifiers have the same where both have a setting."""

AUGMENTATIONS = (NONE, "mask", "shift,mask", "pitch,shift,mask,noise")


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What one trial builds and how it trains.

    Attributes:
        overrides: arguments of the model's builder.
        settings: settings of its training.
    """

    overrides: dict[str, Any]
    settings: dict[str, Any]


class Space:
    """What a search varies in a model of the zoo, with its limits.

    Args:
        model: its name.
        input_shape: shape of the examples to search on.
        classes: number of their classes, for a classifier.
        budget: limits of every network that is tried.
        augmentations: for `zoo.data.sets.augmentation.parse`, or "none".
        narrowed: hyperparameter -> the only values to try.
        only: hyperparameters that vary; the others keep the model's own values. None: all vary.
        marked: the examples' last channel marks segments (`zoo prepare --context`).

    Attributes:
        own: the model's own values.

    Raises:
        UsageError: a model without a space, or a hyperparameter that it does not have.

    Example:
        >>> space = Space("freq_fullpad", (201, 16, 1), 48, only=["units", "learning_rate"])
        >>> space.configuration(space.hyperparameters()).overrides["filters"]
        (8, 16, 32, 64)
    """

    def __init__(
        self,
        model: str,
        input_shape: tuple[int | None, ...],
        classes: int | None = None,
        budget: Budget = NO_BUDGET,
        *,
        augmentations: Sequence[str] = (NONE,),
        narrowed: Mapping[str, Sequence[Any]] | None = None,
        only: Iterable[str] | None = None,
        marked: bool = False,
    ) -> None:
        self.card: ModelCard = registry.describe(model)
        searched = self.card.names_classes or self.card.family == "autoencoder"
        if self.card.builder not in FAMILIES and not searched:
            known = [n for n in registry.list_models() if registry.describe(n).builder in FAMILIES]
            raise UsageError(
                f"there is no search space for {model}; there are for {', '.join(known)}."
            )
        self.input_shape = tuple(input_shape)
        self.classes = classes
        self.budget = budget
        self._augmentations = tuple(augmentations)
        self._narrowed = {name: list(values) for name, values in (narrowed or {}).items()}
        self._only = None if only is None else list(only)
        parameters = inspect.signature(self.card.load_builder()).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._arguments = {**defaults, **self.card.config}
        self._marked = mark_argument(self.card, marked)
        self._judged: dict[str, str | None] = {}
        whole = keras_tuner.HyperParameters()
        draw = Draw(whole)
        self._declare(draw)
        self.own: dict[str, Any] = dict(whole.values)
        for name in (*self._narrowed, *(self._only or ())):
            if name not in draw.names:
                raise UsageError(
                    f"{model} has no hyperparameter {name!r}. "
                    + nearest(name, draw.names, "hyperparameter")
                )
        try:
            self.hyperparameters()
        except (TypeError, ValueError) as error:
            raise UsageError(f"the values for {model}'s space are invalid: {error}.") from error

    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """All hyperparameters, at the model's own values."""
        hp = keras_tuner.HyperParameters()
        self._declare(Draw(hp, self._narrowed, self._only))
        return hp

    def configuration(self, hp: keras_tuner.HyperParameters) -> Configuration:
        """The configuration for the values in `hp`; missing ones are declared."""
        return self._declare(Draw(hp, self._narrowed, self._only))

    def configuration_of(self, values: Mapping[str, Any]) -> Configuration:
        """The configuration for these values."""
        hp = self.hyperparameters()
        hp.values = {**hp.values, **values}
        return self.configuration(hp)

    def build(self, configuration: Configuration) -> keras.Model:
        """The configuration's network, untrained.

        Raises:
            UsageError: its layers do not fit into each other.
        """
        return registry.build(self.card.name, **configuration.overrides)

    def problem(self, values: Mapping[str, Any]) -> str | None:
        """Reason to skip these values, or None: layers that do not fit, the budget, memory.

        The answer is kept, so that latency is measured only once.
        """
        configuration = self.configuration_of(values)
        key = repr(configuration.overrides)
        if key not in self._judged:
            try:
                self._judged[key] = self.budget.exceeded(self.build(configuration))
            except UsageError as error:
                self._judged[key] = str(error)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self._judged[key] = "its weights do not fit into this machine's memory"
        return self._judged[key]

    def first(self, seed: int = 0) -> Configuration:
        """The model itself if it is within the budget, else one that is.

        Raises:
            UsageError: none of many random ones does.
        """
        hp = self.hyperparameters()
        state = np.random.default_rng(seed)
        for _ in range(ATTEMPTS):
            problem = self.problem(hp.values)
            if problem is None:
                return self.configuration(hp)
            drawn = state.integers(2**31, size=len(hp.space))
            for entry, number in zip(hp.space, drawn, strict=True):
                hp.values[entry.name] = entry.random_sample(int(number))
        raise UsageError(
            f"no network of {self.card.name}'s search space can be tried; of {ATTEMPTS} drawn, the "
            f"last: {problem}. Raise the limits, or widen the space."
        )

    def record(self) -> list[dict[str, Any]]:
        """Every hyperparameter's name and range, as JSON."""
        found = []
        for hp in self.hyperparameters().space:
            config = hp.get_config()
            kept = ("values", "value", "min_value", "max_value", "sampling")
            found.append(
                {"name": hp.name}
                | {k: config[k] for k in kept if config.get(k) is not None}
                | ({"values": [False, True]} if isinstance(hp, Boolean) else {})
            )
        return found

    def _declare(self, draw: Draw) -> Configuration:
        vary = FAMILIES.get(self.card.builder, general)
        overrides = vary(draw, self._arguments, self.input_shape)
        overrides |= {"input_shape": self.input_shape, **self._marked}
        if self.classes is not None:
            overrides["classes"] = self.classes
        own = {**SETTINGS, **self.card.recipe}
        settings: dict[str, Any] = {
            **self.card.recipe,
            "optimizer": draw.choice("optimizer", OPTIMIZERS, own["optimizer"]),
            "learning_rate": draw.rate("learning_rate", 3e-4, 5e-2, own["learning_rate"]),
            "initial_accumulator": draw.choice(
                "initial_accumulator", (0.0, 0.1), own["initial_accumulator"]
            ),
            "l2": draw.choice("l2", (0.0, 1e-5, 1e-4), own["l2"]),
        }
        if self.card.family == "autoencoder":
            settings |= {
                "objective": draw.choice("objective", tuple(OBJECTIVES), own["objective"]),
                "sparse": draw.choice("sparse", (0.0, 1e-4, 1e-3), own["sparse"]),
                "contractive": draw.choice("contractive", (0.0, 1e-4, 1e-3), own["contractive"]),
            }
        if len(self._augmentations) > 1:
            chosen = draw.choice("augment", self._augmentations, own["augment"] or NONE)
            settings["augment"] = None if chosen == NONE else chosen
        return Configuration(overrides, settings)


def augmentations_for(prepared: Prepared) -> tuple[str, ...]:
    """The `AUGMENTATIONS` that the set's representation allows."""
    allowed = []
    for text in AUGMENTATIONS:
        if text != NONE:
            try:
                Augmenter(text, prepared.frontend, len(prepared.classes))
            except UsageError:
                continue
        allowed.append(text)
    return tuple(allowed)
