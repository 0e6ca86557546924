"""The lowered convolution of spectrograms against the plain one, and its exact adjoint."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.helpers.reference import correlate
from zoo.layers import SpectralConv2D
from zoo.ops.convolution import banded_conv, banding_pays, conv, conv_transpose

CASES = [
    (padding, (height, width), frames, channels)
    for padding in ("same", "valid")
    for frames in (1, 2, 9, 16)
    for width in (1, 2, 3, 8, 16)
    for height, channels in ((4, 2), (5, 2), (4, 1))
    if width <= frames
]


@pytest.mark.parametrize(("padding", "size", "frames", "channels"), CASES)
def test_convolution_and_its_adjoint(padding, size, frames, channels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, frames, channels)).astype("float32")
    kernel = rng.normal(size=(*size, channels, 3)).astype("float32")
    encoded = ops.convert_to_numpy(conv(x, kernel, padding))
    np.testing.assert_allclose(encoded, correlate(x, kernel, padding), atol=1e-4)
    y = rng.normal(size=encoded.shape).astype("float32")
    decoded = ops.convert_to_numpy(conv_transpose(y, kernel, padding))
    assert decoded.shape == x.shape
    np.testing.assert_allclose((decoded * x).sum(), (y * encoded).sum(), rtol=1e-4, atol=1e-3)
    plain = ops.conv_transpose(y, kernel, padding=padding)
    np.testing.assert_allclose(decoded, ops.convert_to_numpy(plain), atol=1e-4)


@pytest.mark.parametrize(
    ("width", "frames", "channels", "outputs", "pays"),
    [
        (16, 16, 64, 16, True),
        (8, 16, 8, 16, True),
        (8, 16, 9, 16, False),
        (3, None, 1, 1, False),
        (1, 16, 1, 16, True),
        (5, 16, 8, 1, True),
        (5, 16, 8, 2, False),
    ],
)
def test_banding_pays_for_wide_kernels_over_few_channels(width, frames, channels, outputs, pays):
    assert banding_pays(width, frames, channels, outputs) is pays


def test_by_hand():
    x = np.array([1, 2, 3], "float32").reshape(1, 1, 3, 1)
    kernel = np.array([10, 1], "float32").reshape(1, 2, 1, 1)
    # Frame t is 10 x[t] + x[t + 1], with a zero after the last one.
    out = banded_conv(x, kernel, before=0, out_frames=3)
    assert np.ravel(ops.convert_to_numpy(out)).tolist() == [12, 23, 30]


@pytest.mark.parametrize("strides", [1, (2, 1)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_layer_is_the_plain_layer(padding, strides):
    x = np.random.default_rng(0).normal(size=(2, 13, 8, 3)).astype("float32")
    plain = keras.layers.Conv2D(4, (5, 8), strides, padding, bias_initializer="ones")
    lowered = SpectralConv2D(4, (5, 8), strides=strides, padding=padding, lowering="banded")
    expected = ops.convert_to_numpy(plain(x))
    lowered.build(x.shape)
    lowered.set_weights(plain.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(lowered(x)), expected, atol=1e-4)
