"""zoo.classify: one answer whatever the way, and a sentence for every wrong argument."""

import numpy as np
import pytest

import zoo
from tests.helpers.runs import make_run, recording, riff, wav
from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inference import load_classifier


@pytest.fixture(scope="module")
def classifier(run):
    return load_classifier(run)


def scores(answers):
    return np.array([a.scores for a in answers])


def test_answers_follow_the_segments(classifier):
    audio = recording(9000)
    segments = [(0, 3000), (3000, 3001), (100, 9000)]
    answers = zoo.classify(classifier, audio, 16000, segments, top_k=3)
    assert [(a.start, a.end) for a in answers] == segments
    assert {len(a.phones) for a in answers} == {len(a.scores) for a in answers} == {3}
    for answer, (start, end) in zip(answers, segments, strict=True):
        (alone,) = zoo.classify(classifier, audio[start:end], 16000, top_k=3)
        assert alone.phones == answer.phones
        np.testing.assert_allclose(alone.scores, answer.scores, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("place", ["", "1"])
def test_an_exported_model_answers_as_its_run(classifier, exported, rate, place):
    audio = recording(int(0.3 * rate), channels=2)
    segments = [(0, 500), (300, 2000)]
    run_answers = zoo.classify(classifier, audio, rate, segments, top_k=48)
    exported_answers = zoo.classify(exported / place, audio, rate, segments, top_k=48)
    np.testing.assert_allclose(scores(run_answers), scores(exported_answers), atol=1e-4)


def test_sixteen_bit_samples_and_their_floats_are_the_same(classifier):
    audio = recording(3000)
    floats = zoo.classify(classifier, audio, 16000)
    integers = zoo.classify(classifier, (audio * 32768).astype("int16"), 16000)
    assert floats == integers


def test_a_keras_model_needs_its_front_end(run, classifier):
    model = zoo.load(run)
    audio = recording(3000)
    answers = zoo.classify(model, audio, 16000, frontend=Frontend.load(run))
    assert answers == zoo.classify(classifier, audio, 16000)
    with pytest.raises(UsageError, match="has no front end"):
        zoo.classify(model, audio, 16000)


def test_no_segments_no_answers(classifier):
    assert zoo.classify(classifier, recording(100), 16000, segments=[]) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": np.zeros(0, "float32")}, "audio holds no samples"),
        ({"audio": np.full(100, np.nan)}, "NaN or infinite"),
        ({"audio": np.full(100, 1e39)}, r"samples beyond 1e\+15; full scale 1"),
        ({"audio": np.full((100, 2), 3e38, "float32")}, r"samples beyond 1e\+15; full scale 1"),
        ({"audio": np.zeros((2, 2, 2))}, r"received shape \(2, 2, 2\)"),
        ({"audio": np.zeros((2, 4000))}, "transpose it"),
        ({"audio": np.zeros(100, "int32")}, "must be floats with full scale 1, or int16"),
        ({"sample_rate": 0}, "sample_rate must be a whole number of Hz"),
        ({"sample_rate": 44100.5}, "received 44100.5"),
        ({"sample_rate": 10**400}, "sample_rate must be a whole number of Hz"),
        ({"sample_rate": "16k"}, "received '16k'"),
        ({"segments": [(0, 101)]}, "segment 0 is 0 to 101"),
        ({"segments": [(0, 10), (5, 5)]}, "segment 1 is 5 to 5"),
        ({"segments": [(-1, 5)]}, "segment 0 is -1 to 5"),
        ({"segments": [(0.0, 0.5)]}, "whole samples"),
        ({"segments": 5}, r"segments must be \(start, end\) pairs; received 5"),
        ({"segments": [3]}, "must be a .start, end. pair"),
        ({"top_k": 0}, "top_k must be 1 to 48; received 0"),
        ({"top_k": 49}, "top_k must be 1 to 48"),
        ({"audio": np.zeros(16001)}, r"lasts 1\.00 s; without segments"),
        ({"model_or_path": "nowhere"}, "nowhere does not exist"),
        ({"model_or_path": 3}, "received int"),
    ],
)
def test_wrong_arguments_get_a_sentence(classifier, changes, message):
    arguments = {"model_or_path": classifier, "audio": np.zeros(100), "sample_rate": 16000}
    with pytest.raises(UsageError, match=message):
        zoo.classify(**{**arguments, **changes})


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="neither a run folder"):
        zoo.classify(tmp_path, np.zeros(100), 16000)


