"""Predictions over REST: what is answered."""

from tests.helpers.conformance.paths import ADDS, HALF, MIXED, TYPES, typed


def row(a, n, word):
    return {"a": a, "n": n, "word": word}


PREDICT = [
    ("POST", f"{HALF}:predict", {"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    ("POST", f"{HALF}:predict", {"instances": [1, 2]}, {"predictions": [2.5, 3.0]}),
    ("POST", f"{HALF}:predict", {"instances": [[1.0], [2.0]]}, {"predictions": [[2.5], [3.0]]}),
    # The signature says [-1, 1]; the graph takes more, and so does the server.
    (
        "POST",
        f"{HALF}:predict",
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
        {"predictions": [[2.5, 3.0], [3.5, 4.0]]},
    ),
    ("POST", f"{HALF}:predict", {"instances": [{"x": 1.0}]}, {"predictions": [2.5]}),
    ("POST", f"{HALF}:predict", {"instances": [{"x": [1.0]}]}, {"predictions": [[2.5]]}),
    ("POST", f"{HALF}:predict", {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}),
    ("POST", f"{HALF}:predict", {"inputs": {"x": [3.0]}}, {"outputs": [3.5]}),
    ("POST", f"{HALF}:predict", {"inputs": {"x": [3.0], "other": 1}}, {"outputs": [3.5]}),
    ("POST", f"{HALF}:predict", {"inputs": 3.0}, {"outputs": 3.5}),
    (
        "POST",
        f"{HALF}/versions/123:predict",
        {"instances": [1.0]},
        {"predictions": [2.5]},
    ),
    (
        "POST",
        f"{HALF}:predict",
        {"signature_name": "serving_default", "instances": [1.0]},
        {"predictions": [2.5]},
    ),
    ("POST", f"{HALF}:predict", {"signature_name": "", "instances": [1.0]}, {"predictions": [2.5]}),
    ("POST", f"{HALF}:predict", {"instances": [1.0], "more": {}}, {"predictions": [2.5]}),
    ("POST", "/V1/Models/half:predict", {"instances": [1.0]}, {"predictions": [2.5]}),
    ("POST", "/v1/models/%68alf:predict", {"instances": [1.0]}, {"predictions": [2.5]}),
    ("POST", "/v1/models/three:predict", {"instances": [1.0, 2.0]}, {"predictions": [3.5, 4.0]}),
    ("POST", f"{ADDS}:predict", {"inputs": [1.0]}, {"outputs": {"y": [4.0], "version": [3.0]}}),
    (
        "POST",
        f"{ADDS}/versions/2:predict",
        {"instances": [1.0, 2.0]},
        {"predictions": [{"y": 3.0, "version": 2.0}, {"y": 4.0, "version": 2.0}]},
    ),
    (
        "POST",
        f"{ADDS}/labels/stable:predict",
        {"inputs": [1.0]},
        {"outputs": {"y": [3.0], "version": [2.0]}},
    ),
    (
        "POST",
        f"{ADDS}/labels/new%2Fest:predict",
        {"inputs": [1.0]},
        {"outputs": {"y": [4.0], "version": [3.0]}},
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"instances": [row([1, 2], 7, "a"), row([3.5, 0], -8, {"b64": "Yg=="})]},
        {
            "predictions": [
                {"product": [21.0], "n": 8, "word": "a!"},
                {"product": [3.5], "n": -7, "word": "b!"},
            ]
        },
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"inputs": row([[1, 2]], [7], ["ä"])},
        {"outputs": {"product": [[21.0]], "n": [8], "word": ["ä!"]}},
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"signature_name": "product", "instances": [[1, 1], [2, 2]]},
        {"predictions": [[11.0], [22.0]]},
    ),
    ("POST", *typed("scalar", inputs=2.5), {"outputs": 2.5}),
    ("POST", *typed("scalar", inputs={"x": 2.5}), {"outputs": 2.5}),
    ("POST", *typed("matrix", instances=[[1, 2], [3, 4]]), {"predictions": [[1, 2], [3, 4]]}),
    ("POST", *typed("matrix", inputs=[[], []]), {"outputs": [[], []]}),
    ("POST", *typed("float32", inputs=[]), {"outputs": []}),
    (
        "POST",
        *typed("cube", instances=[[[1, 2, 3], [4, 5, 6]]]),
        {"predictions": [[[1, 2, 3], [4, 5, 6]]]},
    ),
    ("POST", *typed("any_rank", inputs=3.0), {"outputs": {"y": 6.0, "rank": 0}}),
    ("POST", *typed("any_rank", inputs=[[[1.5]]]), {"outputs": {"y": [[[3.0]]], "rank": 3}}),
    ("POST", *typed("divide", instances=[0.0]), b'{"predictions": [Infinity]}'),
    ("POST", *typed("divide", instances=[-0.0]), b'{"predictions": [-Infinity]}'),
    (
        "POST",
        f"{TYPES}:predict",
        b'{"signature_name": "float64", "instances": [NaN, Infinity, -Infinity, 1e3]}',
        b'{"predictions": [NaN, Infinity, -Infinity, 1000.0]}',
    ),
    (
        "POST",
        *typed("text", instances=["a", {"b64": "YmM="}]),
        {
            "predictions": [
                {"same_bytes": {"b64": "YQ=="}, "text": "A", "size": 1},
                {"same_bytes": {"b64": "YmM="}, "text": "BC", "size": 2},
            ]
        },
    ),
    (
        "POST",
        *typed("text", inputs={"s": ["x"]}),
        {"outputs": {"same_bytes": [{"b64": "eA=="}], "text": ["X"], "size": [1]}},
    ),
    ("POST", *typed("string", instances=[{"x": {"b64": "eHk="}}]), {"predictions": ["xy"]}),
    ("POST", *typed("string", instances=["", '\u20ac\n"']), {"predictions": ["", '\u20ac\n"']}),
    (
        "POST",
        *typed("sizes", inputs=[1.0, 2.0]),
        {"outputs": {"total": 3.0, "twice": [1, 2, 1, 2], "same": [1, 2]}},
    ),
]

# Each type's extremes come back as they were sent.
for _type, _values in {
    "float16": [0.5, -2.0, 65504.0],
    "bfloat16": [0.5, -2.0],
    "float32": [0.1, -1e-30, 3.4028234e38, 16777215],
    "float64": [0.1, 1e308, -5e-324, 9007199254740991],
    "int8": [-128, 127],
    "int16": [-32768, 32767],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint16": [0, 65535],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "bool": [True, False],
}.items():
    PREDICT.append(("POST", *typed(_type, instances=_values), {"predictions": _values}))
    PREDICT.append(("POST", *typed(_type, inputs={"x": _values}), {"outputs": _values}))
