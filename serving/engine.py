"""Answering requests of any protocol: versions, limits, batches, measurements."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from zoo.machine import cores

from .batching import Batcher, BatchingParameters
from .errors import ServingError
from .examples import Classes, Task, run_tasks
from .metrics import Metrics
from .models import ModelRef, Models
from .servable import Servable

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        threads: runs of models at the same time.
        timeout_seconds: longest time from a REST request's first byte to its answer.
        max_body_bytes: largest REST request.
        max_requests: requests at the same time; more are answered UNAVAILABLE.
    """

    threads: int = cores()
    timeout_seconds: float = 30.0
    max_body_bytes: int = 64 * 2**20
    max_requests: int = 1024


class Engine:
    """Runs the models of a server.

    Args:
        models: the models, started.
        limits: limits of the server.
        metrics: where to count.
        batching: parameters of micro-batching; None to run every request by itself.
        strict_methods: whether classify and regress need signatures of these methods.
    """

    def __init__(
        self,
        models: Models,
        limits: Limits,
        metrics: Metrics,
        batching: BatchingParameters | None = None,
        strict_methods: bool = False,
    ) -> None:
        self.models = models
        self.limits = limits
        self.metrics = metrics
        self.draining = False
        self._strict = strict_methods
        self._requests = 0
        self._executor = ThreadPoolExecutor(limits.threads, "model")
        self._batcher = Batcher(batching, self._observe_batch) if batching else None
        self.metrics.gauge(
            ":zoo:serving:requests_in_progress", "Requests under way.", lambda: self._requests
        )

    def _observe_batch(self, group: object, size: int) -> None:
        self.metrics.batch_sizes.observe(size, str(group))

    @contextlib.contextmanager
    def admitted(self, name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count a request in, and measure it.

        Raises:
            ServingError: too many requests are under way.
        """
        # Names of models that there are not would fill the metrics.
        name = name if name in self.models.names else ""
        start = time.perf_counter()
        status = "INTERNAL"
        self._requests += 1
        try:
            if self._requests > self.limits.max_requests:
                raise ServingError(
                    "UNAVAILABLE",
                    f"{self.limits.max_requests} requests are under way; try again later.",
                )
            yield
            status = "OK"
        except ServingError as error:
            status = error.code
            raise
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        finally:
            self._requests -= 1
            self.metrics.requests.add(name, status)
            elapsed = (time.perf_counter() - start) * 1e6
            self.metrics.request_latency.observe(elapsed, name, api, entrypoint)

    async def thread(self, work: Callable[[], T]) -> T:
        """Run `work` in one of the threads for models."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _timed(self, name: str, api: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            elapsed = (time.perf_counter() - start) * 1e6
            self.metrics.runtime_latency.observe(elapsed, name, api, "TF1")

    def batches(self, servable: Servable, signature: str) -> bool:
        """Whether requests for a signature are put into batches."""
        return self._batcher is not None and servable.signatures[signature].batched

    async def predict(
        self,
        name: str,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Call a signature, in a batch with other requests where that is possible.

        Args:
            name: name of the model, for the measurements.
            servable: in use by the caller.
            signature: its name, a valid one.
            inputs: for each of the signature's inputs an array of its type.
            outputs: names of the outputs wanted; None for all.

        Raises:
            ServingError: the model refuses the inputs, or a queue is full.
        """

        def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            work = lambda: servable.predict(signature, arrays, outputs)  # noqa: E731
            return self._timed(name, "Predict", work)

        specs = servable.signatures[signature].inputs
        fits = all(spec.fits(inputs[key].shape) for key, spec in specs.items())
        if self._batcher and fits and self.batches(servable, signature):
            key = (id(servable), signature, tuple(outputs or ()))
            return await self._batcher.run(name, key, inputs, run)
        return await self.thread(lambda: run(inputs))

    def predict_now(
        self, name: str, servable: Servable, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """As `predict`, by itself and in this thread."""
        return self._timed(name, "Predict", lambda: servable.predict(signature, inputs))

    async def examples(
        self, ref: ModelRef, tasks: list[Task], read: Callable[[], list[bytes]], api: str
    ) -> tuple[int, list[list[Classes] | list[float]]]:
        """Classify or regress examples; the version that did, and an answer for each task.

        Raises:
            ServingError: there is no such version, or its signature or the examples do not fit.
        """
        with self.models.use(ref) as (number, servable):
            work = lambda: run_tasks(servable, tasks, read, self._strict)  # noqa: E731
            return number, await self.thread(lambda: self._timed(ref.name, api, work))

    def close(self) -> None:
        """End the threads, once nothing runs any more."""
        self._executor.shutdown(wait=False)
        if self._batcher:
            self._batcher.close()
