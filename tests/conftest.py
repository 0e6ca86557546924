"""Fixtures that several folders of tests share."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# No presets but those that a test makes.
os.environ["ZOO_PRESETS"] = os.devnull


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A classifier's run folder whose answers are far from uniform."""
    from tests.helpers.runs import make_run

    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """Base folder with version 1 of `run`, exported."""
    from export import export_savedmodel

    out = tmp_path_factory.mktemp("exported")
    export_savedmodel(run, out)
    return out


@pytest.fixture(scope="session")
def autoencoder_run(tmp_path_factory):
    """An autoencoder's run folder."""
    from tests.helpers.runs import make_run

    return make_run(tmp_path_factory.mktemp("runs") / "ae", name="freq_fullpad_ae")


@pytest.fixture(scope="session")
def exported_autoencoder(autoencoder_run, tmp_path_factory):
    """Base folder with version 1 of `autoencoder_run`, exported."""
    from export import export_savedmodel

    out = tmp_path_factory.mktemp("exported_autoencoder")
    export_savedmodel(autoencoder_run, out)
    return out


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """A prepared set of a few hundred tones and noises, in mel bands to be quick."""
    from tests.helpers.trees import make_tree
    from zoo.data import prepare

    folder = tmp_path_factory.mktemp("small")
    tree = make_tree(folder / "corpus", train=4, test=2, sentences=("SX1", "SI1"))
    return prepare(tree, folder / "set", representation="log_mel")
