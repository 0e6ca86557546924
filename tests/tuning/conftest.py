"""A prepared set that trains in a moment."""

import pytest

from tests.helpers.trees import make_tree


@pytest.fixture(scope="session")
def prepared(once):
    from zoo.data import Prepared, prepare

    def make(folder):
        tree = make_tree(folder / "corpus", train=6, test=2, sentences=("SX1", "SX2"))
        prepare(tree, folder / "set", representation="log_magnitude")

    return Prepared(once("tuning", make) / "set")
