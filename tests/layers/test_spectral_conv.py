"""SpectralConv2D computes what keras.layers.Conv2D does, however it is lowered."""

from itertools import product

import keras
import numpy as np
import pytest

from tests.helpers import reference
from tests.helpers.harness import check_layer
from zoo.layers import SpectralConv2D

RNG = np.random.default_rng(0)
# (F, T, C); one kernel is wider and one higher than the map.
SIZES = [(9, 6, 1), (9, 6, 3), (5, 1, 2)]
KERNELS = [(1, 1), (3, 3), (4, 2), (2, 5), (4, 6), (3, 8), (7, 9), (11, 4), (9, 3), (9, 6), (5, 1)]
GRID = [
    (size, kernel, padding)
    for size, kernel, padding in product(SIZES, KERNELS, ["same", "valid"])
    if padding == "same" or (kernel[0] <= size[0] and kernel[1] <= size[1])
]


def lowerings(size, kernel, padding):
    spans = padding == "valid" and kernel[0] == size[0]
    return ["auto", "banded", *(["spanning"] if spans else [])]


def pair(size, kernel, lowering, **arguments):
    """The layer and keras.layers.Conv2D with one set of weights."""
    layer = SpectralConv2D(4, kernel, lowering=lowering, **arguments)
    ordinary = keras.layers.Conv2D(4, kernel, **arguments)
    for each in (layer, ordinary):
        each.build((None, *size))
    layer.set_weights([RNG.standard_normal(w.shape) for w in ordinary.get_weights()])
    ordinary.set_weights(layer.get_weights())
    return layer, ordinary


def maps(size, batch=2):
    return RNG.standard_normal((batch, *size)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def assert_close(result, expected):
    np.testing.assert_allclose(numpy(result), numpy(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "kernel", "padding"), GRID)
def test_every_lowering_equals_the_loop(size, kernel, padding):
    for lowering in lowerings(size, kernel, padding):
        layer, _ = pair(size, kernel, lowering, padding=padding, use_bias=False)
        x = maps(size)
        expected = reference.correlate(x, layer.get_weights()[0], padding)
        result = layer(x)
        assert tuple(result.shape) == layer.compute_output_shape(x.shape) == expected.shape
        assert_close(result, expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("size", "kernel", "padding"), GRID)
def test_every_lowering_equals_conv2d(size, kernel, padding, stride):
    for lowering in lowerings(size, kernel, padding):
        layer, ordinary = pair(
            size, kernel, lowering, padding=padding, strides=(stride, 1), activation="tanh"
        )
        x = maps(size)
        assert_close(layer(x), ordinary(x))


def test_a_map_worked_by_hand():
    x = np.array([[1, 2, 3], [4, 5, 6]], "float32").reshape(1, 2, 3, 1)
    kernel = np.array([[1, 10], [100, 1000]], "float32").reshape(2, 2, 1, 1)
    for lowering in ("banded", "spanning"):
        layer = SpectralConv2D(1, 2, lowering=lowering)
        layer.build(x.shape)
        layer.set_weights([kernel, np.array([0.5])])
        np.testing.assert_allclose(numpy(layer(x)).ravel(), [5421.5, 6532.5])


@pytest.mark.parametrize(
    ("size", "kernel", "arguments", "expected"),
    [
        ((201, 16, 1), (8, 16), {"padding": "same"}, "banded"),
        ((201, 16, 1), (3, 3), {}, "banded"),
        ((201, 16, 8), (3, 3), {}, "none"),
        ((22, 2, 32), (8, 2), {"padding": "same"}, "banded"),
        ((201, 16, 8), (8, 8), {}, "banded"),
        ((201, 16, 8), (8, 7), {}, "none"),
        ((201, 16, 8), (201, 3), {}, "spanning"),
        ((201, 16, 8), (201, 3), {"padding": "same"}, "none"),
        ((201, 16, 1), (8, 16), {"lowering": "none"}, "none"),
        ((201, 16, 1), (8, 16), {"strides": (1, 2)}, "none"),
        ((201, 16, 1), (8, 16), {"dilation_rate": (2, 1)}, "none"),
        ((201, 16, 2), (8, 16), {"groups": 2}, "none"),
        ((201, None, 1), (8, 16), {}, "none"),
    ],
)
def test_the_way_is_chosen_by_shape(size, kernel, arguments, expected):
    assert SpectralConv2D(4, kernel, **arguments)._lowered(*size) == expected


@pytest.mark.parametrize("arguments", [{"strides": 2}, {"dilation_rate": 2}, {"groups": 2}])
def test_what_cannot_be_lowered_still_convolves(arguments):
    layer, ordinary = pair((9, 6, 2), (3, 3), "auto", **arguments)
    x = maps((9, 6, 2))
    assert_close(layer(x), ordinary(x))


@pytest.mark.tensorflow
@pytest.mark.parametrize("lowering", ["auto", "banded", "spanning"])
def test_gradients_equal_conv2d(lowering):
    import tensorflow as tf

    layer, ordinary = pair((9, 6, 3), (9, 4), lowering, activation="tanh")
    x = tf.constant(maps((9, 6, 3)))
    results = []
    for each in (layer, ordinary):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(each(x) ** 2)
        results.append(tape.gradient(loss, [x, each.kernel.value, each.bias.value]))
    for result, expected in zip(*results, strict=True):
        assert_close(result, expected)


@pytest.mark.parametrize(
    ("lowering", "kernel"), [("banded", (4, 5)), ("spanning", (9, 3)), ("none", (4, 5))]
)
def test_layer_contract(lowering, kernel, tmp_path):
    """Saved, cloned, trained with and without XLA, in mixed precision, on batches of any size."""

    def make(**kwargs):
        return SpectralConv2D(4, kernel, lowering=lowering, strides=(2, 1), **kwargs)

    check_layer(make, lambda layer, symbols: layer(symbols[0]), [maps((9, 6, 3), 4)], tmp_path)


def test_weights_are_conv2ds():
    layer, ordinary = pair((9, 6, 3), (4, 5), "auto")
    assert [w.shape for w in layer.weights] == [w.shape for w in ordinary.weights]
    assert [w.name for w in layer.weights] == [w.name for w in ordinary.weights]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lowering": "fast"}, "one of auto, banded, spanning, none; received 'fast'"),
        ({"lowering": "banded", "strides": 2}, r"strides=\(2, 2\).* Use lowering='auto'"),
        ({"lowering": "spanning"}, r"kernel as high as the map .* kernel_size=\(3, 3\).* F=9"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralConv2D(4, 3, **arguments)(maps((9, 6, 1)))
