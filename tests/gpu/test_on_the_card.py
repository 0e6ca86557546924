"""What only a GPU can show: what is computed on it, and that it is the same every time.

`scripts/gpu.py --rehearse` sets ZOO_REHEARSAL, and they run on a CPU.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from tests.helpers import reference
from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.ops import switch_pool, switch_unpool

pytestmark = pytest.mark.gpu

REHEARSAL = os.environ.get("ZOO_REHEARSAL") == "1"
SHAPE = (32, 201, 16, 8)


@pytest.fixture(autouse=True)
def card():
    """Skip where the backend has no GPU."""
    if not REHEARSAL and not keras.distribution.list_devices("gpu"):
        pytest.skip("there is no GPU")


@pytest.mark.parametrize("pool", [(2, 2), (5, 2), (5, 1)])
def test_unpooling_assigns_as_the_definition_does(pool):
    x = np.random.default_rng(0).standard_normal((4, 21, 8, 3)).astype("float32")
    strides = (2, pool[1])
    pooled, switches = switch_pool(x, pool, strides)
    up = switch_unpool(pooled, switches, pool_size=pool, strides=strides, output_size=(21, 8))
    pooled, switches = map(keras.ops.convert_to_numpy, (pooled, switches))
    expected = reference.switch_unpool(pooled, switches, pool, strides, "valid", (21, 8))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(up), expected)


def test_unpooling_is_the_same_every_time():
    x = np.random.default_rng(0).standard_normal(SHAPE).astype("float32")

    def once():
        pooled, switches = switch_pool(x, (5, 2), (2, 2))
        up = switch_unpool(
            pooled, switches, pool_size=(5, 2), strides=(2, 2), output_size=SHAPE[1:3]
        )
        return keras.ops.convert_to_numpy(up)

    first = once()
    for _ in range(5):
        np.testing.assert_array_equal(once(), first)


@pytest.mark.parametrize("name", ["time"] if REHEARSAL else ["freq_fullpad", "freq_best", "tdnn"])
def test_a_network_takes_steps_and_loses_less(name):
    keras.utils.set_random_seed(0)
    model = zoo.build(name)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, *(n or 60 for n in model.input_shape[1:]))).astype("float32")
    y = rng.integers(0, 48, (32, *(n or 60 for n in model.output_shape[1:-1])))
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    losses = [float(model.train_on_batch(x, y)) for _ in range(12)]
    assert losses[-1] < losses[0]


def test_with_deterministic_two_processes_train_the_same_weights(tmp_path):
    prepared = prepare(
        make_tree(tmp_path / "corpus", train=3, test=1, sentences=("SX1", "SI1")), tmp_path / "set"
    )
    words = ["--epochs", 1, "--per-class", 8, "--data", prepared.path, "--deterministic"]
    for out in ("one", "other"):
        command = [sys.executable, "-m", "zoo", "train", "time", *words, "--out", tmp_path / out]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    one, other = (zoo.load(tmp_path / out).get_weights() for out in ("one", "other"))
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)
