"""What tensorflow_model_server answers, by its public documentation and protocol definitions.

References: TensorFlow Serving, g3doc/api_rest.md, apis/*.proto, and the messages of
model_servers/http_rest_api_util.cc, util/json_tensor.cc, servables/tensorflow/*.cc.
"""

HALF, TYPES, MIXED, ADDS = (f"/v1/models/{name}" for name in ("half", "types", "mixed", "adds"))
B64 = {"b64": "AP8="}  # the bytes 0 and 255


def typed(signature, **body):
    return (f"{TYPES}:predict", {"signature_name": signature, **body})


def row(a, n, word):
    return {"a": a, "n": n, "word": word}


# (method, path, body, answer): an answer is JSON for 200, else a status and a part of the message.
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

ERRORS = [
    ("GET", "/v1/foo", None, (400, "Malformed request: GET /v1/foo")),
    ("POST", "/v1/foo", {}, (400, "Malformed request: POST /v1/foo")),
    ("GET", "/v1/models", None, (400, "Missing model name in request")),
    ("POST", "/v1/models", {}, (400, "Malformed request: POST /v1/models")),
    ("GET", f"{HALF}:predict", None, (400, "Malformed request: GET /v1/models/half:predict")),
    ("POST", f"{HALF}:PREDICT", {}, (400, "Malformed request: POST /v1/models/half:PREDICT")),
    ("PUT", f"{HALF}:predict", {}, (400, "Malformed request: PUT /v1/models/half:predict")),
    ("DELETE", HALF, None, (400, "Malformed request: DELETE /v1/models/half")),
    ("POST", HALF, {}, (400, "Malformed request: POST /v1/models/half")),
    ("POST", f"{HALF}:explain", {}, (400, "Malformed request: POST /v1/models/half:explain")),
    ("POST", f"{HALF}/version/50:predict", {}, (400, "Malformed request")),
    ("POST", f"{HALF}/versions/HELLO:regress", {}, (400, "Malformed request")),
    ("GET", f"{HALF}/versions/-1", None, (400, "Malformed request")),
    (
        "POST",
        f"{HALF}/versions/18446744073709551615:predict",
        {},
        (400, "Failed to convert version: 18446744073709551615 to numeric."),
    ),
    ("GET", "/v1/models/nothing", None, (404, "Could not find any versions of model nothing")),
    ("GET", f"{HALF}/versions/9", None, (404, "Could not find version 9 of model half")),
    (
        "GET",
        "/v1/models/nothing/metadata",
        None,
        (404, "Servable not found for request: Latest(nothing)"),
    ),
    (
        "GET",
        f"{HALF}/versions/9/metadata",
        None,
        (404, "Servable not found for request: Specific(half, 9)"),
    ),
    (
        "POST",
        "/v1/models/nothing:predict",
        {"instances": [1]},
        (404, "Servable not found for request: Latest(nothing)"),
    ),
    (
        "POST",
        f"{HALF}/versions/99:predict",
        {"instances": [1]},
        (404, "Servable not found for request: Specific(half, 99)"),
    ),
    # The policy is the latest two, so the first version is not served.
    ("POST", f"{ADDS}/versions/1:predict", {"instances": [1]}, (404, "Specific(adds, 1)")),
    (
        "POST",
        f"{ADDS}/labels/none:predict",
        {"instances": [1]},
        (400, "Unrecognized servable version label: none"),
    ),
    ("GET", f"{ADDS}/labels/none", None, (400, "Unrecognized servable version label: none")),
    ("POST", f"{HALF}:predict", b"", (400, "JSON Parse error: The document is empty")),
    ("POST", f"{HALF}:predict", b"instances = [1, 2]", (400, "JSON Parse error: Invalid value")),
    (
        "POST",
        f"{HALF}:predict",
        b'{"instances": [1e400]}',
        (400, "JSON Parse error: Number too big to be stored in double"),
    ),
    ("POST", f"{HALF}:predict", b'{"instances": [1.0]', (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", b"\xff\xfe\x00", (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", b"[" * 100_000, (400, "JSON Parse error")),
    ("POST", f"{HALF}:predict", [1.0], (400, "Is not object")),
    ("POST", f"{HALF}:predict", {}, (400, "Missing 'inputs' or 'instances' key")),
    (
        "POST",
        f"{HALF}:predict",
        {"signature_name": 5, "instances": [1.0]},
        (400, "'signature_name' key must be a string value."),
    ),
    (
        "POST",
        f"{HALF}:predict",
        {"signature_name": "none", "instances": [1.0]},
        (400, 'Serving signature name: "none" not found in signature def'),
    ),
    (
        "POST",
        f"{HALF}:predict",
        {"instances": [1.0], "inputs": [1.0]},
        (400, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"),
    ),
    ("POST", f"{HALF}:predict", {"instances": 1.0}, (400, "Excepting 'instances' to be an list")),
    ("POST", f"{HALF}:predict", {"instances": []}, (400, "No values in 'instances' array")),
    ("POST", f"{HALF}:predict", {"instances": ["x"]}, (400, "not of expected type: float")),
    ("POST", f"{HALF}:predict", {"instances": [None]}, (400, "not of expected type: float")),
    ("POST", f"{HALF}:predict", {"instances": [True]}, (400, "not of expected type: float")),
    ("POST", f"{HALF}:predict", {"instances": [{"y": 1.0}]}, (400, "keys must be equal to: x")),
    ("POST", f"{HALF}:predict", {"instances": [[1.0], [1.0, 2.0]]}, (400, "expected size: 1")),
    ("POST", f"{HALF}:predict", {"instances": [1.0, [2.0]]}, (400, "expected")),
    ("POST", f"{HALF}:predict", {"instances": [[1.0], 2.0]}, (400, "incorrect level")),
    ("POST", f"{HALF}:predict", {"instances": [{"x": 1.0}, 1.0]}, (400, "Expecting object but")),
    ("POST", f"{HALF}:predict", {"instances": [1.0, {"x": 1.0}]}, (400, "Expecting value/list")),
    ("POST", f"{HALF}:predict", {"inputs": {"y": [1.0]}}, (400, "Missing named input: x in")),
    ("POST", f"{HALF}:predict", {"inputs": {"b64": "AA=="}}, (400, "not of expected type: float")),
    (
        "POST",
        f"{MIXED}:predict",
        {"instances": [1.0]},
        (400, "instances is a plain list, but expecting list of objects as multiple input tensors"),
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"inputs": [1.0]},
        (400, "inputs is a plain value/list, but expecting an object as multiple input tensors"),
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"instances": [{"a": [1, 2], "n": 3}]},
        (400, "keys must be equal to: a,n,word"),
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"inputs": {"a": [[1, 2]], "n": [3]}},
        (400, "Missing named input: word in 'inputs' object"),
    ),
    (
        "POST",
        f"{MIXED}:predict",
        {"signature_name": "product", "instances": [[1, 2, 3]]},
        (400, "expected is a: float [-1,2]"),
    ),
    (
        "POST",
        *typed("sizes", instances=[1.0, 2.0]),
        (400, "has"),
    ),
    ("POST", *typed("nothing", inputs={}), (400, "Failed to get input map for signature")),
    ("POST", *typed("complex64", instances=[1]), (501, "Conversion of JSON Value")),
    ("POST", *typed("int32", instances=[1.0]), (400, "not of expected type: int32")),
    ("POST", *typed("int32", instances=[2**31]), (400, "not of expected type: int32")),
    ("POST", *typed("int64", instances=[2**63]), (400, "not of expected type: int64")),
    ("POST", *typed("int8", instances=[128]), (400, "not of expected type: int8")),
    ("POST", *typed("uint8", instances=[-1]), (400, "not of expected type: uint8")),
    ("POST", *typed("uint64", instances=[2**64]), (400, "not of expected type: uint64")),
    ("POST", *typed("bool", instances=[1]), (400, "not of expected type: bool")),
    ("POST", *typed("string", instances=[1]), (400, "not of expected type: string")),
    ("POST", *typed("string", instances=[{"b64": "?"}]), (400, "Unable to base64 decode")),
    (
        "POST",
        *typed("string", inputs=[{"b64": 1}]),
        (400, "not formatted correctly for base64 data"),
    ),
    ("POST", *typed("string", instances=[B64]), (400, "not UTF-8")),
]


