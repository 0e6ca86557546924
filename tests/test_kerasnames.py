"""Keras finds the zoo's classes in a file, whichever of the two is imported first."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
import zoo.training.objectives
from zoo.kerasnames import CLASSES

ROOT = Path(__file__).parents[1]


def test_every_class_that_is_registered_is_listed_and_the_other_way_round():
    registered = {
        (file.relative_to(ROOT), name)
        for file in (ROOT / "zoo").rglob("*.py")
        for name in re.findall(
            r'^@keras\.saving\.register_keras_serializable\(package="zoo"\)\nclass (\w+)',
            file.read_text(encoding="utf-8"),
            re.M,
        )
    }
    listed = {name for names in CLASSES.values() for name in names.split()}
    assert listed == {name for _, name in registered}
    assert len(registered) > 20


def test_the_names_stand_for_the_classes_once_these_are_imported():
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        real = importlib.import_module(module)
        for name in names.split():
            assert known[f"zoo>{name}"] is getattr(real, name)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A compiled autoencoder with the zoo's layers and objectives, and what it answers."""
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(3)
    model = zoo.build("freq_fullpad_ae", units=2, decoder="tied")
    model.compile(
        loss=zoo.training.objectives.SquaredEuclidean(),
        metrics=[zoo.training.objectives.EuclideanError()],
    )
    x = np.random.default_rng(3).normal(size=(1, 201, 16, 1)).astype("float32")
    model.save(folder / "model.keras")
    np.savez(folder / "expected.npz", x=x, y=keras.ops.convert_to_numpy(model(x)))
    return folder


LOAD = """
import sys
import numpy as np
assert not [m for m in sys.modules if m.startswith("zoo.layers")]
folder = sys.argv[1]
model = keras.saving.load_model(folder + "/model.keras")
known = np.load(folder + "/expected.npz")
np.testing.assert_allclose(
    keras.ops.convert_to_numpy(model(known["x"])), known["y"], rtol=1e-4, atol=1e-5
)
assert type(model.loss).__module__ == "zoo.training.objectives", model.loss
copy = keras.models.clone_model(model)
model.save(folder + "/again.keras")
keras.saving.load_model(folder + "/again.keras")
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import zoo, keras",
        "import keras, zoo",
        "import zoo\nimport importlib.util as u\nu.find_spec('keras')\nimport keras",
    ],
    ids=["zoo-first", "keras-first", "looked-for-before"],
)
def test_a_file_is_loaded_by_keras_alone(saved, imports):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", f"{imports}\n{LOAD}", str(saved)],
        check=True,
        env=environment,
        timeout=300,
    )


def test_importing_the_zoo_still_imports_no_keras():
    code = "import sys, zoo; assert 'keras' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
