"""Pages of the networks: what a benchmark measured is kept, and shown where it is there."""

import json

import pytest

pytest.importorskip("mkdocs")

from tests.helpers.scripts import load


def phase(seconds, **more):
    return {"seconds": {"Keras": seconds}, "ours": seconds, "share": 0.5, "bytes": 1000, **more}


ROW = {
    "name": "tdnn",
    "multiply_adds": 1000,
    "inference_1": phase(0.0031234, theirs=0.0025, ratio=0.80041),
    "inference_16": phase(0.01, ratio=1.2),
    "inference_128": phase(0.04, ratio=2.0),
    "training": phase(1.6),
}


@pytest.fixture(scope="module")
def pages():
    return load("model_pages")


def test_times_are_kept_and_shown_with_their_machine(pages, tmp_path):
    (tmp_path / "measured.json").write_text(json.dumps({"limits": {}, "load": 0, "rows": [ROW]}))
    kept = tmp_path / "speed" / "networks.json"
    pages.keep_speed(tmp_path / "measured.json", "two cores", kept)
    record = json.loads(kept.read_text())
    assert record["machine"] == "two cores"
    assert record["rows"][0]["inference_1"] == {"ours": 0.00312, "ratio": 0.8}
    text = "\n".join(pages.speed_part("tdnn", kept))
    assert text.count("two cores") == 1
    assert "| an example by itself | 3.12 | 321 | 0.8 |" in text
    assert "| a batch of 128 | 40 | 3,200 | 2.0 |" in text
    assert "| a training step on 128 | 1,600 | 80 |  |" in text


def test_a_network_without_times_has_no_table(pages, tmp_path):
    assert list(pages.speed_part("tdnn", tmp_path / "networks.json")) == []
    kept = tmp_path / "networks.json"
    kept.write_text(json.dumps({"machine": "two cores", "rows": []}))
    assert list(pages.speed_part("tdnn", kept)) == []
