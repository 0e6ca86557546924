"""How long the input pipeline keeps a network waiting, by batch size and precision.

    python benchmarks/feeding.py PREPARED [--models NAMES] [--batches 128,512] [--epochs N]
                                 [--per-class N] [--precisions float32,bfloat16] [--json FILE]

A network is fitted on a prepared set's balanced epochs as `zoo train` does, and on as many batches
that are there already; the time that the first takes longer is the pipeline's. The first epoch,
which compiles, does not count, nor does validation; the fastest of the others does.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main() -> int:
    """Print a line a network, precision and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared")
    parser.add_argument("--models", default="freq_fullpad,freq_best")
    parser.add_argument("--batches", default="128,512")
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    from zoo.startup import clear_session, start_backend

    start_backend()
    rows = []
    print(f"{'network':<16}{'precision':<10}{'batch':>6}{'examples/s':>12}{'waiting':>9}")
    for name in options.models.split(","):
        for precision in options.precisions.split(","):
            for size in map(int, options.batches.split(",")):
                rows.append(row := fed_and_full(name, precision, size, options))
                print(
                    f"{name:<16}{precision:<10}{size:>6}{row['examples_a_second']:>12.0f}"
                    f"{row['waiting']:>9.0%}",
                    flush=True,
                )
                if options.json is not None:
                    options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                clear_session()
                gc.collect()
    return 0


def fed_and_full(
    name: str, precision: str, size: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Examples a second of training, and the share of its time in which it waited for them."""
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.samplers import epochs_of
    from zoo.training.batches import Batches

    class Ready(Batches):
        """Batches that were gathered before."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._ready = [super(Ready, self).__getitem__(n) for n in range(len(self))]

        def __getitem__(self, number: int) -> tuple[Any, ...]:
            return self._ready[number]

    prepared = Prepared(options.prepared)
    labels = prepared.labels("train")
    features = prepared.features("train")
    sampler, _ = epochs_of("balanced", labels, options.per_class, 0)
    seconds = {
        kind: _seconds(name, precision, prepared, kind(features, labels, sampler, size), options)
        for kind in (Batches, Ready)
    }
    examples = len(sampler)
    return {
        "network": name,
        "precision": precision,
        "batch_size": size,
        "examples_a_second": examples / seconds[Batches],
        "waiting": max(0.0, 1 - seconds[Ready] / seconds[Batches]),
    }


def _seconds(
    name: str, precision: str, prepared: Any, batches: Any, options: argparse.Namespace
) -> float:
    """Of the fastest epoch."""
    import keras

    from zoo import registry
    from zoo.training import fitting
    from zoo.training.batches import fed
    from zoo.training.settings import Settings

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self._start)

    chosen = None if precision == "float32" else precision
    with fitting.precision(Settings(mixed_precision=chosen)):
        model = registry.build(name, input_shape=prepared.shape, classes=len(prepared.classes))
    model.compile(Settings().new_optimizer(), "sparse_categorical_crossentropy")
    clock = Clock()
    data, redraw = fed(batches)
    model.fit(data, epochs=options.epochs, callbacks=[*redraw, clock], shuffle=False, verbose=0)
    batches.stop()
    return min(clock.seconds[1:])


if __name__ == "__main__":
    sys.exit(main())
