"""Child processes: every further interpreter of the package is started here.

A child has its parent's search path and an empty stdin, never sees Ctrl-C (the parent does, and
ends it), and ends by itself as soon as its parent is gone. `Child` applies a function to items and
hands back results and exceptions; `run_script` runs a file that knows nothing of this package.

Children are neither forks, which hang where TensorFlow has been started, nor `multiprocessing`'s,
which run the caller's script again. loky starts its workers as fast and needs no guard in scripts
either. But a killed parent leaves them running for ever, results of 1 MB take twice the time, and
nothing tells which files a killed worker left half-written.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, BinaryIO

from zoo.errors import FileWarning, RunError
from zoo.machine import cores
from zoo.siblings import find_aliases

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
"""Environment variables that set how many threads a process starts."""

# Nothing is ever written to the lifeline; it reads as ended when the parent is gone, however.
_FOLLOW = """
import os, sys, threading
def follow(lifeline):
    os.read(lifeline, 1)
    os._exit(1)
threading.Thread(target=follow, args=(int(sys.argv[1]),), daemon=True).start()
"""
_SERVE = f"""{_FOLLOW}
sys.path[:] = sys.argv[4:]
from zoo.processes import serve
serve(int(sys.argv[3]))
"""
_SCRIPT = f"""{_FOLLOW}
with open(sys.argv[3], encoding="utf-8") as file:
    exec(compile(file.read(), sys.argv[3], "exec"))
"""


class NotPortable(RunError):
    """Work cannot be sent to another process, for example because a script defines one of its
    classes."""


class Ended(RunError):
    """A process ended without an answer.

    Attributes:
        code: its exit code; negative: the signal that ended it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return self.args[0]


