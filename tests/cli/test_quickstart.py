"""The whole way in small, as `make quickstart` goes it."""

import json
import re
import subprocess
import sys

from zoo.decoding import Transcript


def quickstart(out):
    words = ["--out", str(out), "--speakers", "8", "--epochs", "1", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "quickstart", *words],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "retracing" not in done.stderr
    return done.stdout


def test_it_goes_from_speech_to_an_answer_over_rest_and_reuses_what_is_there(tmp_path):
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