def status(*versions):
    good = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(number), "state": "AVAILABLE", "status": good} for number in versions
        ]
    }


SHOW = [
    ("GET", HALF, None, status(123)),
    ("GET", f"{HALF}/versions/123", None, status(123)),
    ("GET", ADDS, None, status(3, 2)),
    ("GET", f"{ADDS}/versions/2", None, status(2)),
    ("GET", f"{ADDS}/labels/stable", None, status(2)),
]

REST = PREDICT + EXAMPLES + ERRORS + SHOW

# (method of the stub, request, answer): protocol buffers as text; an answer may be (code, message).
FLOATS = "dtype: DT_FLOAT tensor_shape { dim { size: %d } } float_val: [%s]"
X = 'inputs { key: "x" value { ' + FLOATS + " } }"
EXAMPLE = (
    "example_list { examples { features { feature { key: 'x' value { float_list { value: %s }"
    " } } } } }"
)


def predict(model, inputs, more=""):
    return f'model_spec {{ name: "{model}" {more} }} {inputs}'


def predicted(model, version, outputs, signature="serving_default"):
    return (
        f'model_spec {{ name: "{model}" version {{ value: {version} }} '
        f'signature_name: "{signature}" }} {outputs}'
    )


def task(method, signature, model="half"):
    return (
        f'tasks {{ model_spec {{ name: "{model}" signature_name: "{signature}" }} '
        f'method_name: "tensorflow/serving/{method}" }}'
    )


