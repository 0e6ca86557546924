"""Child processes: what they do, and what is left when something goes wrong."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo import processes
from zoo.errors import RunError, StorageError, UsageError
from zoo.files import replacing, replacing_folder


def write(item, out):
    """Two steps, of which the second one may go wrong."""
    with replacing_folder(out / f"folder-{item}"), replacing(out / f"item-{item}.txt") as temporary:
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
    return sorted(path.name for path in out.iterdir() if path.is_file())


def each(items, out, number):
    work = functools.partial(write, out=out)
    return processes.each(work, items, number, "a process of the test", folders=[out])


def test_every_item_is_done_once_by_other_processes(tmp_path):
    done = list(each(range(20), tmp_path, 2))
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
    begun = time.monotonic()
    with pytest.raises(error, match=words) as raised:
        for _ in each(["slow", item], tmp_path, 2):
            pass
    assert time.monotonic() - begun < 30
    assert {path.name for path in tmp_path.iterdir()} <= {"slow has begun"}
    if item == "bug":
        assert "in write" in raised.value.__notes__[0]


class Peculiar(Exception):
    """Can be pickled, and not loaded again."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def say(item):
    """Print something, then give the item back or do as it says."""
    print("to a log")
    print("in order", file=sys.stderr)
    if item == "peculiar":
        raise Peculiar("this", "that")
    return threading.Lock() if item == "lock" else item


def test_what_cannot_be_pickled_is_not_portable():
    def local(item):
        return item

    for function, item in ((local, 1), (say, threading.Lock()), (say, "lock")):
        with pytest.raises(processes.NotPortable, match=r"local|pickle"):
            processes.call(function, item, "a process of the test")


def test_an_exception_that_cannot_be_handed_back_is_handed_back_in_words():
    with pytest.raises(RunError, match="Peculiar: this and that") as raised:
        processes.call(say, "peculiar", "a process of the test")
    assert "in say" in raised.value.__notes__[0]


def test_a_process_has_its_environment_and_prints_where_it_is_told(tmp_path):
    with open(tmp_path / "log", "wb") as log:
        environment = {"ZOO_TEST": "this"}
        name, options = "a process of the test", {"environment": environment, "output": log}
        assert processes.call(os.getenv, "ZOO_TEST", name, **options) == "this"
        assert processes.call(say, [1], name, **options) == [1]
    assert (tmp_path / "log").read_text() == "to a log\nin order\n"
    assert processes.last_line((tmp_path / "log").read_bytes()) == "in order"
    assert processes.last_line(b"") == ""


def test_a_script_is_run_without_this_package(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.stdin.read(), 'numpy' in sys.modules)\nsys.exit(3)")
    done = processes.run_script(script, b"what it is told", "a script")
    assert (done.returncode, done.stdout) == (3, b"what it is told False\n"), done.stderr
    script.write_text("import zoo")
    assert b"No module named 'zoo'" in processes.run_script(script, b"", "a script").stderr


def test_no_more_processes_are_started_than_there_are_items():
    assert len({pid for _, pid in processes.each(process_id, [1, 2], 8, "a process")}) == 2


def process_id(item):
    """Of the process that this runs in, after a moment."""
    time.sleep(0.5)
    return os.getpid()


SCRIPT = """
import functools, sys
from zoo.data import open_corpus, prepare
from zoo.data.corpora import timit
from zoo.data.sets.shards import Portions, write_shards

class Mine(timit.Corpus):
    def utterances(self, split=None, *, sa=False):
        return [Own(**vars(u)) for u in super().utterances(split, sa=sa)]

class Own(timit.Sentence):
    pass

print("once", flush=True)
kind = Mine if sys.argv[3] == "own" else open_corpus
prepared = prepare(
    kind(sys.argv[1]),
    sys.argv[2],
    representation="log_mel",
    length=2000,
    portions=Portions(shard_bytes=100_000, segments=4),
    write=functools.partial(write_shards, few=2),
)
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


@pytest.fixture
def parent_and_child(tmp_path):
    """A process group of its own, and the number of the child that is at work in it."""
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]); "
        "from tests.test_processes import each; list(each(['slow'], pathlib.Path(sys.argv[2]), 1))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(tmp_path)]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0)
    wait_for(lambda: (tmp_path / "slow has begun").exists())
    left = next(tmp_path.glob(".*.tmp.*"))
    yield parent, int(left.name[1:].split(".")[0])
    parent.kill()
    parent.wait()


def test_a_process_ends_with_its_parent(parent_and_child):
    parent, child = parent_and_child
    assert running(child)
    parent.kill()
    parent.wait()
    wait_for(lambda: not running(child))


def test_an_interrupt_is_for_the_parent_which_removes_what_is_half_written(
    parent_and_child, tmp_path
):
    parent, child = parent_and_child
    os.kill(child, signal.SIGINT)
    time.sleep(0.5)
    assert running(child)
    os.killpg(parent.pid, signal.SIGINT)
    said = parent.communicate(timeout=30)[1]
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1
    assert not running(child)
    assert [path.name for path in tmp_path.iterdir()] == ["slow has begun"]


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
