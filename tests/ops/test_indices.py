"""Switches against the indices that TensorFlow's and PyTorch's own poolings return."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.ops import argmax_to_switches, switch_pool, switches_to_argmax

WINDOWS = [((2, 2), (2, 2)), ((5, 2), (2, 2)), ((5, 1), (2, 1)), ((3, 3), (1, 2))]


def pooled_plane(window, padding="valid", seed=0):
    x = np.random.default_rng(seed).standard_normal((2, 12, 7, 3)).astype("float32")
    pooled, switches = switch_pool(x, *window, padding)
    where = {
        "input_size": (12, 7),
        "pool_size": window[0],
        "strides": window[1],
        "padding": padding,
    }
    return x, ops.convert_to_numpy(pooled), ops.convert_to_numpy(switches), where


def test_indices_worked_by_hand():
    """Region 1 of a 4x4 plane pooled 2x2 starts at column 2; offset 3 is its lower right."""
    switches = np.array([[0, 3], [1, 2]], "int32").reshape(1, 2, 2, 1)
    where = {"input_size": (4, 4), "pool_size": 2, "convention": "torch"}
    flat = ops.convert_to_numpy(switches_to_argmax(switches, **where))
    np.testing.assert_array_equal(flat[0, :, :, 0], [[0, 7], [9, 14]])


@pytest.mark.tensorflow
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("window", WINDOWS)
def test_argmax_equals_tensorflow(window, padding):
    import tensorflow as tf

    x, pooled, switches, where = pooled_plane(window, padding)
    expected, argmax = tf.nn.max_pool_with_argmax(x, *window, padding.upper())
    np.testing.assert_array_equal(pooled, expected)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(switches_to_argmax(switches, **where)), argmax
    )
    back = argmax_to_switches(argmax.numpy(), **where)
    np.testing.assert_array_equal(ops.convert_to_numpy(back), switches)


@pytest.mark.torch
@pytest.mark.parametrize("window", WINDOWS)
def test_argmax_equals_pytorch(window):
    import torch

    x, pooled, switches, where = pooled_plane(window)
    expected, argmax = torch.nn.functional.max_pool2d(
        torch.tensor(x.transpose(0, 3, 1, 2)), *window, return_indices=True
    )
    argmax = argmax.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(pooled, expected.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(switches_to_argmax(switches, **where, convention="torch")), argmax
    )
    back = argmax_to_switches(argmax, **where, convention="torch")
    np.testing.assert_array_equal(ops.convert_to_numpy(back), switches)


@given(
    st.sampled_from(WINDOWS),
    st.sampled_from(["valid", "same"]),
    st.sampled_from(["tensorflow", "torch"]),
    st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None)
def test_there_and_back_again(window, padding, convention, seed):
    _, _, switches, where = pooled_plane(window, padding, seed)
    argmax = switches_to_argmax(switches, **where, convention=convention)
    back = argmax_to_switches(argmax, **where, convention=convention)
    np.testing.assert_array_equal(ops.convert_to_numpy(back), switches)


def test_sequences_have_indices_too():
    x = np.random.default_rng(0).standard_normal((2, 11, 3)).astype("float32")
    _, switches = switch_pool(x, 3, 2)
    where = {"input_size": 11, "pool_size": 3, "strides": 2, "convention": "torch"}
    argmax = ops.convert_to_numpy(switches_to_argmax(switches, **where))
    np.testing.assert_array_equal(argmax - 2 * np.arange(5)[:, None], switches)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(argmax_to_switches(argmax, **where)), switches
    )


def test_an_unknown_convention_is_refused():
    with pytest.raises(ValueError, match='"tensorflow" or "torch"; received convention=\'caffe\''):
        switches_to_argmax(
            np.zeros((1, 2, 2, 1)), input_size=(4, 4), pool_size=2, convention="caffe"
        )


def test_a_size_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"input_size must have 2 entries .* received 4"):
        switches_to_argmax(np.zeros((1, 2, 2, 1)), input_size=4, pool_size=2)
