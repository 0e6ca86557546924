"""Runs that can be exported, and what is exported of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.inference import classifier_classes, fixed_length, from_model
from zoo.runs import Run

if TYPE_CHECKING:
    from .signatures import AutoencoderModule, ClassifierModule


def exportable(place: str | Path) -> Run:
    """The run of a classifier or an autoencoder, checked.

    Raises:
        UsageError: `place` is no such run, or its parts do not fit together.
    """
    run = Run.open(place)
    fixed_length(run.frontend)
    if not run.is_autoencoder:
        from_model(run.model, run.frontend, classifier_classes(run))  # says what does not fit
        return run
    takes, gives = tuple(run.model.input_shape[1:]), tuple(run.model.output_shape[1:])
    if len({takes, gives, run.frontend.shape}) > 1:
        raise UsageError(
            f"the network of {run.path} takes {takes} and gives {gives}, its front end gives "
            f"{run.frontend.shape}; an autoencoder gives what it takes."
        )
    return run


def module_of(run: Run) -> ClassifierModule | AutoencoderModule:
    """A run's network with its preprocessing, as TensorFlow functions."""
    from .signatures import AutoencoderModule, ClassifierModule

    if run.is_autoencoder:
        return AutoencoderModule(run.model, run.frontend)
    return ClassifierModule(run.model, run.frontend, run.classes)
