"""Training on whole recordings: recognizers, classifiers of windows, autoencoders, the decoder."""

import dataclasses

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.data.sets.samplers import ExcerptEpochs
from zoo.decoding.posteriors import log_posteriors
from zoo.errors import UsageError
from zoo.models.recognizers import context
from zoo.runs import Run
from zoo.training.autoencoder import train_autoencoder
from zoo.training.batches import Excerpts
from zoo.training.classifier import train_classifier
from zoo.training.continuous import excerpts_of
from zoo.training.settings import AutoencoderSettings, Settings

SMALL = {"filters": (4,), "block_filters": 24, "dilations": (1, 2)}
QUICK = Settings(
    epochs=6,
    sampling="natural",
    optimizer="adam",
    learning_rate=0.01,
    batch_size=4,
    window=40,
    seed=1,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    sentences = ("SX1", "SX2", "SX3", "SI1")
    return make_tree(folder / "corpus", train=5, test=1, sentences=sentences)


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "set"
    other = folder.parent / "unlabelled" / "someone"
    other.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(size=24000) * 0.1
    soundfile.write(other / "one.flac", noise, 16000)
    return prepare(
        corpus, folder, examples="frames", dev_speakers=1, unlabelled=folder.parent / "unlabelled"
    )


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    return Run.open(train_classifier("tdnn", prepared, out, QUICK, overrides=SMALL))


def test_it_learns_and_its_decoder_is_chosen_on_the_dev_speakers(trained, prepared):
    history = trained.history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert len(history["val_accuracy_39"]) == QUICK.epochs
    assert trained.transcribes
    assert trained.window is None
    labels = np.concatenate([x for x in prepared.frame_labels("train") if x.max() >= 0])
    counts = np.bincount(labels[labels >= 0], minlength=48) + 1.0
    np.testing.assert_allclose(trained.decoder.priors, counts / counts.sum())
    tuning = zoo.files.read_json(trained.path / "viterbi.json")["tuning"]
    assert (tuning["split"], tuning["recordings"]) == ("dev", 4)
    assert tuning["tried"] > 10
    assert 0 <= tuning["phone_error_rate"] < 0.8


def test_phones_of_an_unseen_speaker_are_found(trained, prepared):
    from zoo.decoding.edits import phone_errors

    around = context(trained.model)
    scores = [log_posteriors(trained.model, x, None, around) for x in prepared.features("test")]
    found = [
        [prepared.classes[c] for i, c in enumerate(p.classes) if not i or c != p.classes[i - 1]]
        for p in trained.decoder.decode(scores)
    ]
    wanted = [
        [name for s in phones if (name := prepared.mapping[s.label])]
        for phones in prepared.phones("test")
    ]
    without, _ = phone_errors(wanted, found, prepared.groups)
    assert without.rate < 0.5


def test_an_interrupted_training_ends_as_an_unbroken_one(trained, prepared, tmp_path):
    half = dataclasses.replace(QUICK, epochs=3)
    train_classifier("tdnn", prepared, tmp_path / "run", half, overrides=SMALL)
    again = Run.open(train_classifier("tdnn", prepared, tmp_path / "run", QUICK, overrides=SMALL))
    for one, other in zip(again.model.get_weights(), trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.decoder.as_dict() == trained.decoder.as_dict()


def test_a_classifier_learns_from_windows(prepared, tmp_path):
    settings = dataclasses.replace(QUICK, epochs=1, window=12, sampling="balanced", per_class=10)
    run = Run.open(train_classifier("freq_best", prepared, tmp_path / "run", settings))
    assert run.window == 12
    assert run.transcribes
    assert run.model.input_shape == (None, 40, 12, 1)
    assert run.decoder.classes == prepared.classes
    x = prepared.features("test")[0]
    scores = log_posteriors(run.model, x, 12, None)
    assert scores.shape == (x.shape[1], 48)
    # Frame 6 of a window is the one that it belongs to; outside a recording are zeros.
    window = np.pad(x, ((0, 0), (6, 5), (0, 0)))[:, 20:32]
    single = np.asarray(run.model.predict_on_batch(window[None]))[0]
    np.testing.assert_allclose(np.exp(scores[20]), single, atol=1e-5)


def test_autoencoders_learn_from_recordings_without_labels_too(prepared, trained, tmp_path):
    settings = AutoencoderSettings(
        epochs=1, sampling="natural", batch_size=4, window=40, masked=0.3, patch=(10, 4)
    )
    run = Run.open(
        train_autoencoder("tdnn_ae", prepared, tmp_path / "ae", settings, overrides=SMALL)
    )
    assert run.model.input_shape == (None, 40, None, 1)
    assert len(run.history["val_euclidean_error"]) == 1
    epochs = excerpts_of(prepared, "train", settings, unlabelled=True).epochs
    labelled = excerpts_of(prepared, "train", settings).epochs
    assert len(epochs) - len(labelled) == -(-150 // 40)
    started = dataclasses.replace(QUICK, epochs=1, encoder=str(run.path), freeze_encoder=True)
    fixed = Run.open(
        train_classifier("tdnn", prepared, tmp_path / "fixed", started, overrides=SMALL)
    )
    for name in ("conv1", "block1_conv"):
        np.testing.assert_array_equal(
            fixed.model.get_layer(name).kernel, run.model.get_layer(name).kernel
        )


def test_frames_without_a_label_have_no_weight(prepared):
    features, labels = prepared.windows("train", 40, labelled=False)
    sampler = ExcerptEpochs(np.array([len(x) for x in prepared.frame_labels("train")]), 40)
    batches = Excerpts(features, labels, sampler, 8)
    for number in range(len(batches)):
        x, y, weights = batches[number]
        assert x.shape[1:] == (40, 40, 1)
        assert y.shape == weights.shape == (len(x), 40)
        middles = sampler.epoch(0)[8 * number : 8 * number + 8]
        np.testing.assert_array_equal(weights, labels[middles] >= 0)
        np.testing.assert_array_equal(y, np.maximum(labels[middles], 0))


def test_weighted_excerpts_let_every_class_count_alike(prepared):
    settings = dataclasses.replace(QUICK, sampling="weighted")
    weights = excerpts_of(prepared, "train", settings).class_weights
    labels = prepared.labels("train")
    counts = np.bincount(labels[labels >= 0], minlength=48)
    present = counts > 0
    np.testing.assert_allclose((weights * counts)[present], counts.sum() / present.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("tdnn", {"augment": "shift"}, "would move frames away from their labels"),
        ("tdnn", {"label_fraction": 0.5}, "learn from recordings"),
        ("tdnn", {"augment": "gain"}, "log_mel"),
    ],
)
def test_what_does_not_go_with_recordings_is_refused(prepared, tmp_path, model, options, message):
    settings = dataclasses.replace(QUICK, **options)
    with pytest.raises(UsageError, match=message):
        train_classifier(model, prepared, tmp_path / "run", settings, overrides=SMALL)
    assert not (tmp_path / "run").exists()


def test_segments_and_recordings_are_told_apart(small_set, tmp_path):
    with pytest.raises(UsageError, match="prepare the corpus with --examples frames"):
        train_classifier("tdnn", small_set, tmp_path / "run", QUICK)
    settings = dataclasses.replace(QUICK, window=20)
    with pytest.raises(UsageError, match="--window is for sets of whole recordings"):
        train_classifier("freq_best", small_set, tmp_path / "run", settings)
