"""Dynamic micro-batching: requests that wait at the same time share one run of the model.

Parameters and their meaning are those of TensorFlow Serving's BatchingParameters. A batch has only
requests for the same version, signature, outputs and inner shapes. A batch that the model refuses
is run again one request at a time, so that valid requests are answered.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from zoo.errors import UsageError
from zoo.machine import cores

from . import text_proto
from .errors import ServingError, invalid

Arrays = dict[str, np.ndarray]
Run = Callable[[Mapping[str, np.ndarray]], Arrays]


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """Parameters of batching.

    Attributes:
        max_batch_size: most examples in a batch; larger requests are refused.
        batch_timeout_micros: how long a batch that is not full waits for more, in microseconds,
            while a thread is free to run it.
        max_enqueued_batches: batches of one model that may wait; requests beyond are refused (503).
        num_batch_threads: batches that run at the same time.
        allowed_batch_sizes: ascending, the last is `max_batch_size`: batches are filled up to one
            of these with copies of their first example. Empty: any size.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    # One processor less than there are: the event loop, which reads the requests, needs one too.
    num_batch_threads: int = max(1, cores() - 1)
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"batching parameters: {name} must be 1 or more.")
        if self.batch_timeout_micros < 0:
            raise UsageError("batching parameters: batch_timeout_micros must not be negative.")
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise UsageError(
                "batching parameters: allowed_batch_sizes must ascend and end with max_batch_size "
                f"({self.max_batch_size}); received {', '.join(map(str, sizes))}."
            )

    @classmethod
    def read(cls, path: str | Path) -> BatchingParameters:
        """The parameters in a `--batching_parameters_file`.

        Raises:
            UsageError: the file is missing or wrong.
        """
        fields = {
            "max_batch_size": (1, "Int64Value"),
            "batch_timeout_micros": (2, "Int64Value"),
            "max_enqueued_batches": (3, "Int64Value"),
            "num_batch_threads": (4, "Int64Value"),
            "thread_pool_name": (5, "string"),
            "allowed_batch_sizes": (6, "repeated int64"),
            "pad_variable_length_inputs": (7, "bool"),
        }
        proto = text_proto.read(path, text_proto.define("BatchingParameters", fields))
        if proto.pad_variable_length_inputs:
            raise UsageError(
                f"{path}: pad_variable_length_inputs is not offered; requests of different lengths "
                "are put into different batches."
            )
        given = {
            name: getattr(proto, name).value
            for name, (_, kind) in fields.items()
            if kind == "Int64Value" and proto.HasField(name)
        }
        return cls(**given, allowed_batch_sizes=tuple(proto.allowed_batch_sizes))


@dataclasses.dataclass
class _Task:
    inputs: Mapping[str, np.ndarray]
    size: int
    answer: asyncio.Future[Arrays]


class _Batch:
    def __init__(self, key: Hashable, group: Hashable, run: Run, due: float) -> None:
        self.key, self.group, self.run, self.due = key, group, run, due
        self.tasks: list[_Task] = []
        self.size = 0


