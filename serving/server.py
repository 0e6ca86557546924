"""Starting and stopping the server: the port, the ready line, signals."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from serving.models import Models
from serving.rest import create_app
from zoo.errors import RunError, UsageError
from zoo.startup import start_backend

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8501

DRAIN_SECONDS = 30
"""How long requests under way may take to end after SIGTERM."""


def open_port(host: str, port: int) -> socket.socket:
    """A socket bound to `host`:`port`; port 0 takes a free one.

    Raises:
        UsageError: there is no such port or host.
        RunError: the port is in use, or not permitted.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"the port must be 0 to 65535; received {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise UsageError(f"the host {host!r} is not known ({error.strerror}).") from None
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _port_failure(error, host, port) from None
    return sock


def _port_failure(error: OSError, host: str, port: int) -> RunError:
    if error.errno == errno.EADDRINUSE:
        return RunError(
            f"port {port} of {host} is in use; stop what listens there or choose another port "
            "(0 for any free one)."
        )
    return RunError(f"cannot listen at {host}:{port}: {error.strerror}.")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: list[str]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for line in self._ready:
            print(line, flush=True)


def serve(
    paths: Mapping[str, str | Path], host: str = DEFAULT_HOST, port: int = DEFAULT_PORT
) -> None:
    """Serve models over REST until SIGTERM or SIGINT, then end what is under way.

    Prints one line a model to stdout as soon as requests are taken.

    Args:
        paths: model name -> folder of numbered SavedModels.
        host: address to listen at.
        port: 0 for a free one.

    Raises:
        UsageError: a name, path, host or port is wrong.
        RunError: the port is in use, or a model cannot be loaded.
    """

    def stop(signum: int, frame: Any) -> None:
        raise SystemExit(0)

    # uvicorn drains on these signals and raises them again when it has: that ends the process
    # with 0. Before, while models load, they end it at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with open_port(host, port) as sock:
        start_backend()
        models = Models(paths)
        shown = f"[{host}]" if ":" in host else host
        base = f"http://{shown}:{sock.getsockname()[1]}/v1/models"
        ready = [
            f"serving {name} (version {models.model(name).newest}) at {base}/{name}"
            for name in models.names
        ]
        config = uvicorn.Config(
            create_app(models),
            log_level="warning",
            access_log=False,
            # The application has none; with it, a port lost while models load prints a traceback.
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        try:
            _Server(config, ready).run(sockets=[sock])
        except OSError as error:
            raise _port_failure(error, host, port) from error
