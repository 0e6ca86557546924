"""Arrays of numbers read without Python objects: the same arrays, and nothing that is none."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.codec import decode_inputs, parse_request
from serving.errors import ServingError
from serving.numbers import NumberDocument
from serving.tensors import TensorSpec


def specs(*names, dtype="float32"):
    return {name: TensorSpec(name, np.dtype(dtype), None) for name in names}


def quick(body, wanted=None):
    document = NumberDocument.read(body)
    return None if document is None else document.arrays(wanted or specs("x"))


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1)
leaves = numbers | st.floats() | st.integers() | st.sampled_from([None, True, "[", "1"])
nested = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=12)


@settings(deadline=None)
@given(value=nested | st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=4))
@example(value=[[[1, 2], []], [[3], [4]]])
@example(value=[[1, [2]], [3, 4]])
@example(value=[[1, 2], [3]])
@example(value=[2**24 + 1, 0.5])
@example(value=[-0.0, 1e-45, 3.4e38, 1e39, -1e308])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_what_is_read_quickly_is_what_numpy_makes_of_the_parsed_json(dtype, value):
    body = json.dumps({"instances": value}).encode()
    found = quick(body, specs("x", dtype=dtype))
    if found is None:
        return
    reference = np.array(json.loads(body)["instances"])
    assert reference.dtype.kind in "iuf"
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found["x"], reference.astype(dtype))
    assert found["x"].dtype == np.dtype(dtype)


@pytest.mark.parametrize("shape", [(3,), (2, 2554), (16, 5, 7), (2, 3, 4, 5)])
@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_plain_arrays_are_read_quickly(key, shape):
    array = np.random.default_rng(0).normal(size=shape)
    found = quick(json.dumps({key: array.tolist(), "signature_name": "s"}).encode())
    np.testing.assert_array_equal(found["x"], array.astype("float32"))


def test_named_columns_are_read_quickly():
    body = b'{"inputs": {"b": [[1, 2.5]], "a": [3]}}'
    found = quick(body, specs("a", "b"))
    assert {name: array.tolist() for name, array in found.items()} == {"a": [3.0], "b": [[1, 2.5]]}


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1], "instances": [2]}',
        b'{"instances": [1], "inputs": [2]}',
        b'{"inputs": {"x": [1], "x": [2]}}',
        b'{"inputs": {"y": [1]}}',
        b'{"instances": [{"x": 1}]}',
        b'{"instances": [NaN]}',
        b'{"instances": [123456789012345678901234567890]}',
        b'{"instances": [[1, 2], [3]]}',
        b'{"instances": [[[1, 2], []]]}',
        b'{"instances": []}',
        b'{"instances": 1}',
        b'{"instances": [1], "signature_name": 3}',
        b'[1]',
    ],
)  # fmt: skip
def test_whatever_is_doubtful_is_left_to_the_other_reader(body):
    assert quick(body) is None


def test_the_last_of_two_equal_keys_counts_as_everywhere():
    request = parse_request(b'{"instances": [1], "instances": [2]}')
    assert decode_inputs(request, specs("x"))["x"].tolist() == [2.0]


def test_whole_numbers_are_not_read_as_decimals():
    request = parse_request(b'{"instances": [9007199254740993]}')
    assert decode_inputs(request, specs("x", dtype="int64"))["x"].tolist() == [9007199254740993]
    with pytest.raises(ServingError, match="not of expected type"):
        decode_inputs(parse_request(b'{"instances": [1.5]}'), specs("x", dtype="int64"))
