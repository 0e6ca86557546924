"""Whole recordings and segments of one, over REST, over gRPC and by the client."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serving.client import AsyncClient, Client, ServerError
from serving.servable import Servable
from tests.helpers.runs import recording, speech, wav
from tests.helpers.served import Server
from zoo.decoding.formats import Interval
from zoo.errors import UsageError

FILES = [wav(speech(seconds, seed=4)) for seconds in (0.3, 2.5)]


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


@pytest.fixture(scope="module")
def expected(exported_recognizer):
    """What the exported model gives for each file alone."""
    servable = Servable(exported_recognizer / "1")
    answers = [servable.predict("transcribe", {"wav": np.array([f], object)}) for f in FILES]
    yield answers
    servable.close()


@pytest.fixture
def client(server):
    with Client(f"{server.url}/v1/models/speech") as client:
        yield client


def rows(document):
    """A row of an answer with the padding taken off."""
    count = document["counts"]
    return {name: value[:count] for name, value in document.items() if name != "counts"}


def assert_row(found, expected):
    assert set(found) == set(expected)
    count = int(expected["counts"][0])
    assert found["counts"] == count
    for name, value in rows(found).items():
        wanted = expected[name][0][:count]
        if wanted.dtype == object:
            assert value == np.vectorize(bytes.decode, otypes=[object])(wanted).tolist()
        else:
            np.testing.assert_allclose(value, wanted, atol=1e-4)


def test_rows_and_columns(server, expected):
    instances = [{"wav": b64(file)} for file in FILES]
    body = {"signature_name": "transcribe", "instances": instances}
    response = server.predict("speech", body)
    assert response.status_code == 200, response.text
    for found, answer in zip(response.json()["predictions"], expected, strict=True):
        assert_row(found, answer)
    body = {"signature_name": "transcribe", "inputs": {"wav": [b64(file) for file in FILES]}}
    outputs = server.predict("speech", body).json()["outputs"]
    for row, answer in enumerate(expected):
        assert_row({name: values[row] for name, values in outputs.items()}, answer)


def test_a_lone_recording_has_no_padding(server, expected):
    body = {"signature_name": "transcribe", "instances": [{"wav": b64(FILES[0])}]}
    (found,) = server.predict("speech", body).json()["predictions"]
    assert len(found["phones"]) == found["counts"] == expected[0]["counts"][0]


def test_the_client_gives_intervals(client, expected, tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(FILES[1])
    found = client.transcribe(path)
    assert found == client.transcribe(FILES[1])
    assert {type(interval) for interval in found} == {Interval}
    assert [i.label for i in found] == [p.decode() for p in expected[1]["phones"][0]]
    np.testing.assert_allclose([i.start for i in found], expected[1]["starts"][0])
    np.testing.assert_allclose([i.score for i in found], expected[1]["scores"][0], atol=1e-4)
    assert found[-1].end == pytest.approx(2.5)
    with pytest.raises(ServerError, match=r"answered 400: wav\[0\]: the file is empty"):
        client.transcribe(b"")


def test_the_asynchronous_client_too(server, client):
    async def ask():
        async with AsyncClient(f"{server.url}/v1/models/speech") as speech:
            return await asyncio.gather(*(speech.transcribe(file) for file in FILES))

    assert asyncio.run(ask()) == [client.transcribe(file) for file in FILES]


def test_a_model_of_segments_says_what_it_has(server):
    with (
        Client(f"{server.url}/v1/models/phones") as phones,
        pytest.raises(UsageError, match="has no signature 'transcribe'; it has classify, "),
    ):
        phones.transcribe(FILES[0])


def test_segments_of_a_recording_in_the_column_format(server):
    audio = recording(8000)
    inputs = {"wav": b64(wav(audio)), "starts": [0.0, 0.25], "ends": [0.25, 0.5]}
    body = {"signature_name": "segments", "inputs": inputs}
    found = server.predict("phones", body).json()["outputs"]
    with Client(f"{server.url}/v1/models/phones") as phones:
        alone = phones.predict_wav(wav(audio[:4000]), wav(audio[4000:]))
    assert found["phones"] == alone["phones"].tolist()
    np.testing.assert_allclose(found["scores"], alone["scores"], atol=1e-4)


def test_recordings_of_different_lengths_at_the_same_time_keep_their_answers(
    exported_recognizer, expected
):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    flags = ["--enable_batching", "--model_name=speech", f"--model_base_path={exported_recognizer}"]
    with (
        Server("serving", *flags, "--rest_api_port=0") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        ThreadPoolExecutor(8) as pool,
    ):
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def over_rest(file):
            body = {"signature_name": "transcribe", "instances": [{"wav": b64(file)}]}
            (row,) = server.predict("speech", body).json()["predictions"]
            return row

        def over_grpc(file):
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = "speech", "transcribe"
            request.inputs["wav"].CopyFrom(tf.make_tensor_proto([file]))
            outputs = stub.Predict(request, timeout=60).outputs
            return {name: tf.make_ndarray(value) for name, value in outputs.items()}

        asked = [pool.submit(over_rest, FILES[i % 2]) for i in range(6)]
        also = [pool.submit(over_grpc, FILES[i % 2]) for i in range(6)]
        for number, future in enumerate(asked):
            answer = future.result()
            assert_row(answer, expected[number % 2])
            # Not as many as the other recording has.
            assert len(answer["phones"]) == answer["counts"]
        for number, future in enumerate(also):
            answer = future.result()
            for name, wanted in expected[number % 2].items():
                if wanted.dtype == object:
                    np.testing.assert_array_equal(answer[name], wanted)
                else:
                    np.testing.assert_allclose(answer[name], wanted, atol=1e-4)


def test_what_the_contents_decide_the_size_of_is_not_batched(exported_recognizer, exported):
    of_recordings = Servable(exported_recognizer / "1")
    batched = {name: s.batched for name, s in of_recordings.signatures.items()}
    assert batched == {
        "serving_default": True,
        "frames": True,
        "transcribe": False,
        "align": False,
        "pronounce": True,
    }
    of_recordings.close()
    of_segments = Servable(exported / "1")
    assert [n for n, s in of_segments.signatures.items() if not s.batched] == ["segments"]
    of_segments.close()
