"""Several workers: keras-tuner's chief and client, kept going where a worker dies.

The chief owns the oracle and the journal and answers over gRPC; workers train. keras-tuner's own
chief waits for ever for a worker that died; this one gives its trial to another. All of them see
the study's folder: values, runs and results go through it, since keras-tuner's messages carry
neither messages nor double precision.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from zoo.errors import RunError, UsageError
from zoo.files import make_folder
from zoo.machine import cores

from .kerastuner import OracleServicer, protos
from .oracles import StudyOracle
from .search import Search
from .trials import fail_trial
from .worker import FATAL, HEARTBEAT

LOGS = "workers"

POLL = 0.3
"""Seconds between two looks at the workers."""

SILENCE = 6 * HEARTBEAT
"""Seconds without a sign of life after which a worker elsewhere is given up."""

DEATHS = 3
"""Workers that may die of one trial, or in a row before they get one."""

LINGER = 5.0
"""Seconds in which workers elsewhere can still ask, and learn that the search is over."""


class Servicer(OracleServicer):
    """keras-tuner's service, which notes when it last heard of each trial."""

    def __init__(self, oracle: StudyOracle) -> None:
        super().__init__(oracle)
        self.heard: dict[str, float] = {}

    def CreateTrial(self, request: Any, context: Any) -> Any:
        """Give out a trial."""
        response = super().CreateTrial(request, context)
        self.heard[response.trial.trial_id] = time.monotonic()
        return response

    def GetTrial(self, request: Any, context: Any) -> Any:
        """A trial as it stands; workers ask for theirs to show that they live."""
        self.heard[request.trial_id] = time.monotonic()
        return super().GetTrial(request, context)


@contextlib.contextmanager
def serving(oracle: StudyOracle, address: str) -> Iterator[tuple[Servicer, str]]:
    """Answer for `oracle` at HOST:PORT; gives the service and the address, port 0 filled in.

    Raises:
        UsageError: nothing can listen there.
    """
    servicer = Servicer(oracle)
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.so_reuseport", 0)]
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    host = address.rpartition(":")[0]
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise UsageError(
            f"the chief cannot listen at {address}; choose another port, or port 0 for a free one."
        ) from error
    server.start()
    try:
        yield servicer, f"{host}:{port}"
    finally:
        server.stop(None).wait()


class Crew:
    """The workers of this machine: a process, a log and where there are several a GPU each.

    Args:
        folder: of the study.
        address: of the chief.
        count: how many.
    """

    def __init__(self, folder: Path, address: str, count: int) -> None:
        self._folder, self._address, self._count = folder, address, count
        self._gpus = visible_gpus()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        make_folder(folder / LOGS)
        for number in range(count):
            self.start(f"worker-{number + 1}")

    def start(self, name: str) -> None:
        """Start a worker, or another one in the place of one that died."""
        with open(self.log(name), "ab") as log:
            self._processes[name] = self._spawn(name, log)

    def _spawn(self, name: str, log: BinaryIO) -> subprocess.Popen[bytes]:
        number = int(name.rpartition("-")[2]) - 1
        words = ["--join", self._address, "--name", name, "--parent", str(os.getpid())]
        return subprocess.Popen(
            [sys.executable, "-m", "tuning.worker", str(self._folder), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **worker_environment(number, self._count, self._gpus)},
            # Ctrl-C is for the chief, who ends the workers.
            start_new_session=True,
        )

    def log(self, name: str) -> Path:
        """A worker's log."""
        return self._folder / LOGS / f"{name}.log"

    def last_words(self, name: str) -> str:
        """The last line of a worker's log."""
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1].strip() if lines else "nothing"

    def ended(self) -> Iterator[tuple[str, int]]:
        """Names and exit codes of workers that have ended since the last call."""
        for name, process in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                del self._processes[name]
                yield name, code

    def __contains__(self, name: str) -> bool:
        return name in self._processes

    def __len__(self) -> int:
        return len(self._processes)

    def end(self) -> None:
        """End those that are left."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def visible_gpus() -> list[str]:
    """GPUs that a process started here would see, as `CUDA_VISIBLE_DEVICES` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu and gpu != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def worker_environment(number: int, count: int, gpus: list[str]) -> dict[str, str]:
    """Variables of worker `number` of `count`: its GPU, and its share of the processors."""
    threads = str(max(1, cores() // count))
    found = {name: os.environ.get(name, threads) for name in THREADS}
    if len(gpus) > 1:
        found["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return found


THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def run_chief(search: Search, workers: int, address: str | None) -> None:
    """Let workers run a prepared search, those of this machine and any that join.

    Args:
        search: prepared.
        workers: on this machine.
        address: HOST:PORT to answer at; None: a free port of this machine alone.

    Raises:
        UsageError, RunError: what ended the search early, or nothing was completed.
    """
    if not search.oracle.finished:
        with serving(search.oracle, address or "127.0.0.1:0") as (servicer, where):
            if address is not None:
                print(
                    f"workers join by: zoo tune --join {where} --out {search.study.path}",
                    file=sys.stderr,
                    flush=True,
                )
            crew = Crew(search.study.path, where, workers)
            try:
                _supervise(search, servicer, crew)
                if address is not None:
                    time.sleep(LINGER)
            finally:
                crew.end()
    search.check()


def _supervise(search: Search, servicer: Servicer, crew: Crew) -> None:
    oracle, local = search.oracle, len(crew) > 0
    deaths: Counter[str] = Counter()
    while not (oracle.failure or (oracle.finished and not len(crew))):
        for name, code in crew.ended():
            if code == 0:
                continue
            if code == FATAL:
                raise RunError(crew.last_words(name).removeprefix("zoo tune: "))
            trial_id = oracle.requeue(name)
            deaths[trial_id or ""] += 1
            if trial_id is None and deaths[""] >= DEATHS:
                raise RunError(
                    f"{name} ended with code {code} before its first trial; its log "
                    f"{crew.log(name)} ends with: {crew.last_words(name)}"
                )
            how = f"signal {-code}" if code < 0 else f"code {code}"
            if trial_id is not None and deaths[trial_id] >= DEATHS:
                _give_up(search, trial_id, f"{DEATHS} workers died of it, the last by {how}", name)
            if oracle.finished:
                continue
            print(
                f"{name} ended by {how}; another one takes its place"
                + (f", trial {trial_id} is run again." if trial_id else "."),
                file=sys.stderr,
                flush=True,
            )
            crew.start(name)
        _requeue_silent(oracle, servicer, crew)
        if local and not len(crew) and not oracle.finished and not oracle.ongoing_trials:
            # The oracle has no more, and said so to every worker.
            return
        time.sleep(POLL)


def _requeue_silent(oracle: StudyOracle, servicer: Servicer, crew: Crew) -> None:
    now = time.monotonic()
    for name, trial in list(oracle.ongoing_trials.items()):
        if name not in crew and now - servicer.heard.get(trial.trial_id, now) > SILENCE:
            oracle.requeue(name)
            print(
                f"{name} is silent; trial {trial.trial_id} is given to another worker.",
                file=sys.stderr,
                flush=True,
            )


def _give_up(search: Search, trial_id: str, why: str, worker: str) -> None:
    fail_trial(search.study, trial_id, why, worker)
    search.oracle.give_up(trial_id)
