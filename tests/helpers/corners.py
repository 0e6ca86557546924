"""Corners of the wire contract in which tensorflow_model_server takes more than one would think.

References: TensorFlow Serving, util/json_tensor.cc and its test, model_servers/http_server.cc,
util/net_http/server/internal/evhttp_server.cc, servables/tensorflow/classifier.cc, regressor.cc and
multi_inference.cc.
"""

from tests.helpers.conformance.examples import examples
from tests.helpers.conformance.paths import HALF, typed
from tests.helpers.conformance.stubs import EXAMPLE, predict, task

LARGEST, SMALLEST = 1.7976931348623157e308, 2.2250738585072014e-308
SINGLE = 3.4028234663852886e38


def body(values, signature="float32", key="instances"):
    """A request whose numbers are written as they stand, not as Python would write them."""
    return b'{"signature_name": "%s", "%s": [%s]}' % tuple(
        part.encode() for part in (signature, key, values)
    )


def exchange(values, answer, signature="float32"):
    """The same numbers in both formats, and what comes back."""
    path, _ = typed(signature)
    return [
        ("POST", path, body(values, signature), b'{"predictions": [%s]}' % answer.encode()),
        ("POST", path, body(values, signature, "inputs"), b'{"outputs": [%s]}' % answer.encode()),
    ]


def refusal(values, signature, message):
    path, _ = typed(signature)
    return [("POST", path, body(values, signature), (400, message))]


# A whole number is rounded as a decimal is.
WHOLE = [
    *exchange("16777215, 16777216, 16777217", "16777215.0, 16777216.0, 16777216.0"),
    *exchange("1435774380, 1435774380.0", "1435774336.0, 1435774336.0"),
    *exchange("-16777217, 16777219", "-16777216.0, 16777220.0"),
    *exchange("9223372036854775807, 18446744073709551615", "9223372036854775808.0, 1.8446744e19"),
    *exchange("9007199254740993, 16777217", "9007199254740992.0, 16777217.0", "float64"),
    *exchange("18446744073709551616, -9223372036854775809", "1.8446744073709552e19, "
              "-9223372036854775808.0", "float64"),
    *exchange("2049, -4099", "2048.0, -4100.0", "float16"),
    *exchange("257, 0.5", "256.0, 0.5", "bfloat16"),
    *exchange("0, -0, 1e0", "0.0, 0.0, 1.0"),
]  # fmt: skip

# Past the largest number lies infinity, below the smallest zero, whose sign stays.
BEYOND = [
    *exchange(f"{LARGEST}, {-LARGEST}", "Infinity, -Infinity"),
    *exchange(f"1e39, -1e39, {SINGLE}", f"Infinity, -Infinity, {SINGLE}"),
    *exchange("1" + "0" * 300, "Infinity"),
    *exchange("1" + "0" * 300, "1e300", "float64"),
    *exchange(f"{SMALLEST}, 1e-46, 1e-45", "0.0, 0.0, 1e-45"),
    *exchange(f"{SMALLEST}, {LARGEST}, 1e-400", f"{SMALLEST}, {LARGEST}, 0.0", "float64"),
    *exchange("65520, -1e5, 65504, 1e-9", "Infinity, -Infinity, 65504.0, 0.0", "float16"),
    *exchange("1e39, -1e39, -0.5", "Infinity, -Infinity, -0.5", "bfloat16"),
    *exchange("1e39, 0.5, -0.0", "0.0, 2.0, -Infinity", "divide"),
    *exchange(f"{-SMALLEST}, -0", "-Infinity, Infinity", "divide"),
    *refusal("1e309", "float32", "JSON Parse error: Number too big to be stored in double"),
    *refusal("-1e400", "float64", "JSON Parse error: Number too big to be stored in double"),
    *refusal("1" + "0" * 309, "float64", "JSON Parse error: Number too big to be stored in double"),
    *refusal("9" * 5000, "int64", "JSON Parse error: Number too big to be stored in double"),
]

# What is no number of 64 bits is no whole number either.
WIDE = [
    (number, kind)
    for number, kind in (
        ("9223372036854775808", "int64"),
        ("-9223372036854775809", "int64"),
        ("18446744073709551616", "uint64"),
        ("-1", "uint64"),
        ("4294967296", "uint32"),
        ("-1", "uint32"),
        ("2147483648", "int32"),
        ("-2147483649", "int32"),
        ("2147483648", "int16"),
        ("2147483648", "uint8"),
        ("1.0", "int8"),
        ("1e2", "uint64"),
        ("NaN", "int32"),
        ("true", "int64"),
        ('"1"', "int32"),
        ('"1.5"', "float32"),
        ('"NaN"', "float64"),
        ("null", "float16"),
    )
]
TYPED = [
    *exchange("-0, 127, -128", "0, 127, -128", "int8"),
    *exchange("-0, 255", "0, 255", "uint8"),
    *(
        case
        for number, kind in WIDE
        for case in refusal(
            number,
            kind,
            "is not of expected type: "
            + {"float32": "float", "float64": "double", "float16": "half"}.get(kind, kind),
        )
    ),
]

