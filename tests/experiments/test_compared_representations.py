"""The comparison of representations at a budget of seconds."""

import json

import numpy as np
import pytest

from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data.features.representations import REPRESENTATIONS
from zoo.evaluation.statistics import mean_interval

BUDGET = ["--epochs", "1", "--per-class", "2", "--seeds", "2"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=2, test=2, sentences=("SX1",))


@pytest.mark.slow
def test_each_representation_is_prepared_and_those_chosen_are_ranked(tree, tmp_path, capsys):
    words = ["experiment", "representations", str(tree), "--out", str(tmp_path), *BUDGET]
    assert main([*words, "--only", "m[af]*/*"]) == 0
    text = capsys.readouterr().out
    found = json.loads((tmp_path / "results.json").read_text())
    assert {p.name for p in (tmp_path / "sets").iterdir()} >= set(REPRESENTATIONS)
    # Magnitude, with phase, and coefficients with and without derivatives, which need small pools.
    assert found["rows"]["mfcc+deltas"]["shape"][::2] == [13, 3]
    assert set(found["rows"]) == {"magnitude", "magnitude_phase", "mfcc", "mfcc+deltas"}
    run = [c for c in found["cells"] if "result" in c]
    assert len(run) == 8
    shown = [line.split(" | ") for line in text.splitlines() if line.startswith("| m")]
    means = {
        name: 100 * np.mean([c["result"][place]["balanced_accuracy_39"] for c in run
                             if (place := f"{name}/freq_fullpad") in c["result"]])
        for name in found["rows"]
    }  # fmt: skip
    assert [float(row[2].split(" ± ")[0]) for row in shown] == pytest.approx(
        sorted(means.values(), reverse=True), abs=0.051
    )
    assert "Not run, or diverged: real, real_imaginary" in text
    for name, row in found["rows"].items():
        values = [c["result"][place]["balanced_accuracy_39"] for c in run
                  if (place := f"{name}/freq_fullpad") in c["result"]]  # fmt: skip
        assert row["balanced_accuracy_39"] == pytest.approx(mean_interval(values))
    assert main([*words, "--only", "m[af]*/*"]) == 0
    assert json.loads((tmp_path / "results.json").read_text()) == found


def test_a_budget_of_nothing_is_refused(tree, tmp_path, capsys):
    words = ["experiment", "representations", str(tree), "--out", str(tmp_path / "out")]
    assert main([*words, "--seeds", "0"]) == 2
    assert "--seeds must be 1 or more; received 0." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
