"""The client against the server, and against servers that fail."""

import asyncio
import contextlib
import http.server
import json
import threading

import numpy as np
import pytest

import zoo
from serving.client import AsyncClient, Client, ServerError
from tests.helpers.doctests import run_examples
from tests.helpers.runs import recording, speech, wav
from zoo.errors import UsageError


@pytest.fixture
def connect(server):
    with contextlib.ExitStack() as stack:
        yield lambda model: stack.enter_context(Client(f"{server.url}/v1/models/{model}"))


def test_signatures_are_read_from_the_metadata(connect):
    signature = connect("phones").signatures()["wav_bytes"]
    assert signature.inputs == {"wav": np.dtype(object)}
    assert signature.outputs["probabilities"] == np.float32
    assert signature.shapes["probabilities"] == (None, 48)
    assert signature.shapes["wav"] == (None,)


def test_arrays_come_back_with_the_types_of_the_signature(connect):
    x = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    (y,) = connect("half").predict(x).values()
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, np.float32(0.5) * x + np.float32(2))
    answer = connect("several").predict({"a": x, "b": np.array([[1], [2], [3]])})
    np.testing.assert_allclose(answer["sum"], x + np.array([[1], [2], [3]]), rtol=1e-6)
    assert answer["large"].dtype == bool


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_arrive(connect, value):
    (y,) = connect("half").predict(np.array([value, 1.0], "float32")).values()
    np.testing.assert_array_equal(y, [value, 2.5])


def test_text_and_bytes_arrive(connect):
    answer = connect("strings").predict(np.array(["häuser", b"\xff\x00"], object), "both")
    np.testing.assert_array_equal(answer["length"], [7, 2])
    assert answer["echo_bytes"].tolist() == ["häuser".encode(), b"\xff\x00"]


def test_whole_numbers_that_fit_are_taken(connect):
    assert connect("other").predict([1, 255], "pixels")["y"].tolist() == [1, 255]


def test_the_example_of_the_documentation(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phone.wav").write_bytes(wav(recording(2000)))
    (tmp_path / "speech.wav").write_bytes(wav(speech(2)))
    assert run_examples("serving.client", {"http://127.0.0.1:8501": server.url})


def test_wav_files_get_the_answer_of_the_run(connect, run, tmp_path):
    audio = recording(3000)
    (tmp_path / "a.wav").write_bytes(wav(audio))
    answer = connect("phones").predict_wav(tmp_path / "a.wav", wav(audio, 8000))
    (expected,) = zoo.classify(run, audio, 16000)
    assert tuple(answer["phones"][0]) == expected.phones
    np.testing.assert_allclose(answer["scores"][0], expected.scores, atol=1e-4)
    assert answer["probabilities"].shape == (2, 48)


def test_asynchronous_requests_get_the_same_answers(connect, server):
    files = [wav(recording(2000, seed=s)) for s in range(4)]

    async def ask():
        async with AsyncClient(f"{server.url}/v1/models/phones") as phones:
            return await asyncio.gather(*(phones.predict_wav(file) for file in files))

    expected = connect("phones").predict_wav(*files)["probabilities"]
    found = np.concatenate([answer["probabilities"] for answer in asyncio.run(ask())])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "call", "message"),
    [
        ("half", lambda c: c.predict(1.0, "fourth"), "has no signature 'fourth'; it has serving_"),
        ("several", lambda c: c.predict([1.0]), "has the inputs a, b; give a value for each"),
        ("several", lambda c: c.predict({"a": 1.0}), "has the inputs a, b; received a"),
        (
            "half",
            lambda c: c.predict(["x"]),
            "an array of float32 is expected; received one of <U1",
        ),
        ("half", lambda c: c.predict([[1, 2], [1]]), "received rows of different lengths"),
        ("half", lambda c: c.predict([1.0, -1e300]), "received -1e+300, which is beyond it"),
        (
            "several",
            lambda c: c.predict({"a": [[1, 2]], "b": [[2**40]]}),
            "an array of int32 is expected; received 1099511627776, which is beyond it",
        ),
        ("other", lambda c: c.predict([-1], "pixels"), "received -1, which is beyond it"),
        ("strings", lambda c: c.predict(["\ud800"], "both"), "is not valid Unicode"),
        ("strings", lambda c: c.predict([1.0]), "text or bytes are expected; received float"),
        ("phones", lambda c: c.predict_wav("no.wav"), "no.wav cannot be read: No such file"),
    ],
)
def test_what_does_not_fit_is_said_before_it_is_sent(connect, model, call, message):
    with pytest.raises(UsageError) as caught:
        call(connect(model))
    assert message in str(caught.value)


