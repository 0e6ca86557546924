"""Encoders taken from runs and copied between classifiers and autoencoders."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.models.encoders import copy_encoder, encoder_of


@pytest.fixture(scope="module")
def spectrograms():
    return np.random.default_rng(0).normal(size=(2, 201, 16, 1)).astype("float32")


def saved(folder, name, **options):
    model = zoo.build(name, **options)
    folder.mkdir(exist_ok=True)
    model.save(folder / "model.keras")
    return model


def same(one, other):
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other), atol=1e-5
    )


def test_from_a_classifiers_run(spectrograms, tmp_path):
    model = saved(tmp_path / "run", "freq_fullpad")
    encoder = zoo.load_encoder("freq_fullpad", weights=tmp_path / "run")
    assert encoder.output_shape == (None, 1, 1, 64)
    flat = keras.Model(model.input, model.get_layer("code").output)(spectrograms)
    same(keras.ops.reshape(encoder(spectrograms), (2, -1)), flat)


def test_from_a_keras_file_and_from_weights(spectrograms, tmp_path):
    model = saved(tmp_path, "freq_fullpad")
    model.save_weights(tmp_path / "model.weights.h5")
    expected = encoder_of(model)(spectrograms)
    for file in ("model.keras", "model.weights.h5"):
        encoder = zoo.load_encoder("freq_fullpad", weights=str(tmp_path / file))
        same(encoder(spectrograms), expected)


@pytest.mark.parametrize("decoder", ["free", "tied"])
def test_from_an_autoencoders_run(decoder, spectrograms, tmp_path):
    model = saved(tmp_path / "ae", "freq_fullpad_ae", decoder=decoder, units=3)
    encoder = zoo.load_encoder("freq_fullpad_ae", weights=tmp_path / "ae")
    assert encoder.output_shape == (None, 22, 2, 32)
    same(
        encoder(spectrograms), keras.Model(model.input, model.get_layer("code").input)(spectrograms)
    )
    fewer = zoo.load_encoder("freq_fullpad_ae", weights=tmp_path / "ae", units=1)
    assert fewer.output_shape == (None, 99, 8, 8)
    assert {v.path for v in fewer.trainable_variables} == {"conv1/kernel", "conv1/bias"}


def test_weights_of_fewer_units(spectrograms, tmp_path):
    model = zoo.build("freq_fullpad_ae", units=2)
    model.save_weights(tmp_path / "two.weights.h5")
    encoder = zoo.load_encoder("freq_fullpad_ae", weights=tmp_path / "two.weights.h5", units=2)
    same(encoder(spectrograms), encoder_of(model)(spectrograms))


def test_the_classifiers_encoder_from_an_autoencoder(spectrograms, tmp_path):
    model = saved(tmp_path / "ae", "freq_fullpad_ae")
    encoder = zoo.load_encoder("freq_fullpad", weights=tmp_path / "ae")
    same(encoder(spectrograms), encoder_of(model)(spectrograms))


def test_units_that_the_weights_lack_are_told(tmp_path):
    saved(tmp_path / "ae", "freq_fullpad_ae", units=2)
    with pytest.raises(UsageError, match="lack conv3, conv4 of freq_fullpad; ask for fewer units"):
        zoo.load_encoder("freq_fullpad", weights=tmp_path / "ae")
    encoder = zoo.load_encoder("freq_fullpad", weights=tmp_path / "ae", units=2)
    assert encoder.output_shape == (None, 48, 4, 16)


def test_keeps_the_runs_input_shape(tmp_path):
    saved(tmp_path / "run", "freq_fullpad", input_shape=(201, 25, 1))
    encoder = zoo.load_encoder("freq_fullpad", weights=tmp_path / "run", units=1)
    assert encoder.input_shape == (None, 201, 25, 1)


@pytest.mark.parametrize("trainable", [True, False])
def test_trainable_is_all_or_nothing(trainable, spectrograms, tmp_path):
    saved(tmp_path / "ae", "freq_fullpad_ae", train_encoder="none", units=2)
    encoder = zoo.load_encoder("freq_fullpad_ae", weights=tmp_path / "ae", trainable=trainable)
    assert len(encoder.trainable_variables) == (4 if trainable else 0)
    head = keras.layers.Dense(3)(keras.layers.Flatten()(encoder.output))
    model = keras.Model(encoder.input, head)
    before = keras.ops.convert_to_numpy(encoder.get_layer("conv1").kernel).copy()
    model.compile("sgd", "mse", jit_compile=False)
    model.train_on_batch(spectrograms, np.ones((2, 3), "float32"))
    after = keras.ops.convert_to_numpy(encoder.get_layer("conv1").kernel)
    assert (after != before).any() == trainable


def test_a_code_that_is_no_map():
    assert zoo.load_encoder("crnn", weights=None).output_shape == (None, 96)


@pytest.mark.parametrize("name", zoo.list_models(family="classifier"))
def test_every_classifier_has_an_encoder(name):
    assert zoo.load_encoder(name, weights=None).count_params() > 0


def test_wrong_names_files_and_units_are_told(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'freq_fullpad'"):
        zoo.load_encoder("freq_fulpad", weights=None)
    with pytest.raises(UsageError, match="does not exist"):
        zoo.load_encoder("freq_fullpad", weights=tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"freq_fullpad has 4 units; received units=5"):
        zoo.load_encoder("freq_fullpad", weights=None, units=5)
    saved(tmp_path / "run", "freq")
    with pytest.raises(
        UsageError, match=r"freq cannot initialise freq_fullpad: the kernel of conv1"
    ):
        zoo.load_encoder("freq_fullpad", weights=tmp_path / "run")
    with pytest.raises(UsageError, match="denoiser has no code"):
        zoo.load_encoder("denoiser", weights=None)


def test_copying_both_ways(spectrograms):
    classifier = zoo.build("freq_fullpad")
    autoencoder = zoo.build("freq_fullpad_ae", units=2, decoder="tied")
    assert copy_encoder(classifier, autoencoder) == ["conv1", "conv2"]
    same(encoder_of(autoencoder)(spectrograms), encoder_of(classifier, 2)(spectrograms))
    other = zoo.build("freq_fullpad")
    assert copy_encoder(autoencoder, other) == ["conv1", "conv2"]
    same(encoder_of(other, 2)(spectrograms), encoder_of(classifier, 2)(spectrograms))


def test_copying_fully_connected_layers(spectrograms):
    classifier = zoo.build("freq_overlap_pad")
    autoencoder = zoo.build("freq_overlap_pad_ae", dense_units=(128, 128))
    copied = copy_encoder(classifier, autoencoder)
    assert copied == ["conv1", "conv2", "conv3", "fc1", "fc2"]
    second = keras.Model(classifier.input, classifier.get_layer("fc2").output)
    code = encoder_of(autoencoder)(spectrograms)
    same(keras.ops.reshape(code, (2, -1)), second(spectrograms))


def test_copying_between_networks_of_one_kind_takes_all_of_the_encoder(spectrograms):
    source, target = zoo.build("freq_best"), zoo.build("freq_best")
    for layer in source.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.random.default_rng(0).normal(size=layer.moving_mean.shape))
    copied = copy_encoder(source, target)
    assert {"scale", "conv1", "block1_conv1", "collapse"} <= set(copied)
    assert not {"fc1", "fc1_norm", "fc2"} & set(copied)
    same(encoder_of(target)(spectrograms), encoder_of(source)(spectrograms))


def test_copying_between_strangers_is_told():
    with pytest.raises(UsageError, match="have no convolution in common"):
        copy_encoder(zoo.build("digits_ltas"), zoo.build("freq"))
