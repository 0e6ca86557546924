"""Fixtures that several folders of tests share."""

import gc
import importlib.util
import os

import pytest
from hypothesis import settings

from tests.helpers.shared import made_once
from zoo.processes import thread_share

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    # Before anything reads them: threads of processes that share the cores wait for one another.
    os.environ |= thread_share(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))

# How long an example takes says how busy the machine is.
settings.register_profile("zoo", deadline=None)
settings.load_profile("zoo")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# No presets but those that a test makes.
os.environ["ZOO_PRESETS"] = os.devnull

BACKENDS = ("tensorflow", "jax", "torch")

collect_ignore = [] if importlib.util.find_spec("apache_beam") else ["data/sets/test_beam.py"]
"""`make test-beam` has an environment for it."""

if not importlib.util.find_spec("distributed"):
    # `make test-cluster` has one for these.
    collect_ignore.append("cluster")


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


LONGEST = (
    "tests/site/test_site.py",
    "tests/models/test_every_model.py",
    "tests/test_backends.py",
    "tests/cli/test_quickstart.py",
    "tests/site/test_readme.py",
    "tests/training/test_autoencoder_training.py",
    "tests/test_siblings.py",
    "tests/export/test_savedmodel.py",
    "tests/export/test_portable.py",
    "tests/serving/test_operations.py",
    "tests/training/test_recognizers.py",
    "tests/training/test_classifier_training.py",
    "tests/tuning/test_search.py",
    "tests/experiments/test_labels.py",
    "tests/tuning/test_recordings.py",
    "tests/experiments/test_riemens_tables.py",
    "tests/experiments/test_churchman.py",
    "tests/tuning/test_spaces.py",
    "tests/models/test_recognizers.py",
    "tests/layers/test_representations.py",
    "tests/test_earlier_files.py",
    "tests/training/test_distribution.py",
    "tests/serving/test_page.py",
    "tests/export/test_segments.py",
    "tests/decoding/test_viterbi.py",
    "tests/export/test_transcribe.py",
    "tests/training/test_other_classes.py",
    "tests/ops/test_pooling.py",
    "tests/training/test_objectives.py",
    "tests/inversion/test_decoders.py",
    "tests/serving/test_versions.py",
    "tests/evaluation/test_transcripts.py",
    "tests/inference/test_transcribe.py",
    "tests/cli/test_reconstruct_command.py",
    "tests/models/test_autoencoders.py",
    "tests/cli/test_command.py",
    "tests/tuning/test_tune_command.py",
)
"""Files that begin first, the longest before the others, so that no process of several is left with
one of them at the end."""


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.location[0], len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage among the modules that are imported meanwhile, then or later.

    A cell of an experiment and a trial of a search each end with a collection.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """`once(name, make)`: a folder that one process of the tests makes for all of them."""
    return lambda name, make: made_once(tmp_path_factory, name, make)


@pytest.fixture(scope="session")
def run(once):
    """A classifier's run folder whose answers are far from uniform."""
    from tests.helpers.runs import make_run

    return once("run", make_run)


@pytest.fixture(scope="session")
def exported(run, once):
    """Base folder with version 1 of `run`, exported."""
    from export import export_savedmodel

    return once("exported", lambda folder: export_savedmodel(run, folder))


@pytest.fixture(scope="session")
def by_recording(once):
    """A run of segments that are normalised by their recording, and its export."""
    import numpy as np

    from export import export_savedmodel
    from tests.helpers.runs import LENGTH, REPRESENTATION, make_run
    from zoo.data.features.frontend import Frontend

    mean = np.random.default_rng(7).normal(size=(201, 16, 1)).astype("float32") / 4
    frontend = Frontend(16000, LENGTH, "file", REPRESENTATION, mean, normalize="recording")
    run = once("by_recording", lambda folder: make_run(folder, frontend=frontend))
    return run, once("exported_by_recording", lambda folder: export_savedmodel(run, folder))


@pytest.fixture(scope="session")
def surrounded(once):
    """A run of segments that are heard with their surroundings, and its export."""
    import numpy as np

    from export import export_savedmodel
    from tests.helpers.runs import LENGTH, make_run
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import Frontend

    mean = np.random.default_rng(7).normal(size=(40, 38, 2)).astype("float32") / 4
    mean[..., -1] = 0
    frontend = Frontend(
        16000,
        LENGTH + 2 * 1600,
        "file",
        representation_settings("log_mel"),
        mean,
        normalize="recording",
        context=1600,
    )
    run = once("surrounded", lambda folder: make_run(folder, "file", "tdnn_segments", frontend))
    return run, once("exported_surrounded", lambda folder: export_savedmodel(run, folder))


@pytest.fixture(scope="session")
def autoencoder_run(once):
    """An autoencoder's run folder."""
    from tests.helpers.runs import make_run

    return once("autoencoder_run", lambda folder: make_run(folder, name="freq_fullpad_ae"))


@pytest.fixture(scope="session")
def exported_autoencoder(autoencoder_run, once):
    """Base folder with version 1 of `autoencoder_run`, exported."""
    from export import export_savedmodel

    return once("exported_autoencoder", lambda folder: export_savedmodel(autoencoder_run, folder))


@pytest.fixture(scope="session")
def recognizer_run(once):
    """A recogniser's run folder, of whole recordings."""
    from tests.helpers.runs import make_transcriber

    return once("recognizer_run", make_transcriber)


@pytest.fixture(scope="session")
def exported_recognizer(recognizer_run, once):
    """Base folder with version 1 of `recognizer_run`, exported with a dictionary."""
    from export import export_savedmodel
    from tests.helpers.runs import write_dictionary

    def make(folder):
        dictionary = write_dictionary(folder / "words.dict")
        export_savedmodel(recognizer_run, folder, dictionary=[str(dictionary)])

    return once("exported_recognizer", make)


@pytest.fixture(scope="session")
def small_set(once):
    """A prepared set of a few hundred tones and noises, in mel bands to be quick."""
    from tests.helpers.trees import make_tree
    from zoo.data import Prepared, prepare

    def make(folder):
        tree = make_tree(folder / "corpus", train=4, test=2, sentences=("SX1", "SI1"))
        prepare(tree, folder / "set", representation="log_mel")

    return Prepared(once("small", make) / "set")
