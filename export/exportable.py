"""Runs that can be exported, and the parts that are exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.inference import classifier_classes, fixed_length, from_model
from zoo.runs import Run

if TYPE_CHECKING:
    from zoo.decoding.decoder import Decoder

    from .signatures import NetworkModule


def exportable(place: str | Path) -> Run:
    """The run of a classifier, an autoencoder or a recogniser, checked.

    Raises:
        UsageError: `place` is no such run, or its parts do not fit together.
    """
    run = Run.open(place)
    if run.transcribes:
        _check_transcriber(run)
        return run
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


def decoder_of(run: Run) -> Decoder:
    """The decoder of a run that transcribes, from frames to phones.

    Raises:
        UsageError: the run has none.
    """
    if run.decoder is None:
        raise UsageError(
            f"{run.path} has no decoder, so its frames cannot be turned into phones; zoo train "
            "writes one when it ends."
        )
    return run.decoder


def _check_transcriber(run: Run) -> None:
    decoder = decoder_of(run)
    if not run.frontend.whole:
        raise UsageError(
            f"the front end of {run.path} has frames that do not cover a recording "
            "from end to end, so times cannot be computed; prepare the set with "
            "--examples frames."
        )
    bins, _, channels = run.frontend.shape
    takes = (bins, run.window, channels)
    frames = () if run.window else (None,)
    gives = (*frames, len(run.classes))
    found = tuple(run.model.input_shape[1:]), tuple(run.model.output_shape[1:])
    if found != (takes, gives) or decoder.classes != run.classes:
        raise UsageError(
            f"the network of {run.path} takes {found[0]} and gives {found[1]} for the "
            f"{len(decoder.classes)} classes of its decoder; {takes} and {gives} were expected."
        )


def module_of(run: Run) -> NetworkModule:
    """An exportable run's network with its preprocessing, as TensorFlow functions."""
    from .signatures import AutoencoderModule, ClassifierModule

    if run.transcribes:
        from .transcription import TranscriberModule

        return TranscriberModule(
            run.model, run.frontend, run.classes, run.groups, run.window, decoder_of(run)
        )
    if run.is_autoencoder:
        return AutoencoderModule(run.model, run.frontend)
    return ClassifierModule(run.model, run.frontend, run.classes)
