"""What autoencoders reconstruct without their code, beside networks with weights of zero."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.inversion import leak, mangled
from zoo.inversion.leakage import own_part

SHAPE = (48, 8, 1)


def autoencoder(unpooling, decoder="free", units=2):
    keras.utils.set_random_seed(3)
    model = zoo.build(
        "freq_fullpad_ae",
        units=units,
        unpooling=unpooling,
        decoder=decoder,
        input_shape=SHAPE,
        pool_sizes=((5, 2),) * 3,
        pool_strides=((2, 2),) * 3,
        filters=(4, 6, 6),
        kernel_sizes=((5, 3),) * 3,
    )
    # Biases as training leaves them: what is unpooled by switches is not zero without a code.
    for layer in model.layers:
        for weight in layer.weights:
            if "bias" in weight.name:
                weight.assign(weight + 0.3)
    return model


def inputs(count=6):
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype("float32")


@pytest.mark.parametrize("unpooling", ["switch", "blind"])
def test_a_mangled_decoder_is_one_with_filters_and_biases_of_zero(unpooling):
    model = autoencoder(unpooling)
    expected = keras.models.clone_model(model)
    expected.set_weights(model.get_weights())
    first = expected.get_layer("deconv2")
    for weight in first.weights:
        weight.assign(0.0 * weight)
    found = mangled(model, "decoder")
    np.testing.assert_allclose(found(inputs()), expected(inputs()), atol=1e-6)
    assert np.abs(np.asarray(found(inputs())) - np.asarray(model(inputs()))).max() > 1e-3


def test_a_mangled_code_is_a_decoder_that_is_given_zeros():
    model = autoencoder("blind")
    at = [layer.name for layer in model.layers].index("code")
    x = code = keras.Input(model.layers[at].output.shape[1:])
    for layer in model.layers[at + 1 :]:
        x = layer(x, reverse=True) if layer.name.startswith("deconv") else layer(x)
    decoder = keras.Model(code, x)
    expected = decoder(np.zeros((6, *decoder.input_shape[1:]), "float32"))
    np.testing.assert_allclose(mangled(model)(inputs()), expected, atol=1e-6)


def test_a_tied_decoder_is_mangled_and_its_encoder_is_not():
    model = autoencoder("switch", "tied")
    found = mangled(model, "decoder")
    codes = [keras.Model(m.input, m.get_layer("code").output)(inputs()) for m in (model, found)]
    np.testing.assert_array_equal(*codes)
    assert (np.asarray(found(inputs())) != np.asarray(model(inputs()))).any()


@pytest.mark.parametrize(("part", "units"), [("code", 2), ("decoder", 3)])
def test_switches_leak_and_blind_upsampling_does_not(part, units):
    models = (autoencoder(unpooling, units=units) for unpooling in ("switch", "blind"))
    switch, blind = (leak(model, inputs(), part) for model in models)
    # Untrained, but part of the picture passes by the code.
    assert switch.share > 0.2
    assert blind.share == 0
    assert (blind.mangled == blind.mangled[:1]).all()


def test_switches_need_another_layer_to_leak():
    """A single unit unpools nothing but zeros, and a constant is left."""
    assert leak(autoencoder("switch", units=1), inputs()).share == 0
    assert leak(autoencoder("switch", units=2), inputs(), "decoder").share == 0


def test_the_share_is_that_of_the_summed_correlations():
    found = leak(autoencoder("switch"), inputs())
    x = inputs()
    expected = []
    for outputs in (found.outputs, found.mangled):
        own = outputs - outputs.mean(axis=0)
        best = []
        for a, b in zip(x[..., 0], own[..., 0], strict=True):
            # All lags, as the Fourier transform of four times the size has them.
            sizes = [2 * n for n in a.shape]
            spectrum = np.conj(np.fft.fft2(a, sizes)) * np.fft.fft2(b, sizes)
            largest = np.fft.ifft2(spectrum).real.max()
            best.append(largest / np.linalg.norm(a) / np.linalg.norm(b))
        expected.append(best)
    np.testing.assert_allclose(found.correlation, expected[0], rtol=1e-4)
    np.testing.assert_allclose(found.mangled_correlation, expected[1], rtol=1e-4)
    assert found.share == pytest.approx(np.sum(expected[1]) / np.sum(expected[0]), rel=1e-4)


def test_what_all_outputs_share_is_no_leak():
    np.testing.assert_array_equal(own_part(np.full((3, 4, 2, 1), 0.7, "float32")), 0)


def test_models_without_a_code_are_refused():
    with pytest.raises(UsageError, match="no layer 'code'"):
        mangled(zoo.build("denoiser"))
    with pytest.raises(UsageError, match="part must be one of code, decoder; received 'encoder'"):
        mangled(autoencoder("blind"), "encoder")
    with pytest.raises(UsageError, match="two inputs or more; received 1"):
        leak(autoencoder("blind"), inputs(1))
