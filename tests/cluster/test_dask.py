"""Sets from an Apache Beam pipeline whose workers are processes of a Dask cluster."""

import contextlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import soundfile

from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.data.sets.shards import Portions
from zoo.errors import UsageError

pytest.importorskip("apache_beam")
pytest.importorskip("distributed")

from zoo.data.sets.beam import on_beam

SMALL = {"portions": Portions(shard_bytes=30_000, segments=5)}
DASK = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
WAIT = 120
"""Seconds."""


@contextlib.contextmanager
def running(*words):
    process = subprocess.Popen([sys.executable, "-m", *words])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers: what names the scheduler, and the workers' processes."""
    from distributed import Client

    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file)]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with running(*scheduler, "--no-dashboard", *common):
        end = time.monotonic() + WAIT
        while not file.exists() or not file.stat().st_size:
            assert time.monotonic() < end
            time.sleep(0.1)
        with running(*worker, *common) as first, running(*worker, *common) as second:
            with Client(scheduler_file=str(file)) as client:
                client.wait_for_workers(2, timeout=WAIT)
            yield [DASK, f"--dask_scheduler_file={file}"], (first, second)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    corpus = tmp_path_factory.mktemp("corpus")
    return make_tree(corpus, train=10, test=4, sentences=("SX1", "SX2", "SX3"))


def test_the_content_is_that_of_one_machine(tree, tmp_path, cluster):
    arguments, _ = cluster
    here = prepare(tree, tmp_path / "here", **SMALL)
    there = prepare(tree, tmp_path / "there", write=on_beam(arguments), **SMALL)
    assert len(here.manifest["shards"]["train"]) > 10
    assert there.manifest["content"] == here.manifest["content"]
    assert there.verify() == []


def test_a_worker_that_is_killed_half_way_changes_nothing(tree, tmp_path, cluster):
    arguments, (first, second) = cluster
    here = prepare(tree, tmp_path / "here", **SMALL)
    written = {}

    def kill_after_the_first_shards():
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            found = [p for p in tmp_path.rglob("*features*") if "here" not in p.parts]
            if len(found) >= 3:
                first.send_signal(signal.SIGKILL)
                written["when killed"] = len(found)
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=kill_after_the_first_shards)
    watcher.start()
    there = prepare(tree, tmp_path / "there", write=on_beam(arguments), **SMALL)
    watcher.join()
    assert first.wait(WAIT) == -signal.SIGKILL
    assert second.poll() is None
    shards = sum(len(of_split) for of_split in here.manifest["shards"].values())
    assert 0 < written["when killed"] < shards
    assert there.manifest["content"] == here.manifest["content"]
    assert there.verify() == []


def test_what_is_wrong_with_a_recording_is_told(tmp_path, cluster):
    arguments, _ = cluster
    tree = make_tree(tmp_path / "corpus")
    soundfile.write(tree / "TRAIN" / "DR1" / "MTRN1" / "SX1.WAV", [0.0], 16000, format="WAV")
    with pytest.raises(UsageError, match=r"SX1\.PHN, line 1: the segment ends at"):
        prepare(tree, tmp_path / "set", write=on_beam(arguments))
