"""What `zoo reconstruct` is told, and what its ways of reconstruction learn from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.inversion.settings import (
    METHODS,
    AnnealingSettings,
    DecoderSettings,
    GradientSettings,
)
from zoo.seeds import seed_option
from zoo.settings import again, at_least, option

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.sets.prepared import Prepared

CONSTANT_OUTPUT = (
    "The decoder gives the same output whatever its input: these reconstructions say nothing of "
    "the layer. Train it longer, or use the method gradient."
)

SOUNDS = "sounds, at least one kind"
SEARCH = "search"
DECODER = "decoder"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo reconstruct`."""

    model: str = option(
        name="model",
        metavar="MODEL",
        help="Run folder, .keras file, or name of zoo list (untrained)",
    )
    layer: str = option(
        metavar="NAME[,NAME]",
        help="Name of the layer, or Churchman's number such as L6. Several layers are "
        "compared on one page, for whole recordings",
    )
    method: str = option(
        "gradient",
        metavar="METHOD[,METHOD]",
        help=f"Method of reconstruction: {', '.join(METHODS)}; several only for recordings",
    )
    out: str = option(metavar="DIR", help="Folder to write")
    data: str | None = option(
        None,
        metavar="PREPARED",
        help="Prepared set; phones of every class are reconstructed. Its train split trains "
        "decoders, and shows searches what inputs are like. Required if MODEL is a name or a file",
        group=SOUNDS,
    )
    split: str = option("test", help="Split of --data", group=SOUNDS)
    per_class: int = option(
        5, metavar="N", check=at_least(0), help="Number of phones per class", group=SOUNDS
    )
    wav: list[str] = option(
        [],
        metavar="FILE",
        help="Recording of up to 30 s, reconstructed piece by piece; by a network of recordings, "
        "such as tdnn-people, whole",
        group=SOUNDS,
    )
    chirps: bool = option(
        False, help="Reconstruct 20 chirps, up and down, in five bands", group=SOUNDS
    )
    seed: int = seed_option(group=SEARCH)
    averaged: int = option(
        1,
        metavar="N",
        check=at_least(1),
        help="Number of reconstructions to average",
        group=SEARCH,
    )
    noise: float = option(
        0.0,
        metavar="F",
        check=at_least(0),
        help="Noise added to the input of each reconstruction",
        group=SEARCH,
    )
    speech: str | None = option(
        None,
        metavar="FOLDER",
        help="Folder of other recordings, which show a search of whole recordings what inputs are "
        "like; for networks of segments",
        shown="phones of --data",
        group=SEARCH,
    )
    judge: str | None = option(
        None,
        metavar="RUN",
        help="Another network that classifies the reconstructions of whole recordings",
        group=SEARCH,
    )
    decoder: str | None = option(
        None,
        metavar="DIR",
        help="Folder of the decoder, which is trained if the folder does not exist",
        shown="OUT/decoder",
        group=DECODER,
    )
    decoder_network: str | None = option(
        None,
        metavar="RUN",
        help="Network whose activity is decoded; Churchman's is a padded twin of MODEL",
        shown="MODEL",
        group=DECODER,
    )
    decoder_epochs: int = again(
        DecoderSettings,
        "epochs",
        help="Number of epochs of each stage of the decoder's training",
        group=DECODER,
    )
    decoder_examples: int = option(
        100,
        metavar="N",
        check=at_least(1),
        help="Number of training examples per class of the decoder",
        group=DECODER,
    )


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """Those of a search's settings that have an option; None: the method's default."""

    steps: int | None = again(
        GradientSettings,
        "steps",
        shown="40, by a network of recordings 200; of bold and adam 300; of annealing "
        f"{AnnealingSettings().steps}",
        group=SEARCH,
    )
    optimizer: str | None = again(
        GradientSettings, "optimizer", None, shown=GradientSettings().optimizer, group=SEARCH
    )
    prior: str | None = again(GradientSettings, "prior", group=SEARCH)
    l2: float | None = again(GradientSettings, "l2", group=SEARCH)
    total_variation: float | None = again(GradientSettings, "total_variation", None, group=SEARCH)


def training_inputs(model: str, prepared: Prepared, seed: int) -> np.ndarray:
    """As many inputs of the train split as a prior is learnt from."""
    from zoo.inversion.reconstruction import training_examples

    return training_examples(features_of(model, prepared, "train"), seed)


def features_of(model: str, prepared: Prepared, split: str) -> Any:
    """A split's features, centred as the model takes them."""
    from zoo.data.features.frontend import Frontend
    from zoo.evaluation.runs import inputs_for
    from zoo.runs import find

    folder = find(model)
    if folder is not None and Frontend.is_in(folder):
        return inputs_for(model, prepared, split)
    return prepared.features(split)


def decoder_of(
    options: Options,
    layer: str,
    folder: Path,
    model: keras.Model,
    prepared: Prepared | None,
    windows: np.ndarray | None = None,
) -> Any:
    """The decoder of a folder if it is finished, or else a new one.

    Args:
        options: options of the command.
        layer: that it decodes.
        folder: folder of the decoder.
        model: whose activity it decodes, unless the options name another one.
        prepared: set of whose phones it learns.
        windows: inputs that it learns from instead.
    """
    import numpy as np

    from zoo.data.sets.samplers import BalancedEpochs
    from zoo.inversion import Decoder, train_decoder
    from zoo.inversion.decoders import RECORD_NAME, DecoderSettings
    from zoo.runs import load

    if windows is None and prepared is None:
        if (folder / RECORD_NAME).is_file():
            return Decoder.load(folder)
        raise UsageError(
            "the decoder has to be trained first: add --data PREPARED, or name a trained one "
            "with --decoder DIR."
        )
    if windows is None and prepared is not None:
        labels = prepared.labels("train")
        drawn = BalancedEpochs(labels, options.decoder_examples, options.seed).epoch(0)
        windows = np.asarray(prepared.features("train")[np.unique(drawn)])
    return train_decoder(
        load(options.decoder_network) if options.decoder_network else model,
        layer,
        windows,
        DecoderSettings(epochs=options.decoder_epochs),
        options.seed,
        folder,
        progress=True,
    )
