"""JSON to tensors and back: what is said is what arrives, and nothing else is accepted."""

import base64
import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.answers import encode_outputs
from serving.codec import decode_inputs, parse_request
from serving.errors import ServingError
from serving.tensors import TensorSpec

FLOAT, STRING = np.dtype("float32"), np.dtype(object)
NUMERIC = ["float16", "float32", "float64", "int8", "int16", "int32", "int64"]
NUMERIC += ["uint8", "uint16", "uint32", "uint64", "bool"]


def spec(name="x", dtype=FLOAT, shape=None):
    return TensorSpec(name, np.dtype(dtype), shape)


def decode(body, *specs):
    request = parse_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    return decode_inputs(request, {s.name: s for s in specs})


arrays = st.sampled_from(NUMERIC).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
)


def same(a, b):
    # NaNs have many bit patterns, JSON has one.
    np.testing.assert_array_equal(a, b)
    assert a.dtype == b.dtype


@settings(deadline=None)
@given(array=arrays)
@example(array=np.array([np.nan, np.inf, -np.inf, -0.0], "float32"))
@example(array=np.array([2**63 - 1, -(2**63)], "int64"))
@example(array=np.array([0.1, 1e-45, 3.4028235e38], "float32"))
@pytest.mark.parametrize("row", [True, False])
def test_numbers_survive_the_way_there_and_back(row, array):
    answer = json.loads(encode_outputs({"y": array}, row))
    request = {"instances" if row else "inputs": answer["predictions" if row else "outputs"]}
    same(decode(request, spec(dtype=array.dtype))["x"], array)


@settings(deadline=None)
@given(strings=st.lists(st.binary(max_size=8), min_size=1, max_size=5))
@pytest.mark.parametrize("row", [True, False])
def test_bytes_survive_in_outputs_named_so(row, strings):
    array = np.array(strings, object)
    answer = json.loads(encode_outputs({"y_bytes": array}, row))
    request = {"instances" if row else "inputs": answer["predictions" if row else "outputs"]}
    assert decode(request, spec(dtype=STRING))["x"].tolist() == strings


@settings(deadline=None)
@given(strings=st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_text_survives_as_plain_strings(strings):
    array = np.array([s.encode() for s in strings], object)
    answer = json.loads(encode_outputs({"y": array}, row=True))
    assert answer == {"predictions": strings}
    assert decode({"instances": strings}, spec(dtype=STRING))["x"].tolist() == array.tolist()


@settings(deadline=None)
@given(body=st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["instances", "inputs", "signature_name", "b64", "x"]), inner, max_size=3
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "object", "bfloat16"])
def test_any_body_decodes_or_is_refused_with_400(dtype, body):
    import ml_dtypes

    dtype = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    refusal = None
    try:
        array = decode(body, spec(dtype=dtype))["x"]
    except ServingError as error:
        refusal = error
    if refusal:
        assert (refusal.status, bool(refusal.message)) == (400, True)
    else:
        assert array.dtype == np.dtype(dtype)


def test_shortest_decimals_that_read_back():
    array = np.array([0.1, 1 / 3, 2.0, 1e20], "float32")
    text = encode_outputs({"y": array}, row=False).decode()
    assert text == '{"outputs":[0.1,0.33333334,2.0,1e+20]}'


def test_bfloat16_is_carried():
    import ml_dtypes

    array = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    assert json.loads(encode_outputs({"y": array}, row=True)) == {"predictions": [[1.5, -2.0]]}
    assert decode({"inputs": [[1.5, -2]]}, spec(dtype=ml_dtypes.bfloat16))["x"].dtype == array.dtype


