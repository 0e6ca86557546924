"""Settings of reconstruction: every option of a search or a decoder, readable without Keras."""

from __future__ import annotations

import dataclasses

from zoo.settings import above, at_least, option

METHODS = ("gradient", "annealing", "decoder", "decoder+gradient")
OPTIMIZERS = ("lbfgs", "bold", "adam")
PRIORS = ("training", "smooth", "none")
DECODER_OBJECTIVES = ("normalised", "euclidean")
DECODER_SCHEDULES = ("cosine", "constant")
DEFAULT_STEPS = {"lbfgs": 40, "bold": 300, "adam": 300}


@dataclasses.dataclass(frozen=True)
class GradientSettings:
    """How an input is found by its gradient.

    Attributes:
        optimizer: `"lbfgs"` is L-BFGS, each input with steps of its own. `"bold"` is gradient
            descent with the bold driver: each input's rate is multiplied by a factor that starts
            at 1, grows by 1.01 after every step that lowered its error and shrinks by 0.9 after
            every one that raised it; below 0.005 the input is done. `"adam"` is Adam.
        prior: what inputs are like before their activity is seen. `"training"`: training inputs
            tell; the search starts at what a ridge regression makes of the activity, and goes
            where that errs on the training inputs. `"smooth"`: neighbouring elements are alike;
            the search starts at the mean input, or at the given or decoded start. `"none"`:
            anything. None: of L-BFGS `"training"` where there are training inputs and nothing
            else to start from, otherwise `"smooth"`; of the other optimisers `"none"`.
        steps: iterations, at most; None: 40 of L-BFGS, 300 of the others.
        learning_rate: that the bold driver's factor applies to, or Adam's. None: of the bold
            driver the inverse of the steepest curvature of each input's error at its start, so
            that one setting serves all layers; of Adam 0.03 of the inputs' scale.
        l2: weight of half the input's squared Euclidean norm, added to the error; None: 1e-4
            without a prior, which takes its place, otherwise 0.
        total_variation: weight of the sum of absolute differences between neighbouring elements
            along the first two axes of an example.

    Reference: Churchman (2015), section 6.4 (the bold driver).
    """

    optimizer: str = option("lbfgs", choices=OPTIMIZERS, help="Optimiser of the search")
    prior: str | None = option(
        None,
        choices=PRIORS,
        help="Assumption about inputs. training: like training inputs; smooth: alike from frame to "
        "frame and bin to bin; none",
        shown="training if there are training inputs, else smooth; none for bold and adam",
    )
    steps: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help="Largest number of steps of a search",
        shown="40; for bold and adam 300",
    )
    learning_rate: float | None = option(None, check=above(0), help="Learning rate")
    l2: float | None = option(
        None,
        metavar="F",
        check=at_least(0),
        help="Penalty on the input's squared length",
        shown="0; without a prior 1e-4",
    )
    total_variation: float = option(
        0.0, metavar="F", check=at_least(0), help="Penalty on the input's roughness"
    )


@dataclasses.dataclass(frozen=True)
class AnnealingSettings:
    """How an input is found by simulated annealing.

    Attributes:
        steps: neighbours tried for each input.
        band: rows (of waveforms samples) that a neighbour differs in.
        amplitude: largest change of an element. Churchman's 0.05 is about the standard deviation
            of the spectrograms that he used; scale it for others.
        temperature: at the start, from which it falls linearly to 0; None: a thousandth of each
            input's error at its start.

    Reference: Churchman (2015), section 6.3.
    """

    steps: int = option(5000, metavar="N", check=at_least(1), help="Number of neighbours tried")
    band: int = option(10, check=at_least(1), help="Number of rows that a neighbour differs in")
    amplitude: float = option(0.05, check=above(0), help="Largest change of an element")
    temperature: float | None = option(
        None, check=at_least(0), help="Temperature at the start", shown="by each input's error"
    )


@dataclasses.dataclass(frozen=True)
class DecoderSettings:
    """How a decoder is trained.

    Attributes:
        epochs: number of epochs of each stage, and of the whole afterwards.
        batch_size: examples a step.
        learning_rate: learning rate of Adam.
        objective: `"normalised"` is 1 less the cosine between estimate and target, plus half
            their squared distance as a share of the target's squared length: silence is the worst
            answer there is, for soft examples as for loud ones. `"euclidean"` is the thesis' half
            squared distance.
        schedule: schedule of the learning rate over each stage: `"cosine"` lets it fall to 0.

    Reference: Churchman (2015), sections 6.5.3 to 6.5.5, who gives no figures.
    """

    epochs: int = option(5, metavar="N", check=at_least(1), help="Epochs of each stage")
    batch_size: int = option(32, check=at_least(1), help="Number of examples per step")
    learning_rate: float = option(2e-3, check=above(0), help="Learning rate of Adam")
    objective: str = option(
        "normalised", choices=DECODER_OBJECTIVES, help="What a decoder minimises"
    )
    schedule: str = option(
        "cosine", choices=DECODER_SCHEDULES, help="Schedule of the learning rate of a stage"
    )
