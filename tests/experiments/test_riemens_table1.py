"""Riemens' table 1 from a small corpus."""

import json

import pytest

from tests.helpers.trees import make_tree
from zoo.cli import main


def test_table_beside_the_published_one(tmp_path, capsys):
    make_tree(tmp_path / "corpus")
    out = tmp_path / "run"
    words = ["experiment", "riemens_table1", "--corpus", str(tmp_path / "corpus")]
    assert main([*words, "--out", str(out), "--segments", "20", "--iterations", "10"]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["published"]["phase_discarded"] == {"101": 0.36, "201": 0.91, "301": 0.98}
    assert results["segments"] == 20
    ours = results["ours"]
    bins = ("101", "201", "301")
    assert all(0 <= way[b] <= 1.0001 for way in ours.values() for b in bins)
    for way in ("complex_joint", "real_joint"):
        assert ours[way]["301"] == pytest.approx(1, abs=0.02)
    assert ours["complex"]["201"] == pytest.approx(1, abs=0.02)
    assert ours["real"]["101"] < ours["real"]["201"] < ours["real"]["301"]
    text = (out / "results.md").read_text()
    assert text in capsys.readouterr().out
    assert "| discarded | published | 0.36 | 0.91 | 0.98 |" in text
    assert text.count("| ours: ") == len(ours)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["riemens_table1"], "`zoo corpus synth DIR` makes"),
        (["riemens_table1", "--corpus", "nowhere"], "is not a folder"),
        (["riemens_table1", "--corpus", "nowhere", "--segments", "0"], "must be 1 or more"),
    ],
)
def test_wrong_use_is_one_clear_line(words, message, capsys):
    assert main(["experiment", *words]) == 2
    assert message in capsys.readouterr().err
