"""Fixtures that several folders of tests share."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A classifier's run folder whose answers are far from uniform."""
    from runs import make_run

    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """Base folder with version 1 of `run`, exported."""
    from export import export_savedmodel

    out = tmp_path_factory.mktemp("exported")
    export_savedmodel(run, out)
    return out
