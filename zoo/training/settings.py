"""Settings of training: every option, readable without importing Keras."""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import TYPE_CHECKING

from zoo.data.sets.samplers import SAMPLINGS, TRAIN_PER_CLASS, check_fraction
from zoo.errors import UsageError
from zoo.seeds import seed_option
from zoo.settings import Rule, above, again, at_least, between, option

if TYPE_CHECKING:
    import keras

OPTIMIZERS = ("adagrad", "adam")
SCHEDULES = ("constant", "cosine")
OBJECTIVES = ("euclidean", "scale_invariant", "spectral_convergence", "cosine")
STACKINGS = ("strong", "weak")
PRECISIONS = ("bfloat16", "float16")

PATIENCE = 5
"""Default number of epochs without improvement after which a stacked unit has converged."""


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How any model is trained.

    Attributes:
        epochs: how many in all.
        per_class: examples of each class in a balanced epoch.
        batch_size: examples a step.
        optimizer: `"adagrad"` (Riemens 2015), or `"adam"`.
        learning_rate: learning rate of the optimiser. Riemens (2015) gives none.
        initial_accumulator: start value of AdaGrad's squared gradients; Riemens (2015) starts at 0,
            where the first steps are as large as the rate itself whatever the gradient.
        seed: random seed of initial weights, dropout, sampling and order.
        validation: split to score after each epoch; None: `dev` where there is one.
        sampling: `"balanced"` epochs; or `"natural"`, every example once an epoch, or
            `"weighted"`, the same with losses that count every class alike (`per_class` has no
            say in these).
        augment: what to change in every batch, for `Augmenter`; None: nothing.
        l2: factor on the squared filters (kernels) that is added to the loss.
        window: for sets of recordings, frames of the window around each frame, by which networks of
            one shape learn; or of the excerpts from which networks of whole recordings do. None:
            25, or 200 of excerpts.
        encoder: run folder or Keras file whose encoder initialises the model's; None: random.
        freeze_encoder: leave the encoder as it was initialised, filters and biases.
        deterministic: compute by `zoo.startup.compute_repeatably`.
        mixed_precision: what activations and gradients are computed in, `"bfloat16"` or
            `"float16"`; None: float32. Weights are float32 in any case, and so is the network
            that training ends with.
    """

    epochs: int = option(
        20,
        check=at_least(1),
        help="Number of epochs; with --stack, of each unit",
        group="optimisation",
    )
    per_class: int = option(
        TRAIN_PER_CLASS,
        check=at_least(1),
        help="Number of examples per class in a balanced epoch",
        group="examples of an epoch",
    )
    batch_size: int = option(
        128, check=at_least(1), help="Number of examples per step", group="optimisation"
    )
    optimizer: str = option(
        "adagrad", choices=OPTIMIZERS, implied="adagrad", help="Optimiser", group="optimisation"
    )
    learning_rate: float = option(
        0.01, check=above(0), help="Learning rate of the optimiser", group="optimisation"
    )
    initial_accumulator: float = option(
        0.0,
        check=at_least(0),
        help="Initial value of AdaGrad's squared gradients",
        group="optimisation",
    )
    seed: int = seed_option()
    validation: str | None = option(
        None,
        metavar="SPLIT",
        help="Split that is scored after each epoch",
        shown="dev, if there is one",
        group="examples of an epoch",
    )
    sampling: str = option(
        "balanced",
        choices=SAMPLINGS,
        help=(
            "Examples of an epoch. balanced: --per-class examples of each class; "
            "natural: every example once; weighted: every example once, with a loss "
            "that weights all classes equally"
        ),
        group="examples of an epoch",
    )
    augment: str | None = option(
        None,
        metavar="LIST",
        help=(
            "Augmentations, comma-separated: some of "
            "pitch,tempo,shift,gain,noise,lowpass,mask,mixup, each at its default "
            "strength or with =NUMBER"
        ),
        group="examples of an epoch",
    )
    l2: float = option(
        0.0,
        metavar="F",
        check=at_least(0),
        help="Penalty on squared filters",
        shown="",
        group="optimisation",
    )
    window: int | None = option(
        None,
        metavar="FRAMES",
        check=between(1, 3000),
        help=(
            "Number of frames in the window around each frame or, for networks of whole "
            "recordings, in each training excerpt; for sets of --examples frames"
        ),
        shown="25; 200 for excerpts",
        group="examples of an epoch",
    )
    encoder: str | None = option(
        None,
        metavar="RUN",
        help="Encoder to start from: a run folder, a .keras file, or weights of MODEL",
        group="encoder to start from",
    )
    freeze_encoder: bool = option(
        False,
        help="Keep the encoder's weights fixed and train the rest",
        group="encoder to start from",
    )
    deterministic: bool = option(
        False,
        help="Compute so that the same seed gives the same weights however many processes share "
        "the machine: in one thread on a CPU, with slower operations on a GPU",
        group="optimisation",
    )
    mixed_precision: str | None = option(
        None,
        choices=PRECISIONS,
        help="Type of the activations in training; weights stay 32 bits. Faster on GPUs",
        shown="float32",
        group="optimisation",
    )

    def new_optimizer(self) -> keras.Optimizer:
        """A new optimiser with these settings."""
        import keras

        if self.optimizer == "adam":
            return keras.optimizers.Adam(self.learning_rate)
        return keras.optimizers.Adagrad(
            self.learning_rate, initial_accumulator_value=self.initial_accumulator
        )


@dataclasses.dataclass(frozen=True)
class Settings(TrainingSettings):
    """How a classifier is trained.

    Attributes:
        schedule: schedule of the learning rate: `"constant"`, or `"cosine"`, from the rate down
            along half a cosine over all epochs, which are then fixed.
        labels_per_class: train on at most so many examples of each class; None: all.
        label_fraction: train on this share of each class' examples, at least one; None: all.
        weights: run folder, Keras file or name of weights that ship, all of whose weights the
            network starts with, the last layer's too; None: random ones.
        acoustic_units: number of acoustic units of whole recordings that are learnt in place of
            labels (`zoo.data.sets.units.Units`), to pretrain an encoder on unlabelled speech; None:
            labels are learnt.
        probe_first: fit the last layer by logistic regression before the whole network learns
            (`zoo.training.probing.fit_last_layer`).
    """

    schedule: str = option(
        "constant",
        choices=SCHEDULES,
        implied="constant",
        help=(
            "Schedule of the learning rate: constant, or falling along half a cosine "
            "over all epochs"
        ),
    )
    labels_per_class: int | None = option(
        None, metavar="N", check=at_least(1), help="Largest number of examples of each class to use"
    )
    label_fraction: float | None = option(
        None,
        metavar="F",
        check=check_fraction,
        help="Share of the examples of each class to use, such as 0.01",
    )
    weights: str | None = option(
        None,
        metavar="RUN",
        help=(
            "Weights to start from, of the same kind of network: a run folder, a .keras "
            "file, or the name of weights that ship"
        ),
    )
    acoustic_units: int | None = option(
        None,
        metavar="N",
        check=between(2, 10_000),
        help=(
            "Learn, in place of labels, which of N acoustic units each frame belongs to: classes "
            "of frames found by k-means. Pretrains an encoder on unlabelled recordings "
            "(--examples frames); 500 is a good number"
        ),
    )
    probe_first: bool = option(
        False,
        help=(
            "Fit the last layer by logistic regression on what the encoder gives, and then train "
            "the whole network: with few labels the better way to use a pretrained encoder"
        ),
    )

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0, on the cosine schedule."""
        return self.learning_rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2

    def schedulers(self) -> list[keras.callbacks.Callback]:
        """The callback that sets the learning rate of every epoch, if it is not constant."""
        import keras

        cosine = self.schedule == "cosine"
        return [keras.callbacks.LearningRateScheduler(self.rate)] if cosine else []


