"""Starting and stopping the server: ports, the ready lines, signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from zoo.errors import RunError, UsageError
from zoo.machine import keep_freed_memory
from zoo.startup import hidden, quiet

from .access import Access, read_api_keys
from .connections import Connection
from .engine import Engine
from .errors import ServingError
from .metrics import Metrics
from .model_config import read_model_config
from .models import Models, check_folder
from .servable import Servable, SessionOptions
from .settings import Settings

DRAIN_SECONDS = 30
"""Seconds that running requests may take to end after SIGTERM."""

SWITCH_SECONDS = 0.0005
"""Seconds that a thread may keep Python's lock while others wait for it. With Python's own 5 ms, a
finished run of a model waits longer for the event loop than it ran."""

COLLECT_AFTER = 5000
"""Number of new objects between two garbage collections; Python's default of 700 is reached after a
few requests."""

_log = logging.getLogger(__name__)


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


class _Rest(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals stop both servers, so neither of them catches them.
        yield


def serve(settings: Settings) -> None:
    """Serve models until SIGTERM or SIGINT, then finish running requests.

    Once requests are accepted, prints a line for each model to stdout, one for gRPC and one for the
    page.

    Raises:
        UsageError: a name, path, host, port or file is wrong.
        RunError: a port is in use, or a model cannot be loaded.
    """

    def stop(signum: int, frame: Any) -> None:
        raise SystemExit(0)

    # Until the event loop takes over: while models load, signals end the process at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    logging.basicConfig(format="serving: %(message)s", stream=sys.stderr, level=logging.WARNING)
    keys = read_api_keys(settings.api_key_file) if settings.api_key_file else []
    access = Access(keys, sys.stderr if settings.access_log else None)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(open_port(settings.host, settings.port))
        if settings.grpc_port:
            # gRPC binds later, and tells less of why it cannot.
            open_port(settings.host, settings.grpc_port).close()
        # Before TensorFlow is imported, which takes seconds.
        for config in settings.configs():
            check_folder(config.base_path)
        keep_freed_memory()
        _start_tensorflow(settings.session)
        sys.setswitchinterval(SWITCH_SECONDS)
        engine = _load(settings)
        # What is loaded by now stays; looking through all of it for garbage, again and again,
        # would take a quarter of the event loop's time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_run(settings, engine, access, sock))
        except OSError as error:
            raise _port_failure(error, settings.host, settings.port) from error


def _start_tensorflow(options: SessionOptions) -> None:
    # Whatever backend Keras has: SavedModels are TensorFlow's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        with hidden():
            import tensorflow as tf

        # The first session looks for GPUs, and tells of it; its threads serve all that follow.
        tf.compat.v1.Session(graph=tf.Graph(), config=options.config()).close()


def loop_factory() -> Any:
    """Factory of the event loop: uvloop's if it is installed; None: Python's own."""
    try:
        import uvloop
    except ImportError:  # not made for every platform; everything works without
        return None
    return uvloop.new_event_loop


def _load(settings: Settings) -> Engine:
    from .warmup import warm_up

    metrics = Metrics()

    def load(name: str, number: int, folder: Path) -> Servable:
        start = time.perf_counter()
        try:
            servable = Servable(folder, settings.session)
            if settings.warm_up:
                warm_up(servable, settings.warm_up)
        except RunError:
            metrics.loads.add(str(folder), "fail")
            raise
        metrics.loads.add(str(folder), "success")
        elapsed = (time.perf_counter() - start) * 1e6
        metrics.load_latency.add(str(folder), amount=int(elapsed))
        return servable

    models = Models(settings.configs(), load, settings.labels_for_unavailable)
    models.start()
    return Engine(models, settings.limits, metrics, settings.batching, settings.strict_methods)


async def _run(settings: Settings, engine: Engine, access: Access, sock: socket.socket) -> None:
    from .rest import create_app

    app = create_app(engine, access, settings.cors, settings.metrics_path)
    certificate, key = settings.rest_certificate or (None, None)
    config = uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        # The application has none; with it, a port lost while models load prints a traceback.
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ws="none",
    )
    rest = _Rest(config)
    grpc_server, lines = await _start_grpc(settings, engine, access)

    stopping = asyncio.Event()

    def stop() -> None:
        # A second signal does not wait for requests any more.
        rest.force_exit = engine.draining
        engine.draining = True
        rest.should_exit = True
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    serving = asyncio.ensure_future(rest.serve(sockets=[sock]))
    while not (rest.started or serving.done()):
        await asyncio.sleep(0.01)
    if not serving.done():
        for line in _ready_lines(settings, engine, sock, lines):
            print(line, flush=True)
        _watch(settings, engine.models)
    try:
        await asyncio.wait(
            [asyncio.ensure_future(stopping.wait()), serving], return_when=asyncio.FIRST_COMPLETED
        )
        if grpc_server is not None:
            await grpc_server.stop(DRAIN_SECONDS)
        await serving
    finally:
        engine.models.stop()
        engine.close()


async def _start_grpc(settings: Settings, engine: Engine, access: Access) -> tuple[Any, list[str]]:
    if settings.grpc_port is None and not settings.grpc_socket_path:
        return None, []
    from .grpc_service import create_server
    from .tls import grpc_credentials

    host = _shown(settings.host)
    credentials = grpc_credentials(settings.grpc_ssl_config) if settings.grpc_ssl_config else None
    addresses = []
    if settings.grpc_port is not None:
        addresses.append(f"{host}:{settings.grpc_port}")
    if settings.grpc_socket_path:
        addresses.append(f"unix:{settings.grpc_socket_path}")
    server, ports = create_server(
        engine, access, addresses, credentials, settings.grpc_options, settings.as_content
    )
    await server.start()
    shown = [
        address if address.startswith("unix:") else f"{host}:{port}"
        for address, port in zip(addresses, ports, strict=True)
    ]
    return server, [f"serving gRPC at {address}" for address in shown]


def _ready_lines(
    settings: Settings, engine: Engine, sock: socket.socket, grpc: list[str]
) -> list[str]:
    scheme = "https" if settings.rest_certificate else "http"
    address = f"{scheme}://{_shown(settings.host)}:{sock.getsockname()[1]}"
    lines = []
    for name, versions in engine.models.served().items():
        numbers = ", ".join(map(str, versions))
        word = "version" if len(versions) == 1 else "versions"
        lines.append(f"serving {name} ({word} {numbers}) at {address}/v1/models/{name}")
    return [*lines, *grpc, f"open {address} in a browser to try them"]


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _watch(settings: Settings, models: Models) -> None:
    if settings.poll_seconds > 0:
        models.watch(settings.poll_seconds, models.update)
    if settings.model_config_file and settings.config_poll_seconds > 0:
        models.watch(settings.config_poll_seconds, lambda: _reread(settings, models))


def _reread(settings: Settings, models: Models) -> None:
    try:
        models.reload(read_model_config(settings.model_config_file))
    except (UsageError, ServingError) as error:
        _log.warning("%s is not taken over: %s", settings.model_config_file, error)
