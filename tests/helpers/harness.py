"""What every layer of the zoo must survive, given one with no argument at its default."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

COMMON = {"self", "args", "kwargs", "name", "dtype", "trainable"}


def check_layer(
    make: Callable[..., keras.layers.Layer],
    wire: Callable[[keras.layers.Layer, list[Any]], Any],
    inputs: list[np.ndarray],
    tmp_path,
) -> None:
    """Run every check below.

    `make(**kwargs)` returns the layer with non-default arguments, `wire(layer, tensors)` a
    floating output of calling it on symbolic inputs like the arrays `inputs`.
    """
    layer = make()
    check_config(layer)

    def model_of(layer):
        symbols = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
        return keras.Model(symbols, wire(layer, symbols))

    model = model_of(layer)
    perturb(model)
    check_revived(model, model_of, layer, inputs)
    check_copies(model, inputs, tmp_path)
    for jit_compile in (False, keras.backend.backend() != "torch"):
        check_training_step(model_of(make()), inputs, jit_compile)
    check_mixed_precision(make, model_of, inputs)
    check_batches(model, inputs)


def check_config(layer) -> None:
    """Every argument is in the config, and none at its default, which would hide a lost one."""
    config = layer.get_config()
    for name, parameter in inspect.signature(type(layer).__init__).parameters.items():
        if name in COMMON:
            continue
        assert name in config, f"{type(layer).__name__}.get_config() lacks {name}"
        if parameter.default is not inspect.Parameter.empty:
            default = parameter.default
            assert config[name] != default, f"the harness needs {name} other than {default!r}"


def check_revived(model, model_of, layer, inputs) -> None:
    config = keras.saving.serialize_keras_object(layer)
    revived = keras.saving.deserialize_keras_object(config)
    assert revived.get_config() == layer.get_config()
    twin = model_of(revived)
    twin.set_weights(model.get_weights())
    assert_same_output(twin, model, inputs)


def check_copies(model, inputs, tmp_path) -> None:
    path = tmp_path / f"{model.name}.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for copy in (loaded, clone):
        assert copy.count_params() == model.count_params()
        assert len(copy.trainable_variables) == len(model.trainable_variables)
        assert_same_output(copy, model, inputs)


def check_training_step(model, inputs, jit_compile: bool) -> None:
    target = np.ones(model(inputs).shape, "float32")
    model.compile("sgd", "mse", jit_compile=jit_compile)
    frozen = [keras.ops.convert_to_numpy(v).copy() for v in model.non_trainable_variables]
    before = [keras.ops.convert_to_numpy(v).copy() for v in model.trainable_variables]
    loss = model.train_on_batch(inputs, target)
    assert np.isfinite(loss)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert (keras.ops.convert_to_numpy(variable) != old).any(), f"{variable.path} is stuck"
    for old, variable in zip(frozen, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), old)


def check_mixed_precision(make, model_of, inputs) -> None:
    model = model_of(make(dtype="mixed_float16"))
    output = model(inputs)
    assert keras.backend.standardize_dtype(output.dtype) == "float16"
    assert keras.backend.standardize_dtype(model.output.dtype) == "float16"
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    assert np.isfinite(keras.ops.convert_to_numpy(output)).all()


def check_batches(model, inputs) -> None:
    """The batch is unknown when the model is built; promised and given shapes agree."""
    assert model.output_shape[0] is None
    assert tuple(model(inputs).shape[1:]) == model.output_shape[1:]
    whole = keras.ops.convert_to_numpy(model(inputs))
    first = keras.ops.convert_to_numpy(model([x[:1] for x in inputs]))
    np.testing.assert_allclose(first, whole[:1], atol=1e-5)


def perturb(model) -> None:
    """Weights that no initialiser gives, so that a copy which forgot them shows."""
    rng = np.random.default_rng(7)
    model.set_weights([w + rng.normal(size=w.shape).astype(w.dtype) for w in model.get_weights()])


def assert_same_output(model, other, inputs) -> None:
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(inputs)),
        keras.ops.convert_to_numpy(other(inputs)),
        atol=1e-6,
    )