def _patch(text: str) -> tuple[int, int]:
    rows, _, frames = text.partition("x")
    try:
        return int(rows), int(frames)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"takes ROWSxFRAMES, as in 20x4; received {text!r}"
        ) from None


def _check_patch(patch: tuple[int, int]) -> None:
    if min(patch) < 1:
        raise UsageError(f"a patch needs 1 row and 1 frame or more; received {patch}.")


@dataclasses.dataclass(frozen=True)
class AutoencoderSettings(TrainingSettings):
    """How an autoencoder is trained.

    Convergence: a unit (or the whole autoencoder, where `patience` is given) has converged when
    `patience` epochs in a row have not brought its loss below `1 - min_improvement` times the
    lowest one before; on the validation split where there is one, else in training. It never gets
    more than `epochs`. The weights of the last epoch are kept.

    Attributes:
        epochs: how many; when stacked, at most so many for each unit. 0 leaves the network as it
            was initialised.
        objective: one of `zoo.training.objectives.OBJECTIVES`.
        stack: None trains all units at once. `"strong"` and `"weak"` train the outermost unit
            until it converges, insert the next one inside, and so on; strong stacking freezes the
            units trained before, weak stacking trains them further.
        patience: epochs without improvement; None: 5 when stacked, else no early end.
        min_improvement: share of the loss that counts as an improvement.
        corrupt: what to change in the input and not in the target, for
            `zoo.data.sets.augmentation.parse` (a denoising autoencoder); None: nothing.
        masked: share of the input's patches that is hidden and that alone is compared (a masked
            autoencoder); None: nothing is hidden.
        patch: rows and frames of a patch.
        sparse: factor on the sum of the code's magnitudes.
        contractive: factor on the squared Frobenius norm of the code's Jacobian.
    """

    epochs: int = again(TrainingSettings, "epochs", check=at_least(0))
    objective: str = option(
        "euclidean",
        choices=OBJECTIVES,
        metavar="NAME",
        help=(
            "Error to minimise: euclidean (squared), scale_invariant, "
            "spectral_convergence or cosine"
        ),
    )
    stack: str | None = option(
        None,
        choices=STACKINGS,
        help=(
            "Train one unit after another. strong: units trained before are frozen; "
            "weak: they are trained further"
        ),
    )
    patience: int | None = option(
        None,
        metavar="N",
        check=Rule("1 or more epochs", lambda epochs: epochs >= 1),
        help=(
            "Number of epochs without improvement after which training ends; with "
            "--stack, the training of a unit"
        ),
        shown=f"{PATIENCE} with --stack",
    )
    min_improvement: float = option(
        0.001,
        metavar="F",
        check=Rule("from 0 to below 1", lambda share: 0 <= share < 1),
        help="Smallest relative decrease of the loss that counts as an improvement",
    )
    corrupt: str | None = option(
        None,
        metavar="LIST",
        help=(
            "Augmentations, as for --augment, of the input alone; a denoising "
            "autoencoder learns to undo them"
        ),
    )
    masked: float | None = option(
        None,
        metavar="F",
        check=Rule("above 0 and below 1", lambda share: 0 < share < 1),
        help=(
            "Share of the input's patches to hide; the error then counts the hidden patches alone"
        ),
    )
    patch: tuple[int, int] = option(
        (20, 4),
        metavar="ROWSxFRAMES",
        parse=_patch,
        check=_check_patch,
        help="Size of a patch",
        shown="20x4",
    )
    sparse: float = option(
        0.0, metavar="F", check=at_least(0), help="Penalty on the code's magnitudes", shown=""
    )
    contractive: float = option(
        0.0, metavar="F", check=at_least(0), help="Penalty on the code's squared Jacobian", shown=""
    )
