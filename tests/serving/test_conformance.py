"""The tables of `conformance`, asked of one server by HTTP and by TensorFlow Serving's stubs."""

import json
import math

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.helpers import conformance, corners, plain_models
from tests.helpers.served import Server

REQUESTS = {
    "Predict": predict_pb2.PredictRequest,
    "Classify": classification_pb2.ClassificationRequest,
    "Regress": regression_pb2.RegressionRequest,
    "MultiInference": inference_pb2.MultiInferenceRequest,
    "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
    "HandleReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration file of the table's models."""
    return plain_models.save_all(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module", params=["plain", "batching"])
def plain(request, config):
    """A server of the table's models, with and without micro-batching."""
    flags = [f"--model_config_file={config}", "--rest_api_port=0"]
    if request.param == "batching":
        flags.append("--enable_batching")
    with Server("serving", *flags, models=5) as server:
        yield server


@pytest.fixture(scope="module")
def stubs(plain):
    with grpc.insecure_channel(plain.grpc_address) as channel:
        yield (
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


def same(got, expected):
    """Equality of JSON values in which numbers are floats of either width."""
    if isinstance(expected, dict):
        return got.keys() == expected.keys() and all(same(got[k], v) for k, v in expected.items())
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if isinstance(expected, float):
        if math.isnan(expected):
            return math.isnan(got)
        return got == expected or math.isclose(got, expected, rel_tol=1e-6)
    return got == expected and type(got) in (type(expected), float)


@pytest.mark.parametrize(("method", "path", "body", "answer"), [*conformance.REST, *corners.REST])
def test_rest(plain, method, path, body, answer):
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    response = plain.client.request(method, path, content=content)
    assert response.headers["content-type"] == "application/json"
    if isinstance(answer, tuple):
        code, message = answer
        assert response.status_code == code, response.text
        assert list(response.json()) == ["error"]
        assert message in response.json()["error"]
    else:
        assert response.status_code == 200, response.text
        expected = json.loads(answer) if isinstance(answer, bytes) else answer
        assert same(json.loads(response.text), expected), response.text


@pytest.mark.parametrize(("method", "path", "origin", "status", "message"), corners.METHODS)
def test_methods(plain, method, path, origin, status, message):
    headers = {} if origin is None else {"origin": origin}
    response = plain.client.request(method, path, headers=headers)
    assert response.status_code == status, response.text
    assert "access-control-allow-origin" not in response.headers
    if message is None:
        assert response.text == ""
    else:
        assert message in response.json()["error"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_metrics_are_given_by_any_method(plain, method):
    response = plain.client.request(method, "/monitoring/prometheus/metrics")
    assert (response.status_code, ":tensorflow:" in response.text) == (200, True)


@pytest.mark.parametrize(("method", "request_text", "answer"), [*conformance.GRPC, *corners.GRPC])
def test_grpc(stubs, method, request_text, answer):
    stub = next(stub for stub in stubs if hasattr(stub, method))
    call = getattr(stub, method)
    message = REQUESTS[method]()
    text_format.Parse(request_text, message)
    if isinstance(answer, tuple):
        with pytest.raises(grpc.RpcError) as caught:
            call(message, timeout=30)
        assert (caught.value.code().name, answer[1] in caught.value.details()) == (
            answer[0],
            True,
        ), caught.value.details()
    else:
        response = call(message, timeout=30)
        assert response == text_format.Parse(answer, type(response)())


def test_metadata_is_the_same_over_rest_and_grpc(plain, stubs):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "half"
    response = stubs[0].GetModelMetadata(request, timeout=30)
    assert (response.model_spec.name, response.model_spec.version.value) == ("half", 123)
    packed = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(packed)
    body = plain.client.get("/v1/models/half/metadata").json()
    assert body["model_spec"] == {"name": "half", "signature_name": "", "version": "123"}
    shown = body["metadata"]["signature_def"]["signature_def"]
    assert shown.keys() == packed.signature_def.keys()
    for name, definition in packed.signature_def.items():
        assert shown[name]["method_name"] == definition.method_name
        assert shown[name]["inputs"].keys() == definition.inputs.keys()
    assert shown["serving_default"]["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
        "name": "x:0",
    }


def test_the_table_has_what_it_promises():
    assert len(conformance.REST) + len(conformance.GRPC) >= 120