class TestFormats:
    a, b = spec("a", shape=(None, 2)), spec("b", "int32", (None,))

    def test_rows_of_a_single_input_need_no_name(self):
        plain = decode({"instances": [[1, 2], [3, 4]]}, self.a)["a"]
        named = decode({"instances": [{"a": [1, 2]}, {"a": [3, 4]}]}, self.a)["a"]
        assert plain.tolist() == named.tolist() == [[1, 2], [3, 4]]

    def test_rows_of_several_inputs_are_objects(self):
        inputs = decode(
            {"instances": [{"a": [1, 2], "b": 3}, {"b": 4, "a": [5, 6]}]}, self.a, self.b
        )
        assert {k: v.tolist() for k, v in inputs.items()} == {"a": [[1, 2], [5, 6]], "b": [3, 4]}

    def test_columns_of_a_single_input_need_no_name(self):
        assert decode({"inputs": [3, 4]}, self.b)["b"].tolist() == [3, 4]
        assert decode({"inputs": {"b": [3, 4]}}, self.b)["b"].tolist() == [3, 4]

    def test_a_column_may_be_one_value_or_empty(self):
        assert decode({"inputs": 3}, spec("c", shape=()))["c"].shape == ()
        assert decode({"inputs": {"b64": "AP8="}}, spec("c", STRING, ()))["c"].item() == b"\0\xff"
        assert decode({"inputs": []}, self.a)["a"].shape == (0, 2)

    def test_outputs(self):
        outputs = {"p": np.array([[1, 2], [3, 4]]), "q": np.array([b"x", b"y"], object)}
        assert json.loads(encode_outputs(outputs, row=True)) == {
            "predictions": [{"p": [1, 2], "q": "x"}, {"p": [3, 4], "q": "y"}]
        }
        assert json.loads(encode_outputs(outputs, row=False)) == {
            "outputs": {"p": [[1, 2], [3, 4]], "q": ["x", "y"]}
        }
        assert json.loads(encode_outputs({"p": outputs["p"]}, row=True)) == {
            "predictions": [[1, 2], [3, 4]]
        }

    def test_rows_need_one_batch_size(self):
        with pytest.raises(ServingError, match="inconsistent batch size"):
            encode_outputs({"p": np.zeros(2), "q": np.zeros(3)}, row=True)
        with pytest.raises(ServingError, match="Tensor name: p has no shape information"):
            encode_outputs({"p": np.array(1.0)}, row=True)
        assert json.loads(encode_outputs({"p": np.array(1.0)}, row=False)) == {"outputs": 1.0}

    def test_bytes_that_are_no_text_are_an_error_unless_named_bytes(self):
        with pytest.raises(ServingError, match="_bytes are sent as base64"):
            encode_outputs({"p": np.array([b"\xff"], object)}, row=True)

    def test_complex_numbers_have_no_json(self):
        with pytest.raises(ServingError, match="Failed to write JSON value for tensor type") as e:
            encode_outputs({"p": np.zeros(2, "complex64")}, row=True)
        assert e.value.status == 400
        with pytest.raises(ServingError, match="Conversion of JSON Value") as e:
            decode({"inputs": [1]}, spec(dtype="complex64"))
        assert e.value.status == 501


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"{", "JSON Parse error"),
        (b"\xff\xfe", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b"[]", r"JSON Value: \[\] Is not object"),
        ({}, "Missing 'inputs' or 'instances' key; the request's keys are: none"),
        ({"input": [1]}, "the request's keys are: 'input'"),
        ({"instances": [1], "inputs": [1]}, "only one of 'inputs' or 'instances'"),
        ({"instances": []}, "No values in 'instances'"),
        ({"instances": 3}, "JSON Value: 3 Excepting 'instances' to be an list/array"),
        ({"instances": [[1, 2]], "signature_name": 3}, "'signature_name' key must be a string"),
        ({"instances": [[1, 2], [3]]}, r"size: 1 at level: 1 expected size: 2; .* at \[1\] must"),
        ({"instances": [[1, 2], 3]}, r"JSON Value: 3 found at incorrect level: 2 .* at \[1\] must"),
        ({"instances": [[1, "a"]]}, r'"a" Type: String is not of .* float .* \[0\]\[1\]'),
        ({"instances": [[1, None]]}, "JSON Value: null Type: Null is not of expected type: float"),
        ({"instances": [[1, True]]}, "JSON Value: true Type: True is not of expected type: float"),
        ({"instances": [[1, {"b64": "AA=="}]]}, "Type: Object is not of expected type: float"),
        (b'{"instances": ' + b"[" * 40 + b"]" * 40 + b"}", "nested more than 32 lists deep"),
        ({"instances": [[1, 10**400]]}, "Number too big to be stored in double: 1000"),
        ({"instances": [{"y": [1, 2]}]}, "element: 0 of .* must be equal to: x; received 'y'"),
        ({"instances": [{"x": [1, 2]}, [1, 2]]}, "Expecting object but got list at item 1"),
        ({"instances": [[1, 2], {"x": [1, 2]}]}, "Expecting value/list but got object at item 1"),
        ({"inputs": {"y": 1}}, "Missing named input: x in 'inputs' object; .* the input x: float"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_wrong_and_what_was_expected(body, message):
    with pytest.raises(ServingError, match=message) as caught:
        decode(body, spec(shape=(None, 2)))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("int32", 1.0, "1.0 Type: Number is not of expected type: int32"),
        ("int32", 2**31, r"2147483648 .* expected type: int32 \(-2147483648 to 2147483647\)"),
        ("uint8", -1, r"-1 .* expected type: uint8 \(0 to 255\)"),
        ("bool", 1, "1 Type: Number is not of expected type: bool"),
        ("object", 1, "1 Type: Number is not of expected type: string"),
        ("object", {"b64": "?"}, "Unable to base64 decode"),
        ("object", {"b64": 3}, "a string, or binary data as"),
        ("object", "\ud800", "not valid Unicode"),
    ],
)
def test_types_are_not_converted(dtype, value, message):
    with pytest.raises(ServingError, match=message):
        decode({"inputs": [value]}, spec(dtype=dtype))


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "object"])
def test_no_values_are_of_any_type(dtype):
    array = decode({"inputs": []}, spec(dtype=dtype))["x"]
    assert (array.size, array.dtype) == (0, np.dtype(dtype))


def test_base64_padding_may_be_left_out():
    text = base64.b64encode(b"1234").decode().rstrip("=")
    assert decode({"inputs": [{"b64": text}]}, spec(dtype=STRING))["x"].tolist() == [b"1234"]
    # As `base64 FILE` writes it.
    lines = base64.encodebytes(bytes(100)).decode()
    assert decode({"inputs": [{"b64": lines}]}, spec(dtype=STRING))["x"].tolist() == [bytes(100)]


def test_infinite_numbers_are_taken_from_json():
    array = decode(b'{"inputs": [NaN, Infinity, -Infinity]}', spec())["x"]
    assert math.isnan(array[0])
    assert array[1:].tolist() == [math.inf, -math.inf]
