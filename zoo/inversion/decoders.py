"""Decoders: networks trained to undo a given encoder, up to any of its layers."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import RunError, UsageError
from zoo.evaluation.reconstruction import output_variation
from zoo.files import make_folder, read_json, replacing, write_json
from zoo.inversion.activity import activity_model, check_inputs, find_layer
from zoo.inversion.backend import outputs
from zoo.inversion.settings import DecoderSettings
from zoo.layers import BlindUpsampling2D, SwitchPooling2D, TiedConv2D
from zoo.progress import progress_bar
from zoo.runs import load
from zoo.settings import check
from zoo.startup import set_random_seed
from zoo.training.fitting import build_optimizer

FILE_NAME = "decoder.keras"
RECORD_NAME = "decoder.json"
ENCODER, DECODER = "encoder", "decoder"

TINY = 1e-6
"""Added to squared lengths to avoid a division by 0."""

VARIED = 256
"""Training inputs, at most, over which a decoder's output variation is measured."""

EARLIER = {"objective": "euclidean", "schedule": "constant"}
"""Settings of decoders written by earlier versions, whose record does not name them."""


class Decoder:
    """A decoder with its encoder: called on inputs, it encodes and then decodes them.

    Attributes:
        layer: name of the encoder's layer that it decodes.
        autoencoder: Keras model (N, ...) -> (N, ...) of two parts, `encoder` and `decoder`.
        losses: mean training loss of each epoch, by the stage that it trained.
        output_variation: as `zoo.evaluation.reconstruction` has it, over some of the training
            inputs; None before the training has ended, or of a single input.
    """

    def __init__(
        self,
        layer: str,
        autoencoder: keras.Model,
        losses: dict[str, list[float]] | None = None,
        output_variation: float | None = None,
    ) -> None:
        self.layer = layer
        self.autoencoder = autoencoder
        self.losses = losses or {}
        self.output_variation = output_variation

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return tuple(self.autoencoder.input_shape[1:])

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Centred inputs (N, ...) -> their reconstructions."""
        return outputs(self.autoencoder, np.asarray(inputs))

    def save(self, folder: str | Path, record: dict[str, Any] | None = None) -> None:
        """Write `decoder.keras` and `decoder.json`.

        Args:
            folder: created if it is not there.
            record: further entries of the JSON file.

        Raises:
            RunError: they cannot be written.
        """
        folder = make_folder(folder)
        with replacing(folder / FILE_NAME) as temporary:
            self.autoencoder.save(temporary)
        about = {
            "layer": self.layer,
            "losses": self.losses,
            "output_variation": self.output_variation,
            **(record or {}),
        }
        write_json(folder / RECORD_NAME, about)

    @classmethod
    def load(cls, folder: str | Path) -> Decoder:
        """Read what `save` wrote.

        Raises:
            UsageError: there is no decoder in `folder`, or its training has not ended.
        """
        folder = Path(folder)
        if not (folder / RECORD_NAME).is_file():
            raise UsageError(f"{folder} holds no decoder (no {RECORD_NAME}).")
        record = read_json(folder / RECORD_NAME)
        if record.get("stages_left"):
            raise UsageError(
                f"the training of the decoder in {folder} has not finished; the same "
                "command resumes it."
            )
        model = load(folder / FILE_NAME)
        return cls(record["layer"], model, record["losses"], record.get("output_variation"))


@dataclasses.dataclass
class _Stage:
    """Layers of an encoder from one with weights up to the next one, and the map before them."""

    number: int
    before: Any
    layers: list[keras.layers.Layer] = dataclasses.field(default_factory=list)

    @property
    def activation(self) -> Any:
        """That of the stage, None without one."""
        for layer in self.layers:
            activation = getattr(layer, "activation", None)
            if activation not in (None, keras.activations.linear):
                return activation
        return None


def build_decoder(encoder: keras.Model) -> tuple[keras.Model, list[_Stage]]:
    """An untrained decoder for an encoder that is a chain of layers.

    Poolings are undone by blind upsampling, convolutions by transposed ones and fully-connected
    layers by fully-connected ones, both with weights of their own. Where the encoder's map came
    out of an activation, so does the decoder's.

    Args:
        encoder: encoder of convolutions (stride 1), activations, max poolings and fully-connected
            layers.

    Returns:
        The decoder, activity -> input, and the encoder's stages. The layer `stage2` gives the
        estimate of what went into the encoder's second stage.

    Raises:
        UsageError: a layer of the encoder is of another kind, or its layers are not a chain.
    """
    stages = _stages(encoder)
    inputs = x = keras.Input(encoder.output_shape[1:], name="activity")
    for stage in reversed(stages):
        if stage is not stages[-1] and stage.activation is not None:
            x = keras.layers.Activation(stage.activation, name=f"act{stage.number}")(x)
        for layer in reversed(stage.layers):
            x = _inverse(layer, x)
        x = keras.layers.Identity(name=f"stage{stage.number}")(x)
    return keras.Model(inputs, x, name=DECODER), stages


def _stages(encoder: keras.Model) -> list[_Stage]:
    stages: list[_Stage] = []
    last = encoder.inputs[0]
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        _check_invertible(layer, layer.input is last)
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense, TiedConv2D)):
            stages.append(_Stage(len(stages) + 1, last))
        elif not stages:
            raise UsageError(
                "a decoder requires a convolution or a fully-connected layer, and "
                f"{layer.name} comes before the first."
            )
        stages[-1].layers.append(layer)
        last = layer.output[0] if isinstance(layer.output, (list, tuple)) else layer.output
    return stages


def _check_invertible(layer: keras.layers.Layer, chained: bool) -> None:
    kinds = (
        keras.layers.Conv2D,
        TiedConv2D,
        keras.layers.Dense,
        keras.layers.Activation,
        keras.layers.ReLU,
        keras.layers.MaxPooling2D,
        SwitchPooling2D,
        keras.layers.Flatten,
        keras.layers.Dropout,
        keras.layers.Identity,
    )
    plain = isinstance(layer, kinds)
    if isinstance(layer, keras.layers.Conv2D):
        plain = (
            layer.strides == (1, 1)
            and layer.dilation_rate == (1, 1)
            and layer.groups == 1
            and layer.padding in ("same", "valid")
        )
    if not plain or not chained:
        reason = f"is a {type(layer).__name__}" if not plain else "does not follow on the last one"
        raise UsageError(
            "decoders are built for chains of convolutions of stride 1, activations, max poolings "
            f"and fully-connected layers; {layer.name} {reason}. Use the method 'gradient'."
        )


def _inverse(layer: Any, x: Any) -> Any:
    """What undoes one layer of the encoder, called on `x`."""
    name = f"un{layer.name}"
    shape = tuple(layer.input.shape[1:])
    if isinstance(layer, (keras.layers.MaxPooling2D, SwitchPooling2D)):
        return BlindUpsampling2D(
            layer.pool_size, layer.strides, layer.padding, output_size=shape[:2], name=name
        )(x)
    if isinstance(layer, (keras.layers.Conv2D, TiedConv2D)):
        inverse = TiedConv2D(
            layer.filters,
            layer.kernel_size,
            layer.padding,
            use_bias=False,
            input_channels=shape[-1],
            name=name,
        )
        return inverse(x, reverse=True)
    if isinstance(layer, keras.layers.Dense):
        return keras.layers.Dense(shape[-1], name=name)(x)
    if isinstance(layer, keras.layers.Flatten):
        return keras.layers.Reshape(shape, name=name)(x)
    return x


def train_decoder(
    model: keras.Model,
    layer: str | int,
    training: Any,
    settings: DecoderSettings = DecoderSettings(),
    seed: int = 0,
    out: str | Path | None = None,
    *,
    progress: bool = False,
) -> Decoder:
    """Train a decoder for one layer of a network, which does not change.

    The innermost stage is trained first, with the input of the encoder's own stage as target. The
    next one outwards then learns from what the inner ones decode. Finally all are trained together.

    Args:
        model: whose layers up to `layer` are the encoder: a chain such as the zoo's classifiers.
        layer: as `find_layer` takes it.
        training: centred inputs, (M, ...), held in memory.
        settings: how.
        seed: random seed of the first weights and the order of examples.
        out: folder to keep the decoder in. One that was finished there with the same encoder,
            examples and settings is read instead; an interrupted one resumes at its stage.
        progress: show a progress bar on stderr.

    Raises:
        UsageError: the layer has no decoder, the inputs do not fit, or `out` holds another one.
        RunError: the training failed, or `out` cannot be written.

    Reference: Churchman (2015), section 6.5.
    """
    check(settings)
    name = find_layer(model, layer)
    network = activity_model(model, name)
    training = check_inputs(training, network.input_shape, model.name, silence=True)
    # A copy: freezing it must not freeze the caller's network.
    encoder = keras.models.clone_model(network)
    encoder.set_weights(network.get_weights())
    encoder.trainable = False
    # What a stage's target is must be found among the copy's own tensors.
    set_random_seed(seed)
    decoder, stages = build_decoder(encoder)
    inputs = keras.Input(encoder.input_shape[1:])
    encoder.name, decoder.name = ENCODER, DECODER
    whole = keras.Model(inputs, decoder(encoder(inputs)), name=f"{model.name}_{name}_decoder")
    result = Decoder(name, whole)

    plan = [f"stage{stage.number}" for stage in reversed(stages)]
    plan += ["whole"] if len(stages) > 1 else []
    record = {
        "model": model.name,
        "settings": {**dataclasses.asdict(settings), "seed": seed},
        "encoder": _digest(encoder.get_weights()),
        "examples": _digest([training]),
    }
    done = _resume(result, record, out)
    steps = -(-len(training) // settings.batch_size) * settings.epochs
    with progress_bar((len(plan) - done) * steps, "batch", whole.name, shown=progress) as bar:
        for number, part in enumerate(plan[done:], done + 1):
            trained = None if part == "whole" else int(part.removeprefix("stage"))
            target = stages[(trained or 1) - 1].before
            losses = _train(
                encoder, decoder, trained, target, training, settings, [seed, number], bar
            )
            result.losses[part] = losses
            if part == plan[-1] and len(training) > 1:
                some = training[:VARIED]
                result.output_variation = output_variation(some, result(some))
            if out is not None:
                result.save(out, {**record, "stages_left": plan[number:]})
    decoder.trainable = True
    return result


def _train(encoder, decoder, trained, target, training, settings, seed, bar) -> list[float]:
    """Train one stage, or all of them if `trained` is None; gives each epoch's mean loss."""
    _thaw(decoder, trained)
    reached = decoder.get_layer(f"stage{trained or 1}").output
    estimate = keras.Model(decoder.inputs[0], reached)(encoder.output)
    loss = _distance(settings.objective, target, estimate)
    model = keras.Model(encoder.inputs[0], ops.expand_dims(loss, -1))
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        steps = -(-len(training) // settings.batch_size) * settings.epochs
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(rate), lambda _, value: ops.squeeze(value, -1))
    build_optimizer(model)
    set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
    history = model.fit(
        training,
        np.zeros((len(training), 1), "float32"),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=[tick],
        verbose=0,
    )
    losses = [float(value) for value in history.history["loss"]]
    if not np.isfinite(losses).all():
        raise RunError("the decoder's loss became NaN; try a smaller learning_rate.")
    return losses


