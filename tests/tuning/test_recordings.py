"""Searching networks for whole recordings."""

import numpy as np
import pytest

from tests.helpers.trees import make_tree
from tuning.data import a_few, training_and_validation
from tuning.search import Search
from tuning.settings import Budget, Plan
from tuning.study import Study
from zoo.data import prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    tree = make_tree(folder / "corpus", train=6, test=1, sentences=("SX1", "SI1"))
    return prepare(tree, folder / "set", examples="frames")


def test_recordings_of_some_speakers_validate(prepared):
    parts = training_and_validation(prepared, seed=0)
    speakers = [set(parts.segments(split).speaker) for split in ("train", "dev")]
    assert not speakers[0] & speakers[1]
    assert len(parts.phones("train")) + len(parts.phones("dev")) == 12
    whole = np.concatenate([parts.labels(split) for split in ("train", "dev")])
    assert sorted(whole) == sorted(prepared.labels("train"))
    number = int(parts.rows["dev"][1][0])
    np.testing.assert_array_equal(parts.features("dev")[0], prepared.features("train")[number])
    np.testing.assert_array_equal(
        parts.frame_labels("dev")[0], prepared.frame_labels("train")[number]
    )
    windows, labels = parts.windows("dev", 9, labelled=False)
    assert len(windows) == len(parts.labels("dev"))
    np.testing.assert_array_equal(labels[:][:, 4], parts.labels("dev"))
    np.testing.assert_array_equal(windows[0][:, 4:], parts.features("dev")[0][:, :5])
    assert len(a_few(parts).phones("dev")) == len(parts.phones("dev"))


@pytest.mark.parametrize("model", ["tdnn", "time"])
def test_a_search_trains_and_scores_networks_for_recordings(prepared, tmp_path, model):
    small = {"units": [1], "blocks": [2], "block_filters": [32, 64]} if model == "tdnn" else {}
    plan = Plan(
        model,
        str(prepared.path),
        max_trials=1,
        epochs=1,
        per_class=2,
        batch_size=8,
        seed=3,
        only=["dropout", "learning_rate", *small],
        narrowed=small,
        budget=Budget(max_params=400_000),
    )
    search = Search(Study(tmp_path / "study", plan))
    with search.study.locked():
        search.prepare()
        search.run()
    (result,) = search.oracle.results.values()
    assert result["status"] == "COMPLETED", result["error"]
    assert result["value"] == result["measures"]["accuracy_39"]
    assert 0 <= result["value"] <= 1
    assert result["measures"]["parameters"] > 10_000
