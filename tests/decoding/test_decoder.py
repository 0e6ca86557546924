"""Bigrams, decoders, their tuning, and intervals from frames."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.data.corpora.phones import GROUPS
from zoo.decoding import Bigram, Decoder, Interval, Settings, best_paths, tune
from zoo.decoding.frames import merged, to_intervals
from zoo.decoding.tuning import phones_of
from zoo.errors import UsageError

CLASSES = ("sil", "aa", "t", "cl")


def test_counts_pairs_and_beginnings():
    phones = Bigram.count([[0, 1, 2, 0], [1, -1, 2, 1]], 3, smoothing=0.5)
    assert phones.follows.tolist() == [[0, 1, 0], [0, 0, 1], [1, 1, 0]]
    assert phones.begins.tolist() == [1, 1, 0]
    frames = Bigram.count([[0, 0, 1, 1, 1, 2, 0], [1, 1, -1, -1, 2, 1], [-1, 2], []], 3, 0.5)
    np.testing.assert_array_equal(frames.follows, phones.follows)
    np.testing.assert_array_equal(frames.begins, phones.begins)
    expected = [[0, 1.5 / 2, 0.5 / 2], [0.5 / 2, 0, 1.5 / 2], [1.5 / 3, 1.5 / 3, 0]]
    np.testing.assert_allclose(np.exp(phones.log_probabilities()), expected)
    np.testing.assert_allclose(np.exp(phones.log_initial()), np.array([1.5, 1.5, 0.5]) / 3.5)


@given(
    st.lists(st.lists(st.integers(-1, 4), max_size=9), max_size=5),
    st.floats(1e-3, 100),
)
def test_a_bigram_is_a_distribution_and_keeps_as_json(sequences, smoothing):
    bigram = Bigram.count(sequences, 5, smoothing)
    np.testing.assert_allclose(np.exp(bigram.log_probabilities()).sum(axis=1), 1)
    assert np.isneginf(np.diag(bigram.log_probabilities())).all()
    np.testing.assert_allclose(np.exp(bigram.log_initial()).sum(), 1)
    again = Bigram.from_dict(json.loads(json.dumps(bigram.as_dict())))
    np.testing.assert_array_equal(again.log_probabilities(), bigram.log_probabilities())
    np.testing.assert_array_equal(again.log_initial(), bigram.log_initial())


def speech(seed, recordings=12, noise=1.5):
    """Frame labels, noisy log posteriors and phones of recordings, every phone 4 to 9 frames."""
    rng = np.random.default_rng(seed)
    follow = {0: [1], 1: [3, 0], 3: [2], 2: [1, 0]}
    labels, posteriors, phones = [], [], []
    for _ in range(recordings):
        sequence = [0]
        while len(sequence) < 12:
            sequence.append(int(rng.choice(follow[sequence[-1]])))
        frames = np.repeat(sequence, rng.integers(4, 10, len(sequence)))
        logits = 2.0 * np.eye(4)[frames] + noise * rng.normal(size=(len(frames), 4))
        labels.append(frames)
        posteriors.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
        phones.append([CLASSES[c] for c in sequence])
    return labels, posteriors, phones


def test_tuning_lowers_the_phone_error_rate_and_counts_its_trials():
    labels, _, _ = speech(0)
    _, posteriors, phones = speech(1)
    plain = Settings(0, 0, 0, 1)
    decoder = Decoder.count(labels, CLASSES, plain)
    seen = []
    grid = {"min_duration": (1, 3), "bigram_weight": (0.0, 1.0), "insertion_penalty": (0.0, 2.0)}
    found = tune(decoder, posteriors, phones, GROUPS, grid=grid, progress=seen.append)
    assert found.trials[0].settings == plain
    assert tuple(seen) == found.trials
    assert len({trial.settings for trial in found.trials}) == len(found.trials) <= 8
    assert found.as_dict()["tried"] == len(found.trials)
    assert found.best == min(found.trials, key=lambda trial: trial[1:])
    assert found.decoder.settings == found.best.settings
    assert found.best.phone_error_rate < found.trials[0].phone_error_rate / 2
    # What was chosen serves other recordings too.
    _, posteriors, phones = speech(2)
    rates = [
        tune(d, posteriors, phones, GROUPS, grid={}).best.phone_error_rate
        for d in (decoder, found.decoder)
    ]
    assert rates[1] < rates[0] / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_posteriors": []}, "at least one recording"),
        (
            {"grid": {"min_durations": (1,)}},
            "unknown option 'min_durations'. Did you mean 'min_duration'",
        ),
        ({"references": [["sil"]]}, "the references hold no phone"),
        ({"references": [["q"]]}, "'q' has no scored group"),
        ({"references": []}, "one hypothesis for each reference"),
    ],
)
def test_tuning_needs_labelled_speech(change, message):
    decoder = Decoder.count([[0, 1]], CLASSES)
    given = {"log_posteriors": [np.zeros((3, 4))], "references": [["aa"]], "grid": {}}
    with pytest.raises(UsageError, match=message):
        tune(decoder, groups=GROUPS, **{**given, **change})


def test_a_decoder_keeps_as_json():
    labels, posteriors, _ = speech(3)
    decoder = Decoder.count(labels, CLASSES, Settings(0.3, 1.5, 2, (1, 2, 3, 4)))
    again = Decoder.from_dict(json.loads(json.dumps(decoder.as_dict())))
    assert again.settings == decoder.settings
    for one, other in zip(decoder.decode(posteriors), again.decode(posteriors), strict=True):
        np.testing.assert_array_equal(one.classes, other.classes)
        assert one.score == other.score
    record = decoder.as_dict()
    for damage, message in [
        ({"version": 9}, "version 9; this program reads 1"),
        ({"priors": [1]}, "all must agree"),
        ({"settings": None}, "the decoder is damaged"),
        ({"settings": {"min_duration": 0}}, "whole numbers of frames, 1 to 50; received 0"),
        ({"bigram": {}}, "the bigram's counts are damaged"),
    ]:
        with pytest.raises(UsageError, match=message):
            Decoder.from_dict({**record, **damage})


def test_priors_divide_and_each_part_can_be_left_out():
    labels = [[0] * 90 + [1] * 8 + [2] + [3]]
    decoder = Decoder.count(labels, CLASSES, Settings(1, 0, 0, 1))
    np.testing.assert_allclose(decoder.priors, np.array([91, 9, 2, 2]) / 104)
    posteriors = np.log([[0.7, 0.25, 0.03, 0.02]] * 3)
    assert decoder.decode([posteriors])[0].classes.tolist() == [1, 1, 1]
    plain = decoder.with_settings(prior_exponent=0.0)
    assert plain.decode([posteriors])[0].classes.tolist() == [0, 0, 0]
    # Without bigram and penalty every frame is decided alone.
    rng = np.random.default_rng(0)
    posteriors = np.log(rng.dirichlet(np.ones(4), 200))
    np.testing.assert_array_equal(plain.decode([posteriors])[0].classes, posteriors.argmax(axis=1))
    fewer = plain.with_settings(insertion_penalty=3.0).decode([posteriors])[0]
    assert len(phones_of(fewer.classes, CLASSES)) < 50


def test_the_graph_decodes_as_python_does():
    labels, posteriors, _ = speech(4, recordings=3)
    decoder = Decoder.count(labels, CLASSES, Settings(0.5, 1, 1, 3))
    lengths = [len(p) for p in posteriors]
    batch = np.zeros((3, max(lengths), 4), "float32")
    for row, array in zip(batch, posteriors, strict=True):
        row[: len(array)] = array
    tensor = decoder.scores(ops.convert_to_tensor(batch))
    classes, _, scores = best_paths(tensor, decoder.chains, lengths)
    for row, path in enumerate(decoder.decode(posteriors)):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(classes)[row, : lengths[row]], path.classes
        )
        assert float(scores[row]) == pytest.approx(path.score, rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prior_exponent": 3}, "prior_exponent must be 0 to 2; received 3"),
        ({"bigram_weight": float("nan")}, "bigram_weight must be 0 to 20; received nan"),
        ({"insertion_penalty": "1"}, "insertion_penalty must be a number, -20 to 20; received '1'"),
        ({"min_duration": 0}, "whole numbers of frames, 1 to 50; received 0"),
        ({"min_duration": (1, 2.5)}, "whole numbers of frames"),
    ],
)
def test_settings_outside_their_range(fields, message):
    with pytest.raises(UsageError, match=message):
        Settings(**fields)
    decoder = Decoder.count([[0, 1]], CLASSES)
    with pytest.raises(UsageError, match="has 2 numbers; one, or one for each of the 4"):
        decoder.with_settings(min_duration=(1, 2))
    with pytest.raises(UsageError, match="all must agree"):
        dataclasses.replace(decoder, classes=CLASSES[:3])
    with pytest.raises(UsageError, match=r"labels must be -1 to 3; received 0 to 4"):
        Decoder.count([[0, 4]], CLASSES)


def test_intervals_by_hand():
    path = np.array([0, 0, 1, 1, 1, 3])
    posteriors = np.log(np.full((6, 4), 0.5))
    posteriors[:, 1] = np.log([0.1, 0.1, 0.2, 0.3, 0.4, 0.1])
    found = to_intervals(
        path, CLASSES, hop=160, samples=1000, sample_rate=16000, log_posteriors=posteriors
    )
    assert [row[:3] for row in found] == [
        (0, 320 / 16000, "sil"),
        (320 / 16000, 800 / 16000, "aa"),
        (800 / 16000, 1000 / 16000, "cl"),
    ]
    assert [row.score for row in found] == pytest.approx([0.5, 0.3, 0.5])
    # Windows of 267 samples, whose centres lie 133.5 after their starts.
    shifted = to_intervals(path, CLASSES, hop=160, samples=1000, sample_rate=16000, centre=133.5)
    assert shifted[1][:2] == (374 / 16000, 854 / 16000)
    assert (shifted[0].start, shifted[-1].end) == (0, 1000 / 16000)


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=40),
    st.integers(1, 300),
    st.integers(1, 4000),
    st.floats(0, 400),
)
@settings(deadline=None)
def test_intervals_follow_one_another(path, hop, samples, centre):
    rows = to_intervals(
        np.array(path), CLASSES, hop=hop, samples=samples, sample_rate=16000, centre=centre
    )
    for row in rows:
        assert 0 <= row.start < row.end <= samples / 16000
    for before, after in itertools.pairwise(rows):
        assert before.end <= after.start
    if -1 not in path:
        assert (rows[0].start, rows[-1].end) == (0, samples / 16000)
        assert all(a.end == b.start for a, b in itertools.pairwise(rows))


def test_silences_that_touch_are_merged():
    rows = [
        Interval(0, 0.3, "sil", 0.9),
        Interval(0.3, 0.4, "cl", 0.5),
        Interval(0.4, 0.5, "t", 0.4),
        Interval(0.6, 0.7, "cl"),
        Interval(0.7, 0.8, "sil", 1.0),
    ]
    assert merged(rows, GROUPS) == (
        Interval(0, 0.4, "sil", pytest.approx(0.8)),
        rows[2],
        Interval(0.6, 0.8, "sil"),
    )
    assert merged(rows) == tuple(rows)
