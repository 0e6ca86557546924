"""`zoo experiment hearing`: layers and methods, judged by an independent network."""

import json

import numpy as np
import pytest

from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import prepare
from zoo.experiments.comparisons import hearing
from zoo.experiments.engine.claims import Numbers


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    tree = make_tree(folder / "corpus", train=2, test=2, sentences=("SX1", "SX2"))
    return prepare(tree, folder / "set", like="freq_overlap-synthetic")


def test_a_layer_is_measured_by_itself_and_by_another_network(speech, tmp_path):
    words = ["--data", str(speech.path), "--networks", "freq_overlap", "--examples", "6"]
    words += ["--methods", "training,bold", "--few", "3", "--only", "*/pool3/*"]
    assert main(["experiment", "hearing", *words, "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    found = {k: v for c in results["cells"] for k, v in c.get("result", {}).items()}
    places = {f"{m}/freq_overlap pool3" for m in ("training", "regression", "bold")}
    assert set(found) == places
    assert found["training/freq_overlap pool3"]["examples"] == 6
    assert found["bold/freq_overlap pool3"]["examples"] == 3
    for measures in found.values():
        assert 0 <= measures["other_accuracy"] <= 1
        assert measures["log_spectral_distance"] > 0
    ours, theirs = (found[f"{m}/freq_overlap pool3"]["correlation"] for m in ("training", "bold"))
    assert ours > theirs
    text = (tmp_path / "results.md").read_text()
    assert "freq_best names" in text
    assert "of the 6 originals" in text


def test_unknown_names_are_answered_with_the_valid_ones(speech, tmp_path, capsys):
    words = ["--data", str(speech.path), "--methods", "bald", "--out", str(tmp_path)]
    assert main(["experiment", "hearing", *words]) == 2
    assert "unknown method 'bald'; valid are bold" in capsys.readouterr().err


def test_claims_hold_where_the_default_gains_from_the_third_layer_on():
    def numbers(gains):
        layers = hearing.LAYERS["freq_overlap"]
        found = {}
        for layer, gain in zip(layers, gains, strict=True):
            found["bold", f"freq_overlap {layer}"] = [{"correlation": 0.5}]
            found["training", f"freq_overlap {layer}"] = [{"correlation": 0.5 + gain}]
        return Numbers(found)

    def verdicts(gains):
        return [claim.verdict(numbers(gains))["verdict"] for claim in hearing.CLAIMS]

    assert verdicts([0, 0, 0.2, 0.2, 0.11]) == ["reproduced", "reproduced"]
    assert verdicts([-0.1, 0, 0.2, 0.2, 0.2]) == ["not reproduced", "reproduced"]
    assert verdicts([0, 0, 0.2, 0.2, 0.05]) == ["reproduced", "not reproduced"]
    assert hearing.CLAIMS[0].verdict(Numbers({}))["verdict"] == "not run"


def test_segments_are_those_that_were_drawn(speech):
    from zoo.runs import Run

    run = Run.open("freq_overlap-synthetic")
    places = np.array([3, 0, 2, 3])
    found = hearing._features(run, speech, "test", places)
    for n, place in enumerate(places):
        np.testing.assert_array_equal(found[n], speech.features("test")[place])
