"""A recording sent to the server: the answer of the run, or a sentence."""

import base64

import numpy as np
import pytest

import zoo
from tests.helpers.runs import bad_wavs, recording, wav

BAD = bad_wavs()


def ask(server, *files):
    instances = [{"wav": {"b64": base64.b64encode(f).decode()}} for f in files]
    return server.predict("phones", {"signature_name": "wav_bytes", "instances": instances})


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (16000, 2), (44100, 2)])
def test_same_recording_same_answer(server, run, rate, channels):
    audio = recording(int(0.12 * rate), channels)
    response = ask(server, wav(audio, rate))
    assert response.status_code == 200
    (row,) = response.json()["predictions"]
    assert set(row) == {"probabilities", "phones", "scores"}
    (expected,) = zoo.classify(run, audio, rate)
    assert tuple(row["phones"]) == expected.phones
    np.testing.assert_allclose(row["scores"], expected.scores, atol=1e-4)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recording_is_400_with_one_sentence(server, name):
    contents, message = BAD[name]
    response = ask(server, wav(recording(300)), contents)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error.startswith("wav[1]: ")
    assert message in error
    assert "\n" not in error


def test_samples_and_representations_are_taken_as_well(server, run):
    audio = recording(2000)
    (expected,) = zoo.classify(run, audio, 16000)
    body = {"signature_name": "waveform", "instances": [audio.tolist()]}
    (row,) = server.predict("phones", body).json()["predictions"]
    np.testing.assert_allclose(row["scores"], expected.scores, atol=1e-4)
    response = server.predict("phones", {"instances": np.zeros((2, 201, 16, 1)).tolist()})
    assert len(response.json()["predictions"]) == 2


def test_samples_that_are_not_finite_are_400(server):
    response = server.predict("phones", b'{"signature_name": "waveform", "instances": [[NaN]]}')
    assert response.status_code == 400
    assert response.json()["error"].startswith("waveform holds values that are NaN or infinite")
