"""Acoustic units against their definition, written out."""

import dataclasses
import shutil

import numpy as np
import pytest
import scipy.fft
import soundfile

from tests.helpers.annotations import make_recordings, records_of, write_csv
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import open_corpus, prepare
from zoo.data.sets.joined import Joined
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.units import Units
from zoo.errors import UsageError
from zoo.runs import Run
from zoo.training.classifier import Settings, train_classifier

COUNT = 24


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    corpus = make_tree(folder / "corpus", train=4, test=1)
    other = folder / "unlabelled" / "someone"
    other.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(size=24000) * 0.1
    soundfile.write(other / "one.flac", noise, 16000)
    return prepare(
        corpus,
        folder / "set",
        examples="frames",
        normalize="recording",
        level="file",
        dev_speakers=1,
        unlabelled=folder / "unlabelled",
    )


@pytest.fixture(scope="module")
def units(prepared):
    return Units(prepared, COUNT, seed=3)


def described(x, mean, scale):
    """What a frame is described by, one value after another."""
    cepstra = scipy.fft.dct(x[:, :, 0].T, norm="ortho")[:, :13]
    rows = []
    for t in range(len(cepstra)):
        row = []
        for offset in range(-24, 25, 3):
            near = cepstra[min(max(t + offset, 0), len(cepstra) - 1)]
            weight = np.exp(-0.25 * (offset / 10) ** 2)
            row += [weight * (near[k] - mean[k]) / scale[k] * np.exp(-k / 20) for k in range(13)]
        rows.append(row)
    return np.array(rows)


def test_every_frame_has_the_nearest_centre_and_centres_are_the_means_of_theirs(prepared, units):
    features = prepared.features("train")
    every = [features[n] for n in range(len(features))]
    cepstra = np.concatenate([scipy.fft.dct(x[:, :, 0].T, norm="ortho")[:, :13] for x in every])
    mean, scale = cepstra.mean(axis=0), cepstra.std(axis=0)
    rows = np.concatenate([described(x, mean, scale) for x in every])
    labels = units.labels("train")
    assert labels.dtype == np.int64
    assert set(labels) <= set(range(COUNT))
    # So small a set is fitted whole, and Lloyd's iteration has come to rest on it.
    centres = np.stack([rows[labels == c].mean(axis=0) for c in np.unique(labels)])
    distances = ((rows[:, None] - centres) ** 2).sum(axis=-1)
    nearest = np.unique(labels)[distances.argmin(axis=1)]
    assert (nearest == labels).mean() > 0.99


def test_no_label_is_used(prepared, units, tmp_path):
    other = tmp_path / "set"
    shutil.copytree(prepared.path, other)
    for path in other.glob("*/labels.npy"):
        np.save(path, np.full_like(np.load(path), -1))
    assert (Prepared(other).labels("train") == -1).all()
    again = Units(Prepared(other), COUNT, seed=3)
    for split in ("train", "dev", "test"):
        np.testing.assert_array_equal(again.labels(split), units.labels(split))
    assert (Units(prepared, COUNT, seed=4).labels("train") != units.labels("train")).any()


def test_units_of_like_sounds_are_alike(units, prepared):
    """Frames of the middle of a sound tell its label better than chance by far."""
    labels, found = prepared.labels("test"), units.labels("test")
    table = np.zeros((len(prepared.classes), COUNT))
    np.add.at(table, (labels[labels >= 0], found[labels >= 0]), 1)
    purity = table.max(axis=0).sum() / table.sum()
    rng = np.random.default_rng(0)
    drawn = np.zeros_like(table)
    np.add.at(drawn, (labels[labels >= 0], rng.permutation(found[labels >= 0])), 1)
    assert purity > 1.5 * drawn.max(axis=0).sum() / drawn.sum()


