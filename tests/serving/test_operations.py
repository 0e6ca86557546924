"""What operators ask of a server: metrics, logs, keys, TLS, limits, warm-up, flags."""

import contextlib
import ctypes
import gc
import gzip
import http.client
import json
import socket
import ssl
import subprocess
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from serving.errors import ServingError
from serving.flags import parse
from serving.servable import Servable, SessionOptions
from tests.helpers import plain_models
from tests.helpers.served import Server
from zoo.errors import UsageError

KEY = "a-secret-key"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model with requests to warm it up."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("adds")
    plain_models.adds(folder / "1", 1)
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
    extra = folder / "1" / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """PEM files of a certificate for localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
         "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture(scope="module")
def guarded(base, certificate, tmp_path_factory):
    """A server with keys, TLS, CORS, logs, batches and small limits."""
    folder = tmp_path_factory.mktemp("guarded")
    cert, key = certificate
    (folder / "keys").write_text(f"# ours\n{KEY}\n")
    (folder / "ssl.config").write_text(
        f"server_key: {json.dumps(key.read_text())} server_cert: {json.dumps(cert.read_text())}"
    )
    (folder / "batching").write_text("max_batch_size { value: 4 }")
    (folder / "monitoring").write_text('prometheus_config { enable: true path: "/metrics" }')
    with Server(
        "serving",
        "--model_name=m",
        f"--model_base_path={base}",
        "--rest_api_port=0",
        "--port=0",
        f"--api_key_file={folder / 'keys'}",
        f"--ssl_config_file={folder / 'ssl.config'}",
        f"--rest_api_ssl_certfile={cert}",
        f"--rest_api_ssl_keyfile={key}",
        "--rest_api_enable_cors_support",
        f"--monitoring_config_file={folder / 'monitoring'}",
        "--enable_batching",
        f"--batching_parameters_file={folder / 'batching'}",
        "--max_body_bytes=100000",
        "--rest_api_timeout_in_ms=1500",
        "--access_log=true",
        verify=ssl.create_default_context(cafile=cert),
    ) as server:
        server.client.headers["authorization"] = f"Bearer {KEY}"
        yield server


def test_requests_need_a_key(guarded):
    for headers in ({"authorization": ""}, {"authorization": "Bearer nonsense"}):
        response = guarded.predict("m", {"instances": [1.0]}, headers=headers)
        assert (response.status_code, "API key is required" in response.json()["error"]) == (
            401,
            True,
        )
    headers = {"authorization": "", "x-api-key": KEY}
    assert guarded.predict("m", {"instances": [1.0]}, headers=headers).status_code == 200
    # Probes have no keys.
    for path in ("/healthz", "/readyz"):
        assert guarded.client.get(path, headers={"authorization": ""}).status_code == 200


def test_grpc_speaks_tls_and_needs_a_key_too(guarded, certificate):
    credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
    address = "localhost:" + guarded.grpc_address.rpartition(":")[2]
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "m"
    with grpc.secure_channel(address, credentials) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetModelStatus(request, timeout=30)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        metadata = [("authorization", f"Bearer {KEY}")]
        status = stub.GetModelStatus(request, timeout=30, metadata=metadata)
        assert status.model_version_status[0].version == 1


def test_other_pages_may_ask_where_that_is_allowed(guarded):
    # A browser sends no key with the question whether it may ask.
    for origin, status in (("https://example.org", 200), (None, 400)):
        headers = {"authorization": "", **({"origin": origin} if origin else {})}
        response = guarded.client.request("OPTIONS", "/v1/models/m:predict", headers=headers)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "POST, GET"
    response = guarded.predict("m", {"instances": [1.0]})
    assert response.headers["access-control-allow-origin"] == "*"


def test_limits_are_kept(guarded):
    response = guarded.predict("m", {"instances": [1.0] * 5})
    assert response.status_code == 400
    assert "Task size 5 is larger than maximum batch size 4" in response.json()["error"]
    response = guarded.client.post("/v1/models/m:predict", content=b" " * 100_001)
    assert response.status_code == 413
    # A small body that unpacks to a large one.
    bomb = gzip.compress(b" " * 10_000_000)
    headers = {"content-encoding": "gzip"}
    response = guarded.client.post("/v1/models/m:predict", content=bomb, headers=headers)
    assert response.status_code == 413


def test_a_body_that_does_not_come_is_a_timeout(guarded):
    def slowly():
        yield b'{"instances":'
        time.sleep(2)
        yield b"[1.0]}"

    response = guarded.client.post("/v1/models/m:predict", content=slowly())
    assert response.status_code == 504
    assert "no answer within 1.5 s" in response.json()["error"]


def test_requests_have_ids_and_are_logged(guarded):
    response = guarded.predict("m", {"instances": [1.0]}, headers={"x-request-id": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    for line in guarded.errors():
        entry = json.loads(line)
        if entry["request_id"] == "mine-1":
            break
    assert (entry["protocol"], entry["method"], entry["status"]) == ("REST", "POST", 200)
    assert entry["path"] == "/v1/models/m:predict"
    assert entry["milliseconds"] > 0
    assert KEY not in line
    wrong = guarded.predict("m", {"instances": [1.0]}, headers={"x-request-id": "a\tb"})
    assert wrong.headers["x-request-id"] != "a\tb"


def test_metrics_have_tensorflow_servings_names(guarded):
    assert guarded.client.get("/metrics", headers={"authorization": ""}).status_code == 401
    guarded.predict("m", {"instances": [1.0, 2.0]})
    guarded.predict("nothing", {"instances": [1.0]})
    response = guarded.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(
        line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#")
    )
    prefix = ":tensorflow:serving:"
    assert int(samples[prefix + 'request_count{model_name="m",status="OK"}']) >= 1
    # Names that clients make up do not become labels.
    assert int(samples[prefix + 'request_count{model_name="",status="NOT_FOUND"}']) == 1
    labels = '{model_name="m",API="Predict",entrypoint="REST"'
    count = int(samples[prefix + "request_latency_count" + labels + "}"])
    assert int(samples[prefix + "request_latency_bucket" + labels + ',le="+Inf"}']) == count
    assert samples[prefix + 'batching_session:processed_batch_size_count{model_name="m"}']


def test_compressed_bodies_go_both_ways(server):
    body = gzip.compress(json.dumps({"instances": [0.5] * 3000}).encode())
    headers = {"content-encoding": "gzip", "accept-encoding": "gzip"}
    response = server.client.post("/v1/models/half:predict", content=body, headers=headers)
    assert response.headers["content-encoding"] == "gzip"
    assert response.json() == {"predictions": [2.25] * 3000}
    for content, encoding, status in [
        (body[:-20], "gzip", 400),
        (b"x", "gzip", 400),
        (b"x", "br", 415),
    ]:
        headers = {"content-encoding": encoding}
        response = server.client.post("/v1/models/half:predict", content=content, headers=headers)
        assert response.status_code == status


def test_connections_are_kept(server):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    sockets = []
    for _ in range(2):
        connection.request("GET", "/v1/models/half")
        assert connection.getresponse().read()
        sockets.append(connection.sock)
    assert sockets[0] is sockets[1] is not None
    connection.close()


def test_an_answer_comes_in_one_piece(server):
    ask = b"GET /v1/models/half HTTP/1.1\r\nHost: x\r\n%s\r\n"
    with socket.create_connection(server.address, 30) as connection:
        for _ in range(30):
            connection.sendall(ask % b"")
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert json.loads(body)["model_version_status"]
        # The last one is followed by the connection's end, not overtaken by it.
        connection.sendall(ask % b"Connection: close\r\n")
        last = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        assert last.partition(b"\r\n\r\n")[2] == body


def test_what_is_no_http_is_answered_and_the_connection_closed(server):
    with socket.create_connection(server.address, 30) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted on Linux")
def test_operations_have_as_many_threads_as_asked_for(base):
    counts = []
    for number in (1, 9):
        flags = [f"--model_base_path={base}", "--rest_api_port=0"]
        with Server("serving", *flags, f"--tensorflow_intra_op_parallelism={number}") as server:
            counts.append(len(list(Path(f"/proc/{server.process.pid}/task").iterdir())))
    assert 7 <= counts[1] - counts[0] <= 9


def test_a_loop_without_end_is_stopped(tmp_path):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "n")])
    def count(n):
        return {"n": tf.while_loop(lambda i: i != n, lambda i: i + 1, [tf.constant(0)])[0]}

    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), count)
    servable = Servable(tmp_path / "1", SessionOptions(timeout_ms=500))
    assert servable.predict("serving_default", {"n": np.int32(5)})["n"] == 5
    with pytest.raises(ServingError, match="longer than the server allows"):
        servable.predict("serving_default", {"n": np.int32(-1)})
    servable.close()


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        ("waveform", np.full((1, 400), np.nan, np.float32)),
        ("wav_bytes", np.array([b"no WAV file"], object)),
    ],
)
def test_refused_requests_leave_nothing_in_memory(exported, signature, value):
    allocated = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if allocated is None:
        pytest.skip("only glibc tells how much is allocated")
    fields = {"_fields_": [("sizes", ctypes.c_size_t * 10)]}
    allocated.restype = type("mallinfo2", (ctypes.Structure,), fields)
    servable = Servable(exported / "1", SessionOptions(timeout_ms=30_000))
    (name,) = servable.signatures[signature].inputs

    def in_use_after(times):
        for _ in range(times):
            with pytest.raises(ServingError):
                servable.predict(signature, {name: value})
        gc.collect()
        return allocated().sizes[7]

    before = in_use_after(300)
    assert in_use_after(1000) - before < 1000 * 100
    servable.close()


def test_a_model_that_refuses_its_warm_up_requests_is_not_served(base, tmp_path):
    import shutil

    import tensorflow as tf

    from serving.warmup import FILE_NAME, warm_up
    from zoo.errors import RunError

    servable = Servable(base / "1")
    assert warm_up(servable) == 1
    servable.close()
    folder = tmp_path / "1"
    shutil.copytree(base / "1", folder)
    for contents, message in [
        (b"no record " * 20, "request 1, cannot be run"),
        (None, "its inputs are not those of serving_default"),
    ]:
        if contents is None:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.model_spec.name = "m"
            with tf.io.TFRecordWriter(str(folder / FILE_NAME)) as writer:
                writer.write(log.SerializeToString())
        else:
            (folder / FILE_NAME).write_bytes(contents)
        servable = Servable(folder)
        with pytest.raises(RunError, match=message):
            warm_up(servable)
        servable.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--model_base_path or --model_config_file is required"),
        (["--model_base_path=x", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["--model_base_path=x", "--port=x"], "argument --port: a whole number from 0 on"),
        (["--model_base_path=x", "--enable_batching=maybe"], "true or false is expected"),
        (["--model_base_path=x", "--batching_parameters_file=x"], "needs --enable_batching"),
        (["--model_base_path=x", "--rest_api_ssl_keyfile=x"], "go together"),
        (["--model_base_path=x", "--grpc_channel_arguments=a"], "takes key=value"),
        (["--model_base_path=x", "--monitoring_config_file=no"], "no cannot be read"),
    ],
)
def test_wrong_flags_are_one_sentence(flags, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse(flags)
    assert "\n" not in str(caught.value)


def test_flags_are_tensorflow_model_servers():
    settings = parse(
        "--port=1 --rest_api_port=2 --model_name=m --model_base_path=/x --enable_batching=true "
        "--rest_api_timeout_in_ms=500 --tensorflow_session_parallelism=3 "
        "--file_system_poll_wait_seconds=0 --grpc_channel_arguments=grpc.a=1,b=c "
        "--saved_model_tags=serve,gpu --enable_model_warmup=false".split()
    )
    assert (settings.grpc_port, settings.port, settings.host) == (1, 2, "127.0.0.1")
    assert [(m.name, str(m.base_path)) for m in settings.models] == [("m", "/x")]
    assert settings.batching is not None
    assert (settings.limits.timeout_seconds, settings.session.timeout_ms) == (0.5, 500)
    assert settings.session.tags == {"serve", "gpu"}
    assert settings.session.intra_op_threads == settings.session.inter_op_threads == 3
    assert settings.grpc_options == [("grpc.a", 1), ("b", "c")]
    assert (settings.warm_up, settings.poll_seconds) == (0, 0)
    assert parse(["--version"]) is None


def test_grpc_tensors_come_packed_where_that_is_asked(base):
    flags = ["--model_name=m", f"--model_base_path={base}", "--rest_api_port=0"]
    with Server("serving", *flags, "--enable_serialization_as_tensor_content") as server:
        request = predict_pb2.PredictRequest(output_filter=["y"])
        request.model_spec.name = "m"
        tensor = request.inputs["x"]
        tensor.dtype, tensor.tensor_content = 1, np.array([1.0, 2.0], np.float32).tobytes()
        tensor.tensor_shape.dim.add(size=2)
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answer = stub.Predict(request, timeout=30).outputs["y"]
            assert np.frombuffer(answer.tensor_content, np.float32).tolist() == [2.0, 3.0]
            # A client that hangs up does not take its request's end with it.
            hung_up = stub.Predict.future(request)
            hung_up.cancel()
            # The answer may have come before.
            with contextlib.suppress(grpc.FutureCancelledError):
                hung_up.result()
            assert stub.Predict(request, timeout=30).model_spec.version.value == 1
        assert httpx.get(f"{server.url}/healthz").status_code == 200
