"""A prepared set that trains in a moment."""

import pytest

from tests.helpers.trees import make_tree


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    from zoo.data import prepare

    folder = tmp_path_factory.mktemp("tuning")
    tree = make_tree(folder / "corpus", train=6, test=2, sentences=("SX1", "SX2"))
    return prepare(tree, folder / "set", representation="log_magnitude")