def test_a_run_of_another_kind_is_refused(tmp_path):
    run = make_run(tmp_path / "run")
    config = (run / "config.json").read_text().replace('"classifier"', '"autoencoder"')
    (run / "config.json").write_text(config)
    with pytest.raises(UsageError, match="is not a phone classifier"):
        zoo.classify(run, np.zeros(100), 16000)


class TestCommand:
    @pytest.fixture
    def predict(self, run, tmp_path, monkeypatch, capsys):
        from zoo.cli import main

        monkeypatch.chdir(tmp_path)
        (tmp_path / "short.wav").write_bytes(wav(recording(4000)))
        (tmp_path / "long.wav").write_bytes(wav(recording(32000)))
        (tmp_path / "long.phn").write_text("0 3000 h#\n3000 6000 iy\n6000 9000 q\n9000 32000 sh\n")
        (tmp_path / "damaged.wav").write_bytes(riff((b"data", b"")))

        def call(*arguments):
            code = main(["predict", *arguments, "--model", str(run)])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        return call

    def test_short_file_is_one_segment(self, predict):
        code, out, _ = predict("short.wav", "--top-k", "2")
        assert code == 0
        assert out.split()[:2] == ["0.000", "0.250"]
        assert len(out.split()) == 2 + 2 * 2

    def test_long_file_asks_for_segments(self, predict):
        code, _, err = predict("long.wav")
        assert code == 2
        assert "longer than one segment of up to 1 s: give --labels FILE" in err
        assert "or find its phones with zoo transcribe" in err

    def test_hours_are_refused_before_they_are_read(self, predict, tmp_path):
        (tmp_path / "hours.wav").write_bytes(wav(np.zeros(2 * 3600 * 10, "int16"), 10))
        code, _, err = predict("hours.wav")
        assert code == 2
        assert "lasts 7200.00 s" in err
        assert "zoo transcribe" in err

    def test_start_and_end_choose_one(self, predict, run):
        import json

        code, out, _ = predict("long.wav", "--start", "0.5", "--end", "0.6", "--json")
        result = json.loads(out)
        (segment,) = result["segments"]
        (expected,) = zoo.classify(run, recording(32000), 16000, [(8000, 9600)])
        assert (code, segment["start"], segment["end"]) == (0, 8000, 9600)
        assert tuple(segment["phones"]) == expected.phones
        assert "accuracy_39" not in result

    def test_labels_are_compared_by_their_group(self, predict):
        import json

        code, out, _ = predict("long.wav", "--phn", "long.phn", "--json")
        result = json.loads(out)
        assert code == 0
        assert [s["label"] for s in result["segments"]] == ["h#", "iy", "q", "sh"]
        agrees = [s["agrees"] for s in result["segments"]]
        assert agrees[2] is None
        assert result["scored"] == 3
        assert result["accuracy_39"] == sum(map(bool, agrees)) / 3
        _, out, _ = predict("long.wav", "--phn", "long.phn")
        assert out.splitlines()[-1].startswith("right (39 groups): ")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nowhere.wav"],
            ["damaged.wav"],
            ["long.wav", "--phn", "nowhere.phn"],
            ["long.wav", "--phn", "long.phn", "--start", "0"],
            ["long.wav", "--start", "3"],
            ["long.wav", "--start", "0.6", "--end", "0.5"],
            ["long.wav", "--start", "0.5", "--end", "0.5"],
            ["long.wav", "--start", "0.5"],
            ["short.wav", "--top-k", "0"],
        ],
    )
    def test_wrong_use_is_one_line_and_exit_code_2(self, predict, arguments):
        code, out, err = predict(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("zoo predict: ")
