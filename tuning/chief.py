"""Several workers: keras-tuner's chief and client, which continue after a worker dies.

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
from typing import Any

import grpc

from zoo.errors import RunError, UsageError
from zoo.files import make_folder
from zoo.processes import Child, Ended, answered, last_line, thread_share

from .kerastuner import OracleServicer, protos
from .oracles import StudyOracle
from .search import Search
from .trials import fail_trial
from .worker import HEARTBEAT, join_locally

LOGS = "workers"

POLL = 0.3
"""Seconds between two checks of remote workers."""

SILENCE = 6 * HEARTBEAT
"""Seconds without a sign of life after which a remote worker is given up."""

DEATHS = 3
"""Number of workers that may die of one trial, or in a row before they get one."""

LINGER = 5.0
"""Seconds in which remote workers can still learn that the search is over."""


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
        """A trial's state; workers ask for theirs as a sign of life."""
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
    """The workers of this machine, each with a process, a log and, if there are several, a GPU.

    Args:
        folder: folder of the study.
        address: address of the chief.
        count: number of workers.
    """

    def __init__(self, folder: Path, address: str, count: int) -> None:
        self._folder, self._address, self._count = folder, address, count
        self._gpus = visible_gpus()
        self._workers: dict[str, Child] = {}
        make_folder(folder / LOGS)
        for number in range(count):
            self.start(f"worker-{number + 1}")

    def start(self, name: str) -> None:
        """Start a worker, or another one in the place of one that died."""
        number = int(name.rpartition("-")[2]) - 1
        environment = worker_environment(number, self._count, self._gpus)
        with open(self.log(name), "ab") as log:
            worker = Child(join_locally, name, environment=environment, output=log)
        worker.give((str(self._folder), self._address, name))
        self._workers[name] = worker

    def log(self, name: str) -> Path:
        """A worker's log."""
        return self._folder / LOGS / f"{name}.log"

    def last_words(self, name: str) -> str:
        """The last line of a worker's log."""
        return last_line(self.log(name).read_bytes()) or "nothing"

    def ended(self) -> Iterator[tuple[str, Exception | None]]:
        """Wait a moment; names of workers that have ended since the last call, with the causes."""
        ready = answered(self._workers.values(), POLL)
        for name in [name for name, worker in self._workers.items() if worker in ready]:
            worker, error = self._workers.pop(name), None
            try:
                worker.result()
            except Exception as raised:
                error = raised
            worker.stop()
            yield name, error

    def __contains__(self, name: str) -> bool:
        return name in self._workers

    def __len__(self) -> int:
        return len(self._workers)

    def end(self) -> None:
        """End those that are left."""
        for worker in self._workers.values():
            worker.stop()


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
    """Environment variables of worker `number` of `count`: its GPU and its share of the
    processors."""
    found = thread_share(count)
    if len(gpus) > 1:
        found["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return found


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
                    f"workers join with: zoo tune --join {where} --out {search.study.path}",
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
        for name, error in crew.ended():
            if error is None:
                continue
            if isinstance(error, (UsageError, RunError)) and not isinstance(error, Ended):
                # What every other worker would meet too.
                raise error
            how = _how(error)
            trial_id = oracle.requeue(name)
            deaths[trial_id or ""] += 1
            if trial_id is None and deaths[""] >= DEATHS:
                raise RunError(
                    f"{name} ended by {how} before its first trial; its log "
                    f"{crew.log(name)} ends with: {crew.last_words(name)}"
                )
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


def _how(error: Exception) -> str:
    """What ended a worker."""
    if not isinstance(error, Ended):
        return f"{type(error).__name__}: {error}"
    return f"signal {-error.code}" if error.code < 0 else f"code {error.code}"


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
