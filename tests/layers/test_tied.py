"""One kernel, two directions: the adjoint, what training changes, what copies keep."""

import keras
import numpy as np
import pytest

from tests.helpers import reference
from tests.helpers.harness import check_layer, perturb
from zoo.layers import TiedConv2D, TiedConv2DTranspose

RNG = np.random.default_rng(0)
PLANE = RNG.standard_normal((4, 9, 6, 3)).astype("float32")


def tied_model(conv=None):
    conv = conv or TiedConv2D(5, (4, 3), padding="same", name="tied")
    inputs = keras.Input(PLANE.shape[1:])
    return keras.Model(inputs, TiedConv2DTranspose(conv)(keras.layers.ReLU()(conv(inputs))))


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_layer_contract(tmp_path):
    def make(**kwargs):
        return TiedConv2D(
            5,
            (4, 3),
            padding="same",
            use_bias=False,
            use_reverse_bias=False,
            kernel_initializer="he_normal",
            bias_initializer="ones",
            kernel_regularizer=keras.regularizers.L2(0.01),
            trainable_parts=["kernel"],
            input_channels=3,
            **kwargs,
        )

    def wire(layer, symbols):
        return layer(layer(symbols[0]), reverse=True)

    check_layer(make, wire, [PLANE], tmp_path)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel_size", [(1, 1), (3, 3), (2, 2), (4, 3), (3, 4), (5, 2)])
def test_the_decoder_is_the_exact_adjoint(kernel_size, padding):
    """<A x, y> = <x, A' y> for every x and y, and A is the encoder's convolution."""
    conv = TiedConv2D(5, kernel_size, padding, use_bias=False, use_reverse_bias=False)
    encoded = numpy(conv(PLANE))
    np.testing.assert_allclose(
        encoded, reference.correlate(PLANE, numpy(conv.kernel), padding), atol=1e-4
    )
    other = RNG.standard_normal(encoded.shape).astype("float32")
    decoded = numpy(conv(other, reverse=True))
    assert decoded.shape == PLANE.shape
    np.testing.assert_allclose(
        (encoded * other).sum(), (PLANE * decoded).sum(), rtol=1e-3, atol=1e-2
    )


def test_a_decoder_worked_by_hand():
    """A pulse comes back as the filter; under "same" the even filter's extra row lies in front."""
    conv = TiedConv2D(1, (2, 1), padding="same", input_channels=1)
    pulse = np.zeros((1, 3, 1, 1), "float32")
    pulse[0, 1] = 1
    conv.build(pulse.shape)
    conv.kernel.assign(np.array([10.0, 20.0]).reshape(2, 1, 1, 1))
    np.testing.assert_array_equal(numpy(conv(pulse)).ravel(), [20, 10, 0])
    np.testing.assert_array_equal(numpy(conv(pulse, reverse=True)).ravel(), [0, 10, 20])


def test_the_decoder_is_a_convolution_with_the_flipped_filters():
    conv = TiedConv2D(5, (3, 3), padding="same")
    encoded = numpy(conv(PLANE))
    decoder = TiedConv2DTranspose(conv)
    flipped = numpy(decoder.kernel)
    np.testing.assert_array_equal(flipped[0, 2, 4, 1], numpy(conv.kernel)[2, 0, 1, 4])
    np.testing.assert_allclose(
        numpy(decoder(encoded)), reference.correlate(encoded, flipped, "same"), atol=1e-4
    )


def copies(model, tmp_path):
    model.save(tmp_path / "tied.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    revived = type(model).from_config(model.get_config())
    revived.set_weights(model.get_weights())
    return keras.saving.load_model(tmp_path / "tied.keras", safe_mode=True), clone, revived


def test_copies_stay_tied_while_they_train(tmp_path):
    model = tied_model()
    perturb(model)
    for copy in copies(model, tmp_path):
        assert copy.count_params() == model.count_params() == 4 * 3 * 3 * 5 + 5 + 3
        assert [type(layer) for layer in copy.layers].count(TiedConv2D) == 1
        before = numpy(copy.get_layer("tied").kernel).copy()
        copy.compile("sgd", "mse")
        copy.fit(PLANE, PLANE, epochs=2, verbose=0)
        conv = copy.get_layer("tied")
        assert (numpy(conv.kernel) != before).any()
        code = keras.layers.ReLU()(conv(PLANE))
        np.testing.assert_allclose(numpy(copy(PLANE)), numpy(conv(code, reverse=True)), atol=1e-5)


def test_a_decoder_cloned_without_its_encoder_still_builds():
    model = tied_model()
    conv = model.get_layer("tied")
    code = keras.Input((9, 6, 5))
    decoder = keras.Model(code, conv(code, reverse=True))
    clone = keras.models.clone_model(decoder)
    clone.set_weights(decoder.get_weights())
    given = RNG.standard_normal((2, 9, 6, 5)).astype("float32")
    np.testing.assert_allclose(numpy(clone(given)), numpy(decoder(given)), atol=1e-6)


@pytest.mark.parametrize("parts", [("kernel",), ("bias", "reverse_bias"), ("reverse_bias",), ()])
def test_training_changes_the_chosen_parts_alone(parts):
    conv = TiedConv2D(5, 3, padding="same", trainable_parts=parts)
    model = tied_model(conv)
    assert {v.name for v in conv.trainable_variables} == set(parts)
    before = {v.name: numpy(v).copy() for v in conv.variables}
    if parts:
        model.compile("sgd", "mse")
        model.fit(PLANE, PLANE, verbose=0)
    changed = {v.name for v in conv.variables if (numpy(v) != before[v.name]).any()}
    assert changed == set(parts)


def test_thawing_a_model_keeps_the_chosen_parts(tmp_path):
    """Freezing and thawing the whole model must not free a part that was frozen by choice."""
    model = tied_model()
    conv = model.get_layer("tied")
    conv.trainable_parts = ("bias", "reverse_bias")
    model.trainable = False
    assert model.trainable_variables == []
    model.trainable = True
    assert {v.name for v in model.trainable_variables} == {"bias", "reverse_bias"}
    for copy in copies(model, tmp_path):
        assert {v.name for v in copy.trainable_variables} == {"bias", "reverse_bias"}


def test_the_decoder_has_its_own_trainability():
    model = tied_model()
    decoder = TiedConv2DTranspose(model.get_layer("tied"))
    decoder.trainable = False
    assert not decoder.trainable
    assert {v.name for v in model.trainable_variables} == {"kernel", "bias"}
    decoder.trainable = True
    assert decoder.trainable
    assert len(model.trainable_variables) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TiedConv2D(0, 3), "filters must be a positive integer; received 0"),
        (lambda: TiedConv2D(4, 0), "kernel_size must be .* received 0"),
        (lambda: TiedConv2D(4, 3, padding="full"), '"valid" or "same"; received'),
        (
            lambda: TiedConv2D(4, 3, trainable_parts="filters"),
            r"among kernel, bias, reverse_bias; received \('filters',\)",
        ),
        (
            lambda: TiedConv2D(4, 3)(keras.Input((5, 5, 4)), reverse=True),
            "Call it forward first or pass input_channels",
        ),
        (
            lambda: TiedConv2D(4, 3, input_channels=2)(keras.Input((5, 5, 3))),
            r"needs an input of shape \(N, H, W, 2\)",
        ),
        (lambda: TiedConv2D(4, 6)(keras.Input((5, 5, 3))), "The filters must fit"),
        (
            lambda: TiedConv2DTranspose(keras.layers.Conv2D(4, 3)),
            "Replace the encoder's convolution by a TiedConv2D",
        ),
    ],
)
def test_wrong_use_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
