"""How much of its input an autoencoder still reconstructs without its code."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    import keras

PARTS = ("code", "decoder")
CODE = "code"


@dataclasses.dataclass(frozen=True)
class Leak:
    """What remains of reconstructions when a network is mangled.

    Attributes:
        outputs: outputs of the network as it is, (N, ...).
        mangled: outputs of the mangled network, (N, ...).
        correlation: maximal normalised cross-correlation of each input and what its own output
            has beyond the mean output, (N,).
        mangled_correlation: the same of the mangled network's.
        share: share of the correlations' sum that survives: 0 of a network that passes nothing by
            its code, about 1 of one that needs no code at all.
    """

    outputs: np.ndarray
    mangled: np.ndarray
    correlation: np.ndarray
    mangled_correlation: np.ndarray
    share: float


def mangled(model: keras.Model, part: str = "code") -> keras.Model:
    """A copy of an autoencoder whose code, or whose first decoding convolution, gives zeros.

    A convolution that gives zeros is one whose filters and biases are zero. The encoder and its
    switches stay as they are, with a tied decoder too. Switches can leak only where a bias turns
    zeros into something before they are unpooled: a code of zeros takes two units, a first
    convolution of zeros three.

    Args:
        model: an autoencoder of the zoo, or another one with a layer `code`.
        part: `"code"` or `"decoder"`.

    Raises:
        UsageError: no such part, or a model without a code or a convolution after it.

    Reference: Churchman (2015), section 6.5.2 and figure A.1 (`"decoder"`); Riemens (2015),
    section 4.2.2 and figure 3 (`"code"`).
    """
    import keras

    if part not in PARTS:
        raise UsageError(f"part must be one of {', '.join(PARTS)}; received {part!r}.")
    if CODE not in [layer.name for layer in model.layers]:
        raise UsageError(
            f"{model.name} has no layer {CODE!r}: it is not an autoencoder of the zoo."
        )
    gone = {"passed": False, "done": False}

    def call(layer, *args, **kwargs):
        out = layer(*args, **kwargs)
        decodes = gone["passed"] and bool(layer.weights) and not gone["done"]
        gone["passed"] |= layer.name == CODE
        if (layer.name == CODE) if part == "code" else decodes:
            gone["done"] = True
            return keras.ops.zeros_like(out)
        return out

    copy = keras.models.clone_model(model, call_function=call)
    if not gone["done"]:
        raise UsageError(f"{model.name} has no convolution after its code.")
    copy.set_weights(model.get_weights())
    return copy


def leak(model: keras.Model, inputs: np.ndarray, part: str = "code") -> Leak:
    """Measure what an autoencoder reconstructs of inputs without its code.

    Args:
        model: as `mangled` takes it.
        inputs: centred, (N, ...), at least two.
        part: as `mangled` takes it.

    Raises:
        UsageError: as `mangled`, or there are fewer than two inputs.

    Example:
        >>> autoencoder = zoo.build("freq_fullpad_ae")
        >>> inputs = np.random.default_rng(0).normal(size=(2, 201, 16, 1))
        >>> zoo.inversion.leak(autoencoder, inputs).mangled_correlation.shape
        (2,)
    """
    from zoo.evaluation.measures import normalised_cross_correlation
    from zoo.evaluation.runs import predict

    if len(inputs) < 2:
        raise UsageError(f"a leak is measured on two inputs or more; received {len(inputs)}.")
    outputs, without = predict(model, inputs), predict(mangled(model, part), inputs)
    found = [normalised_cross_correlation(inputs, own_part(x)) for x in (outputs, without)]
    whole = found[0].sum()
    share = float(found[1].sum() / whole) if whole > 0 else 0.0
    return Leak(outputs, without, found[0], found[1], share)


def own_part(outputs: np.ndarray) -> np.ndarray:
    """Outputs less their mean, since what all have in common says nothing about a single input.

    Differences that are mere rounding are set to zero.
    """
    axes = tuple(range(1, outputs.ndim))
    own = outputs - outputs.mean(axis=0, dtype="float64")
    lengths, whole = (np.sqrt(np.sum(np.square(x), axis=axes)) for x in (own, outputs))
    own[lengths <= 1e-4 * whole] = 0
    return own