def test_windows_recordings_and_stretches_agree(prepared, units):
    recordings = units.frame_labels("train")
    assert [len(x) for x in recordings] == [len(x) for x in prepared.frame_labels("train")]
    features, labels = units.windows("train", 31)
    assert len(features) == len(labels) == sum(map(len, recordings))
    np.testing.assert_array_equal(labels[:][:, 15], units.labels("train"))
    assert (labels[0][:15] == -1).all()
    one, of_one = units.windows("train", 31, recordings=[2])
    begin = len(recordings[0]) + len(recordings[1])
    np.testing.assert_array_equal(of_one[:], labels[begin : begin + len(recordings[2])])
    np.testing.assert_array_equal(one[4], features[begin + 4])
    for stretches, frames in zip(units.phones("train"), recordings, strict=True):
        repeated = [
            units.classes.index(s.label)
            for s in stretches
            for _ in range((s.end - s.start) // units.hop)
        ]
        np.testing.assert_array_equal(repeated, frames)


def test_several_sets_have_their_units_together(prepared, tmp_path):
    corpus = make_tree(tmp_path / "corpus", train=2, test=1, seed=5)
    second = prepare(corpus, tmp_path / "set", like=prepared, examples="frames")
    both = Units(Joined([prepared, second]), COUNT)
    assert len(both.labels("train")) == sum(len(p.labels("train")) for p in (prepared, second))
    assert both.splits == prepared.splits


def test_an_encoder_of_units_initialises_a_recognizer_and_a_classifier_of_segments(
    prepared, tmp_path
):
    small = {"filters": (4,), "block_filters": 24, "dilations": (1, 2)}
    settings = Settings(
        acoustic_units=COUNT,
        epochs=3,
        sampling="natural",
        optimizer="adam",
        learning_rate=0.01,
        batch_size=4,
        window=40,
        augment="pitch,tempo,mask",
    )
    path = train_classifier("tdnn", prepared, tmp_path / "units", settings, overrides=small)
    run = Run.open(path)
    assert run.config["classes"] == [f"u{n}" for n in range(COUNT)]
    losses = run.history["loss"]
    assert losses[-1] < losses[0] < 1.5 * np.log(COUNT)
    assert len(run.history["val_accuracy"]) == 3
    labelled = dataclasses.replace(
        settings,
        acoustic_units=None,
        epochs=1,
        augment=None,
        encoder=str(path),
        freeze_encoder=True,
    )
    tuned = train_classifier("tdnn", prepared, tmp_path / "tuned", labelled, overrides=small)
    for name in ("conv1", "block1_conv"):
        np.testing.assert_array_equal(
            Run.open(tuned).model.get_layer(name).get_weights()[0],
            run.model.get_layer(name).get_weights()[0],
        )


def test_what_units_cannot_be_found_in_is_refused(tmp_path, capsys):
    path = write_csv(tmp_path / "segments.csv", records_of(make_recordings(tmp_path, takes=1)))
    corpus = open_corpus(path)
    real = prepare(corpus, tmp_path / "real", examples="frames", representation="real")
    with pytest.raises(UsageError, match=r"units are found in log_mel, .* holds real\."):
        Units(real, COUNT)
    segments = prepare(corpus, tmp_path / "segments", representation="log_mel")
    with pytest.raises(UsageError, match="holds segments, not whole recordings"):
        Units(segments, COUNT)
    frames = prepare(corpus, tmp_path / "frames", examples="frames")
    with pytest.raises(UsageError, match=r"frames to train on; .* into 10000 units"):
        Units(frames, 10_000)
    words = ["train", "tdnn", "--data", str(frames.path), "--out", str(tmp_path / "run")]
    assert main([*words, "--acoustic-units", "1"]) == 2
    assert "--acoustic-units must be 2 to 10000; received 1." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_unlabelled_recordings_are_learnt_from_too(prepared, units):
    from zoo.training.continuous import excerpts_of

    settings = Settings(sampling="natural", window=40)
    ends = np.cumsum([len(labels) for labels in units.frame_labels("train")])

    def shown(data):
        epoch = excerpts_of(data, "train", settings).epochs.epoch(0)
        return set(np.searchsorted(ends, epoch, side="right").tolist())

    assert shown(units) == set(range(len(ends)))
    assert len(shown(prepared)) == len(ends) - 1
