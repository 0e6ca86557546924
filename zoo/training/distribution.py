"""Training in several processes, each with its part of every batch (JAX).

Weights, normalisation and dropout are those of one process: `keras.distribution` replicates the
network and splits the batch, and the compiled step sees the whole of it. Only the first process
writes the run folder.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from zoo.errors import RunError, UsageError
from zoo.processes import Child, Ended, answered, last_line
from zoo.runs import Run

_COLLECTIVE = re.compile("gloo|nccl|heartbeat|coordination service", re.IGNORECASE)
"""Words in JAX's errors if the exchange with other processes fails."""


class Lost(RunError):
    """Another process of the training is gone."""


class Place(NamedTuple):
    """One of several processes that train together.

    Attributes:
        coordinator: HOST:PORT of process 0.
        processes: number of processes.
        number: number of this process, from 0.
    """

    coordinator: str
    processes: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `HOST:PORT,PROCESSES,NUMBER`.

        Raises:
            UsageError: it is something else.
        """
        coordinator, *numbers = text.split(",")
        host, _, port = coordinator.rpartition(":")
        if (
            not (host and port.isdecimal() and len(numbers) == 2)
            or not all(n.isdecimal() for n in numbers)
            or not int(numbers[1]) < int(numbers[0])
        ):
            raise UsageError(
                "--distribute takes a number of processes on this machine, or "
                f"HOST:PORT,PROCESSES,NUMBER with numbers from 0; received {text!r}."
            )
        return cls(coordinator, int(numbers[0]), int(numbers[1]))


_joined: list[Place] = []


def part() -> tuple[int, int]:
    """Number of this process among those that train together, and their count."""
    return (_joined[0].number, _joined[0].processes) if _joined else (0, 1)


@contextlib.contextmanager
def joined(place: Place, out: Path) -> Iterator[Path]:
    """Join the other processes within the block; to be called before anything is built.

    Args:
        place: place of this process.
        out: the run folder.

    Yields:
        The folder to train in: `out` for process 0, a passing copy of it for the others.

    Raises:
        UsageError: Keras runs on another backend than JAX.
        RunError: the others were not reached.
        Lost: one of them is gone. JAX then waits for it as the interpreter ends, and aborts.
    """
    import keras

    if keras.backend.backend() != "jax":
        raise UsageError(
            f"--distribute works with JAX, and Keras runs on {keras.backend.backend()}; set "
            "KERAS_BACKEND=jax."
        )
    with contextlib.ExitStack() as stack:
        folder = out
        if place.number:
            passing = stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-train-"))
            folder = Path(passing) / out.name
            # Before they have met: process 0 has written nothing by now.
            Run(out).copy_unfinished(folder)
        try:
            keras.distribution.initialize(place.coordinator, place.processes, place.number)
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0]
            reached = (
                " (where the others are reached but do not answer, the name of each machine must "
                "resolve to its address on their network)"
                if _COLLECTIVE.search(first)
                else ""
            )
            raise RunError(f"{place.coordinator} was not reached: {first}{reached}") from error
        # Each process gathers its own part, so there is nothing left to divide.
        keras.distribution.set_distribution(
            keras.distribution.DataParallel(auto_shard_dataset=False)
        )
        _joined.append(place)
        try:
            yield folder
        except (RuntimeError, ValueError) as error:
            if isinstance(error, UsageError | RunError) or not _COLLECTIVE.search(str(error)):
                raise
            reason = str(error).strip().splitlines()[0]
            raise Lost(
                f"another process of the training was lost ({reason[:300]}); the same command on "
                "each machine resumes after the last whole epoch."
            ) from error
        finally:
            _joined.clear()
            keras.distribution.set_distribution(None)


def launch(main: Callable[[list[str]], int], words: Sequence[str], processes: int) -> int:
    """Run the `zoo` command in several processes on this machine.

    Args:
        main: the command; takes words and returns an exit code.
        words: words of the command line, with the `--distribute` that asked for it.
        processes: number of processes.

    Returns:
        The exit code: that of the first process that failed, whose others are then ended, or 0.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{probe.getsockname()[1]}"
    with contextlib.ExitStack() as stack:
        left: dict[Child, BinaryIO | None] = {}
        for number in range(processes):
            # What the others say is what the first one says, unless one of them fails before it.
            log = stack.enter_context(tempfile.TemporaryFile()) if number else None
            child = Child(main, f"process {number} of the training", output=log)
            stack.callback(child.stop)
            # Of an option given twice the last one counts.
            child.give([*words, "--distribute", f"{coordinator},{processes},{number}"])
            left[child] = log
        while left:
            for child in answered(left):
                said = left.pop(child)
                try:
                    code = child.result()
                except Ended as error:
                    print(error, file=sys.stderr)
                    code = 1
                if code:
                    if said is not None:
                        said.seek(0)
                        print(last_line(said.read()), file=sys.stderr)
                    return code
    return 0
