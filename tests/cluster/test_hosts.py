"""Training and searching between two hosts: network namespaces, with one file system."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.trees import make_tree
from zoo.data import prepare
from zoo.runs import STATE

WAIT = 400
"""Seconds."""

PORT = 9876


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host:
    """A network namespace with an address of its own."""

    def __init__(self, name, address):
        self.name, self.address = name, address

    def start(self, *words, **environment):
        command = ["ip", "netns", "exec", self.name, sys.executable, "-m", "zoo", *map(str, words)]
        return subprocess.Popen(
            command,
            env={**os.environ, "KERAS_BACKEND": "jax", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def hosts():
    """Two, joined by one cable."""
    names = [f"zoo{os.getpid()}{end}" for end in "ab"]
    cables = [f"z{os.getpid()}{end}" for end in "ab"]
    found = [Host(name, f"10.201.77.{number}") for number, name in enumerate(names, 1)]
    with contextlib.ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        for host in found:
            # What a host is called is where the others reach it, as it is in a real cluster.
            own = Path("/etc/netns") / host.name
            own.mkdir(parents=True)
            stack.callback(shutil.rmtree, own)
            hosts_file = f"127.0.0.1 localhost\n{host.address} {socket.gethostname()}\n"
            (own / "hosts").write_text(hosts_file)
        ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for host, cable in zip(found, cables, strict=True):
            ip("link", "set", cable, "netns", host.name)
            for words in (
                ["addr", "add", f"{host.address}/24", "dev", cable],
                ["link", "set", cable, "up"],
                ["link", "set", "lo", "up"],
            ):
                ip("-n", host.name, *words)
        yield found


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    return prepare(make_tree(folder / "corpus", train=4, test=2), folder / "set")


def training(small_set, out, epochs, *more):
    words = ["train", "time", "--data", small_set.path, "--out", out, "--per-class", "4"]
    return [*words, "--batch-size", "32", "--epochs", epochs, *more]


def place(hosts, number):
    return ["--distribute", f"{hosts[0].address}:{PORT},2,{number}"]


def losses(run):
    return json.loads((run / "history.json").read_text())["loss"]


def ended(process):
    """Its exit status and what it said."""
    out, err = process.communicate(timeout=WAIT)
    return process.returncode, out, err


def test_neither_host_reaches_what_the_other_calls_itself(hosts):
    code = f"import socket; socket.create_connection(('127.0.0.1', {PORT}), 2)"
    command = ["ip", "netns", "exec", hosts[1].name, sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_two_hosts_learn_what_one_process_learns(hosts, small_set, tmp_path):
    together, alone = tmp_path / "together", tmp_path / "alone"
    both = [
        host.start(*training(small_set, together, 2, *place(hosts, n)))
        for n, host in enumerate(hosts)
    ]
    for process in both:
        status, _, err = ended(process)
        assert status == 0, err
    assert ended(hosts[0].start(*training(small_set, alone, 2)))[0] == 0
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-3)


def test_where_a_host_is_lost_the_other_ends_and_both_resume(hosts, small_set, tmp_path):
    run, alone = tmp_path / "run", tmp_path / "alone"
    epochs = 60
    both = [
        host.start(*training(small_set, run, epochs, *place(hosts, n)))
        for n, host in enumerate(hosts)
    ]
    end = time.monotonic() + WAIT
    while not (run / STATE).is_file():
        assert time.monotonic() < end
        assert both[1].poll() is None, both[1].communicate()
        time.sleep(0.05)
    both[1].send_signal(signal.SIGKILL)
    status, _, err = ended(both[0])
    assert status == 1, err
    assert "zoo train: another process of the training was lost" in err
    assert "Traceback" not in err
    done = json.loads((run / STATE).read_text())["epoch"]
    assert 0 < done < epochs
    again = [
        host.start(*training(small_set, run, done + 1, *place(hosts, n)))
        for n, host in enumerate(hosts)
    ]
    for process in again:
        assert ended(process)[0] == 0
    assert ended(hosts[0].start(*training(small_set, alone, done + 1)))[0] == 0
    np.testing.assert_allclose(losses(run), losses(alone), rtol=2e-3)


def test_a_search_goes_on_where_a_worker_elsewhere_is_killed(hosts, small_set, tmp_path):
    study, trials = tmp_path / "study", 10
    chief, elsewhere = hosts
    address = f"{chief.address}:{PORT + 1}"
    words = ["tune", "freq_fullpad", "--data", small_set.path, "--out", study, "--epochs", 2]
    words += ["--max-trials", trials, "--per-class", 4, "--max-params", 60_000]
    searching = chief.start(*words, "--workers", 1, "--chief", address)
    end = time.monotonic() + WAIT
    while not (study / "study.json").is_file():
        assert time.monotonic() < end
        time.sleep(0.05)
    joining = elsewhere.start("tune", "--join", address, "--out", study)
    # Two trials that have begun and not ended: one of them elsewhere.
    while len(events(study, "create")) - len(events(study, "end")) < 2:
        assert time.monotonic() < end
        assert searching.poll() is None, (ended(searching), ended(joining))
        time.sleep(0.05)
    joining.send_signal(signal.SIGKILL)
    status, _, err = ended(searching)
    assert status == 0, err
    finished = events(study, "end")
    assert len({event["trial"] for event in finished}) == trials
    assert {event["result"]["status"] for event in finished} == {"COMPLETED"}


def events(study, name):
    journal = study / "journal.jsonl"
    # The last line may be being written.
    lines = journal.read_text().split("\n")[:-1] if journal.is_file() else []
    return [event for event in map(json.loads, lines) if event["event"] == name]
