"""Which examples an epoch shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.samplers import BalancedEpochs, label_subset
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


def test_silly_sizes_are_refused():
    with pytest.raises(UsageError, match="examples a class must be 1 or more; received 0"):
        BalancedEpochs(np.zeros(3, int), 0)
    with pytest.raises(UsageError, match="no examples"):
        BalancedEpochs(np.zeros(0, int))
    with pytest.raises(UsageError, match="labels a class must be 1 or more"):
        label_subset(np.zeros(3, int), 0)
