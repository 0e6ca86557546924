"""Which examples an epoch shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.corpora.speakers import held_out, speaker_folds
from zoo.data.sets.samplers import (
    BalancedEpochs,
    NaturalEpochs,
    class_weights,
    epochs_of,
    label_fraction,
    label_subset,
)
from zoo.errors import UsageError

sizes = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


@given(sizes, st.integers(1, 50), st.integers(0, 5), st.integers(0, 3))
def test_every_epoch_follows_the_rule_of_whole_repeats_and_a_drawn_rest(
    counts, per_class, seed, number
):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    epoch = BalancedEpochs(labels, per_class, seed).epoch(number)
    for label, count in enumerate(counts):
        times = np.bincount(epoch[labels[epoch] == label], minlength=len(labels))[labels == label]
        if count:
            assert times.sum() == per_class
            assert set(times) <= {per_class // count, per_class // count + 1}


def test_the_thesis_example_of_60_and_2000_examples():
    labels = np.repeat([0, 1], [60, 2000])
    epoch = BalancedEpochs(labels, 500).epoch(0)
    rare = np.bincount(epoch[labels[epoch] == 0], minlength=60)
    assert (rare == 8).sum() == 40
    assert (rare == 9).sum() == 20
    common = epoch[labels[epoch] == 1]
    assert len(common) == len(set(common)) == 500


def test_an_epoch_depends_on_seed_and_number_alone():
    labels = np.random.default_rng(0).integers(0, 5, 300)
    one, other = BalancedEpochs(labels, 20, seed=3), BalancedEpochs(labels, 20, seed=3)
    one.epoch(0)
    np.testing.assert_array_equal(one.epoch(7), other.epoch(7))
    assert not np.array_equal(one.epoch(7), one.epoch(8))
    assert not np.array_equal(one.epoch(7), BalancedEpochs(labels, 20, seed=4).epoch(7))


@given(sizes, st.integers(1, 20), st.integers(0, 20))
def test_label_subsets_of_a_seed_are_nested(counts, small, more):
    labels = np.repeat(np.arange(len(counts)), counts)
    inner, outer = label_subset(labels, small, 5), label_subset(labels, small + more, 5)
    assert set(inner) <= set(outer)
    assert all((labels[inner] == c).sum() == min(n, small) for c, n in enumerate(counts))


@given(sizes, st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 5))
def test_fractions_of_a_seed_are_nested_and_leave_no_class_out(counts, one, other, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    small, large = sorted((one, other))
    inner, outer = label_fraction(labels, small, seed), label_fraction(labels, large, seed)
    assert set(inner) <= set(outer)
    for label, count in enumerate(counts):
        expected = max(1, round(small * count)) if count else 0
        assert (labels[inner] == label).sum() == expected
    assert len(label_fraction(labels, 1, seed)) == len(labels)


def test_a_hundredth_lies_in_a_tenth_and_its_size_is_what_it_says():
    labels = np.random.default_rng(0).integers(0, 48, 100_000)
    hundredth, tenth = label_fraction(labels, 0.01), label_fraction(labels, 0.1)
    assert set(hundredth) <= set(tenth)
    assert len(hundredth) == pytest.approx(1000, abs=24)
    assert len(tenth) == pytest.approx(10_000, abs=24)
    assert set(label_fraction(labels, 0.01, seed=1)) != set(hundredth)


@given(sizes, st.integers(0, 5), st.integers(0, 3))
def test_a_natural_epoch_shows_every_example_once(counts, seed, number):
    labels = np.repeat(np.arange(len(counts)), counts)
    epochs, weights = epochs_of("natural", labels, seed=seed)
    assert weights is None
    assert len(epochs) == len(labels)
    np.testing.assert_array_equal(np.sort(epochs.epoch(number)), np.arange(len(labels)))
    np.testing.assert_array_equal(epochs.epoch(number), NaturalEpochs(labels, seed).epoch(number))


@given(sizes)
def test_weighted_classes_count_alike(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    epochs, weights = epochs_of("weighted", labels)
    assert len(epochs) == len(labels)
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    sums = [weights[labels == c].sum() for c in np.unique(labels)]
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-5)


def test_weights_by_hand():
    np.testing.assert_allclose(class_weights([0, 0, 0, 2]), [2 / 3, 2 / 3, 2 / 3, 2])


speakers = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60).filter(
    lambda names: len(set(names)) > 1
)


@given(speakers, st.integers(2, 8), st.integers(0, 9))
def test_every_speaker_is_tested_in_one_fold_and_trained_in_the_others(names, folds, seed):
    if folds > len(set(names)):
        with pytest.raises(UsageError, match="folds must be 2 to"):
            speaker_folds(names, folds, seed)
        return
    names = np.array(names)
    parts = speaker_folds(names, folds, seed)
    assert len(parts) == folds
    for train, test in parts:
        assert not set(names[train]) & set(names[test])
        np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(len(names)))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in parts])), np.arange(len(names))
    )
    sizes_of_folds = [len(set(names[test])) for _, test in parts]
    assert max(sizes_of_folds) - min(sizes_of_folds) <= 1


@given(speakers, st.integers(0, 9), st.floats(0, 1))
def test_held_out_speakers_depend_on_names_and_seed_alone(names, seed, share):
    held = held_out(names, seed, share)
    assert held == held_out(sorted(set(names)), seed, share)
    assert 0 < len(held) < len(set(names))
    assert set(held) < set(names)


def test_silly_sizes_are_refused():
    with pytest.raises(UsageError, match=r"above 0, up to 1; received 0"):
        label_fraction(np.zeros(3, int), 0)
    with pytest.raises(UsageError, match=r"above 0, up to 1; received nan"):
        label_fraction(np.zeros(3, int), float("nan"))
    with pytest.raises(UsageError, match=r"unknown sampling 'ballanced'\. Did you mean 'balanced'"):
        epochs_of("ballanced", np.zeros(3, int))
    with pytest.raises(UsageError, match="no examples"):
        epochs_of("natural", np.zeros(0, int))
    with pytest.raises(UsageError, match="two speakers or more are needed"):
        held_out(["a", "a"])
    with pytest.raises(UsageError, match="examples per class must be 1 or more; received 0"):
        BalancedEpochs(np.zeros(3, int), 0)
    with pytest.raises(UsageError, match="no examples"):
        BalancedEpochs(np.zeros(0, int))
    with pytest.raises(UsageError, match="labels per class must be 1 or more"):
        label_subset(np.zeros(3, int), 0)
