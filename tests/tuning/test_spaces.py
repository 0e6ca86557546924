"""Search spaces: around every model, without impossible shapes, within a budget."""

import inspect
import json

import keras_tuner
import numpy as np
import pytest

import zoo
from tuning.costs import latency_ms, multiply_adds
from tuning.families import FAMILIES
from tuning.settings import Budget
from tuning.spaces import Space
from zoo.errors import UsageError

SEARCHED = [n for n in zoo.list_models() if zoo.describe(n).builder in FAMILIES]
SMALL = (40, 8, 1)


def space_of(name, **options):
    card = zoo.describe(name)
    return Space(name, card.input_shape, card.outputs and 48, **options)


def drawn(space, seed):
    hp = space.hyperparameters()
    for number, entry in enumerate(hp.space):
        hp.values[entry.name] = entry.random_sample(1000 * seed + number)
    return hp.values


def test_every_family_that_is_asked_for_has_a_space():
    families = {zoo.describe(name).family for name in SEARCHED}
    assert {"classifier", "recognizer", "autoencoder", "digits"} <= families
    assert {"time", "freq_fullpad", "conv2d", "freq_best", "freq_fullpad_ae"} <= set(SEARCHED)


@pytest.mark.parametrize("name", SEARCHED)
def test_the_first_configuration_is_the_model_itself(name):
    card, space = zoo.describe(name), Space(name, zoo.describe(name).input_shape)
    configuration = space.configuration(space.hyperparameters())
    assert space.build(configuration).count_params() == card.parameters
    defaults = inspect.signature(card.load_builder()).parameters
    for argument, value in configuration.overrides.items():
        own = card.config.get(argument, defaults[argument].default)
        if argument != "input_shape":
            assert json.loads(json.dumps(value)) == json.loads(json.dumps(own)), argument


@pytest.mark.parametrize("name", ["time", "freq_fullpad", "conv2d", "freq_best", "conv2d_ae"])
def test_what_is_not_refused_can_be_built(name):
    space = Space(name, SMALL, None if name.endswith("_ae") else 5)
    accepted = refused = 0
    for seed in range(12):
        values = drawn(space, seed)
        if space.problem(values) is None:
            configuration = space.configuration_of(values)
            x = np.zeros((2, *SMALL), "float32")
            output = np.asarray(space.build(configuration)(x))
            assert output.shape == (x.shape if name.endswith("_ae") else (2, 5))
            accepted += 1
        else:
            with pytest.raises(UsageError):
                space.build(space.configuration_of(values))
            refused += 1
    assert accepted
    assert accepted + refused == 12


@pytest.mark.parametrize("name", ["tdnn", "tdnn_ae", "crnn_frames", "crnn_frames_ae"])
def test_every_network_of_a_recognizers_space_answers_for_every_frame(name):
    space = Space(name, (24, None, 1), None if name.endswith("_ae") else 5)
    x = np.zeros((2, 24, 9, 1), "float32")
    varied = set()
    for seed in range(8):
        values = drawn(space, seed)
        assert space.problem(values) is None
        configuration = space.configuration_of(values)
        varied.add(repr(configuration.overrides))
        output = np.asarray(space.build(configuration)(x))
        assert output.shape == (x.shape if name.endswith("_ae") else (2, 9, 5))
    assert len(varied) == 8


def test_networks_that_know_marks_are_told_of_them():
    marked = Space("tdnn_segments", (40, 20, 2), 5, marked=True)
    model = marked.build(marked.configuration(marked.hyperparameters()))
    assert model.get_layer("split_mark").output[1].shape == (None, 20)
    others = Space("freq_fullpad", (40, 20, 2), 5, marked=True)
    assert "mark" not in others.configuration(others.hyperparameters()).overrides


def test_a_budget_is_kept_before_anything_is_trained():
    space = Space("freq_fullpad", SMALL, 5)
    values = space.hyperparameters().values | {"units": 1}
    model = space.build(space.configuration_of(values))
    parameters, adds = model.count_params(), multiply_adds(model)
    for budget, message in [
        (Budget(max_params=parameters - 1), f"{parameters:,} parameters, more than"),
        (Budget(max_multiply_adds=adds - 1), f"{adds:,} multiply-adds, more than"),
        (Budget(max_latency_ms=1e-6), "ms an example, more than 1e-06"),
    ]:
        assert message in Space("freq_fullpad", SMALL, 5, budget).problem(values)
    fitting = Budget(max_params=parameters, max_multiply_adds=adds, max_latency_ms=1e6)
    assert Space("freq_fullpad", SMALL, 5, fitting).problem(values) is None