class Child:
    """A process that applies a function to one item after the other.

    Args:
        function: what it does.
        name: for error messages and the system's list of processes.
        folders: where it writes; files that it leaves half-written there are removed.
        environment: variables that differ from this process'.
        output: file for what it prints; None: where this process prints.
        advice: what to do if it is killed, for the error message.

    Raises:
        NotPortable: `function` cannot be pickled, or there is no interpreter to start.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        name: str,
        *,
        folders: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        output: BinaryIO | None = None,
        advice: str = "",
    ) -> None:
        first = _pickled(function)
        self._connection, theirs = Pipe()
        with theirs:
            self._process, self._lifeline = _start(
                _SERVE,
                [name, str(theirs.fileno()), *sys.path],
                inherited=[theirs.fileno()],
                environment=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._name, self._folders, self._advice = name, folders, advice
        self._busy = False
        self._send(first)

    def give(self, item: Any) -> None:
        """Send an item, to which the process applies its function.

        Raises:
            NotPortable: `item` cannot be pickled.
            Ended: the process has ended.
        """
        data = _pickled(item)
        self._busy = True
        self._send(data)

    def fileno(self) -> int:
        """Descriptor of its connection, which is readable once there is a result or the process has
        ended."""
        return self._connection.fileno()

    def result(self) -> Any:
        """Wait for what the function returns.

        Raises:
            NotPortable: the process could not load what it was given, or pickle its result.
            Ended: the process has ended.
            Exception: whatever the function raised there, with the traceback as a note.
        """
        try:
            result, error = self._connection.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        self._busy = False
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        """End the process, and remove what it left half-written."""
        # Not at the top: children load this module, and NumPy takes longer than the rest of it.
        from zoo.files import remove_temporary

        self._process.kill()
        self._process.wait()
        self._connection.close()
        self._lifeline.close()
        if self._busy:
            for folder in self._folders:
                remove_temporary(folder, self._process.pid)

    def _send(self, data: bytes) -> None:
        try:
            self._connection.send_bytes(data)
        except ConnectionError:
            raise self._ended() from None

    def _ended(self) -> Ended:
        code = self._process.wait()
        advice = f"; {self._advice}" if self._advice else ""
        return Ended(f"{self._name} ended with {code}, perhaps for want of memory{advice}.", code)


def call(function: Callable[[Any], Any], item: Any, name: str, **options: Any) -> Any:
    """Apply `function` to `item` in a process of its own.

    Args:
        function: what to do.
        item: what it takes.
        name: name of the process, for error messages.
        **options: options of `Child`.

    Raises:
        NotPortable: function, item or result cannot be given to another process.
        Ended: the process was killed.
        Exception: whatever the function raises.
    """
    child = Child(function, name, **options)
    try:
        child.give(item)
        return child.result()
    finally:
        child.stop()


def answered(children: Iterable[Child], seconds: float | None = None) -> list[Child]:
    """Wait until a child has a result or has ended; gives all such children.

    Args:
        children: children to wait for.
        seconds: how long; None: for ever.
    """
    ready: list[Any] = wait(list(children), seconds)  # type: ignore[arg-type]
    return ready


def each(
    function: Callable[[Any], Any], items: Iterable[Any], number: int, name: str, **options: Any
) -> Iterator[tuple[Any, Any]]:
    """Apply `function` to items in several processes; gives each item with its result when it is
    done.

    Args:
        function: what to do.
        items: to do it with.
        number: largest number of processes.
        name: name of one of them, for error messages.
        **options: options of `Child`.

    Raises:
        NotPortable: the function or an item cannot be given to another process.
        Ended: a process was killed.
        Exception: whatever the function raises; the other items in work are abandoned.
    """
    left = iter(items)
    idle: list[Child] = []
    busy: dict[Child, Any] = {}
    done: list[tuple[Any, Any]] = []
    with contextlib.ExitStack() as stack:
        while True:
            # Before what is done is given, so that nobody waits for what the caller does with it.
            for item in itertools.islice(left, number - len(busy)):
                if not idle:
                    idle.append(Child(function, name, **options))
                    stack.callback(idle[-1].stop)
                child = idle.pop()
                child.give(item)
                busy[child] = item
            yield from done
            if not busy:
                return
            done = []
            for child in answered(busy):
                done.append((busy.pop(child), child.result()))
                idle.append(child)


def run_script(path: str | Path, said: bytes, name: str) -> subprocess.CompletedProcess[bytes]:
    """Run a file that needs the standard library alone, without the site's start-up time.

    Args:
        path: path of the file.
        said: its stdin.
        name: name of the process, for the system's list.

    Returns:
        Its exit code, stdout and stderr.
    """
    process, lifeline = _start(
        _SCRIPT,
        [name, os.fspath(path)],
        flags=["-I", "-S"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with lifeline, process:
        try:
            stdout, stderr = process.communicate(said)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def thread_share(count: int) -> dict[str, str]:
    """Environment variables of one of `count` processes that share the cores; the user's own values
    stay."""
    threads = str(max(1, cores() // count))
    return {name: os.environ.get(name, threads) for name in THREADS}


def last_line(said: bytes) -> str:
    """The last line of what a process printed; "" if it printed nothing."""
    return (said.decode("utf-8", "replace").strip().splitlines() or [""])[-1].strip()


def serve(descriptor: int) -> None:
    """Apply the function that comes over a connection to the items that follow it."""
    # What is printed goes to a log in the order in which it was printed.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    # Whoever gave a doubtful file away has opened it, and was told.
    warnings.simplefilter("ignore", FileWarning)
    find_aliases()
    connection = Connection(descriptor)
    function = None
    with contextlib.suppress(EOFError, ConnectionError):
        first = connection.recv_bytes()
        while True:
            data = connection.recv_bytes()
            try:
                function = function or pickle.loads(first)
                item = pickle.loads(data)
            except Exception as error:
                outcome = pickle.dumps((None, NotPortable(f"{type(error).__name__}: {error}")))
            else:
                outcome = _outcome(function, item)
            connection.send_bytes(outcome)


def _start(
    code: str,
    words: Sequence[str],
    *,
    flags: Sequence[str] = (),
    inherited: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    **streams: Any,
) -> tuple[subprocess.Popen[bytes], BinaryIO]:
    """The process, and the lifeline that keeps it alive while it is open."""
    if not sys.executable:
        raise NotPortable("this program has Python built in and no interpreter beside it")
    theirs, ours = os.pipe()
    lifeline = open(ours, "wb", buffering=0)  # noqa: SIM115
    # Children inherit the mask. An interrupt goes to the whole group of processes; a handler, or a
    # group of its own, would leave a moment open, or not be suspended along with this process.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(
            [sys.executable, *flags, "-c", code, str(theirs), *words],
            pass_fds=[theirs, *inherited],
            env={**os.environ, **(environment or {})},
            **streams,
        )
    except BaseException:
        lifeline.close()
        raise
    finally:
        os.close(theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process, lifeline


def _pickled(what: Any) -> bytes:
    try:
        return pickle.dumps(what, protocol=pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotPortable(str(error)) from error


def _outcome(function: Callable[[Any], Any], item: Any) -> bytes:
    """What the function returns or raises, pickled."""
    try:
        return _pickled((function(item), None))
    except Exception as error:
        return pickle.dumps((None, _portable(error)))
    finally:
        sys.stdout.flush()


def _portable(error: Exception) -> Exception:
    """`error` with its traceback as a note; a `RunError` of its words if it cannot be pickled."""
    note = "".join(traceback.format_exception(error))
    try:
        # Some exceptions can be pickled, and not loaded again.
        portable = pickle.loads(pickle.dumps(error))
    except Exception:
        portable = RunError(f"{type(error).__name__}: {error}")
    portable.add_note(note)
    return portable
