"""Words and phones of a recording over REST and by the client."""

import asyncio
import base64

import numpy as np
import pytest

from serving.client import AsyncClient, Client, ServerError
from tests.helpers.runs import recording, speech, wav, write_dictionary
from zoo.alignment import Aligner, Dictionary, Lexicon
from zoo.errors import UsageError
from zoo.transcription import load_recognizer

AUDIO = speech(1.7, seed=6)
FILE = wav(AUDIO)
WORDS = ["hello", "world", "cat"]
PHONES = ["HH AH0 L OW1", "W ER1 L D", "K AE1 T"]


@pytest.fixture(scope="module")
def expected(recognizer_run):
    """The words' alignment, with their first pronunciation each, by the zoo."""
    known = Aligner.of(load_recognizer(recognizer_run))
    entries = {w: (tuple(p.split()),) for w, p in zip(WORDS, PHONES, strict=True)}
    lexicon = Lexicon([Dictionary(entries)], letters=False)
    aligner = Aligner(known.recognizer, lexicon, known.phones, known.offsets)
    return aligner.align(AUDIO, 16000, words=WORDS)


@pytest.fixture
def client(server):
    with Client(f"{server.url}/v1/models/speech") as client:
        yield client


def assert_same(found, expected, tiers=("words", "phones")):
    assert tuple(found.tiers) == tiers
    assert (found.duration, found.sample_rate) == (pytest.approx(1.7), expected.sample_rate)
    assert found.score == pytest.approx(expected.score, abs=1e-3)
    for tier in tiers:
        one, other = found.tiers[tier], expected.tiers[tier]
        assert [i.label for i in one] == [i.label for i in other]
        np.testing.assert_allclose([i[:2] for i in one], [i[:2] for i in other], atol=1e-4)
        # A word's is weighted by its phones' frames here, by their durations there.
        tolerance = 0.02 if tier == "words" else 1e-3
        np.testing.assert_allclose([i.score for i in one], [i.score for i in other], atol=tolerance)


def test_the_client_gives_what_the_zoo_gives(client, expected, tmp_path):
    path = tmp_path / "speech.wav"
    path.write_bytes(FILE)
    assert_same(client.align(path, words=WORDS), expected)
    assert_same(client.align(FILE, text="Hello, world! Cat."), expected)
    own = write_dictionary(tmp_path / "own.dict")
    assert_same(client.align(FILE, words=WORDS, dictionary=[own]), expected)


def test_phones_need_no_dictionary(client, recognizer_run):
    expected = Aligner.of(load_recognizer(recognizer_run)).align(
        AUDIO, 16000, phones=" ".join(PHONES).split()
    )
    assert_same(client.align(FILE, phones=" ".join(PHONES)), expected, ("phones",))
    assert client.align(FILE, phones=" ".join(PHONES).split()) == client.align(
        FILE, phones=" ".join(PHONES)
    )


def test_the_asynchronous_client_too(server, client):
    async def ask():
        async with AsyncClient(f"{server.url}/v1/models/speech") as speech:
            return await asyncio.gather(
                speech.align(FILE, words=WORDS), speech.align(FILE, phones="K AE T")
            )

    expected = [client.align(FILE, words=WORDS), client.align(FILE, phones="K AE T")]
    assert asyncio.run(ask()) == expected


def test_what_is_wrong_is_told(client, server):
    with pytest.raises(UsageError, match="server's dictionary does not have 'zebra', 'gnu'; give"):
        client.align(FILE, text="hello zebra gnu")
    with pytest.raises(UsageError, match="give one of text, words and phones"):
        client.align(FILE, text="hello", phones="K AE T")
    with pytest.raises(UsageError, match="words must be a list of words; received 'hello'"):
        client.align(FILE, words="hello")
    with pytest.raises(ServerError, match=r"400: phones\[0\]: the network has no phone XX$"):
        client.align(FILE, phones="K XX T")
    with pytest.raises(ServerError, match=r"400: wav\[0\]: the file is empty"):
        client.align(b"", phones="K AE T")
    with (
        Client(f"{server.url}/v1/models/phones") as phones,
        pytest.raises(UsageError, match="has no signature 'align'; it has classify, "),
    ):
        phones.align(FILE, phones="K AE T")


def test_columns_over_rest(server):
    contents = {"b64": base64.b64encode(wav(recording(16000))).decode()}
    body = {"signature_name": "align", "inputs": {"wav": contents, "phones": PHONES}}
    response = server.predict("speech", body)
    assert response.status_code == 200, response.text
    found = response.json()["outputs"]
    assert [p for p in found["phones"] if p != "sil"] == " ".join(PHONES).split()
    assert sorted(set(found["words"]) - {-1}) == [0, 1, 2]
    assert 0 <= found["score"] <= 1
    assert found["starts"][1:] == found["ends"][:-1]

    body["inputs"]["phones"] = ["K AE1 T", "K XX"]
    response = server.predict("speech", body)
    assert response.status_code == 400
    assert response.json()["error"] == "phones[1]: the network has no phone XX"
    body = {"signature_name": "pronounce", "instances": ["Hello", "xyzzy"]}
    assert server.predict("speech", body).json() == {"predictions": ["HH AH0 L OW1", ""]}
