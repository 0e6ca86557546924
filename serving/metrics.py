"""Counters and histograms in Prometheus' text format, under TensorFlow Serving's names."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_BUCKETS = tuple(10.0 * 1.8**i for i in range(33))
"""Microseconds, up to some twenty minutes, as TensorFlow Serving has them."""

BATCH_BUCKETS = tuple(float(2**i) for i in range(15))


def _line(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = str(int(value)) if value == int(value) else repr(value)
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Counter:
    """A number that only grows, for each combination of labels."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, labels: Sequence[str]) -> None:
        self.name, self.help, self._labels = name, help_text, tuple(labels)
        self._values: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count `amount` more."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def lines(self) -> list[str]:
        """The samples as text."""
        with self._lock:
            values = sorted(self._values.items())
        return [
            _line(self.name, dict(zip(self._labels, key, strict=True)), value)
            for key, value in values
        ]


class Gauge:
    """A number that is computed when the metrics are read."""

    kind = "gauge"

    def __init__(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self.name, self.help, self._read = name, help_text, read

    def lines(self) -> list[str]:
        """The sample as text."""
        return [_line(self.name, {}, self._read())]


class Histogram:
    """How often values fell under bounds, for each combination of labels."""

    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> None:
        self.name, self.help, self._labels = name, help_text, tuple(labels)
        self._bounds = tuple(buckets)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        place = bisect.bisect_left(self._bounds, value)
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
            counts[place] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def lines(self) -> list[str]:
        """The samples as text: cumulative buckets, sum and count."""
        with self._lock:
            found = [(key, list(counts), self._sums[key]) for key, counts in self._counts.items()]
        text = []
        for key, counts, total in sorted(found):
            labels = dict(zip(self._labels, key, strict=True))
            running = 0
            for bound, count in zip([*self._bounds, float("inf")], counts, strict=True):
                running += count
                le = "+Inf" if bound == float("inf") else f"{bound:g}"
                text.append(_line(f"{self.name}_bucket", {**labels, "le": le}, running))
            text.append(_line(f"{self.name}_sum", labels, total))
            text.append(_line(f"{self.name}_count", labels, running))
        return text


class Metrics:
    """Metrics of a server."""

    def __init__(self) -> None:
        self.requests = Counter(
            ":tensorflow:serving:request_count",
            "The total number of requests.",
            ("model_name", "status"),
        )
        self.request_latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ("model_name", "API", "entrypoint"),
            LATENCY_BUCKETS,
        )
        self.runtime_latency = Histogram(
            ":tensorflow:serving:runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            ("model_name", "API", "runtime"),
            LATENCY_BUCKETS,
        )
        self.batch_sizes = Histogram(
            ":tensorflow:serving:batching_session:processed_batch_size",
            "Distribution of the number of examples run together.",
            ("model_name",),
            BATCH_BUCKETS,
        )
        self.loads = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "The number of times a SavedModel was loaded.",
            ("model_path", "status"),
        )
        self.load_latency = Counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Latency in microseconds for SavedModels that were successfully loaded.",
            ("model_path",),
        )
        self._all: list[Counter | Gauge | Histogram] = [
            self.requests,
            self.request_latency,
            self.runtime_latency,
            self.batch_sizes,
            self.loads,
            self.load_latency,
        ]

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Show a number that `read` gives."""
        self._all.append(Gauge(name, help_text, read))

    def text(self) -> str:
        """Everything, in the text format."""
        lines = []
        for metric in self._all:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += metric.lines()
        return "\n".join(lines) + "\n"