SPELLINGS = [
    *exchange("NaN, Infinity, -Infinity", "NaN, Infinity, -Infinity"),
    *exchange("-NaN, Inf, -Inf, 1", "NaN, Infinity, -Infinity, 1.0", "float64"),
    *exchange('"Inf", "-NaN"', '"Inf", "-NaN"', "string"),
    *(
        case
        for word in "nan inf infinity +Infinity Infinite INF 1. .5 01 +1 -".split()
        for case in refusal(word, "float32", "JSON Parse error")
    ),
]  # fmt: skip

BASE64 = [
    ("POST", *typed("string", instances=[{"b64": text}]), answer)
    for text, answer in (
        ("YQ==", {"predictions": ["a"]}),
        ("YQ", {"predictions": ["a"]}),
        ("YW I\n=", {"predictions": ["ab"]}),
        ("", {"predictions": [""]}),
        ("Y", (400, "Unable to base64 decode")),
        ("YQ===", (400, "Unable to base64 decode")),
        ("YQ=YQ=", (400, "Unable to base64 decode")),
        ("Y_-=", (400, "Unable to base64 decode")),
    )
]
BASE64 += [
    (
        "POST",
        *typed("string", instances=[{"b64": "YQ==", "x": 1}]),
        (400, "keys must be equal to: x"),
    ),
    ("POST", *typed("string", instances=[[{"b64": None}]]), (400, "not formatted correctly")),
    ("POST", *typed("float32", instances=[{"b64": "AAAA"}]), (400, "not of expected type: float")),
]

EMPTY = [
    ("POST", *typed("matrix", instances=[[], []]), {"predictions": [[], []]}),
    ("POST", *typed("any_rank", inputs=[[[], []]]), {"outputs": {"y": [[[], []]], "rank": 3}}),
    ("POST", *typed("matrix", instances=[[], [1.0]]), (400, "expected size: 0")),
    ("POST", *typed("matrix", instances=[[1.0], []]), (400, "expected size: 1")),
]


def deep(levels, inner=b"", opening=b"[", closing=b"]"):
    return opening * levels + inner + closing * levels


def beside(part, rest=b'"instances": [1.0]'):
    return b"{" + rest + b', "more": ' + part + b"}"


# Nobody reads the rest, however deep it is; but it has to be JSON.
NESTED = [
    *(
        ("POST", f"{HALF}:predict", content, {"predictions": [2.5]})
        for content in (
            beside(deep(1000)),
            beside(deep(5000)),
            beside(deep(5000, b"1, NaN, [], {}")),
            beside(deep(3000, b"1", b'{"\\u0061\\"]": ', b', "b": {}}')),
            b'{"more": ' + deep(5000, b" \n", b"[ ", b" ]") + b' , "instances" : [ 1.0 ] } ',
        )
    ),
    (
        "POST",
        f"{HALF}:regress",
        beside(deep(5000), b'"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}]'),
        {"results": [42.0]},
    ),
    ("POST", f"{HALF}:predict", beside(deep(5000)[:-1]), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000) + b"]"), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000)) + b"x", (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000, b"1,")), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000, b"1 2")), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000, b"{1: 2}")), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", beside(deep(5000, b'{"a" 2}')), (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", b'{"instances": ' + deep(5000) + b"}", (400, "nested more")),
    ("POST", f"{HALF}:predict", b'{"inputs": {"x": ' + deep(5000) + b"}}", (400, "nested more")),
    ("POST", f"{HALF}:predict", deep(5000), (400, "Is not object")),
]  # fmt: skip

# An example's decimals are as much as single precision holds.
FEATURES = [
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": value}),
        b'{"results": [%s]}' % answer,
    )
    for value, answer in ((1e39, b"Infinity"), (-LARGEST, b"-Infinity"), (SMALLEST, b"2.0"))
]
FEATURES += [
    (
        "POST",
        f"{HALF}:regress",
        b'{"signature_name": "regress_x_to_y", "examples": [{"x": 18446744073709551616}]}',
        {"results": [9223372036854775810.0]},
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": 2**64 - 1}),
        (400, "has uint64 element. Only int64 is supported"),
    ),
]

