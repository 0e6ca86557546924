"""Processes that prepare data: what they do, and what is left when something goes wrong."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.data import workers
from zoo.errors import RunError, StorageError, UsageError
from zoo.files import replacing


def write(item, out):
    """Two steps, of which the second one may go wrong."""
    with replacing(out / f"item-{item}.txt") as temporary:
        temporary.write_text("half")
        if item == "slow":
            (out / "slow has begun").touch()
            time.sleep(60)
        if item == "usage":
            raise UsageError("the third line is wrong.")
        if item == "disk":
            raise StorageError("the disk is full.")
        if item == "bug":
            raise ZeroDivisionError("within the work")
        if item == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        temporary.write_text(f"{item}")
    return os.getpid()


def files(out):
    return sorted(path.name for path in out.iterdir())


def test_every_item_is_done_once_by_other_processes(tmp_path):
    done = list(workers.each(functools.partial(write, out=tmp_path), range(20), tmp_path, 2))
    assert sorted(item for item, _ in done) == list(range(20))
    assert files(tmp_path) == sorted(f"item-{n}.txt" for n in range(20))
    assert all((tmp_path / f"item-{n}.txt").read_text() == f"{n}" for n in range(20))
    assert len({process for _, process in done} - {os.getpid()}) == 2


@pytest.mark.parametrize(
    ("item", "error", "words"),
    [
        ("usage", UsageError, "third line is wrong"),
        ("disk", StorageError, "the disk is full"),
        ("bug", ZeroDivisionError, "within the work"),
        ("killed", RunError, "ended with -9, perhaps for want of memory"),
    ],
)
def test_an_error_ends_all_and_leaves_nothing_half_written(tmp_path, item, error, words):
    function = functools.partial(write, out=tmp_path)
    begun = time.monotonic()
    with pytest.raises(error, match=words) as raised:
        for _ in workers.each(function, ["slow", item], tmp_path, 2):
            pass
    assert time.monotonic() - begun < 30
    assert not [name for name in files(tmp_path) if name.endswith(".txt")]
    if item == "bug":
        assert "in write" in raised.value.__notes__[0]


def test_what_only_this_process_knows_is_not_portable(tmp_path):
    def local(item):
        return item

    with pytest.raises(workers.NotPortable, match="local"):
        list(workers.each(local, [1], tmp_path, 1))


SCRIPT = """
import sys
from zoo.data import open_corpus, prepare
from zoo.data.sets import preparation
from zoo.data.sets import shards
from zoo.data.corpora import timit

shards.SHARD_BYTES, shards.FEW_SHARDS, preparation.SEGMENTS_A_PIECE = 100_000, 2, 4

class Mine(timit.Corpus):
    def utterances(self, split=None, *, sa=False):
        return [Own(**vars(u)) for u in super().utterances(split, sa=sa)]

class Own(timit.Sentence):
    pass

print("once", flush=True)
kind = Mine if sys.argv[3] == "own" else open_corpus
prepared = prepare(kind(sys.argv[1]), sys.argv[2], representation="log_mel", length=2000)
print(prepared.manifest["content"])
"""


def test_a_script_without_a_guard_prepares_whatever_it_defines(tmp_path):
    """What `multiprocessing` starts runs a script again; classes of a script are its own."""
    from tests.helpers.trees import make_tree

    tree = make_tree(tmp_path / "corpus", train=4, test=2)
    (tmp_path / "script.py").write_text(SCRIPT)
    said = []
    for kind in ("own", "zoo's"):
        command = [sys.executable, "script.py", str(tree), kind, kind]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.split())
    assert said[0] == said[1]
    assert said[0][0] == "once"


def test_killed_with_its_parent(tmp_path):
    code = (
        "import functools, pathlib, sys; sys.path.insert(0, sys.argv[1]); "
        "from tests.data import test_workers as t; out = pathlib.Path(sys.argv[2]); "
        "list(t.workers.each(functools.partial(t.write, out=out), ['slow'], out, 1))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path)]
    parent = subprocess.Popen(command)
    wait_for(lambda: (tmp_path / "slow has begun").exists())
    (left,) = tmp_path.glob(".*.tmp.*")
    child = int(left.name[1:].split(".")[0])
    parent.kill()
    parent.wait()
    wait_for(lambda: not running(child))


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
