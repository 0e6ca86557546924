"""What every model must do, because it is listed."""

import inspect
import json

import keras
import numpy as np
import pytest

import zoo
from tests.helpers import examples
from tests.helpers.harness import assert_same_output
from zoo.registry import describe

NAMES = zoo.list_models()


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    keras.utils.set_random_seed(0)
    return zoo.build(request.param)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_parameters_are_those_of_its_record(model):
    assert model.count_params() == describe(model.name).parameters


def test_input_is_that_of_its_record(model):
    card = describe(model.name)
    assert model.input_shape == (None, *card.input_shape)
    assert len(card.axes) == len(card.input_shape)


def test_answers_every_length_and_batch(model):
    for which in range(len(examples.shapes(model.name))):
        x = examples.inputs(model.name, 3, which)
        whole = numpy(model(x))
        assert np.isfinite(whole).all()
        promised = model.output_shape[1:]
        fits = [p in (None, n) for p, n in zip(promised, whole.shape[1:], strict=True)]
        assert all(fits), (promised, whole.shape)
        np.testing.assert_allclose(numpy(model(x[:1])), whole[:1], atol=1e-5)


def test_outputs_are_what_its_record_says(model):
    card, y = describe(model.name), numpy(model(examples.inputs(model.name)))
    if card.outputs is None:
        assert y.shape == examples.inputs(model.name).shape
    else:
        assert y.shape[-1] == card.outputs
        np.testing.assert_allclose(y.sum(-1), 1, atol=1e-5)


def test_survives_saving_cloning_and_its_config(model, tmp_path):
    other = keras.models.clone_model(model)
    examples.set_weights(other)
    path = tmp_path / "model.keras"
    other.save(path)
    from_config = type(other).from_config(json.loads(json.dumps(other.get_config())))
    from_config.set_weights(other.get_weights())
    x = [examples.inputs(model.name)]
    for copy in (keras.saving.load_model(path, safe_mode=True), from_config):
        assert copy.count_params() == model.count_params()
        assert len(copy.trainable_variables) == len(model.trainable_variables)
        assert_same_output(copy, other, x)


def without_dropout(name):
    options = inspect.signature(describe(name).load_builder()).parameters
    keras.utils.set_random_seed(0)
    return zoo.build(name, **({"dropout": 0} if "dropout" in options else {}))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_moves_every_trainable_parameter(name, jit_compile):
    model = without_dropout(name)
    x = examples.inputs(name, 4)
    before = [numpy(v).copy() for v in model.trainable_variables]
    target = np.random.default_rng(0).normal(size=numpy(model(x)).shape).astype("float32")
    # A rate that shows small gradients above the rounding of the weights.
    model.compile(keras.optimizers.SGD(100.0), "mse", jit_compile=jit_compile)
    assert np.isfinite(model.train_on_batch(x, target))
    assert before
    for old, variable in zip(before, model.trainable_variables, strict=True):
        new = numpy(variable)
        assert np.isfinite(new).all(), variable.path
        assert (new != old).any(), f"{variable.path} got no gradient"


@pytest.mark.parametrize("name", NAMES)
def test_runs_in_half_precision(name):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = zoo.build(name)
    finally:
        keras.config.set_dtype_policy(policy)
    assert np.isfinite(numpy(model(examples.inputs(name)))).all()
    assert all(v.dtype == "float32" for v in model.trainable_variables)
