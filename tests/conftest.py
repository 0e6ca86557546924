"""Fixtures that several folders of tests share."""

import importlib.util
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# No presets but those that a test makes.
os.environ["ZOO_PRESETS"] = os.devnull

BACKENDS = ("tensorflow", "jax", "torch")

collect_ignore = [] if importlib.util.find_spec("apache_beam") else ["data/sets/test_beam.py"]
"""`make test-beam` has an environment for it."""


def pytest_runtest_setup(item):
    """Skip what is marked with a backend that is not installed."""
    for name in BACKENDS:
        if item.get_closest_marker(name) and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def _none_skipped(report):
    """In continuous integration a test that is skipped has failed: nobody would notice it."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        where = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{where}: with CI=true no test may be skipped"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    return report if item.get_closest_marker("gpu") else _none_skipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _none_skipped((yield))


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