def test_an_impossible_space_says_what_stands_in_the_way():
    space = Space("freq_fullpad", SMALL, 5, Budget(max_params=10), only=["dropout"])
    with pytest.raises(UsageError, match=r"no network .* can be tried.*parameters, more than 10"):
        space.first()


def test_the_first_network_within_a_budget_is_found():
    whole = Space("freq_fullpad", SMALL, 5)
    assert whole.first().overrides["filters"] == (8, 16, 32, 64)
    small = Space("freq_fullpad", SMALL, 5, Budget(max_params=8000))
    assert small.build(small.first()).count_params() <= 8000


def test_a_space_can_be_narrowed():
    space = Space(
        "freq_fullpad", SMALL, 5, narrowed={"dropout": [0.25, 0.5]}, only=["units", "dropout"]
    )
    record = {hp["name"]: hp for hp in space.record()}
    assert record["dropout"]["values"] == [0.25, 0.5]
    assert record["units"]["values"] == [1, 2, 3, 4, 5]
    assert [n for n, hp in record.items() if "values" in hp or "min_value" in hp] == [
        "units",
        "dropout",
    ]
    assert record["learning_rate"] == {"name": "learning_rate", "value": 0.01}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["dropuot"]}, r"no hyperparameter 'dropuot'\. Did you mean 'dropout'"),
        ({"narrowed": {"unit": [1]}}, "Did you mean 'units'"),
        ({"narrowed": {"units": ["many"]}}, "are invalid"),
    ],
)
def test_a_wrong_narrowing_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Space("freq_fullpad", SMALL, 5, **options)


def test_a_model_without_a_space_names_those_with_one():
    with pytest.raises(
        UsageError, match=r"no search space for denoiser; there are for .*freq_best"
    ):
        Space("denoiser", (None, 1))


def test_multiply_adds_are_those_counted_by_hand():
    # 5x3 "same" convolution of 8x6x2 to 4 filters; transposed 3x3, stride 2, back to 1 channel.
    import keras

    inputs = keras.Input((8, 6, 2))
    x = keras.layers.Conv2D(4, (5, 3), padding="same")(inputs)  # 8*6 places * 5*3*2*4
    x = keras.layers.MaxPooling2D(2)(x)  # 4x3x4
    x = keras.layers.Conv2DTranspose(1, 3, strides=2)(x)  # 4*3 places * 3*3*4*1
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))  # 9*7*1 inputs * 7
    model = keras.Model(inputs, x)
    assert model.layers[-2].output.shape[1] == 63
    assert multiply_adds(model) == 48 * 120 + 12 * 36 + 63 * 7
    assert latency_ms(model, runs=3) > 0

    steps = keras.Input((12, 5))
    x = keras.layers.Bidirectional(keras.layers.GRU(4))(steps)  # three gates of 5+4 inputs each
    assert multiply_adds(keras.Model(steps, x)) == 2 * 12 * 3 * 4 * (5 + 4)


@pytest.mark.parametrize("name", ["freq_fullpad_ae", "freq_overlap_pad_ae"])
def test_a_layer_that_encodes_and_decodes_counts_twice(name):
    encoder = multiply_adds(zoo.load_encoder(name, weights=None))
    for decoder in ("tied", "free", "transpose_init"):
        assert multiply_adds(zoo.build(name, decoder=decoder)) == 2 * encoder


def test_limits_must_be_positive():
    with pytest.raises(UsageError, match="--max-params must be above 0; received 0"):
        Budget(max_params=0)


def test_a_keras_tuner_script_can_use_a_space(tmp_path):
    from tuning import ZooHyperModel

    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 32)
    # Class 1 has its energy in the upper bins.
    x = rng.normal(size=(64, 20, 4, 1)).astype("float32")
    x[labels == 1, 10:] += 3
    few = {"units": [2, 3]}  # of which the first fits, and the second does not
    space = Space("freq_fullpad", (20, 4, 1), 2, narrowed=few, only=["dropout", "dense_units"])
    tuner = keras_tuner.RandomSearch(
        ZooHyperModel(space),
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=3,
        max_consecutive_failed_trials=9,
        seed=1,
        directory=tmp_path,
        project_name="search",
    )
    tuner.search(x, labels, validation_data=(x, labels), epochs=4, batch_size=16, verbose=0)
    states = {t.status for t in tuner.oracle.trials.values()}
    assert "COMPLETED" in states
    assert {"COMPLETED", "FAILED"} >= states
    assert tuner.oracle.get_best_trials()[0].score > 0.9
