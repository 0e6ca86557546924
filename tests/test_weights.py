"""The weights that ship: whole, small, described, and worth loading."""

from __future__ import annotations

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data.corpora.phones import LABEL_TO_CLASS
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.runs import CARD, CLASSIFIER, WEIGHTS, weights_cards, weights_of

MEGABYTE = 2**20
PHONE_MODELS = zoo.list_models(family="classifier")


def test_every_classifier_has_weights_and_the_best_encoder_and_the_digits_too():
    assert set(PHONE_MODELS) <= {card["model"] for card in weights_cards().values()}
    assert {"freq_best-digit_words", "digits_residual-synthetic"} <= set(weights_cards())


def test_weights_have_eleven_significant_bits():
    for name in weights_cards():
        for values in zoo.load(name).get_weights():
            mantissa, _ = np.frexp(values[np.abs(values) > 0].astype("float64"))
            np.testing.assert_array_equal(mantissa * 2**11, np.round(mantissa * 2**11))


def test_they_are_small():
    sizes = [sum(f.stat().st_size for f in p.iterdir()) for p in WEIGHTS.iterdir() if p.is_dir()]
    assert max(sizes) < 2 * MEGABYTE
    assert sum(sizes) < 10 * MEGABYTE


@pytest.mark.parametrize("name", sorted(weights_cards()))
def test_a_card_says_how_they_came_about_and_what_they_can_do(name):
    card = weights_cards()[name]
    assert card["name"] == name
    assert card["sha256"] == sha256(WEIGHTS / name / "model.keras")
    assert f"scripts/weights.py --work DIR --only {name}" in card["command"]
    for field in ("task", "data", "preparation", "recipe", "limits", "licence", "versions"):
        assert card[field]
    assert isinstance(card["recipe"]["seed"], int)
    scores = card["scores"]["synthetic, test part"].values()
    if zoo.describe(card["model"]).family == "recognizer":
        # Phone error rates.
        assert all(0 < score < 0.3 for score in scores)
    else:
        assert all(0.3 < score <= 1 for score in scores)
    assert zoo.describe(card["model"]).weights == weights_of(card["model"])
    assert name in weights_of(card["model"])
    assert card["parameters"] == zoo.load(name).count_params()


@pytest.mark.parametrize("model", PHONE_MODELS)
def test_a_network_is_built_with_its_weights(model):
    name = next(name for name in weights_of(model) if name != "freq_best-digit_words")
    built, loaded = zoo.build(model, weights=name), zoo.load(name)
    x = np.random.default_rng(0).normal(size=(2, *loaded.input_shape[1:])).astype("float32")
    random = zoo.build(model, input_shape=loaded.input_shape[1:])
    found, expected, untrained = (
        keras.ops.convert_to_numpy(network(x)) for network in (built, loaded, random)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(found, untrained)


def test_a_pretrained_encoder_is_loaded_by_name():
    encoder = zoo.load_encoder("freq_best", weights="freq_best-digit_words", trainable=False)
    whole = zoo.load("freq_best-digit_words")
    np.testing.assert_array_equal(
        encoder.get_layer("conv1").kernel.numpy(), whole.get_layer("conv1").kernel.numpy()
    )
    assert not encoder.trainable_weights


def test_a_name_that_is_none_gets_the_nearest():
    with pytest.raises(UsageError, match=r"Did you mean .*'freq_best-synthetic'"):
        zoo.build("freq_best", weights="freq_best-sinthetic")


def test_a_damaged_file_is_refused(tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(WEIGHTS / "time-synthetic", folder)
    data = bytearray((folder / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.keras").write_bytes(bytes(data))
    assert json.loads((folder / CARD).read_text())["name"] == "time-synthetic"
    for load in (zoo.load, lambda path: zoo.build("time", weights=path)):
        with pytest.raises(UsageError, match="its SHA-256 differs"):
            load(folder)


def test_a_file_that_is_no_whole_keras_file_is_refused(tmp_path):
    whole = ((WEIGHTS / "time-synthetic") / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("notes.txt", "no model")
    with zipfile.ZipFile(tmp_path / "weightless.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"")
    for name, reason in (
        ("cut", "is not a Keras file, or it is damaged or cut short"),
        ("other", "is not a Keras file: it has no config.json"),
        ("weightless", "cannot be loaded as a Keras model|do not fit time"),
    ):
        for load in (zoo.load, lambda path: zoo.build("time", weights=path)):
            with pytest.raises(UsageError, match=reason):
                load(tmp_path / f"{name}.keras")


@pytest.mark.parametrize(("name", "least"), [("freq_best-synthetic", 0.4), (CLASSIFIER, 0.7)])
def test_phones_of_speakers_never_heard_are_recognised(tmp_path, name, least):
    pytest.importorskip("espeakng_loader")
    from zoo.data.corpora.synthetic import synthesise

    synthesise(tmp_path / "new", speakers=2, sentences=6, seed=77, progress=False)
    right = asked = 0
    for path in sorted((tmp_path / "new").rglob("SX*.WAV")):
        samples, rate = soundfile.read(path, dtype="float32")
        rows = [line.split() for line in path.with_suffix(".PHN").read_text().splitlines()]
        rows = [(int(a), int(b), LABEL_TO_CLASS[c]) for a, b, c in rows if c in LABEL_TO_CLASS]
        found = zoo.classify(name, samples, rate, [row[:2] for row in rows])
        right += sum(f.phones[0] == row[2] for f, row in zip(found, rows, strict=True))
        asked += len(rows)
    assert asked > 100
    assert right / asked > least


def test_predict_takes_the_weights_that_heard_people_unless_told_otherwise(tmp_path, capsys):
    tree = make_tree(tmp_path / "tree", train=1, test=0, sentences=("SX1",))
    audio = next(tree.rglob("SX1.WAV"))
    words = ["predict", str(audio), "--phn", str(audio.with_suffix(".PHN")), "--json"]
    assert main(words) == 0
    default = json.loads(capsys.readouterr().out)
    assert main([*words, "--model", CLASSIFIER]) == 0
    assert json.loads(capsys.readouterr().out) == default
    assert default["model"] == CLASSIFIER
    assert default["scored"] > 5
