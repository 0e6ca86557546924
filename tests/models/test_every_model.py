"""What every model must do, because it is listed."""

import json

import keras
import numpy as np
import pytest

import zoo
from tests.helpers import examples
from tests.helpers.harness import assert_same_output
from tests.helpers.probes import probe
from tests.helpers.probes.steps import changes
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


@pytest.fixture(scope="module")
def by_xla(tmp_path_factory):
    """Name -> `changes` by a compiled step, from a process whose XLA optimises less."""
    found = {name: {} for name in NAMES}
    folder = tmp_path_factory.mktemp("steps")
    for key, array in probe(keras.backend.backend(), folder, "steps")["steps"].items():
        name, _, path = key.partition(":")
        found[name][path] = array
    return found


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_moves_every_trainable_parameter(name, jit_compile, request):
    if jit_compile:
        added = dict(request.getfixturevalue("by_xla")[name])
    else:
        added = changes(name, jit_compile=False)
    assert np.isfinite(added.pop("loss"))
    assert added
    for path, change in added.items():
        assert np.isfinite(change).all(), path
        assert change.any(), f"{path} got no gradient"


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
