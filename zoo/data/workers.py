"""Processes that prepare data, each with an interpreter of its own.

Threads would wait for each other: for Python's lock between one array and the next, and for the
system's while memory is fetched. The processes import no Keras, so they are there in half a second.
They are neither forks, which hang where TensorFlow has been started, nor `multiprocessing`'s, which
run the caller's script again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.files import TEMPORARY
from zoo.machine import keep_freed_memory

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from zoo.data.workers import serve; serve(int(sys.argv[1]))"
)


class NotPortable(Exception):
    """The work cannot be given to another process, as where a script defines a corpus' class."""


class Worker:
    """A process that applies a function to one item after the other.

    Args:
        function: what it does.
        out: folder that it writes to.

    Raises:
        NotPortable: `function` cannot be pickled, or there is no interpreter to start.
    """

    def __init__(self, function: Callable[[Any], Any], out: Path) -> None:
        first = _pickled(function)
        if not sys.executable:
            raise NotPortable("this program has Python built in and no interpreter beside it")
        self.connection, theirs = Pipe()
        # BLAS' own threads would only stand in the way of the other processes.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        self._out = out
        self._send(first)

    def give(self, item: Any) -> None:
        """Have it apply its function.

        Raises:
            NotPortable: `item` cannot be pickled.
            RunError: the process has ended.
        """
        self._send(_pickled(item))

    def result(self) -> Any:
        """Wait for what the function gives.

        Raises:
            NotPortable: the process could not load what it was given.
            RunError: the process has ended.
            Exception: whatever the function raised there.
        """
        try:
            result, error = self.connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        """End the process, and remove what it had half written."""
        self._process.kill()
        self._process.wait()
        self.connection.close()
        for left in self._out.rglob(f".{self._process.pid}{TEMPORARY}*"):
            left.unlink(missing_ok=True)

    def _send(self, data: bytes) -> None:
        try:
            self.connection.send_bytes(data)
        except ConnectionError:
            raise self._ended() from None

    def _ended(self) -> RunError:
        code = self._process.wait()
        return RunError(
            f"a process that prepares data ended with {code}, perhaps for want of memory; "
            "run the same command again, which goes on with what is left."
        )


def _pickled(what: Any) -> bytes:
    try:
        return pickle.dumps(what, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotPortable(str(error)) from error


def each(
    function: Callable[[Any], Any], items: Iterable[Any], out: Path, number: int
) -> Iterator[tuple[Any, Any]]:
    """Apply `function` to items by some processes; gives each item with its result when it is done.

    Args:
        function: what to do.
        items: to do it with.
        out: folder that is written to; what an error or an interrupt leaves half written there is
            removed.
        number: of processes.

    Raises:
        NotPortable: the function or an item cannot be given to another process.
        RunError: a process was killed.
        Exception: whatever the function raises; what else was in work is given up.
    """
    left = iter(items)
    busy: dict[Connection, tuple[Worker, Any]] = {}
    with contextlib.ExitStack() as stack:
        idle = []
        for _ in range(number):
            idle.append(Worker(function, out))
            stack.callback(idle[-1].stop)
        done: list[tuple[Any, Any]] = []
        while idle or done or busy:
            # Before what is done is given, so that nobody waits for what the caller does with it.
            for worker, item in zip(idle, left, strict=False):
                worker.give(item)
                busy[worker.connection] = worker, item
            idle = []
            yield from done
            ready = wait(list(busy)) if busy else []
            done = []
            for connection in [c for c in busy if c in ready]:
                worker, item = busy.pop(connection)
                done.append((item, worker.result()))
                idle.append(worker)


def serve(descriptor: int) -> None:
    """Apply the function that comes over a connection to the items that follow it."""
    # An interrupt goes to the whole group of processes; the one that was started decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    connection = Connection(descriptor)
    given: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, given), daemon=True).start()
    function = None
    while True:
        data = given.get()
        try:
            what = pickle.loads(data)
        except Exception as error:
            connection.send((None, NotPortable(f"{type(error).__name__}: {error}")))
            continue
        if function is None:
            function = what
            continue
        try:
            result = function(what)
        except Exception as error:
            error.add_note("".join(traceback.format_exception(error)))
            connection.send((None, error))
        else:
            connection.send((result, None))


def _receive(connection: Connection, given: queue.SimpleQueue[bytes]) -> None:
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            given.put(connection.recv_bytes())
    # The process that this one works for has ended, however.
    os._exit(1)
