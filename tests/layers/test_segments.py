"""Layers for marked segments: means over parts of them, wherever their bounds lie."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.harness import check_layer
from zoo import layers

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((4, 12, 3)).astype("float32")


def mark(start, end, frames=12):
    """Shares of frames [t, t + 1) that lie in [start, end)."""
    return np.clip([min(end, t + 1) - max(start, t) for t in range(frames)], 0, 1)


def mean_over(features, low, high):
    """The integral of a step function over [low, high) by its width, zero outside, by a loop."""
    total = np.zeros(features.shape[1])
    for t, row in enumerate(features):
        total += max(0.0, min(t + 1, high) - max(t, low)) * row
    return total / (high - low)


MARKS = np.array([mark(2, 8), mark(0, 12), mark(3.5, 5.25), mark(7, 8)], "float32")


def test_layer_contract(tmp_path):
    def make(**kwargs):
        return layers.SegmentPooling(parts=2, around=3, **kwargs)

    def wire(layer, symbols):
        features = keras.layers.Dense(3, dtype=layer.dtype_policy)(symbols[0])
        return layer([features, symbols[1]])

    check_layer(make, wire, [FEATURES, MARKS], tmp_path)


@settings(deadline=None)
@given(
    start=st.floats(0, 8),
    frames=st.floats(1, 4),
    parts=st.integers(1, 5),
    around=st.integers(1, 6),
)
def test_means_are_those_of_the_spans(start, frames, parts, around):
    end = start + frames
    # What a mark tells of a segment that begins and ends within one frame is its duration alone.
    if np.floor(start) == np.floor(end):
        end = np.floor(start) + 1.5
    x, marks = FEATURES[:1], mark(start, end)[None].astype("float32")
    found = keras.ops.convert_to_numpy(layers.SegmentPooling(parts, around)([x, marks]))[0]
    share = (end - start) / parts
    spans = [(start + share * k, start + share * (k + 1)) for k in range(parts)]
    spans += [(start - around, start), (end, end + around)]
    expected = np.concatenate([mean_over(x[0], *span) for span in spans])
    np.testing.assert_allclose(found[:-2], expected, atol=2e-5)
    duration = np.log(end - start) - 2
    np.testing.assert_allclose(found[-2:], [duration, duration**2], atol=1e-4)


def test_without_marks_all_frames_are_the_segment():
    pooling = layers.SegmentPooling(3, 2)
    marked = pooling([FEATURES, np.ones((4, 12), "float32")])
    np.testing.assert_array_equal(pooling(FEATURES), marked)


def test_a_segment_that_covers_no_frame_is_finite():
    found = layers.SegmentPooling()([FEATURES, np.zeros((4, 12), "float32")])
    assert np.isfinite(keras.ops.convert_to_numpy(found)).all()


@pytest.mark.parametrize("arguments", [{"parts": 0}, {"around": 0}, {"parts": 1.5}])
def test_impossible_parts_are_refused(arguments):
    with pytest.raises(ValueError, match="must be a whole number from 1 on"):
        layers.SegmentPooling(**arguments)


def test_the_mark_is_split_off():
    x = RNG.standard_normal((2, 5, 7, 3)).astype("float32")
    rest, marks = layers.SplitMark()(x)
    np.testing.assert_array_equal(rest, x[..., :2])
    np.testing.assert_array_equal(marks, x[:, 0, :, 2])
