"""Twins of networks: ONNX files that ship beside weights and answer without Keras (`zoo.twins`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import RunError
from zoo.models.recognizers import context
from zoo.runs import Run
from zoo.twins import Twin

from .exportable import exportable
from .onnx import convert

TOLERANCE = 1e-5
"""Largest difference of a twin's probabilities from its network's."""

WORTH_HALVING = 256
"""Size from which on a weight is stored in half precision, if that loses nothing."""

ROUNDING = 2.0**-22
"""Loss that counts as nothing, as a share of a weight's largest number. Half precision has fewer
bits for the smallest numbers, which matter as little as the last bits of the largest in single
precision."""


def add_twin(run: Run) -> float:
    """Add a twin to weights that ship, after checking that it gives the same answers.

    Args:
        run: run folder of a classifier or a recognizer; the folder has a card.

    Returns:
        The largest difference of a probability, which the card says too.

    Raises:
        UsageError: the run's parts do not fit together.
        RunError: ONNX cannot take the network, or the twin's answers differ.
    """
    exportable(run.path)
    around = context(run.model) if run.transcribes and not run.window else None
    content = twin_of(run.model)
    difference = _difference(run, Twin(content, around))
    if not difference <= TOLERANCE:
        raise RunError(
            f"the twin of {run.path} gives probabilities that differ by {difference:.1e}; up to "
            f"{TOLERANCE:g} is allowed."
        )
    run.set_twin(content, around, difference=float(f"{difference:.1e}"))
    return difference


def twin_of(model: Any) -> bytes:
    """An .onnx file's contents for a network of one input and one output.

    Weights are stored one by one as the network has them, so that those that were rounded to half
    precision take half the space: a conversion of constants would multiply them with one another.

    Raises:
        RunError: it has an operation that the standard has not.
    """
    import keras
    import onnx
    import tensorflow as tf

    parts = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    values = [keras.ops.convert_to_numpy(v).astype("float32") for v in variables]
    weights = {f"weight{i}": value for i, value in enumerate(values)}
    specs = [tf.TensorSpec((None, *model.input_shape[1:]), name="input")]
    specs += [tf.TensorSpec(value.shape, name=name) for name, value in weights.items()]

    def network(x, *given):
        answer, _ = model.stateless_call(given[:parts], given[parts:], x, training=False)
        return {"probabilities": answer}

    traced = tf.function(network, input_signature=specs, autograph=False)
    made = onnx.load_from_string(convert(traced))
    _fix_weights(made.graph, weights)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _fix_weights(graph: Any, weights: dict[str, np.ndarray]) -> None:
    """Turn inputs into constants, cast from half precision where that is what they hold."""
    from onnx import TensorProto, helper, numpy_helper

    used = {name for node in graph.node for name in node.input}
    casts = []
    for name, value in weights.items():
        if name not in used:
            continue
        stored = name
        half = value.astype("float16")
        lost = np.abs(half - value).max()
        if value.size >= WORTH_HALVING and lost <= ROUNDING * np.abs(value).max():
            value, stored = half, f"{name}_half"
            casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
        graph.initializer.append(numpy_helper.from_array(value, stored))
    inputs = [given for given in graph.input if given.name not in weights]
    nodes = [*casts, *graph.node]
    del graph.input[:], graph.node[:]
    graph.input.extend(inputs)
    graph.node.extend(nodes)


def _difference(run: Run, twin: Twin) -> float:
    answers = [(run.model.predict_on_batch(x), twin.predict_on_batch(x)) for x in _inputs(run)]
    return max(float(np.abs(ours - other).max()) for ours, other in answers)


def _inputs(run: Run) -> list[np.ndarray]:
    """What a network is given of noise, and noise of a representation's size."""
    frontend, rng = run.frontend, np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 3 * frontend.sample_rate).astype("float32")
    if run.transcribes and not run.window:
        heard = [frontend.recording(noise[:n])[None] for n in (1, len(noise) // 7, len(noise))]
    elif run.transcribes:
        heard = [frontend.recording(noise)[:, : run.window][None]]
    else:
        second = frontend.sample_rate
        segments = [(0, second // 10), (second // 3, second), (2 * second, 2 * second + 9)]
        heard = [
            frontend.of_recording(noise, segments)
            if frontend.needs_recording
            else frontend.examples([noise[a:b] for a, b in segments])
        ]
    scaled = [rng.normal(size=x.shape) * x.std() for x in heard]
    return [x.astype("float32") for x in (*heard, *scaled)]