def test_the_servers_own_sentence_is_passed_on(connect):
    with pytest.raises(ServerError, match=r"answered 400: wav\[0\]: the file is empty") as caught:
        connect("phones").predict_wav(b"")
    assert caught.value.status == 400
    with pytest.raises(ServerError, match=r"answered 404: .*nothing"):
        connect("nothing").signatures()


@pytest.mark.parametrize(
    "url", ["phones", "http://h/v1/models/", "ftp://h/v1/models/m", "http://h/m"]
)
def test_an_address_that_is_no_models_is_refused(url):
    with pytest.raises(UsageError, match="a served model's address is http://HOST:PORT/v1/models"):
        Client(url)


@contextlib.contextmanager
def answering(*statuses):
    """A server that gives these answers, then metadata without signatures; url, requests seen."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = statuses[len(seen)] if len(seen) < len(statuses) else 200
            seen.append(self.headers.get("authorization"))
            body = b'{"metadata": {"signature_def": {"signature_def": {}}}}'
            body = b'{"error": "busy"}' if status == 503 else b"<html>" if status == 500 else body
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/v1/models/m", seen
        httpd.shutdown()


def test_a_busy_server_is_asked_again():
    with answering(503, 503) as (url, seen), Client(url, backoff=0.001, api_key="k") as client:
        assert client.signatures() == {}
        assert seen == ["Bearer k"] * 3


def test_a_server_that_stays_busy_is_given_up():
    with (
        answering(*[503] * 9) as (url, seen),
        Client(url, backoff=0.001, retries=2) as client,
        pytest.raises(ServerError, match="answered 503: busy"),
    ):
        client.signatures()
    assert len(seen) == 3


def test_another_failure_is_not_repeated():
    with (
        answering(500) as (url, seen),
        Client(url) as client,
        pytest.raises(ServerError, match="answered 500: the answer is not that of a model server"),
    ):
        client.signatures()
    assert len(seen) == 1


def test_no_server_is_said_in_one_sentence():
    with answering() as (url, _):
        pass

    async def ask():
        async with AsyncClient(url, backoff=0.001) as client:
            await client.signatures()

    with pytest.raises(ServerError, match=r"cannot be reached: .*(refused|All)"):
        asyncio.run(ask())


def test_command_asks_the_server(server, run, tmp_path, capsys):
    from zoo.cli import main

    audio = recording(12000)
    (tmp_path / "a.wav").write_bytes(wav(audio, 8000))
    command = ["predict", str(tmp_path / "a.wav"), "--start", "0.5", "--end", "0.6", "--json"]
    assert main([*command, "--url", f"{server.url}/v1/models/phones"]) == 0
    remote = capsys.readouterr().out
    assert main([*command, "--model", str(run)]) == 0
    local = capsys.readouterr().out
    remote, local = json.loads(remote), json.loads(local)
    assert remote["segments"][0]["phones"] == local["segments"][0]["phones"]
    np.testing.assert_allclose(
        remote["segments"][0]["scores"], local["segments"][0]["scores"], atol=1e-4
    )
    assert main([*command, "--url", f"{server.url}/v1/models/half"]) == 2
    assert "is not a phone classifier of zoo export" in capsys.readouterr().err
    assert main([*command, "--url", f"{server.url}/v1/models/speech"]) == 2
    assert "transcribes whole recordings: use serving.client.Client" in capsys.readouterr().err
