"""The whole way in small, as `make quickstart` goes it."""

import dataclasses
import json
import re

import pytest

from zoo.cli import main
from zoo.cli.quickstart import MODEL
from zoo.decoding import Transcript
from zoo.training.classifier import train_classifier

FASTER = {"per_class": 150, "optimizer": "adam", "learning_rate": 0.002}


@pytest.fixture
def quickstart(monkeypatch, capfd):
    """What `zoo quickstart` prints, whose classifier learns faster from fewer examples."""

    def shorter(model, prepared, out, settings, **options):
        if model == MODEL:
            settings = dataclasses.replace(settings, **FASTER)
        return train_classifier(model, prepared, out, settings, **options)

    monkeypatch.setattr("zoo.training.classifier.train_classifier", shorter)

    def run(out):
        words = ["--out", str(out), "--speakers", "8", "--epochs", "1", "--seed", "1"]
        assert main(["quickstart", *words]) == 0
        printed = capfd.readouterr()
        assert "retracing" not in printed.err
        return printed.out

    return run


def test_it_goes_from_speech_to_an_answer_over_rest_and_reuses_what_is_there(quickstart, tmp_path):
    first = quickstart(tmp_path / "q")
    for step in (
        *("corpus", "prepare", "train", "evaluate", "export", "serve", "report", "transcribe"),
    ):
        assert re.search(rf"^{step} .*\n(.*\n)*? +[0-9.]+ s$", first, re.MULTILINE), step
    answer = json.loads(re.search(r"^  (\{.*phones.*\})$", first, re.MULTILINE).group(1))
    assert len(answer["phones"]) == len(answer["scores"]) == 5
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    scores = json.loads((tmp_path / "q" / "scores.json").read_text())
    assert f"accuracy_39_uniform   {scores['accuracy_39_uniform']:.1%}" in first
    # Better than guessing one of 39 groups after a single epoch on six speakers.
    assert scores["balanced_accuracy_39"] > 0.1
    assert (tmp_path / "q" / "report.html").stat().st_size > 100_000
    reference = re.search(r"^  reference  (.*)$", first, re.MULTILINE).group(1).split()
    found = re.search(r"^  found      (.*)$", first, re.MULTILINE).group(1).split()
    assert reference[0] == "sil"
    assert found
    assert re.search(r"^  phone error rate +\d+\.\d%", first, re.MULTILINE)
    both = Transcript.load(tmp_path / "q" / "sentence.TextGrid")
    assert [i.label for i in both.tiers["reference"]] == reference
    assert (tmp_path / "q" / "sentences.html").stat().st_size > 50_000
    trained = (tmp_path / "q" / "run" / "model.keras").stat().st_mtime_ns

    second = quickstart(tmp_path / "q")
    assert (tmp_path / "q" / "run" / "model.keras").stat().st_mtime_ns == trained
    assert [f.name for f in (tmp_path / "q" / "export" / "phones").iterdir()] == ["1"]
    assert re.search(r"accuracy_39_uniform .*", second)[0] in first