def out(name, content):
    return f'outputs {{ key: "{name}" value {{ {content} }} }}'


Y = out("y", FLOATS)
GRPC = [
    ("Predict", predict("half", X % (2, "1, 4")), predicted("half", 123, Y % (2, "2.5, 4"))),
    # The last of fewer values stands for the rest, none for zeros; more are cut off.
    ("Predict", predict("half", X % (2, "1, 2, 3")), predicted("half", 123, Y % (2, "2.5, 3"))),
    ("Predict", predict("half", X % (2, "")), predicted("half", 123, Y % (2, "2, 2"))),
    ("Predict", predict("half", X % (3, "1")), predicted("half", 123, Y % (3, "2.5, 2.5, 2.5"))),
    (
        "Predict",
        predict(
            "half",
            'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } '
            'tensor_content: "\\000\\000\\000@" } }',
        ),
        predicted("half", 123, Y % (1, "3")),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), "version { value: 123 }"),
        predicted("half", 123, Y % (1, "3")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2") + ' output_filter: "y"'),
        predicted("adds", 3, Y % (1, "5")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2") + ' output_filter: "y"', 'version_label: "stable"'),
        predicted("adds", 2, Y % (1, "4")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2")),
        predicted("adds", 3, Y % (1, "5") + out("version", FLOATS % (1, "3"))),
    ),
    (
        "Predict",
        predict(
            "types",
            'inputs { key: "s" value { dtype: DT_STRING tensor_shape { dim { size: 1 } } '
            'string_val: "\\000a" } } output_filter: "same_bytes" output_filter: "size"',
            'signature_name: "text"',
        ),
        predicted(
            "types",
            1,
            out(
                "same_bytes",
                'dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "\\000a"',
            )
            + out("size", "dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 2"),
            "text",
        ),
    ),
    ("Predict", "", ("INVALID_ARGUMENT", "Missing ModelSpec")),
    ("Predict", "model_spec {}", ("INVALID_ARGUMENT", "ModelSpec has no name specified")),
    (
        "Predict",
        predict("none", X % (1, "2")),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), "version { value: 5 }"),
        ("NOT_FOUND", "Servable not found for request: Specific(half, 5)"),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2"), 'version_label: "none"'),
        ("INVALID_ARGUMENT", "Unrecognized servable version label: none"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), 'signature_name: "none"'),
        ("FAILED_PRECONDITION", 'Serving signature key "none" not found.'),
    ),
    (
        "Predict",
        predict("half", ""),
        ("INVALID_ARGUMENT", "input size does not match signature: 0!=1"),
    ),
    (
        "Predict",
        predict("half", X.replace('"x"', '"z"') % (1, "2")),
        ("INVALID_ARGUMENT", "input tensor alias not found in signature: z"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2") + ' output_filter: "z"'),
        ("INVALID_ARGUMENT", "output tensor alias not found in signature: z"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2") + ' output_filter: ["y", "y"]'),
        ("INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    ),
    (
        "Predict",
        predict(
            "half",
            'inputs { key: "x" value { dtype: DT_INT32 tensor_shape { dim { size: 1 } } '
            "int_val: 2 } }",
        ),
        ("INVALID_ARGUMENT", "Expects arg[0] to be float but int32 is provided"),
    ),
    (
        "Predict",
        predict("half", 'inputs { key: "x" value { dtype: DT_RESOURCE } }'),
        ("INVALID_ARGUMENT", "tensor parsing error: x"),
    ),
    ("Predict", predict("half", X % (-1, "1")), ("INVALID_ARGUMENT", "tensor parsing error: x")),
    ("Predict", predict("half", X % (2**40, "1")), ("INVALID_ARGUMENT", "tensor parsing error: x")),
    (
        "Classify",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "classify_x_to_y"'),
        predicted(
            "half", 123, "result { classifications { classes { score: 3 } } }", "classify_x_to_y"
        ),
    ),
    (
        "Regress",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "regress_x_to_y"'),
        predicted("half", 123, "result { regressions { value: 3 } }", "regress_x_to_y"),
    ),
    (
        "Regress",
        predict("half", "input { " + EXAMPLE % 2.0 + " }"),
        ("INVALID_ARGUMENT", "No regression inputs found in SignatureDef"),
    ),
    (
        "Classify",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "none"'),
        ("INVALID_ARGUMENT", "No signature was found with the name: none"),
    ),
    (
        "Classify",
        predict("half", "", 'signature_name: "classify_x_to_y"'),
        ("INVALID_ARGUMENT", "Input is empty."),
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y")
        + task("classify", "classify_x_to_y")
        + "input { "
        + EXAMPLE % 2.0
        + " }",
        "results { "
        + predicted("half", 123, "regression_result { regressions { value: 3 } }", "regress_x_to_y")
        + " } results { "
        + predicted(
            "half",
            123,
            "classification_result { classifications { classes { score: 3 } } }",
            "classify_x_to_y",
        )
        + " }",
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y") * 2 + "input { " + EXAMPLE % 2.0 + " }",
        ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y") + task("regress", "regress_x_to_y", "three"),
        ("INVALID_ARGUMENT", "must access the same model name"),
    ),
    (
        "MultiInference",
        task("predict", "serving_default") + "input { " + EXAMPLE % 2.0 + " }",
        ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    ),
    (
        "GetModelMetadata",
        predict("half", ""),
        ("INVALID_ARGUMENT", "must specify at least one metadata_field"),
    ),
    (
        "GetModelMetadata",
        predict("half", 'metadata_field: "weights"'),
        ("INVALID_ARGUMENT", "Metadata field weights is not supported"),
    ),
    (
        "GetModelMetadata",
        predict("none", 'metadata_field: "signature_def"'),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        "GetModelStatus",
        predict("half", ""),
        "model_version_status { version: 123 state: AVAILABLE status {} }",
    ),
    (
        "GetModelStatus",
        predict("adds", "", "version { value: 2 }"),
        "model_version_status { version: 2 state: AVAILABLE status {} }",
    ),
    ("GetModelStatus", "", ("INVALID_ARGUMENT", "Missing ModelSpec")),
    (
        "GetModelStatus",
        predict("none", ""),
        ("NOT_FOUND", "Could not find any versions of model none"),
    ),
    (
        "HandleReloadConfigRequest",
        "config { custom_model_config {} }",
        ("INVALID_ARGUMENT", "only model_config_list is currently supported"),
    ),
    (
        "HandleReloadConfigRequest",
        "config { model_config_list { config { name: 'a' base_path: '/' } config { name: 'a' } } }",
        ("INVALID_ARGUMENT", "Illegal to list model a multiple times in config list"),
    ),
]
