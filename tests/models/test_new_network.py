"""A network of one's own: one file with a builder, one registration, and the whole zoo takes it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import zoo
from zoo.cli import main
from zoo.models import card as cards

FILE = """
import keras

import zoo


def tiny(name="tiny", input_shape=(201, 16, 1), classes=48, dropout=0.1, filters=4,
         classifier_activation="softmax"):
    inputs = keras.Input(input_shape, name="spectrogram")
    x = keras.layers.Conv2D(filters, (8, 3), (4, 2), activation="relu", name="conv1")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="code")(x)
    x = keras.layers.Dropout(dropout)(x)
    outputs = keras.layers.Dense(classes, activation=classifier_activation)(x)
    return keras.Model(inputs, outputs, name=name)


zoo.register(
    zoo.ModelCard(
        name="tiny",
        family="classifier",
        summary="One convolution, for a test.",
        builder="tiny_network:tiny",
        config={"filters": 6},
        input_shape=(201, 16, 1),
        outputs=48,
        parameters=6 * 25 + 7 * 48,
        labels="48 phones",
        source="a test",
    )
)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The network's file, imported as a user's script would import it."""
    (tmp_path / "tiny_network.py").write_text(FILE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(cards.own_models())
    __import__("tiny_network")
    yield "tiny"
    cards.own_models().clear()
    cards.own_models().update(before)
    sys.modules.pop("tiny_network")


def test_it_is_listed_described_and_built(tiny):
    assert tiny in zoo.list_models()
    assert tiny in zoo.list_models("ti*", family="classifier")
    card = zoo.describe(tiny)
    model = zoo.build(tiny)
    assert model.count_params() == card.parameters
    assert model.output_shape == (None, 48)
    assert zoo.build(tiny, filters=2, classes=3).output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"no option 'filtres'.*filters"):
        zoo.build(tiny, filtres=2)


def test_it_is_registered_once(tiny):
    with pytest.raises(ValueError, match="registered already"):
        zoo.register(zoo.describe(tiny))


def test_it_is_trained_scored_exported_and_asked(tiny, small_set, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "exported"
    words = ["train", tiny, "--data", small_set.path, "--out", run, "--epochs", 2]
    assert main([str(w) for w in [*words, "--per-class", 4, "--learning-rate", 0.05]]) == 0
    assert zoo.Run.open(run).model_name == tiny
    capsys.readouterr()
    assert main(["evaluate", str(run), "--data", str(small_set.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == tiny
    assert main(["export", str(run), str(out)]) == 0
    noise = np.random.default_rng(0).normal(size=1600).astype("float32") * 0.1
    ours, exported = (zoo.classify(place, noise, 16000)[0] for place in (run, out))
    assert ours.phones == exported.phones
    np.testing.assert_allclose(ours.scores, exported.scores, atol=1e-5)


def test_a_search_varies_its_training_and_the_options_that_all_builders_share(tiny):
    from tuning import Space

    space = Space(tiny, (201, 16, 1), 48)
    names = {entry["name"] for entry in space.record()}
    assert {"dropout", "optimizer", "learning_rate", "l2"} <= names
    assert space.own["dropout"] == 0.1
    assert space.build(space.first()).output_shape == (None, 48)
