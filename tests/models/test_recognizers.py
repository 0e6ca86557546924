"""Networks that answer for every frame of a recording, and the autoencoders that pretrain them."""

import keras
import numpy as np
import pytest

import zoo
from tests.helpers import examples
from tests.helpers.harness import assert_same_output
from zoo.errors import UsageError
from zoo.models.encoders import copy_encoder, encoder_of, freeze_encoder
from zoo.models.recognizers import context

RECOGNIZERS = zoo.list_models(family="recognizer")
AUTOENCODERS = [f"{name}_ae" for name in RECOGNIZERS]
RNG = np.random.default_rng(0)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def recording(frames, count=1, bins=40):
    return RNG.normal(size=(count, bins, frames, 1)).astype("float32")


def built(name, **options):
    """With weights of which every layer, normalisation too, does something."""
    model = zoo.build(name, **options)
    examples.set_weights(model)
    return model


def changed_frames(model, frames, at):
    """Frames of the output, (N, T, ...), that change with one frame of the input."""
    x = recording(frames, bins=model.input_shape[1])
    other = x.copy()
    other[:, :, at] += 3
    difference = np.abs(numpy(model(other)) - numpy(model(x)))
    if difference.ndim == 4:
        difference = difference.max(axis=1)
    return np.flatnonzero(difference.max(axis=(0, 2)))


def test_sizes_are_about_a_third_of_a_million():
    assert 2e5 < zoo.build("crnn_frames").count_params() < 4e5
    assert 2.5e5 < zoo.build("tdnn").count_params() < 3.5e5


@pytest.mark.parametrize("name", [*RECOGNIZERS, *AUTOENCODERS])
@pytest.mark.parametrize("frames", [1, 2, 19, 300])
def test_there_is_one_output_for_each_frame_of_any_recording(name, frames):
    y = numpy(zoo.build(name)(recording(frames, 2)))
    assert y.shape == ((2, 40, frames, 1) if name in AUTOENCODERS else (2, frames, 48))
    assert np.isfinite(y).all()


@pytest.mark.parametrize("name", [*RECOGNIZERS, *AUTOENCODERS])
@pytest.mark.parametrize("shape", [(1, None, 1), (13, None, 1), (201, 16, 2)])
def test_any_number_of_bins_and_channels_and_a_fixed_length_fit(name, shape):
    model = zoo.build(name, input_shape=shape)
    x = np.ones((2, *(5 if size is None else size for size in shape)), "float32")
    y = numpy(model(x))
    assert y.shape == (x.shape if name in AUTOENCODERS else (2, x.shape[2], 48))


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_frames_of_silence_are_input_like_any_others(name):
    model = built(name)
    x = recording(30)
    x[:, :, 10:20] = 0
    y = numpy(model(x))[0]
    np.testing.assert_allclose(y.sum(axis=-1), 1, atol=1e-5)
    # A masked frame would repeat the last answer before it.
    assert (np.abs(np.diff(y[10:20], axis=0)).max(axis=-1) > 0).all()


@pytest.mark.parametrize("name", [*RECOGNIZERS, *AUTOENCODERS])
def test_recordings_of_a_batch_are_independent(name):
    model = built(name)
    x = recording(25, 4)
    together = numpy(model(x))
    alone = np.concatenate([numpy(model(x[n : n + 1])) for n in range(4)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 20),
        ({"dilations": (1,)}, 3),
        ({"filters": (4,), "dilations": (3, 3)}, 7),
        ({"filters": (4, 4, 4), "dilations": (1, 2)}, 6),
    ],
)
@pytest.mark.parametrize("name", ["tdnn", "tdnn_ae"])
def test_context_is_as_far_as_a_change_is_heard(name, options, expected):
    model = built(name, activation="tanh", **options)
    assert context(model) == expected
    heard = changed_frames(model, 71, 35)
    np.testing.assert_array_equal(heard, np.arange(35 - expected, 35 + expected + 1))


@pytest.mark.parametrize("name", ["crnn_frames", "crnn_frames_ae"])
def test_a_recurrent_network_has_no_limit_of_context(name):
    model = built(name)
    assert context(model) is None
    heard = changed_frames(model, 41, 20)
    assert heard.min() < 20 - 2
    assert heard.max() > 20 + 2


def test_context_follows_the_longest_way_and_the_longer_side():
    inputs = keras.Input((8, None, 1))
    one = keras.layers.Conv2D(2, (3, 4), padding="same")(inputs)
    two = keras.layers.Conv2D(2, (1, 3), padding="same", dilation_rate=(1, 5))(inputs)
    model = keras.Model(inputs, keras.layers.Add()([one, two]))
    assert context(model) == 5
    assert context(keras.Model(inputs, one)) == 2
    heard = changed_frames(keras.Model(inputs, one), 21, 10)
    assert (10 - heard.min(), heard.max() - 10) in {(2, 1), (1, 2)}
    causal = keras.layers.Conv1D(2, 3, padding="causal", dilation_rate=3)
    sequence = keras.Input((None, 8))
    assert context(keras.Model(sequence, causal(sequence))) == 6


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(2, 3, strides=2, padding="same"),
        keras.layers.Conv2D(2, 3),
        keras.layers.LayerNormalization(axis=(1, 2)),
        keras.layers.GlobalMaxPooling2D(keepdims=True),
    ],
)
def test_a_layer_that_may_see_all_of_a_recording_has_no_limit_of_context(layer):
    inputs = keras.Input((8, 12, 1))
    assert context(keras.Model(inputs, layer(inputs))) is None


