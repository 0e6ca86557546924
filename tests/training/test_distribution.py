"""Training in several processes: what one process would have learnt, written by one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zoo
from zoo.data.sets.samplers import NaturalEpochs
from zoo.errors import UsageError
from zoo.training import distribution
from zoo.training.batches import Batches
from zoo.training.distribution import Place


def train(small_set, out, *more, backend="jax"):
    words = ["train", "time", "--data", small_set.path, "--out", out, "--per-class", "4"]
    words += ["--batch-size", "32", *more]
    env = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-m", "zoo", *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def losses(run):
    return json.loads((run / "history.json").read_text())["loss"]


@pytest.mark.jax
def test_two_processes_learn_what_one_learns(small_set, tmp_path):
    together, alone = tmp_path / "together", tmp_path / "alone"
    done = train(small_set, together, "--epochs", 2, "--distribute", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 epochs, folded accuracy") == 1
    assert train(small_set, alone, "--epochs", 2).returncode == 0
    # Sums over the parts of a batch are taken in another order.
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-3)
    weights = [zoo.load(run).get_weights() for run in (together, alone)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)


@pytest.mark.jax
@pytest.mark.slow
def test_a_run_is_taken_up_by_another_number_of_processes(small_set, tmp_path):
    run, alone = tmp_path / "run", tmp_path / "alone"
    for epochs, processes in ((1, 2), (2, 1), (3, 2)):
        done = train(small_set, run, "--epochs", epochs, "--distribute", processes)
        assert done.returncode == 0, done.stderr
    assert train(small_set, alone, "--epochs", 3).returncode == 0
    np.testing.assert_allclose(losses(run), losses(alone), rtol=2e-3)


@pytest.mark.jax
@pytest.mark.slow
def test_what_ends_another_process_than_the_first_is_said(small_set, tmp_path):
    assert train(small_set, tmp_path / "run", "--epochs", 1).returncode == 0
    # The others copy the run that they go on with; the first one has it.
    (tmp_path / "run" / "link").symlink_to(tmp_path / "nowhere")
    done = train(small_set, tmp_path / "run", "--epochs", 2, "--distribute", 2)
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


@pytest.mark.tensorflow
def test_another_backend_is_refused_in_one_sentence(small_set, tmp_path):
    done = train(small_set, tmp_path / "run", "--distribute", 2, backend="tensorflow")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "zoo train: --distribute works with JAX, and Keras runs on tensorflow; set "
        "KERAS_BACKEND=jax."
    )
    assert not (tmp_path / "run").exists()


@given(examples=st.integers(1, 40), batch_size=st.integers(1, 12), processes=st.integers(1, 4))
def test_the_parts_of_a_batch_make_up_the_batch_but_for_what_cannot_be_divided(
    examples, batch_size, processes
):
    if batch_size < processes:
        return
    x, y = np.arange(examples, dtype="float32")[:, None], np.arange(examples)
    whole = Batches(x, y, NaturalEpochs(y, 0), batch_size)
    expected = [whole[n] for n in range(len(whole))]
    found = []
    for number in range(processes):
        distribution._joined.append(Place("localhost:1", processes, number))
        try:
            mine = Batches(x, y, NaturalEpochs(y, 0), batch_size)
            found.append([mine[n] for n in range(len(mine))])
        finally:
            distribution._joined.clear()
    assert len({len(batches) for batches in found}) == 1
    lost = 0
    for number, (inputs, labels) in enumerate(expected):
        parts = [b[number] for b in found if number < len(b)]
        seen = np.concatenate([part[0] for part in parts]) if parts else inputs[:0]
        np.testing.assert_array_equal(seen, inputs[: len(seen)])
        assert len({len(part[1]) for part in parts}) <= 1
        lost += len(labels) - len(seen)
    assert lost < processes * len(expected)
    if batch_size % processes == 0:
        assert lost < processes


@pytest.mark.parametrize("text", ["two", "host,2,0", "host:80,2", "host:80,2,2", ":80,2,1", "-1"])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="HOST:PORT,PROCESSES,NUMBER"):
        Place.parse(text)


def test_a_place_is_read():
    assert Place.parse("[::1]:8000,4,3") == Place("[::1]:8000", 4, 3)
