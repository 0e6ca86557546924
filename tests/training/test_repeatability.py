"""The same seed in another process: with `--deterministic`, whatever threads it is given."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.errors import UsageError
from zoo.runs import Run
from zoo.startup import compute_repeatably
from zoo.training.classifier import Settings, train_classifier


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return prepare(
        make_tree(folder / "corpus", train=4, test=1, sentences=("SX1", "SI1")), folder / "set"
    )


def weights(run):
    return zoo.load(run).get_weights()


def train(prepared, out, threads):
    words = ["train", "freq", "--data", prepared.path, "--out", out, "--deterministic"]
    words += ["--epochs", 2, "--per-class", 16, "--batch-size", 32, "--seed", 3]
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, words)],
        env={**os.environ, "TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return weights(out)


def test_processes_with_other_numbers_of_threads_train_the_same_weights(prepared, tmp_path):
    ours = train(prepared, tmp_path / "one", threads="1")
    theirs = train(prepared, tmp_path / "another", threads="2")
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert Run.open(tmp_path / "one").config["settings"]["deterministic"]


@pytest.mark.tensorflow
def test_it_is_refused_where_several_threads_have_computed(monkeypatch):
    keras.ops.sum(keras.ops.ones(3))
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    for name in ("TF_DETERMINISTIC_OPS", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(UsageError, match=r"call zoo\.startup\.compute_repeatably\(\) before"):
        compute_repeatably()


def test_in_mixed_precision_a_network_learns_and_is_kept_in_full(prepared, tmp_path):
    quick = {"epochs": 3, "per_class": 16, "batch_size": 32, "optimizer": "adam"}
    settings = Settings(**quick, learning_rate=0.003, mixed_precision="bfloat16")
    run = Run.open(train_classifier("freq", prepared, tmp_path / "run", settings))
    assert run.history["loss"][-1] < 0.8 * run.history["loss"][0]
    checkpoint = keras.saving.load_model(run.path / "checkpoints" / "epoch-0003.keras")
    assert checkpoint.get_layer("conv1").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
