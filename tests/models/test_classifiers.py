"""The phone classifiers' map sizes, other input shapes, and what wrong arguments answer."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError

MAPS = {
    "time": {"conv1": (1, 14), "pool1": (1, 7), "conv2": (1, 5), "pool2": (1, 2)},
    "freq_large": {"conv1": (162, 1), "pool1": (81, 1), "conv2": (74, 1), "pool2": (37, 1)},
    "freq": {"conv1": (194, 1), "pool1": (97, 1), "conv2": (90, 1), "pool2": (45, 1)},
    "freq_fullpad": {
        "conv1": (201, 16),
        "pool1": (99, 8),
        "conv2": (99, 8),
        "pool2": (48, 4),
        "conv3": (48, 4),
        "pool3": (22, 2),
        "conv4": (22, 2),
        "pool4": (1, 1),
    },
    "freq_overlap": {
        "conv1": (194, 1),
        "pool1": (95, 1),
        "conv2": (88, 1),
        "pool2": (42, 1),
        "conv3": (35, 1),
        "pool3": (16, 1),
    },
    "freq_overlap_pad": {
        "conv1": (201, 16),
        "pool1": (99, 8),
        "pool2": (48, 4),
        "pool3": (22, 2),
    },
    "conv2d": {"pool1": (99, 8), "pool2": (48, 4), "pool3": (22, 2), "pool4": (1, 1)},
}
DEPTHS = {
    "time": (2, 2),
    "freq_large": (2, 2),
    "freq": (2, 2),
    "freq_fullpad": (4, 3),
    "freq_overlap": (3, 4),
    "freq_overlap_pad": (3, 4),
}
FIRST_FILTERS = {"time": (201, 3), "freq_large": (40, 16), "freq": (8, 16), "freq_fullpad": (8, 16)}


@pytest.mark.parametrize("name", MAPS)
def test_map_sizes(name):
    model = zoo.build(name)
    sizes = {layer: model.get_layer(layer).output.shape[1:3] for layer in MAPS[name]}
    assert sizes == MAPS[name]


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_that_of_table_2(name):
    layers = zoo.build(name).layers
    convolutions = [x for x in layers if isinstance(x, keras.layers.Conv2D)]
    dense = [x for x in layers if isinstance(x, keras.layers.Dense)]
    assert (len(convolutions), len(dense)) == DEPTHS[name]


@pytest.mark.parametrize("name", FIRST_FILTERS)
def test_first_filters(name):
    assert zoo.build(name).get_layer("conv1").kernel_size == FIRST_FILTERS[name]


def test_freq_fullpad_has_eight_filters_first_and_an_activation_after_each_pooling():
    names = [layer.name for layer in zoo.build("freq_fullpad").layers]
    assert zoo.build("freq_fullpad").get_layer("conv1").filters == 8
    assert names[:5] == ["spectrogram", "conv1", "pool1", "act1", "conv2"]
    assert names[-6:] == ["code", "dropout", "fc1", "fc2", "fc3", "probabilities"]


def test_freq_overlap_has_churchmans_layers_in_his_order():
    names = [layer.name for layer in zoo.build("freq_overlap").layers]
    counted = [n for n in names if n not in ("spectrogram", "code", "dropout", "probabilities")]
    taken = {number: counted[number - 1] for number in (1, 3, 6, 9, 12)}
    assert taken == {1: "conv1", 3: "pool1", 6: "pool2", 9: "pool3", 12: "fc2"}
    model = zoo.build("freq_overlap")
    assert model.get_layer("fc2").activation is keras.activations.linear


@pytest.mark.parametrize("name", zoo.list_models(family="classifier"))
@pytest.mark.parametrize("frames", [25, 17])
def test_builds_for_other_prepared_shapes(name, frames):
    model = zoo.build(name, input_shape=(201, frames, 1))
    x = np.random.default_rng(0).normal(size=(2, 201, frames, 1)).astype("float32")
    assert model(x).shape == (2, 48)


@pytest.mark.parametrize("name", zoo.list_models(family="classifier"))
def test_logits_are_the_probabilities_logarithms(name):
    model = zoo.build(name)
    logits = zoo.build(name, classifier_activation=None)
    logits.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")
    np.testing.assert_allclose(keras.ops.softmax(logits(x)), model(x), atol=1e-5)


@pytest.mark.parametrize("name", ["time", "freq", "freq_overlap", "freq_fullpad", "freq_best"])
def test_too_small_an_input_is_told(name):
    with pytest.raises(UsageError, match=r"does not fit an input of \(6, 2, 1\): \w+ needs a map"):
        zoo.build(name, input_shape=(6, 2, 1))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"padding": "sane"}, r"padding must be one of 'same', 'valid'.*mean 'same'"),
        ({"activation": "rellu"}, r"activation must be one of .*received 'rellu'.*'relu'"),
        ({"order": 1}, r"order must be one of 'pool_act', 'act_pool'; received 1"),
        ({"dropout": 1.0}, r"dropout must be the dropped share, from 0 to below 1; received 1.0"),
        ({"dropout": "half"}, r"dropout must be the dropped share"),
        ({"classes": 0}, r"classes must be a whole number from 1 on; received 0"),
        (
            {"classifier_activation": "soft"},
            r"classifier_activation must be None \(logits\), 'softmax' or 'sigmoid'",
        ),
        ({"filters": (8, 16)}, r"kernel_sizes must hold 2 pairs"),
        ({"filters": 8}, r"filters must be a sequence of whole numbers"),
        ({"dense_units": (0,)}, r"dense_units must be a sequence of whole numbers"),
        ({"pool_sizes": ((5, 2), 2, 2, 2)}, r"pool_sizes must hold 4 pairs \(frequency, time\)"),
        ({"input_shape": (201, 16)}, r"input_shape must be \(F, T, C\) in whole numbers from 1"),
        ({"input_shape": (201, None, 1)}, r"input_shape must be \(F, T, C\).*received \(201, None"),
        ({"input_shape": "201"}, r"input_shape must be"),
    ],
)
def test_wrong_values_are_told(overrides, message):
    with pytest.raises(UsageError, match=f"^freq_fullpad: {message}"):
        zoo.build("freq_fullpad", **overrides)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_other_activations(activation):
    model = zoo.build("freq_fullpad", activation=activation)
    assert model.get_layer("act1").activation is keras.activations.get(activation)
    assert model.get_layer("fc1").activation is keras.activations.get(activation)


def test_batch_normalization_follows_every_convolution():
    plain = zoo.build("freq_fullpad")
    model = zoo.build("freq_fullpad", normalization="batch")
    names = [layer.name for layer in model.layers]
    for unit in range(1, 5):
        assert names.index(f"norm{unit}") == names.index(f"conv{unit}") + 1
    # Scale, shift, mean and variance of 8 + 16 + 32 + 64 filters.
    assert model.count_params() == plain.count_params() + 4 * 120
    with pytest.raises(UsageError, match=r"normalization must be one of None, 'batch'.*Did you"):
        zoo.build("freq_fullpad", normalization="bacth")


def test_freq_best_is_no_more_than_four_times_as_large_as_freq_fullpad():
    best, fullpad = zoo.describe("freq_best"), zoo.describe("freq_fullpad")
    assert best.parameters <= 4 * fullpad.parameters
