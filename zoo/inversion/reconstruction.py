"""One interface to every way of reconstructing an input from a layer's activity."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data.features import analysis
from zoo.errors import UsageError, nearest
from zoo.evaluation.reconstruction import CONSTANT, output_variation
from zoo.inversion.activity import activity_model, check_inputs, find_layer
from zoo.inversion.annealing import anneal
from zoo.inversion.backend import outputs
from zoo.inversion.decoders import Decoder, train_decoder
from zoo.inversion.descent import Found, descend
from zoo.inversion.priors import Prior, of_errors, regression, smooth
from zoo.inversion.settings import (
    DEFAULT_STEPS,
    METHODS,
    AnnealingSettings,
    DecoderSettings,
    GradientSettings,
)
from zoo.progress import progress_bar
from zoo.seeds import check_seed
from zoo.settings import check

SETTINGS = {
    "gradient": GradientSettings,
    "annealing": AnnealingSettings,
    "decoder": DecoderSettings,
    "decoder+gradient": GradientSettings,
}
"""Method -> class of its settings."""

START = 0.1
"""Standard deviation of the noise that searches start from, in root mean squares of the inputs."""

TRAINING = 2000
"""Most training inputs that a prior is learnt from; of more, some are drawn."""

BATCH = 256
"""Number of inputs that are searched for together."""


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """Inputs reconstructed from one layer's activity.

    Attributes:
        reconstruction: like the inputs, (N, ...) float32.
        error: error of each reconstruction, half the squared Euclidean distance between the
            activity that it causes and the input's, (N,).
        distance: Euclidean distance between each reconstruction and its input, (N,).
        history: what the search minimised, before its first step and as it went on, (steps, N):
            the error and its penalties; of the method `"decoder"` its error alone, (1, N). An
            average's is the mean of its members'.
        factors: the bold driver's factors at the same times, None of other methods.
        layer: name of the layer.
        method: one of `METHODS`.
        start: where the search began, like the inputs; of averages those of their members, one
            after the other, (N * averaged, ...); None of the method `"decoder"`.
        output_variation: variance of what the decoder gave over the inputs, as a share of the
            inputs' own; None without a decoder, or of a single input.
    """

    reconstruction: np.ndarray
    error: np.ndarray
    distance: np.ndarray
    history: np.ndarray
    factors: np.ndarray | None
    layer: str
    method: str
    start: np.ndarray | None
    output_variation: float | None = None

    @property
    def constant_output(self) -> bool:
        """Whether the decoder gave the same output whatever its input."""
        return self.output_variation is not None and self.output_variation < CONSTANT


def reconstruct(
    model: keras.Model,
    layer: str | int,
    inputs: Any,
    method: str = "gradient",
    seed: int = 0,
    *,
    start: Any = None,
    decoder: Decoder | str | Path | None = None,
    training: Any = None,
    deltas: int | Mapping[str, int] = 0,
    averaged: int = 1,
    noise: float = 0.0,
    progress: bool = False,
    **options: Any,
) -> Reconstruction:
    """Reconstruct inputs from their activity in one layer of a network.

    Args:
        model: any functional Keras model of one input.
        layer: name of a layer; or Churchman's number, such as `"L6"`, of a model that has them.
        inputs: what the network takes, centred, (N, F, T, C) if it takes spectrograms.
        method: `"gradient"` descends the error's gradient with respect to the input;
            `"annealing"` changes it at random; `"decoder"` decodes the activity by a network that
            was trained to; `"decoder+gradient"` starts from there.
        seed: decides all that is random: starts, neighbours, noise, a decoder's training.
        start: where searches start, like the inputs; None: near the prior's centre, or noise.
        decoder: what `train_decoder` made, or its folder. Its encoder may be another network than
            `model` (Churchman's is a padded twin). None: it is trained for `model` first.
        training: centred inputs of other examples, (M, ...): a decoder is trained on them, and
            the gradient's prior is learnt from 2000 of them at most. None: a decoder is trained on
            `inputs` themselves, which it has then seen before, and the prior is `"smooth"`.
        deltas: order of the deltas among the input's channels, or the arguments of
            `zoo.layers.Deltas`. Searches change the static channels alone and compute the others.
        averaged: how many reconstructions are averaged, each from a start (and noise) of its own.
        noise: standard deviation of noise that is added to the inputs of every reconstruction.
        progress: show a progress bar on stderr.
        **options: fields of `GradientSettings`, `AnnealingSettings` or `DecoderSettings`;
            of the method `"decoder+gradient"` those of `GradientSettings`.

    Raises:
        UsageError: there is no such layer, method or option; the inputs have a wrong shape, hold
            NaN, or say nothing (silence); a decoder is of another layer, or the layer has none.

    Reference: Churchman (2015), section 6.

    Example:
        >>> model = zoo.build("freq_overlap")
        >>> inputs = np.random.default_rng(0).normal(size=(2, 201, 16, 1))
        >>> result = zoo.inversion.reconstruct(model, "L6", inputs, steps=3)
        >>> result.reconstruction.shape == inputs.shape, result.error.shape
        (True, (2,))
    """
    if method not in METHODS:
        raise UsageError(
            f"method must be one of {', '.join(METHODS)}; received {method!r}. "
            + nearest(str(method), METHODS, "method")
        )
    settings = _settings(method, options)
    name = find_layer(model, layer)
    deltas = _deltas(deltas)
    whole = activity_model(model, name)
    inputs = check_inputs(inputs, whole.input_shape, model.name)
    if isinstance(averaged, bool) or not isinstance(averaged, int) or averaged < 1:
        raise UsageError(f"averaged must be a whole number from 1 on; received {averaged!r}.")
    check_seed(seed)
    if not isinstance(noise, numbers.Real) or not float(noise) >= 0:
        raise UsageError(f"noise must be 0 or more; received {noise!r}.")
    searching, decoding = method != "decoder", method.startswith("decoder")
    if averaged > 1 and not noise and (decoding or start is not None):
        raise UsageError(
            f"the {averaged} reconstructions would all be the same: give noise above 0."
        )
    if start is not None:
        if decoding:
            raise UsageError(f"the method {method!r} starts from what it decodes; omit start.")
        start = check_inputs(start, whole.input_shape, model.name, silence=True)
        if start.shape != inputs.shape:
            raise UsageError(f"start is {start.shape}, but the inputs are {inputs.shape}.")
    if decoding:
        decoder = _decoder(decoder, model, name, inputs, training, seed, settings, progress)

    rng = np.random.default_rng(seed)
    scale = float(np.sqrt(np.mean(np.square(inputs, dtype="float64"))))
    seen = np.repeat(inputs, averaged, axis=0)
    if noise:
        seen = seen + rng.normal(0, noise, seen.shape).astype("float32")
    target = outputs(whole, seen)
    network = activity_model(model, name, deltas)
    variation = None
    if isinstance(decoder, Decoder):
        start = decoder(seen)
        variation = output_variation(seen, start) if len(seen) > 1 else None
    elif start is not None:
        start = np.repeat(start, averaged, axis=0)
    prior = None
    if isinstance(settings, GradientSettings):
        centre = np.zeros_like(seen) if start is None else start
        prior = _prior(settings, whole, centre, target, training, decoder, scale, seed)
    if searching:
        first = start
        if prior is not None:
            prior = prior.around(prior.centre[..., : network.input_shape[-1]])
            first = np.zeros_like(prior.centre)
            if start is None:
                first = rng.normal(0, START, first.shape).astype("float32")
        elif start is None:
            first = start = rng.normal(0, START * scale, seen.shape).astype("float32")
        found = _search(network, target, first, settings, scale, seed, prior, progress)
        best = _with_deltas(found.inputs, deltas)
        if prior is not None and start is None:
            start = _with_deltas(np.asarray(prior.inputs(first, prior.centre)), deltas)
    else:
        best, found = start, None
    best = best.reshape(-1, averaged, *best.shape[1:]).mean(axis=1)
    if averaged > 1:
        target = outputs(whole, inputs)
    reached = outputs(whole, best)
    error = 0.5 * np.sum((reached - target).reshape(len(best), -1).astype("float64") ** 2, axis=1)
    distance = np.linalg.norm((best - inputs).reshape(len(best), -1), axis=1)

    def members(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), -1, averaged).mean(axis=2)

    return Reconstruction(
        best.astype("float32"),
        error,
        distance,
        error[None] if found is None else members(found.history),
        None if found is None or found.factors is None else members(found.factors),
        name,
        method,
        start if searching else None,
        variation,
    )


def _settings(method: str, options: dict[str, Any]) -> Any:
    fields = [field.name for field in dataclasses.fields(SETTINGS[method])]
    for option in options:
        if option not in fields:
            raise UsageError(
                f"the method {method!r} has no option {option!r}. "
                + nearest(option, fields, "option")
            )
    settings = SETTINGS[method](**options)
    check(settings)
    return settings


def _deltas(deltas: int | Mapping[str, int]) -> dict[str, int]:
    """All arguments of the deltas, empty without any."""
    if isinstance(deltas, int) and not deltas:
        return {}
    try:
        given = {"order": deltas} if isinstance(deltas, int) else dict(deltas)
        return dataclasses.asdict(analysis.Deltas(**given))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"deltas must be 0, 1 or 2, or the arguments of zoo.layers.Deltas; received "
            f"{deltas!r} ({error})"
        ) from None


def _prior(settings, whole, centre, target, training, decoder, scale, seed) -> Prior | None:
    """The prior that the settings ask for, of all channels."""
    kind = settings.prior
    free = isinstance(decoder, Decoder) or not centre.any()
    if kind is None and settings.optimizer != "lbfgs":
        kind = "none"
    elif kind is None:
        kind = "smooth" if training is None or not free else "training"
    if kind == "none":
        return None
    if kind == "smooth":
        return smooth(centre, scale)
    if training is None or not free:
        raise UsageError(
            "the prior 'training' needs training inputs, and starts from what they tell: give "
            "training and omit start, or choose the prior 'smooth'."
        )
    examples = check_inputs(training, whole.input_shape, whole.name, silence=True)
    if examples.shape[1:] != centre.shape[1:] or len(examples) < 2:
        raise UsageError(
            f"training must be two inputs or more of {centre.shape[1:]}; received {examples.shape}."
        )
    examples = training_examples(examples, seed)
    if isinstance(decoder, Decoder):
        return of_errors(centre, examples - decoder(examples))
    found = regression(outputs(whole, examples), examples)
    return of_errors(found.estimate(target), found.errors)


def training_examples(examples: Any, seed: int) -> np.ndarray:
    """As many examples (N, ...) as a prior is learnt from, drawn by the seed, in their order."""
    drawn = np.random.default_rng(seed).permutation(len(examples))[:TRAINING]
    return np.asarray(examples[np.sort(drawn)])


def _with_deltas(inputs: np.ndarray, deltas: Mapping[str, int]) -> np.ndarray:
    if not deltas:
        return inputs
    from zoo.layers import Deltas

    return keras.ops.convert_to_numpy(Deltas(**deltas)(inputs))


def _decoder(decoder, model, name, inputs, training, seed, settings, progress) -> Decoder:
    if isinstance(decoder, (str, Path)):
        decoder = Decoder.load(decoder)
    if decoder is None:
        settings = settings if isinstance(settings, DecoderSettings) else DecoderSettings()
        data = inputs if training is None else training
        return train_decoder(model, name, data, settings, seed, progress=progress)
    if not isinstance(decoder, Decoder):
        raise UsageError(
            f"decoder must be what train_decoder made, or its folder; received {decoder!r}."
        )
    if decoder.layer != name or decoder.shape != inputs.shape[1:]:
        raise UsageError(
            f"the decoder is for the layer {decoder.layer} and inputs of {decoder.shape}; "
            f"asked for was {name} and the inputs are {inputs.shape[1:]}."
        )
    return decoder


def _search(network, target, start, settings, scale, seed, prior, progress) -> Found:
    """Search for all inputs, a batch at a time."""
    channels = network.input_shape[-1]
    parts = []
    count = -(-len(start) // BATCH)
    steps = settings.steps or DEFAULT_STEPS[settings.optimizer]
    with progress_bar(count * steps, "step", network.name, shown=progress) as bar:
        for number in range(count):
            part = slice(number * BATCH, (number + 1) * BATCH)
            given = start[part][..., :channels]

            def tick(done, before=number * steps):
                bar.update(before + done - bar.n)

            if isinstance(settings, AnnealingSettings):
                draw = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
                found = anneal(network, target[part], given, settings, draw, tick)
            else:
                about = prior and prior.around(prior.centre[part])
                found = descend(network, target[part], given, settings, scale, tick, about)
            parts.append(found)
    factors = [part.factors for part in parts if part.factors is not None]
    return Found(
        np.concatenate([part.inputs for part in parts]),
        _joined([part.history for part in parts]),
        _joined(factors) if factors else None,
    )


def _joined(histories: list[np.ndarray]) -> np.ndarray:
    """Side by side; those that ended earlier go on with their last entries."""
    longest = max(map(len, histories))
    padded = [np.pad(h, ((0, longest - len(h)), (0, 0)), mode="edge") for h in histories]
    return np.concatenate(padded, axis=1)
