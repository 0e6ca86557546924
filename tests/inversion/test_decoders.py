"""Decoders for a given encoder."""

import json

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.networks import network, spectrograms
from zoo.errors import UsageError
from zoo.inversion import Decoder, reconstruct, train_decoder
from zoo.inversion.decoders import DecoderSettings, build_decoder

QUICK = DecoderSettings(epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def padded():
    return network(padding="same")


def correlation(a, b):
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    return np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_conv1_decodes_to_more_than_095_of_unseen_inputs(padded):
    settings = DecoderSettings(epochs=30, batch_size=32, learning_rate=1e-2)
    decoder = train_decoder(padded, "L1", spectrograms(256), settings)
    unseen = spectrograms(20, seed=77)
    result = reconstruct(padded, "L1", unseen, "decoder", decoder=decoder)
    assert correlation(result.reconstruction, unseen).min() > 0.95
    np.testing.assert_allclose(result.history[0], result.error)


def test_decoder_mirrors_the_encoder_stage_by_stage(padded):
    from zoo.inversion.activity import activity_model

    decoder, stages = build_decoder(activity_model(padded, "fc2"))
    assert decoder.output_shape == (None, 24, 6, 1)
    for stage in stages:
        assert decoder.get_layer(f"stage{stage.number}").output.shape[1:] == stage.before.shape[1:]
    kinds = [type(layer).__name__ for layer in decoder.layers]
    assert kinds.count("BlindUpsampling2D") == 2
    assert not any("Switch" in kind for kind in kinds)


@pytest.mark.parametrize(
    ("name", "layer"), [("freq_overlap", "L12"), ("freq_fullpad", "fc1"), ("freq", "pool2")]
)
def test_classifiers_of_the_zoo_have_decoders(name, layer):
    from zoo.inversion.activity import activity_model

    model = zoo.build(name)
    decoder, _ = build_decoder(activity_model(model, layer))
    assert decoder.output_shape == model.input_shape


def test_layers_that_are_no_chain_have_none():
    model = zoo.build("freq_best")
    with pytest.raises(
        UsageError, match=r"decoders are built for chains.*Use the method 'gradient'"
    ):
        reconstruct(
            model,
            model.layers[-3].name,
            np.ones((1, *model.input_shape[1:])) * np.arange(16)[:, None],
            "decoder",
        )


def test_training_leaves_the_network_as_it_was(padded):
    before = [w.copy() for w in padded.get_weights()]
    trainable = [layer.trainable for layer in padded.layers]
    decoder = train_decoder(padded, "L3", spectrograms(16), QUICK)
    for old, new in zip(before, padded.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [layer.trainable for layer in padded.layers] == trainable
    encoder = decoder.autoencoder.get_layer("encoder").get_weights()
    for old, new in zip(before, encoder, strict=False):
        np.testing.assert_array_equal(old, new)


def test_stages_are_trained_from_the_inside_out_then_all(padded, tmp_path):
    decoder = train_decoder(padded, "L6", spectrograms(32), QUICK, out=tmp_path / "d")
    assert list(decoder.losses) == ["stage2", "stage1", "whole"]
    assert all(len(losses) == 2 for losses in decoder.losses.values())
    loaded = Decoder.load(tmp_path / "d")
    x = spectrograms(3, seed=5)
    np.testing.assert_array_equal(loaded(x), decoder(x))
    assert (loaded.layer, loaded.losses) == ("pool2", decoder.losses)
    again = train_decoder(padded, "L6", spectrograms(32), QUICK, out=tmp_path / "d")
    np.testing.assert_array_equal(again(x), decoder(x))
    with pytest.raises(UsageError, match="holds another decoder"):
        train_decoder(padded, "L6", spectrograms(31), QUICK, out=tmp_path / "d")
    with pytest.raises(UsageError, match=r"is for the layer pool2.*asked for was conv1"):
        reconstruct(padded, "L1", x, "decoder", decoder=tmp_path / "d")


def test_broken_off_training_goes_on_with_the_same_result(padded, tmp_path, monkeypatch):
    import zoo.inversion.decoders as decoders

    x = spectrograms(32)
    whole = train_decoder(padded, "L6", x, QUICK, seed=3, out=tmp_path / "whole")
    train = decoders._train

    def breaks(encoder, decoder, trained, *rest):
        if trained is None:
            raise KeyboardInterrupt
        return train(encoder, decoder, trained, *rest)

    monkeypatch.setattr(decoders, "_train", breaks)
    with pytest.raises(KeyboardInterrupt):
        train_decoder(padded, "L6", x, QUICK, seed=3, out=tmp_path / "broken")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="has not finished"):
        Decoder.load(tmp_path / "broken")
    resumed = train_decoder(padded, "L6", x, QUICK, seed=3, out=tmp_path / "broken")
    np.testing.assert_allclose(resumed(x), whole(x), atol=1e-5)
    records = [json.loads((tmp_path / n / "decoder.json").read_text()) for n in ("whole", "broken")]
    assert records[0]["losses"].keys() == records[1]["losses"].keys()


def test_decoding_then_gradient_ends_below_the_decoding(padded):
    x = spectrograms(4, seed=6)
    decoder = train_decoder(padded, "L3", spectrograms(64), QUICK)
    # The decoder's encoder is a padded twin; the activity to reach is another network's.
    model = network()
    decoded = reconstruct(model, "L3", x, "decoder", decoder=decoder)
    both = reconstruct(model, "L3", x, "decoder+gradient", decoder=decoder, steps=30)
    np.testing.assert_allclose(both.start, decoded.reconstruction, atol=1e-6)
    assert (both.error < decoded.error).all()
    # A Keras model made in one process survives another's backend.
    keras.backend.clear_session()


def test_losses_are_what_the_settings_say():
    from zoo.inversion.decoders import _distance

    rng = np.random.default_rng(0)
    target, estimate = rng.normal(size=(2, 3, 5, 4, 1)).astype("float32")
    away = 0.5 * np.sum((estimate - target) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(_distance("euclidean", target, estimate), away, rtol=1e-5)
    expected = 1 - correlation(target, estimate) + away / np.sum(target**2, axis=(1, 2, 3))
    np.testing.assert_allclose(_distance("normalised", target, estimate), expected, rtol=1e-4)
    silent, negative = (np.asarray(_distance("normalised", target, x * target)) for x in (0, -1))
    np.testing.assert_allclose(silent, 1.5, rtol=1e-4)
    assert (negative > silent).all()


def test_a_decoder_that_answers_all_alike_says_so(padded, tmp_path):
    decoder = train_decoder(padded, "L3", spectrograms(64), QUICK, out=tmp_path)
    assert Decoder.load(tmp_path).output_variation == decoder.output_variation > 0.01
    x = spectrograms(5, seed=3)
    varied = reconstruct(padded, "L3", x, "decoder", decoder=decoder)
    own = decoder(x)
    share = own.var(axis=0).sum() / x.var(axis=0).sum()
    assert varied.output_variation == pytest.approx(share, rel=1e-4)
    assert not varied.constant_output
    part = decoder.autoencoder.get_layer("decoder")
    part.set_weights([np.zeros_like(w) for w in part.get_weights()])
    silent = reconstruct(padded, "L3", x, "decoder", decoder=decoder)
    assert silent.constant_output
    assert silent.output_variation == 0
    assert reconstruct(padded, "L3", x, steps=1).output_variation is None


def test_decoders_of_earlier_records_are_taken_up(padded, tmp_path):
    settings = DecoderSettings(epochs=1, batch_size=16, objective="euclidean", schedule="constant")
    first = train_decoder(padded, "L1", spectrograms(16), settings, out=tmp_path)
    path = tmp_path / "decoder.json"
    record = json.loads(path.read_text())
    del record["settings"]["objective"], record["settings"]["schedule"]
    del record["output_variation"]
    path.write_text(json.dumps(record))
    again = train_decoder(padded, "L1", spectrograms(16), settings, out=tmp_path)
    np.testing.assert_array_equal(again(spectrograms(2)), first(spectrograms(2)))
    assert Decoder.load(tmp_path).output_variation is None