# A signature of another kind is the client's mistake.
WRONG_KINDS = [
    ("regress", "serving_default", "No regression inputs found in SignatureDef"),
    ("regress", "classify_x_to_y", "No regression outputs found in SignatureDef"),
    ("regress", "classify_both", "Expected one output Tensor"),
    ("classify", "serving_default", "No classification inputs found in SignatureDef"),
    ("classify", "regress_x_to_y", "Expected classification signature outputs to contain at least"),
    ("classify", "none", "No signature was found with the name: none"),
    ("regress", "none", "No signature was found with the name: none"),
]
KINDS_REST = [
    ("POST", f"{HALF}:{verb}", examples(signature, {"x": 1.0}), (400, message))
    for verb, signature, message in WRONG_KINDS
]
INPUT = "input { " + EXAMPLE % 2.0 + " }"
GRPC = [
    *(
        (
            verb.capitalize(),
            predict("half", INPUT, f'signature_name: "{signature}"'),
            ("INVALID_ARGUMENT", message),
        )
        for verb, signature, message in WRONG_KINDS
    ),
    *(
        ("MultiInference", task(verb, signature) + INPUT, ("INVALID_ARGUMENT", message))
        for verb, signature, message in WRONG_KINDS
    ),
    ("MultiInference", task("predict", "none") + INPUT, ("INVALID_ARGUMENT", "none")),
    (
        "MultiInference",
        task("explain", "regress_x_to_y") + INPUT,
        ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/explain"),
    ),
    (
        "MultiInference",
        task("explain", "regress_x_to_y") * 2 + INPUT,
        ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
    ),
    # Model and signature are looked at before the examples.
    (
        "Regress",
        predict("half", "", 'signature_name: "classify_x_to_y"'),
        ("INVALID_ARGUMENT", "No regression outputs found in SignatureDef"),
    ),
    (
        "Regress",
        predict("half", "", 'signature_name: "none"'),
        ("INVALID_ARGUMENT", "No signature"),
    ),
    (
        "Classify",
        predict("none", ""),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        "Regress",
        predict("half", "", 'version { value: 9 } signature_name: "regress_x_to_y"'),
        ("NOT_FOUND", "Servable not found for request: Specific(half, 9)"),
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y"),
        ("INVALID_ARGUMENT", "Input is empty"),
    ),
    (
        "MultiInference",
        task("regress", "none", "nothing"),
        ("NOT_FOUND", "Servable not found for request: Latest(nothing)"),
    ),
    (
        "Predict",
        predict("half", INPUT.partition("input")[0], 'signature_name: "regress_x_to_y"'),
        ("INVALID_ARGUMENT", "input size does not match signature: 0!=1"),
    ),
]

REST = [
    *(*WHOLE, *BEYOND, *TYPED, *SPELLINGS, *BASE64, *EMPTY),
    *(*NESTED, *FEATURES, *KINDS_REST),
]

# (method, path, Origin, status, a part of the message; None for an empty answer)
ORIGIN = "https://example.org"
METHODS = [
    *(
        (method, path, None, 404, "nothing here")
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS")
        for path in ("/", "/foo", "/v1", "/v2/models/half:predict", "/healthz", "/static/x")
    ),
    ("GET", "/foo", None, 404, "nothing here"),
    ("GET", "/v1", None, 404, "nothing here"),
    ("HEAD", "/foo", None, 404, None),
    *(
        (method, path, None, 400, f"Malformed request: {method} {path}")
        for method in ("PUT", "DELETE", "PATCH")
        for path in (HALF, f"{HALF}:predict", "/v1/foo")
    ),
    ("HEAD", HALF, None, 400, None),
    ("POST", f"{HALF}/metadata", None, 400, f"Malformed request: POST {HALF}/metadata"),
    ("POST", "/V1/foo", None, 400, "Malformed request: POST /V1/foo"),
    *(
        ("OPTIONS", path, origin, status, message)
        for path in (f"{HALF}:predict", HALF, "/v1/foo", "/V1/Models/half:predict")
        for origin, status, message in (
            (ORIGIN, 200, None),
            ("http://localhost:3000", 200, None),
            (None, 400, "Origin header is missing in CORS preflight"),
            ("null", 400, "Origin header is missing in CORS preflight"),
            ("example.org", 400, "Origin header is missing in CORS preflight"),
        )
    ),
    ("OPTIONS", "/foo", ORIGIN, 404, "nothing here"),
]
