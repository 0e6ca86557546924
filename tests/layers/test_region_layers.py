"""The pooling layers inside models: saving, cloning, training, refusals."""

import keras
import numpy as np
import pytest

from tests.helpers import reference
from tests.helpers.harness import check_layer
from zoo import layers

WINDOW = {"pool_size": (5, 2), "strides": (2, 1), "padding": "same"}
SEQUENCE = {"pool_size": 3, "strides": 2, "padding": "same"}
RNG = np.random.default_rng(0)
PLANE = RNG.standard_normal((4, 9, 6, 3)).astype("float32")
LINE = RNG.standard_normal((4, 9, 3)).astype("float32")
POOLED_PLANE = RNG.standard_normal((4, 5, 6, 3)).astype("float32")
POOLED_LINE = RNG.standard_normal((4, 5, 3)).astype("float32")


def offsets(values, count):
    return RNG.integers(0, count, values.shape).astype("int32")


LAYERS = {
    "SwitchPooling2D": (WINDOW, [PLANE]),
    "SwitchPooling1D": (SEQUENCE, [LINE]),
    "SwitchUnpooling2D": (
        {**WINDOW, "output_size": (9, 6), "overlap": "mean"},
        [POOLED_PLANE, offsets(POOLED_PLANE, 10)],
    ),
    "SwitchUnpooling1D": (
        {**SEQUENCE, "output_size": (9,), "overlap": "sum"},
        [POOLED_LINE, offsets(POOLED_LINE, 3)],
    ),
    "BlindUpsampling2D": ({**WINDOW, "output_size": (9, 6)}, [POOLED_PLANE]),
    "BlindUpsampling1D": ({**SEQUENCE, "output_size": (9,)}, [POOLED_LINE]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_contract(name, tmp_path):
    arguments, inputs = LAYERS[name]

    def make(**kwargs):
        return getattr(layers, name)(**arguments, **kwargs)

    def wire(layer, symbols):
        if len(symbols) == 2:
            return layer(symbols)
        # A weight before the layer, so that the training step needs the layer's gradient.
        scale = keras.layers.Dense(3, dtype=layer.dtype_policy)
        output = layer(scale(symbols[0]))
        return output[0] if isinstance(output, (list, tuple)) else output

    check_layer(make, wire, inputs, tmp_path)


def test_layers_compute_what_the_loops_define():
    values, switches = layers.SwitchPooling2D(**WINDOW)(PLANE)
    window = (WINDOW["pool_size"], WINDOW["strides"], WINDOW["padding"])
    expected, where = reference.switch_pool(PLANE, *window)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(values), expected)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(switches), where)
    back = layers.SwitchUnpooling2D(**WINDOW, output_size=(9, 6))([POOLED_PLANE, switches])
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(back),
        reference.switch_unpool(POOLED_PLANE, where, *window, (9, 6)),
    )


def test_strides_default_to_the_pool_size():
    assert layers.SwitchPooling2D((3, 2)).strides == (3, 2)


def test_switches_are_int32_under_mixed_precision():
    pooling = layers.SwitchPooling2D(2, dtype="mixed_float16")
    values, switches = pooling(keras.Input((6, 4, 1)))
    assert (values.dtype, switches.dtype) == ("float16", "int32")


def test_pooling_splits_between_an_encoder_and_a_decoder():
    """As a stacked autoencoder is taken apart: switches cross from one model to another."""
    inputs = keras.Input((9, 6, 3))
    encoder = keras.Model(inputs, layers.SwitchPooling2D(2)(inputs))
    values, switches = keras.Input((4, 3, 3)), keras.Input((4, 3, 3), dtype="int32")
    unpool = layers.SwitchUnpooling2D(2, output_size=(9, 6))
    decoder = keras.Model([values, switches], unpool([values, switches]))
    out = keras.ops.convert_to_numpy(decoder(encoder(PLANE)))
    assert (out[:, 8] == 0).all()
    kept = out != 0
    np.testing.assert_array_equal(out[kept], PLANE[kept])
    assert kept.sum() == 4 * 4 * 3 * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: layers.SwitchPooling2D(2)(keras.Input((6, 4))),
            r"SwitchPooling2D needs inputs of shape \(N, H, W, C\); received \(None, 6, 4\)",
        ),
        (
            lambda: layers.SwitchPooling1D(2)(keras.Input((6, 4, 1))),
            r"SwitchPooling1D needs inputs of shape \(N, L, C\)",
        ),
        (
            lambda: layers.SwitchPooling2D(2)(keras.Input((None, 4, 1))),
            "must be known when the operation is built",
        ),
        (
            lambda: layers.SwitchPooling2D(5)(keras.Input((6, 4, 1))),
            r"received an input of size \(6, 4\) and pool_size=\(5, 5\)",
        ),
        (
            lambda: layers.SwitchUnpooling2D(2, output_size=(6, 4))(keras.Input((3, 2, 1))),
            r"called on \[values, switches\]",
        ),
        (
            lambda: layers.BlindUpsampling2D(2, output_size=(6, 4))(keras.Input((2, 2, 1))),
            r"\(6, 4\) has \(3, 2\) regions .* for \(2, 2\) regions. Pass the spatial shape",
        ),
        (
            lambda: layers.SwitchUnpooling2D(2, output_size=(6, 4))(
                [keras.Input((3, 2, 3)), keras.Input((3, 2, 1), dtype="int32")]
            ),
            "values and switches must have one shape",
        ),
        (
            lambda: layers.BlindUpsampling2D(2, output_size=6),
            r"output_size must be .* received \(6,\)",
        ),
    ],
)
def test_wrong_use_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