def _distance(objective: str, target: Any, estimate: Any) -> Any:
    """What a decoder minimises, of each example, (N,)."""
    axes = tuple(range(1, len(target.shape)))
    squared = ops.sum(ops.square(estimate - target), axis=axes)
    if objective == "euclidean":
        return 0.5 * squared
    powers = [ops.sum(ops.square(x), axis=axes) + TINY for x in (target, estimate)]
    product = ops.sum(estimate * target, axis=axes)
    return 1 - product / ops.sqrt(powers[0] * powers[1]) + 0.5 * squared / powers[0]


def _thaw(decoder: keras.Model, stage: int | None) -> None:
    """Let training change one stage, or all if None."""
    current = 0
    decoder.trainable = True
    for layer in reversed(decoder.layers):
        if layer.name.startswith("stage"):
            current = int(layer.name.removeprefix("stage"))
        if layer.weights:
            layer.trainable = stage in (None, current)


def _resume(result: Decoder, record: dict[str, Any], out: str | Path | None) -> int:
    """Take up what is in `out`, if anything is; gives the number of parts that are done."""
    if out is None or not (Path(out) / RECORD_NAME).is_file():
        return 0
    found = read_json(Path(out) / RECORD_NAME)
    # Training resumes by the objective it began with; a decoder that is there is taken as it is.
    unnamed = EARLIER if found.get("stages_left") else {k: record["settings"][k] for k in EARLIER}
    found["settings"] = {**unnamed, **found.get("settings", {})}
    differing = [key for key in record if found.get(key) != record[key]]
    if differing or found["layer"] != result.layer:
        raise UsageError(
            f"{out} holds another decoder (other {', '.join(differing or ['layer'])}); choose "
            "another folder or remove it."
        )
    result.autoencoder.set_weights(load(Path(out) / FILE_NAME).get_weights())
    result.losses = found["losses"]
    result.output_variation = found.get("output_variation")
    return len(found["losses"])


def _digest(arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