class Batcher:
    """Collects requests and runs them in batches; its requests come from one event loop.

    Args:
        parameters: how to put requests together.
        observe: told the size of every batch and whose it is.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        observe: Callable[[Hashable, int], None] = lambda group, size: None,
    ) -> None:
        self._parameters = parameters
        self._observe = observe
        self._executor = ThreadPoolExecutor(parameters.num_batch_threads, "batch")
        # A thread that has run a batch takes the next one by itself: the event loop, with requests
        # to read and answers to write, would let it wait.
        self._lock = threading.Lock()
        self._free = parameters.num_batch_threads
        # Batches that still take requests, by what their requests have in common, oldest first.
        self._open: dict[Hashable, _Batch] = {}
        self._full: collections.deque[_Batch] = collections.deque()
        self._waiting: collections.Counter[Hashable] = collections.Counter()
        self._wakeup: asyncio.Handle | None = None
        self._wakes_now = False

    async def run(
        self, group: Hashable, key: Hashable, inputs: Mapping[str, np.ndarray], run: Run
    ) -> Arrays:
        """Answer one request, together with others of the same `key` and inner shapes.

        Args:
            group: whose queue it is; `max_enqueued_batches` counts by it.
            key: what batches are kept apart by: servable, signature and outputs.
            inputs: arrays that share their first dimension.
            run: calls the model; it takes any number of examples.

        Raises:
            ServingError: the queue is full (UNAVAILABLE), the request is larger than a batch, its
                inputs differ in their first dimension, or the model refuses it.
        """
        sizes = {len(array) for array in inputs.values()}
        if len(sizes) != 1:
            raise invalid(
                "Batching Run() input tensors must have equal 0th-dimension size; received "
                f"{', '.join(f'{name}: {len(array)}' for name, array in inputs.items())}."
            )
        size = sizes.pop()
        limit = self._parameters.max_batch_size
        if size > limit:
            raise invalid(
                f"Task size {size} is larger than maximum batch size {limit}; send fewer examples "
                "at a time."
            )
        shapes = tuple(array.shape[1:] for array in inputs.values())
        task = _Task(inputs, size, asyncio.get_running_loop().create_future())
        with self._lock:
            batch = self._batch_for(group, (key, shapes), size, run)
            batch.tasks.append(task)
            batch.size += size
            if batch.size >= limit:
                self._close(batch)
        self._pump_soon()
        return await task.answer

    def _batch_for(self, group: Hashable, key: Hashable, size: int, run: Run) -> _Batch:
        batch = self._open.get(key)
        if batch and batch.size + size > self._parameters.max_batch_size:
            self._close(batch)
            batch = None
        if batch is None:
            if self._waiting[group] >= self._parameters.max_enqueued_batches:
                raise ServingError(
                    "UNAVAILABLE",
                    "The batch scheduling queue to which this task was submitted is full; try "
                    "again later.",
                )
            due = time.monotonic() + self._parameters.batch_timeout_micros / 1e6
            batch = self._open[key] = _Batch(key, group, run, due)
            self._waiting[group] += 1
        return batch

    def _close(self, batch: _Batch) -> None:
        del self._open[batch.key]
        self._full.append(batch)

    def _pump_soon(self) -> None:
        # Not at once: requests that arrive in the same moment shall meet.
        if self._wakeup is None or not self._wakes_now:
            self._sleep(0)

    def _sleep(self, seconds: float) -> None:
        if self._wakeup is not None:
            self._wakeup.cancel()
        self._wakes_now = not seconds
        self._wakeup = asyncio.get_running_loop().call_later(seconds, self._pump)

    def _pump(self) -> None:
        self._wakeup = None
        loop = asyncio.get_running_loop()
        first = None
        with self._lock:
            while self._free and (batch := self._next()):
                self._free -= 1
                self._executor.submit(self._work, loop, batch)
            if self._free and self._open:
                first = min(batch.due for batch in self._open.values())
        if first is not None:
            self._sleep(max(0.0, first - time.monotonic()))

    def _next(self) -> _Batch | None:
        if self._full:
            batch = self._full.popleft()
        else:
            oldest = min(self._open.values(), key=lambda b: b.due, default=None)
            if oldest is None or oldest.due > time.monotonic():
                return None
            batch = self._open.pop(oldest.key)
        self._waiting[batch.group] -= 1
        if not self._waiting[batch.group]:
            del self._waiting[batch.group]
        return batch

    def _work(self, loop: asyncio.AbstractEventLoop, batch: _Batch | None) -> None:
        """Run batches until none is left that is due."""
        while batch is not None:
            self._observe(batch.group, batch.size)
            answers = self._execute(batch)
            with self._lock:
                following = self._next()
                if following is None:
                    self._free += 1
            loop.call_soon_threadsafe(self._deliver, batch, answers)
            batch = following

    def _deliver(self, batch: _Batch, answers: Sequence[Arrays | BaseException]) -> None:
        self._pump()
        for task, answer in zip(batch.tasks, answers, strict=True):
            # Whoever asked may have gone.
            if task.answer.done():
                continue
            if isinstance(answer, BaseException):
                task.answer.set_exception(answer)
            else:
                task.answer.set_result(answer)

    def _execute(self, batch: _Batch) -> list[Arrays | BaseException]:
        tasks = batch.tasks
        try:
            return list(self._together(batch))
        except Exception as error:
            refused = isinstance(error, ServingError) and error.code != "DEADLINE_EXCEEDED"
            if len(tasks) == 1 or not refused:
                return [error] * len(tasks)
        return [self._alone(batch.run, task) for task in tasks]

    @staticmethod
    def _alone(run: Run, task: _Task) -> Arrays | BaseException:
        try:
            return run(task.inputs)
        except Exception as error:
            return error

    def _together(self, batch: _Batch) -> list[Arrays]:
        tasks = batch.tasks
        size = self._padded(batch.size)
        if len(tasks) == 1 and size == batch.size:
            return [batch.run(tasks[0].inputs)]
        inputs = {
            name: np.concatenate([task.inputs[name] for task in tasks]) for name in tasks[0].inputs
        }
        if size > batch.size:
            inputs = {
                name: np.concatenate([array, np.repeat(array[:1], size - batch.size, 0)])
                for name, array in inputs.items()
            }
        outputs = batch.run(inputs)
        for name, array in outputs.items():
            if not array.ndim or len(array) != size:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Batched output tensor {name}'s 0th dimension does not equal the sum of the "
                    "0th dimension sizes of the input tensors; such a model cannot be batched.",
                )
        starts = np.cumsum([0, *(task.size for task in tasks)])
        return [
            {name: array[start : start + task.size] for name, array in outputs.items()}
            for task, start in zip(tasks, starts, strict=False)
        ]

    def _padded(self, size: int) -> int:
        if not size:
            return 0
        return next((n for n in self._parameters.allowed_batch_sizes if n >= size), size)

    def close(self) -> None:
        """End the threads, once nothing runs any more."""
        self._executor.shutdown(wait=False)
