"""A worker of a search, which asks a chief for trials, trains them and sends signs of life."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import traceback
from typing import Any

HEARTBEAT = 10.0
"""Seconds between two signs of life."""

PATIENCE = 60.0
"""Seconds without an answer after which the chief counts as gone."""


def join_locally(words: tuple[str, str, str]) -> None:
    """`join` with these words, as a process of its own that the chief started.

    Raises:
        UsageError, RunError: what every other worker would meet too.
    """
    from zoo.startup import start_backend

    start_backend()
    try:
        join(*words)
    except Exception:
        traceback.print_exc()
        raise


def join(folder: str, address: str, name: str | None = None) -> None:
    """Run trials that the chief at `address` gives out, until it has no more.

    Args:
        folder: folder of the study, shared by chief and workers.
        address: HOST:PORT.
        name: unique among the workers; None makes one up.

    Raises:
        UsageError: the address is invalid, or the study does not fit.
        RunError: the chief does not answer, or what befalls every trial.
    """
    import grpc

    from zoo.errors import RunError, UsageError

    from .kerastuner import OracleClient
    from .search import work
    from .study import Study

    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--join takes HOST:PORT; received {address!r}.")
    name = name or f"{socket.gethostname()}-{os.getpid()}"
    study = Study.load(folder)
    # keras-tuner's client is told by the environment alone.
    os.environ |= {
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
        "KERASTUNER_TUNER_ID": name,
    }
    client = OracleClient(None)
    try:
        _await(address)
        beat = _Heart(client)
        for trial_id in work(study, client, name):
            beat.trial_id = trial_id
    except grpc.RpcError as error:
        raise RunError(f"the chief at {address} does not answer ({error.code().name}).") from error


def _await(address: str) -> None:
    import grpc

    from zoo.errors import RunError

    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(PATIENCE)
        except grpc.FutureTimeoutError:
            raise RunError(f"no chief answers at {address}.") from None


class _Heart(threading.Thread):
    """Asks for the trial that is running, again and again; ends the process if nobody answers."""

    def __init__(self, client: Any) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.trial_id: str | None = None
        self.start()

    def run(self) -> None:
        import grpc

        from .kerastuner import protos

        heard = time.monotonic()
        while True:
            time.sleep(HEARTBEAT)
            if self.trial_id is None:
                heard = time.monotonic()
                continue
            request = protos.get_service().GetTrialRequest(trial_id=self.trial_id)
            try:
                self._client.stub.GetTrial(request, timeout=HEARTBEAT)
                heard = time.monotonic()
            except grpc.RpcError:
                if time.monotonic() - heard > PATIENCE:
                    print("zoo tune: the chief has ended", file=sys.stderr, flush=True)
                    os._exit(1)