@pytest.mark.parametrize("chunk", [13, 50, 200])
def test_overlapping_chunks_give_what_one_pass_gives(chunk):
    model = built("tdnn")
    beside = context(model)
    x = recording(211)
    whole = numpy(model(x))
    pieces = []
    for start in range(0, 211, chunk):
        end = min(start + chunk, 211)
        first = max(start - beside, 0)
        piece = numpy(model(x[:, :, first : end + beside]))
        pieces.append(piece[:, start - first : end - first])
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-5)


def test_chunks_that_overlap_too_little_do_not():
    model = built("tdnn")
    x = recording(120)
    short = numpy(model(x[:, :, : 60 + context(model) - 1]))
    assert np.abs(short[:, 59] - numpy(model(x))[:, 59]).max() > 1e-7


@pytest.mark.parametrize("name", [*RECOGNIZERS, *AUTOENCODERS])
def test_a_saved_network_answers_the_same_at_another_length(name, tmp_path):
    model = built(name)
    model.save(tmp_path / "model.keras")
    loaded = zoo.load(tmp_path / "model.keras")
    assert context(loaded) == context(model)
    assert_same_output(loaded, model, [recording(33, 2)])


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_pretraining_hands_over_the_encoder_in_either_direction(name):
    autoencoder, recognizer = built(f"{name}_ae"), zoo.build(name)
    x = recording(50, 2)
    copied = copy_encoder(autoencoder, recognizer)
    encoding = {layer.name for layer in encoder_of(recognizer).layers if layer.weights}
    assert set(copied) == encoding
    assert encoding == {layer.name for layer in encoder_of(autoencoder).layers if layer.weights}
    code = numpy(encoder_of(autoencoder)(x))
    np.testing.assert_allclose(numpy(encoder_of(recognizer)(x)), code, atol=1e-5)
    back = zoo.build(f"{name}_ae")
    assert set(copy_encoder(recognizer, back)) == encoding
    np.testing.assert_allclose(numpy(encoder_of(back)(x)), code, atol=1e-5)


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_load_encoder_takes_the_autoencoders_file(name, tmp_path):
    autoencoder = built(f"{name}_ae")
    autoencoder.save(tmp_path / "model.keras")
    x = recording(20, 2)
    code = numpy(encoder_of(autoencoder)(x))
    for model in (name, f"{name}_ae"):
        encoder = zoo.load_encoder(model, weights=tmp_path / "model.keras")
        np.testing.assert_allclose(numpy(encoder(x)), code, atol=1e-5)
    first = zoo.load_encoder(name, weights=tmp_path / "model.keras", units=1)
    assert first.output_shape == (None, 20, None, 16)


@pytest.mark.parametrize("name", RECOGNIZERS)
def test_a_frozen_encoder_keeps_its_weights_while_the_rest_is_trained(name):
    model = built(name)
    freeze_encoder(model)
    encoding = [numpy(v).copy() for v in encoder_of(model).weights]
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(recording(12, 2), np.zeros((2, 12), "int32"))
    for old, new in zip(encoding, encoder_of(model).weights, strict=True):
        np.testing.assert_array_equal(numpy(new), old)
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_an_autoencoder_decodes_each_frame_from_fewer_values_than_it_has(name):
    model = zoo.build(name)
    narrow = model.get_layer("bottleneck").output
    assert narrow.shape[1:] == (None, 10)
    decoder = keras.Model(narrow, model.output)
    code = RNG.normal(size=(1, 9, 10)).astype("float32")
    other = code.copy()
    other[:, 4] += 1
    difference = np.abs(numpy(decoder(other)) - numpy(decoder(code)))
    np.testing.assert_array_equal(np.flatnonzero(difference.max(axis=(0, 1, 3))), [4])


def test_a_recognizer_learns_what_the_neighbours_of_a_frame_say():
    """Class 1 wherever the frame ten before was loud: out of reach of a single frame."""
    keras.utils.set_random_seed(1)
    loud = RNG.integers(2, size=(32, 60))
    x = RNG.normal(size=(32, 20, 60, 1)) + 3.0 * loud[:, None, :, None]
    labels = np.roll(loud, 10, axis=1)[:, 10:]
    model = zoo.build(
        "tdnn", input_shape=(20, None, 1), classes=2, block_filters=24, filters=(4, 8), dropout=0.0
    )
    kept = keras.Model(model.input, keras.layers.Cropping1D((10, 0))(model.output))
    kept.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    kept.fit(x, labels, epochs=15, batch_size=8, verbose=0)
    assert kept.evaluate(x, labels, verbose=0)[1] > 0.95


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tdnn", {"dilations": ()}, "dilations must be a sequence of one or more whole numbers"),
        ("tdnn", {"dilations": (1, 0)}, "dilations must be a sequence of one or more"),
        ("tdnn", {"block_filters": 0}, "block_filters must be a whole number from 1 on"),
        ("tdnn", {"filters": ()}, "filters must be a sequence of one or more whole numbers"),
        ("tdnn", {"dropout": 1}, "dropout must be the dropped share"),
        ("tdnn_ae", {"bottleneck": 40}, "bottleneck must be a whole number from 1 to 39"),
        ("tdnn_ae", {"decoder_units": 0}, "decoder_units must be a whole number from 1 on"),
        ("tdnn_ae", {"activation": "rleu"}, "activation must be one of .*'relu'"),
        ("crnn_frames", {"recurrent_units": 0}, "recurrent_units must be a whole number"),
        ("crnn_frames", {"input_shape": (None, None, 1)}, r"\(F, T, C\) .* \(T may be None\)"),
        ("crnn_frames_ae", {"bottleneck": 0}, "bottleneck must be a whole number from 1 to 39"),
    ],
)
def test_wrong_values_are_told(name, options, message):
    with pytest.raises(UsageError, match=f"^{name}: .*{message}"):
        zoo.build(name, **options)
