"""The REST contract of TensorFlow Serving, over a socket."""

import math

import pytest

B64 = {"b64": "AP8="}  # the bytes 0 and 255


@pytest.mark.parametrize(
    ("model", "request_body", "answer"),
    [
        ("half", {"instances": [1.0, 2.0, 5]}, {"predictions": [2.5, 3.0, 4.5]}),
        ("half", {"instances": [{"x": 1.0}]}, {"predictions": [2.5]}),
        ("half", {"inputs": [1.0, 2.0]}, {"outputs": [2.5, 3.0]}),
        ("half", {"inputs": {"x": [1.0]}}, {"outputs": [2.5]}),
        ("half", {"inputs": []}, {"outputs": []}),
        ("half", {"signature_name": "three", "instances": [1.0]}, {"predictions": [3.5]}),
        ("half", {"signature_name": "", "instances": [1.0]}, {"predictions": [2.5]}),
        ("half/versions/3", {"instances": [1.0]}, {"predictions": [2.5]}),
        (
            "several",
            {"instances": [{"a": [1, 2], "b": [1]}, {"a": [3, 4], "b": [2]}]},
            {
                "predictions": [
                    {"large": [False, False], "sum": [2.0, 3.0]},
                    {"large": [True, True], "sum": [5.0, 6.0]},
                ]
            },
        ),
        (
            "several",
            {"signature_name": "total", "inputs": {"a": [[1, 2]], "b": [[1]]}},
            {"outputs": {"sum": [[2.0, 3.0]], "total": 3.0}},
        ),
        ("strings", {"instances": ["ab", "c"]}, {"predictions": ["AB", "C"]}),
        ("strings", {"instances": [{"b64": "YWI="}]}, {"predictions": ["AB"]}),
        ("strings", {"inputs": ["ä"]}, {"outputs": ["ä"]}),
        (
            "strings",
            {"signature_name": "both", "instances": [{"s": B64}, {"s": "abc"}]},
            {
                "predictions": [
                    {"echo_bytes": B64, "length": 2},
                    {"echo_bytes": {"b64": "YWJj"}, "length": 3},
                ]
            },
        ),
        ("other", {"inputs": 4}, {"outputs": 0.25}),
    ],
)
def test_predict(server, model, request_body, answer):
    response = server.predict(model, request_body)
    assert (response.status_code, response.json()) == (200, answer)
    assert response.headers["content-type"] == "application/json"


def test_numbers_that_are_not_finite_go_both_ways(server):
    response = server.predict("half", b'{"instances": [NaN, Infinity, -Infinity]}')
    assert response.text == '{"predictions": [NaN, Infinity, -Infinity]}'
    assert server.predict("other", {"inputs": 0}).json() == {"outputs": math.inf}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/nothing", 404, "Could not find any versions of model nothing"),
        ("GET", "/v1/models/half/versions/9", 404, "Could not find version 9 of model half"),
        (
            "GET",
            "/v1/models/half/versions/9/metadata",
            404,
            "Specific(half, 9); loaded is version 3",
        ),
        ("POST", "/v1/models/nothing:predict", 404, "the models here are: half, other, phones"),
        ("POST", "/v1/models/half/versions/9:predict", 404, "Specific(half, 9)"),
        ("GET", "/v1/models/half/versions/99999999999999999999", 400, "Failed to convert version"),
        ("GET", "/v1/models/half:predict", 400, "Malformed request: GET /v1/models/half:predict"),
        ("POST", "/v1/models/half", 400, "Malformed request: POST /v1/models/half"),
        ("DELETE", "/v1/models/half", 400, "Malformed request: DELETE"),
        ("GET", "/v1/other", 400, "Malformed request: GET /v1/other"),
        ("POST", "/v1/models/half:explain", 400, "Malformed request: POST"),
        ("GET", "/nothing", 404, "nothing here"),
    ],
)
def test_wrong_addresses(server, method, path, status, message):
    body = b'{"instances": [1.0]}' if method == "POST" else None
    response = server.client.request(method, path, content=body)
    assert response.status_code == status
    assert message in response.json()["error"]


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("half", b"", "JSON Parse error"),
        ("half", {"instances": ["a"]}, "not of expected type: float"),
        ("half", {"instances": []}, "No values in 'instances'"),
        ("half", {"signature_name": "four", "instances": [1]}, "there are: serving_default, three"),
        ("several", {"instances": [1.0]}, "a: float [-1,2]; b: int32 [-1,1]"),
        (
            "several",
            {"inputs": {"a": [[1, 2]]}},
            "Missing named input: b in 'inputs' object; the signature has the inputs a",
        ),
        (
            "strings",
            {"signature_name": "broken", "instances": ["x"]},
            "not correctly convert string: x",
        ),
        (
            "several",
            {"signature_name": "total", "instances": [{"a": [1, 2], "b": [1]}]},
            "send 'inputs' instead",
        ),
        ("several", {"inputs": {"a": [[1, 2]] * 3, "b": [[1]] * 2}}, "a: float [-1,2]"),
    ],
)
def test_wrong_bodies_are_400_and_say_what_was_expected(server, model, body, message):
    response = server.predict(model, body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert message in error
    for noise in ("{{node", "[Op:", "Traceback", "stack traces", "Graph execution"):
        assert noise not in error


def test_text_that_is_not_utf8_needs_an_output_named_so(server):
    response = server.predict("strings", {"signature_name": "both", "inputs": [B64]})
    assert response.status_code == 200
    response = server.predict("strings", {"inputs": [B64]})
    assert response.status_code == 400
    assert "_bytes are sent as base64" in response.json()["error"]


def test_status_of_a_model(server):
    expected = {
        "model_version_status": [
            {
                "version": "3",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert server.client.get("/v1/models/half").json() == expected
    assert server.client.get("/v1/models/half/versions/3").json() == expected


def test_metadata_of_a_model(server):
    body = server.client.get("/v1/models/half/metadata").json()
    assert body == server.client.get("/v1/models/half/versions/3/metadata").json()
    assert body["model_spec"] == {"name": "half", "signature_name": "", "version": "3"}
    definitions = body["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "three"} <= set(definitions)
    default = definitions["serving_default"]
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert default["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert default["inputs"]["x"]["tensor_shape"] == shape
    assert default["outputs"]["y"]["tensor_shape"] == shape
    assert default["method_name"] == "tensorflow/serving/predict"


def test_a_body_over_the_limit_is_413(server):
    from serving.engine import Limits

    limit = Limits().max_body_bytes

    def chunks():
        for _ in range(limit // 2**20 + 1):
            yield b" " * 2**20

    for body in (b" " * (limit + 1), chunks()):
        response = server.client.post("/v1/models/half:predict", content=body)
        assert response.status_code == 413
        assert f"larger than {limit} bytes" in response.json()["error"]


def test_health(server):
    response = server.client.get("/healthz")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_health_answers_while_a_model_works(server):
    import threading
    import time

    body = {"signature_name": "slow", "inputs": 1000}
    seconds = []

    def ask():
        start = time.monotonic()
        assert server.predict("other", body).status_code == 200
        seconds.append(time.monotonic() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    start = time.monotonic()
    assert server.client.get("/healthz").status_code == 200
    waited = time.monotonic() - start
    thread.join()
    assert waited < seconds[0] / 2
