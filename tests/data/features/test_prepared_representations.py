"""Representations, deltas, means and levels by way of `prepare`, and the same when served."""

import dataclasses
import hashlib
import json

import keras
import numpy as np
import pytest

from tests.helpers.runs import REPRESENTATION
from tests.helpers.trees import make_tree
from zoo.data import Prepared, prepare
from zoo.data.features.frontend import Frontend
from zoo.data.features.representations import REPRESENTATIONS
from zoo.errors import UsageError
from zoo.inference import waveform_model
from zoo.layers import representation_settings


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=2, test=1, sentences=["SX1"])


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_every_representation_is_prepared_and_served_alike(tree, tmp_path, name):
    from export.signatures import ClassifierModule

    options = {"representation": name, "deltas": 1, "mean": "bin", "level": "segment-rms"}
    prepared = prepare(tree, tmp_path / "set", length=1500, **options)
    frontend = Prepared(tmp_path / "set").frontend
    assert frontend.shape == prepared.shape
    assert frontend.deltas == 1
    assert prepared.features("train").mean(axis=(0, 2)) == pytest.approx(0, abs=1e-2)
    row = prepared.segments("test")[0]
    utterance = next(u for u in corpus_of(tree) if u.name == row.utterance)
    segment = utterance.read()[0][row.start : row.end]
    expected = prepared.features("test")[:1]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(frontend.examples([segment]), expected, atol=1e-4 * scale)

    inputs = keras.Input(frontend.shape)
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    wave = frontend.place(segment)[None]
    served = waveform_model(model, frontend).predict(wave, verbose=0)
    np.testing.assert_allclose(served, expected, atol=1e-4 * scale)

    features = int(np.prod(frontend.shape))
    flat = keras.Model(inputs, keras.layers.Flatten()(inputs))
    exported = ClassifierModule(flat, frontend, [str(i) for i in range(features)])
    answer = exported.signatures()["waveform"](wave)["probabilities"].numpy()
    np.testing.assert_allclose(answer.reshape(expected.shape), expected, atol=1e-4 * scale)


def corpus_of(tree):
    from zoo.data.corpora.timit import Corpus

    return Corpus(tree).utterances("test")


def test_what_is_subtracted(tree, tmp_path):
    sets = {
        mean: prepare(tree, tmp_path / mean, deltas=2, mean=mean)
        for mean in ("element", "bin", "none")
    }
    raw = {name: p.features("train") + p.mean for name, p in sets.items()}
    np.testing.assert_allclose(raw["element"], raw["none"], atol=1e-5)
    np.testing.assert_allclose(raw["bin"], raw["none"], atol=1e-5)
    whole = raw["none"].astype("float64")
    assert (sets["none"].mean == 0).all()
    np.testing.assert_allclose(sets["element"].mean, whole.mean(axis=0), atol=1e-5)
    of_bins = np.broadcast_to(whole.mean(axis=(0, 2))[:, None], sets["bin"].shape)
    np.testing.assert_allclose(sets["bin"].mean, of_bins, atol=1e-5)


def test_like_takes_deltas_and_mean_too(tree, tmp_path):
    one = prepare(tree, tmp_path / "one", representation="mfcc", deltas=2, mean="none")
    two = prepare(tree, tmp_path / "two", like=tmp_path / "one")
    assert two.frontend.fingerprint == one.frontend.fingerprint
    np.testing.assert_array_equal(two.features("test"), one.features("test"))


def test_other_options_are_refused_where_a_set_is(tree, tmp_path):
    prepare(tree, tmp_path / "set", deltas=1)
    with pytest.raises(UsageError, match="deltas 1, now None; mean None, now 'bin'"):
        prepare(tree, tmp_path / "set", mean="bin")
    for options, message in (
        ({"deltas": 3}, "deltas must be one of 0, 1, 2"),
        ({"mean": "all"}, "all"),
    ):
        with pytest.raises(UsageError, match=message):
            prepare(tree, tmp_path / "other", **options)


def test_front_ends_written_before_there_were_deltas_are_read(tmp_path):
    """Their settings and fingerprint are what they were."""
    assert representation_settings("real") == REPRESENTATION
    mean = np.ones((201, 16, 1), "float32")
    settings = {
        "sample_rate": 16000,
        "length": 2554,
        "level": "file",
        "representation": REPRESENTATION,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + mean.tobytes())
    text = json.dumps({**settings, "fingerprint": digest.hexdigest()})
    (tmp_path / "frontend.json").write_text(text)
    np.save(tmp_path / "mean.npy", mean)
    frontend = Frontend.load(tmp_path)
    assert (frontend.kind, frontend.deltas, frontend.shape) == ("real", 0, (201, 16, 1))
    assert dataclasses.replace(frontend, mean=mean).settings == settings
