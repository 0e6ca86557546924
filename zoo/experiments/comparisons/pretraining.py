"""Ways to initialise a classifier that learns from few labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.experiments.engine.runner import Context

if TYPE_CHECKING:
    import keras

    from zoo.data.sets.prepared import Prepared

AUGMENTED = {
    "augment": "pitch=0.15,shift=2,mask=0.2,noise=5",
    "optimizer": "adam",
    "learning_rate": 0.002,
    "schedule": "cosine",
}
"""Of `supervised_augmented`: other voices, other bounds of a segment, gaps and noise.

Synthetic speech is endless and recorded speech is not: training on it pays for as long as new
variations of it come in, and AdaGrad's rate has sunk too far by then.
"""


UNITS = {
    "acoustic_units": 500,
    "sampling": "natural",
    "augment": "pitch=0.12,tempo=0.12,mask=0.2",
    "optimizer": "adam",
    "learning_rate": 0.002,
    "schedule": "cosine",
    "batch_size": 16,
    "window": 256,
}
"""Of `acoustic_units`."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One way to initialise.

    Attributes:
        text: what it is.
        family: family of the model that is pretrained; None: no pretraining.
        recordings: whether it learns from whole recordings; else from segments.
        settings: settings of its training, beside the budget.
        unpooling: how an autoencoder undoes pooling.
    """

    text: str
    family: str | None = None
    recordings: bool = False
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    unpooling: str = "blind"


RANDOM = "random"
RECIPES = {
    RANDOM: Recipe("random initialisation"),
    "autoencoder": Recipe("autoencoder, whole", "autoencoder"),
    "switches": Recipe("autoencoder, whole, with switches", "autoencoder", unpooling="switch"),
    "stacked": Recipe("autoencoder, strongly stacked", "autoencoder", settings={"stack": "strong"}),
    "denoising": Recipe("denoising autoencoder", "autoencoder", settings={"corrupt": "noise=0"}),
    "masked": Recipe("masked autoencoder", "autoencoder", settings={"masked": 0.5}),
    "supervised": Recipe("classifier of the other speech", "classifier"),
    "supervised_augmented": Recipe(
        "classifier of the other speech, augmented", "classifier", settings=AUGMENTED
    ),
    "acoustic_units": Recipe("acoustic units", "recognizer", recordings=True, settings=UNITS),
}
"""Name -> recipe. Autoencoders see no labels, and neither do networks of acoustic units."""


def pretrained_model(recipe: Recipe, name: str) -> str | None:
    """Name of the network whose encoder a recipe gives the classifier `name`; None: there is none.

    Args:
        recipe: one that pretrains.
        name: a classifier of the zoo.
    """
    from zoo import registry

    if recipe.family == "classifier":
        return name
    twin = f"{name}_ae" if recipe.family == "autoencoder" else name.removesuffix("_segments")
    return twin if twin in registry.list_models(family=recipe.family) else None


def started(settings: Mapping[str, Any], context: Context, prepared: Prepared) -> keras.Model:
    """A classifier as a recipe leaves it.

    Args:
        settings: settings of a cell: `recipe`, `model`, `dropout` (None: the model's own), `seed`,
            and `pretrain_learning_rate`, `pretrain_epochs` and `pretrain_per_class` of what is
            pretrained.
        context: with the set to pretrain on.
        prepared: what the classifier is for.
    """

    from zoo import registry
    from zoo.data.sets.prepared import Prepared
    from zoo.models.encoders import copy_encoder
    from zoo.runs import load
    from zoo.startup import set_random_seed
    from zoo.training.autoencoder import AutoencoderSettings, train_autoencoder
    from zoo.training.classifier import Settings, train_classifier
    from zoo.training.inputs import builder_arguments

    recipe, name = RECIPES[settings["recipe"]], settings["model"]
    overrides = {} if settings["dropout"] is None else {"dropout": settings["dropout"]}
    set_random_seed(settings["seed"])
    arguments = builder_arguments(registry.describe(name), prepared)
    model = registry.build(name, **arguments, classes=len(prepared.classes), **overrides)
    if recipe.family is None or context.pretraining is None:
        return model
    pretraining = Prepared(context.pretraining)
    network = pretrained_model(recipe, name) or name
    budget = {
        "epochs": settings["pretrain_epochs"],
        "per_class": settings["pretrain_per_class"],
        "learning_rate": settings["pretrain_learning_rate"],
        "seed": settings["seed"],
        **recipe.settings,
    }
    if recipe.family == "autoencoder":
        run = context.trained(
            train_autoencoder,
            network,
            pretraining,
            AutoencoderSettings(**budget),
            {"unpooling": recipe.unpooling},
        )
        copy_encoder(load(run), model)
    elif recipe.family == "recognizer":
        run = context.trained(train_classifier, network, pretraining, Settings(**budget), {})
        copy_encoder(load(run), model)
    else:
        run = context.trained(train_classifier, network, pretraining, Settings(**budget), overrides)
        # Its last layer as well: the classes are the same.
        model.set_weights(load(run).get_weights())
    return model
