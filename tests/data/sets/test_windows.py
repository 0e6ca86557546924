"""Windows around the frames of recordings, beside a literal padding and slicing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.data.sets.shards import Portions
from zoo.data.sets.windows import Windows
from zoo.errors import UsageError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Several shards of recordings, with a mean that is not zero and frames without a class."""
    root = tmp_path_factory.mktemp("windows")
    tree = make_tree(root / "corpus", sentences=("SX1", "SI1"))
    prepared = prepare(
        tree, root / "set", examples="frames", normalize="set", hop=20, portions=Portions(9_000, 4)
    )
    assert min(map(len, prepared.manifest["shards"].values())) > 2
    assert prepared.mean.any()
    return prepared


def literally(prepared, split, window):
    """Windows (N, F, window, C) around every frame, and labels (N, window) of all their frames."""
    found, labels = [], []
    before, after = window // 2, window - window // 2 - 1
    for x, y in zip(prepared.features(split), prepared.frame_labels(split), strict=True):
        x = np.pad(x, ((0, 0), (before, after), (0, 0)))
        y = np.pad(y, (before, after), constant_values=-1)
        for frame in range(x.shape[1] - window + 1):
            found.append(x[:, frame : frame + window])
            labels.append(y[frame : frame + window])
    return np.array(found), np.array(labels)


@given(
    st.sampled_from(["train", "test", "core", "dev"]), st.integers(1, 90), st.booleans(), st.data()
)
@settings(max_examples=40, deadline=None)
def test_windows_are_slices_of_padded_recordings(prepared, split, window, labelled, data):
    expected, labels = literally(prepared, split, window)
    if labelled:
        known = prepared.labels(split) >= 0
        expected, labels = expected[known], labels[known]
    seen = Windows(prepared, window, labelled=labelled)
    features, (_, framewise) = (
        seen.features(split),
        prepared.windows(split, window, labelled=labelled),
    )
    assert features.shape == expected.shape
    assert seen.shape == expected.shape[1:]
    assert len(framewise) == len(expected)
    np.testing.assert_array_equal(seen.labels(split), labels[:, window // 2])
    index = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=12))
    np.testing.assert_array_equal(features[index], expected[index])
    np.testing.assert_array_equal(framewise[np.array(index)], labels[index])
    np.testing.assert_array_equal(features[index[0]], expected[index[0]])
    np.testing.assert_array_equal(framewise[index[0]], labels[index[0]])
    part = slice(index[0], index[0] + 5)
    np.testing.assert_array_equal(features[part], expected[part])


def test_nothing_is_copied_on_disk(prepared):
    before = sorted(f.name for f in prepared.path.rglob("*"))
    seen = Windows(prepared, 25)
    seen.features("train")[:]
    assert sorted(f.name for f in prepared.path.rglob("*")) == before
    assert (seen.kind, seen.path, seen.classes) == ("segments", prepared.path, prepared.classes)
    assert seen.splits == prepared.splits


def test_segments_have_no_windows(small_set):
    with pytest.raises(UsageError, match="holds segments, not whole recordings"):
        Windows(small_set)
