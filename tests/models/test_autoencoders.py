"""Autoencoders: shapes, options, ties, what training changes."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError
from zoo.layers import BlindUpsampling2D, SwitchUnpooling2D
from zoo.models.autoencoders import transpose_decoder

SMALL = (29, 8, 1)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def spectrograms():
    return np.random.default_rng(0).normal(size=(4, *SMALL)).astype("float32")


def build(name="freq_fullpad_ae", **options):
    keras.utils.set_random_seed(1)
    return zoo.build(name, **{"units": 2, "input_shape": SMALL, **options})


def train(model, x, steps=3, rate=0.001):
    model.compile(keras.optimizers.SGD(rate), "mse", run_eagerly=True)
    for _ in range(steps):
        model.train_on_batch(x, x)


def weights(model):
    return {v.path: numpy(v).copy() for v in model.weights}


def changed(model, before):
    return {path for path, value in weights(model).items() if (value != before[path]).any()}


@pytest.mark.parametrize(
    ("name", "units", "code"),
    [
        ("freq_fullpad_ae", 1, (99, 8, 8)),
        ("freq_fullpad_ae", 2, (48, 4, 16)),
        ("freq_fullpad_ae", 3, (22, 2, 32)),
        ("freq_fullpad_ae", 4, (1, 1, 64)),
        ("freq_overlap_pad_ae", 1, (99, 8, 8)),
        ("freq_overlap_pad_ae", 3, (22, 2, 32)),
        ("conv2d_ae", 4, (1, 1, 64)),
    ],
)
def test_units_and_their_codes(name, units, code):
    model = zoo.build(name, units=units)
    assert model.get_layer("code").output.shape[1:] == code
    assert model.output_shape == (None, 201, 16, 1)
    assert [layer.name for layer in model.layers][-1] == "deconv1"


def test_all_units_by_default():
    assert zoo.build("freq_fullpad_ae").get_layer("code").output.shape[1:] == (1, 1, 64)


@pytest.mark.parametrize("name", ["freq_fullpad", "freq_overlap_pad", "conv2d"])
def test_encoder_has_the_classifiers_layers(name):
    classifier, autoencoder = zoo.build(name), zoo.build(f"{name}_ae")
    for layer in classifier.layers:
        if layer.name.startswith("conv"):
            twin = autoencoder.get_layer(layer.name)
            assert twin.kernel.shape == layer.kernel.shape
            assert twin.bias.shape == layer.bias.shape
        if layer.name.startswith(("pool", "act")):
            outputs = autoencoder.get_layer(layer.name).output
            first = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
            assert first.shape == layer.output.shape


@pytest.mark.parametrize("frames", [25, 17])
def test_other_input_shapes(frames):
    model = zoo.build("freq_fullpad_ae", input_shape=(201, frames, 1))
    assert model.output_shape == (None, 201, frames, 1)


def test_valid_padding_is_undone_too():
    model = build(units=1, padding="valid", pool_sizes=((5, 1),) * 4, pool_strides=((2, 1),) * 4)
    assert model.get_layer("conv1").output.shape[1:3] == (22, 1)
    assert model.output_shape[1:] == SMALL


def test_reaches_the_fully_connected_layers():
    model = zoo.build("freq_overlap_pad_ae", dense_units=(128, 128))
    assert model.get_layer("code").output.shape[1:] == (1, 1, 128)
    assert model.output_shape == (None, 201, 16, 1)
    names = [layer.name for layer in model.layers]
    inside = names[names.index("pool3") + 1 : names.index("unpool3")]
    assert inside == [
        "fc1",
        "fc1_act",
        "fc2",
        "code",
        "defc2",
        "defc1_act",
        "defc1",
        "deact3",
    ]


def test_inversion_networks_are_the_first_experiments():
    names = [layer.name for layer in zoo.build("inversion_conv").layers]
    assert names == ["spectrogram", "conv1", "code", "deconv1"]
    for units in (1, 2):
        small = zoo.build(f"inversion_unit{units}")
        whole = zoo.build("freq_fullpad_ae", units=units)
        assert [x.name for x in small.layers] == [x.name for x in whole.layers]
        assert small.count_params() == whole.count_params()


def test_unpooling_option():
    for option, kind in [("switch", SwitchUnpooling2D), ("blind", BlindUpsampling2D)]:
        model = build(unpooling=option)
        assert all(type(model.get_layer(f"unpool{n}")) is kind for n in (1, 2))


def test_switches_leak_the_input_and_blind_upsampling_does_not(spectrograms):
    for option, leaks in [("switch", True), ("blind", False)]:
        model = build(unpooling=option)
        # Whatever the code, the innermost decoder gives its bias: what the outputs still differ
        # by came another way.
        inner = model.get_layer("deconv2")
        inner.kernel.assign(np.zeros(inner.kernel.shape))
        inner.reverse_bias.assign(np.ones(inner.reverse_bias.shape))
        outputs = numpy(model(spectrograms))
        assert (np.abs(outputs - outputs[:1]).max() > 1e-3) == leaks


@pytest.mark.parametrize("overlap", ["last", "mean", "sum"])
def test_overlap_option(overlap):
    assert build(overlap=overlap).get_layer("unpool1").overlap == overlap


def test_decoder_relu_option():
    names = [layer.name for layer in build(decoder_relu=True).layers]
    assert "deact1" in names
    assert "deact2" not in names
    without = [layer.name for layer in build(decoder_relu=False).layers]
    assert not any(name.startswith("deact") for name in without)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_activation_option(activation, spectrograms):
    model = build(activation=activation)
    for name in ("act1", "act2", "deact1"):
        assert model.get_layer(name).activation is keras.activations.get(activation)
    assert np.isfinite(numpy(model(spectrograms))).all()


def adjoint_holds(model, name, decoder):
    """<decode(y), x> = <y, encode(x)> for the two layers without their biases."""
    rng = np.random.default_rng(2)
    conv, inverse = model.get_layer(name), model.get_layer(decoder)
    x = rng.normal(size=(1, 20, 8, conv.input_channels)).astype("float32")
    encoded = numpy(conv(x)) - numpy(conv(np.zeros_like(x)))
    y = rng.normal(size=encoded.shape).astype("float32")
    decoded = numpy(inverse(y, reverse=True)) - numpy(inverse(np.zeros_like(y), reverse=True))
    return np.isclose((decoded * x).sum(), (y * encoded).sum(), rtol=1e-3, atol=1e-3)


def test_tied_decoder_is_the_transpose_after_training_saving_and_cloning(spectrograms, tmp_path):
    model = build(decoder="tied")
    assert len(model.weights) == 6
    before = weights(model)
    train(model, spectrograms)
    assert changed(model, before) == set(before)
    path = tmp_path / "tied.keras"
    model.save(path)
    for copy in (model, zoo.load(path), keras.models.clone_model(model)):
        train(copy, spectrograms)
        assert copy.count_params() == model.count_params()
        assert adjoint_holds(copy, "conv1", "conv1")
        assert adjoint_holds(copy, "conv2", "conv2")


def test_transpose_init_is_the_transpose_before_training_only(spectrograms):
    model = build(decoder="transpose_init")
    assert adjoint_holds(model, "conv1", "deconv1")
    assert adjoint_holds(model, "conv2", "deconv2")
    train(model, spectrograms, rate=0.5)
    assert not adjoint_holds(model, "conv1", "deconv1")
    assert not adjoint_holds(model, "conv2", "deconv2")
    transpose_decoder(model)
    assert adjoint_holds(model, "conv2", "deconv2")


def test_free_decoder_is_not_the_transpose():
    assert not adjoint_holds(build(decoder="free"), "conv1", "deconv1")


def test_transposing_needs_a_decoder_of_its_own():
    with pytest.raises(UsageError, match="no decoder filters of its own"):
        transpose_decoder(build(decoder="tied"))


PARTS = {
    "all": {"kernel", "bias"},
    "filters": {"kernel"},
    "biases": {"bias"},
    "none": set(),
}


@pytest.mark.parametrize("encoder", PARTS)
@pytest.mark.parametrize("decoder", PARTS)
def test_training_changes_what_was_asked_for(encoder, decoder, spectrograms, tmp_path):
    if encoder == decoder == "none":
        return
    model = build(train_encoder=encoder, train_decoder=decoder)
    expected = {f"conv{n}/{part}" for n in (1, 2) for part in PARTS[encoder]}
    own = {"kernel": "kernel", "bias": "reverse_bias"}
    expected |= {f"deconv{n}/{own[part]}" for n in (1, 2) for part in PARTS[decoder]}
    before = weights(model)
    train(model, spectrograms)
    assert changed(model, before) == expected
    model.save(tmp_path / "model.keras")
    loaded = zoo.load(tmp_path / "model.keras")
    assert {v.path for v in loaded.trainable_variables} == expected


def test_tied_filters_follow_the_encoder(spectrograms):
    model = build(decoder="tied", train_encoder="biases", train_decoder="filters")
    assert {v.path for v in model.trainable_variables} == {"conv1/bias", "conv2/bias"}
    model = build(decoder="tied", train_encoder="filters", train_decoder="biases")
    assert {v.name for v in model.trainable_variables} == {"kernel", "reverse_bias"}


def test_units_can_be_frozen_one_by_one(spectrograms):
    model = build(train_encoder=("none", "all"), train_decoder=("none", "all"))
    before = weights(model)
    train(model, spectrograms)
    assert {path.split("/")[0] for path in changed(model, before)} == {"conv2", "deconv2"}


def test_learns_to_reconstruct(spectrograms):
    model = build(units=1)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    losses = [model.train_on_batch(spectrograms, spectrograms) for _ in range(61)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"units": 5}, r"units must be a whole number from 1 to 4; received 5"),
        ({"units": 0}, r"units must be a whole number from 1 to 4; received 0"),
        ({"unpooling": "swich"}, r"unpooling must be one of 'switch', 'blind'.*mean 'switch'"),
        ({"decoder": "tide"}, r"decoder must be one of 'free', 'transpose_init', 'tied'.*'tied'"),
        ({"decoder_relu": 1}, r"decoder_relu must be True or False; received 1"),
        ({"overlap": "first"}, r"overlap must be one of 'last', 'mean', 'sum'"),
        ({"train_encoder": "filter"}, r"train_encoder must be one of .*mean 'filters'"),
        ({"train_decoder": ("all",)}, r"train_decoder must be one of .*or 4 of these, one a layer"),
        ({"train_decoder": ("all",) * 3 + ("some",)}, r"train_decoder must be one of"),
        ({"activation": "thanh"}, r"activation must be one of .*'tanh'"),
        ({"dense_units": 128}, r"dense_units must be a sequence"),
    ],
)
def test_wrong_values_are_told(overrides, message):
    with pytest.raises(UsageError, match=f"^freq_fullpad_ae: {message}"):
        zoo.build("freq_fullpad_ae", **overrides)
