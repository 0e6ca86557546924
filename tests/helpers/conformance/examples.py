"""Examples to classify or regress over REST: what is answered and what is refused."""

from tests.helpers.conformance.paths import HALF


def examples(signature, *features, **more):
    return {"signature_name": signature, "examples": list(features), **more}


EXAMPLES = [
    ("POST", f"{HALF}:regress", examples("regress_x_to_y", {"x": 80.0}), {"results": [42.0]}),
    (
        "POST",
        f"{HALF}/versions/123:regress",
        examples("regress_x_to_y", {"x": [80.0]}, {"x": 2.0}),
        {"results": [42.0, 3.0]},
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x2": 1.0}, context={"x": 4.0}),
        {"results": [4.0]},
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": 8.0}, context={"x": 4.0}),
        {"results": [6.0]},
    ),
    ("POST", f"{HALF}:regress", examples("regress_x2_to_y", {"x": 0.5}), {"results": [2.0]}),
    (
        "POST",
        f"{HALF}:classify",
        examples("classify_x_to_y", {"x": 20.0}),
        {"results": [[["", 12.0]]]},
    ),
    (
        "POST",
        f"{HALF}:classify",
        examples("classify_labels", {"x": 20.0, "name": "cat"}),
        {"results": [[["cat", 0.0], ["cat", 0.0]]]},
    ),
    (
        "POST",
        f"{HALF}:classify",
        examples("classify_both", {"x": 1.0, "name": {"b64": "ZG9n"}}, {"x": 2.0}),
        {"results": [[["dog", 1.0], ["dog", 2.5]], [["", 2.0], ["", 3.0]]]},
    ),
    ("POST", f"{HALF}:regress", {"examples": [{"x": 1.0}]}, (400, "No regression inputs found")),
    ("POST", f"{HALF}:classify", examples("none", {"x": 1.0}), (400, "No signature was found")),
    (
        "POST",
        f"{HALF}:classify",
        examples("regress_x_to_y", {"x": 1.0}),
        (400, "Expected classification signature outputs to contain at least one of"),
    ),
    ("POST", f"{HALF}:regress", {"instances": [1.0]}, (400, "key 'examples' is expected")),
    ("POST", f"{HALF}:regress", {"examples": 3}, (400, "Expecting 'examples' value to be an")),
    ("POST", f"{HALF}:regress", {"examples": []}, (400, "'examples' value is an empty array")),
    ("POST", f"{HALF}:regress", {"examples": [3]}, (400, "Example must be JSON object but got")),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": [1.0, "a"]}),
        (400, "Unexpected element type in feature"),
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": None}),
        (400, "has element with unexpected JSON type"),
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": [[1.0]]}),
        (400, "has element with unexpected JSON type"),
    ),
    (
        "POST",
        f"{HALF}:regress",
        examples("regress_x_to_y", {"x": 2**63}),
        (400, "has uint64 element. Only int64 is supported"),
    ),
    # A whole number is an int64 feature, and this graph parses floats.
    ("POST", f"{HALF}:regress", examples("regress_x_to_y", {"x": 80}), (400, "Data types don't")),
    ("POST", f"{HALF}:regress", examples("regress_x_to_y", {}), (400, "x")),
    ("POST", f"{HALF}:regress", b"", (400, "JSON Parse error: The document is empty")),
]
