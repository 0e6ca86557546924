"""Switch pooling and unpooling, timed against PyTorch, argmax with scatter, and a copy of memory.

    python benchmarks/unpooling.py [--backend tensorflow|jax] [--device cpu|cuda] [--threads N]
                                   [--repeats N] [--cases N] [--compile] [--json FILE]

Each round trip pools a batch and unpools it again. Ours is compiled (`jit_compile=True`, or JAX);
on TensorFlow also as a plain graph, which is Keras' default on a CPU, and beside "scatter":
`tf.nn.max_pool_with_argmax` and `tf.scatter_nd` in a `tf.function` (neither compiles with XLA; the
scatter adds where regions overlap, so that it is not even the same result there). PyTorch is
`MaxPool2d(return_indices=True)` and `MaxUnpool2d`, with its default layout and with
`channels_last`, and with --compile compiled from its default layout; without PyTorch ours is
measured alone. The contenders take turns, and the best repetition of each counts, which other work
on the machine disturbs least.

In brackets: how many times faster ours is, compiled; of "plain", our plain graph against scatter.
"share" is what a copy of memory would take that moves as many bytes as the round trip must, over
what ours takes: each tensor written once and read once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# PyTorch's threads would spin after their turn and take the next one's time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

CASES = [
    ((128, 201, 16, 8), (2, 2), (2, 2)),
    ((128, 201, 16, 8), (5, 2), (2, 2)),
    ((128, 201, 16, 8), (5, 1), (2, 1)),
    ((128, 99, 8, 16), (2, 2), (2, 2)),
    ((128, 99, 8, 16), (5, 2), (2, 2)),
    ((128, 99, 8, 16), (5, 1), (2, 1)),
]


def main() -> int:
    """Print one line a case and direction."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cases", type=int, default=len(CASES))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    if importlib.util.find_spec(options.backend) is None:
        print(
            f"{options.backend} is not installed and the comparison needs it: pip install "
            f"{options.backend}",
            file=sys.stderr,
        )
        return 1
    print(f"{options.backend} on {options.device}, {options.threads} threads; milliseconds, and ")
    print("how many times faster ours is\n")
    rows = []
    for shape, pool, strides in CASES[: options.cases]:
        window = f"{pool[0]}x{pool[1]}/{strides[0]}x{strides[1]}"
        for backward in (False, True):
            runs = contenders(shape, pool, strides, backward, options)
            times = race(runs, options.repeats)
            copied = race({"copy": copy(moved(shape, pool, strides, backward))}, options.repeats)
            row = {
                "input": "x".join(map(str, shape)),
                "pool/stride": window,
                "pass": "forward+backward" if backward else "forward",
                "milliseconds": times,
                "megabytes": moved(shape, pool, strides, backward) / 1e6,
                "share": copied["copy"] / times["ours"],
            }
            rows.append(row)
            print(line(row), flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def line(row) -> str:
    """A case, in one line."""
    times = dict(row["milliseconds"])
    ours, plain = times.pop("ours"), times.pop("plain", None)
    cells = "".join(f"  {who} {ms:.2f} ({ms / ours:.1f}x)" for who, ms in times.items())
    if plain is not None:
        cells += f"  plain {plain:.2f} ({times['scatter'] / plain:.1f}x)"
    case = f"{row['input']:<16}{row['pool/stride']:<9}{row['pass']:<18}"
    return f"{case}ours {ours:.2f}  share {row['share']:.0%}{cells}"


def moved(shape, pool, strides, backward: bool) -> int:
    """Bytes that a round trip reads and writes, where each tensor is written once and read once."""
    number, rows, columns, channels = shape
    plane = 4 * number * rows * columns * channels
    grid = (
        4
        * number
        * channels
        * ((rows - pool[0]) // strides[0] + 1)
        * ((columns - pool[1]) // strides[1] + 1)
    )
    # x, what is pooled and its switches, y; and their gradients, with the switches once more.
    forward = plane + 2 * grid + 2 * grid + plane
    return forward + (plane + grid + grid + grid + grid + plane if backward else 0)


def copy(size: int):
    """A function that reads and writes `size` bytes of memory in all."""
    import keras
    import numpy as np

    from zoo.ops.compilation import compiled

    x = keras.ops.convert_to_tensor(np.ones(size // 8, "float32"))
    double = compiled(lambda x: x + 1)
    return lambda: finished(double(x))


def finished(tensors):
    """The tensors, computed: JAX answers before it has."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.block_until_ready(tensors)
    return keras.tree.map_structure(lambda t: t.shape, tensors)


def race(runs, repeats: int) -> dict[str, float]:
    """Milliseconds of each one's best repetition, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 3):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat >= 3:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: min(values) for name, values in times.items()}


def contenders(shape, pool, strides, backward: bool, options):
    """Functions of no argument that each do one round trip and wait for its end."""
    import numpy as np

    from zoo.ops import switch_pool, switch_unpool

    rng = np.random.default_rng(0)
    x, weights = (rng.standard_normal(shape).astype("float32") for _ in range(2))

    def ours(x):
        pooled, switches = switch_pool(x, pool, strides)
        return switch_unpool(
            pooled, switches, pool_size=pool, strides=strides, output_size=shape[1:3]
        )

    make = in_jax if options.backend == "jax" else in_tensorflow
    runs = make(ours, x, weights, pool, strides, backward)
    if importlib.util.find_spec("torch") is None:
        return runs
    import torch

    torch.set_num_threads(options.threads)
    for last in (False, True):
        who = "PyTorch" + (" channels_last" if last else "")
        runs[who] = pytorch(x, weights, pool, strides, backward, last, options.device)
    if options.compile:
        runs["PyTorch compiled"] = pytorch(
            x, weights, pool, strides, backward, False, options.device, compiled=True
        )
    return runs


def in_jax(ours, x, weights, pool, strides, backward: bool):
    """Ours, compiled by JAX."""
    import jax

    def both(x):
        y, pull = jax.vjp(ours, x)
        return y, pull(weights)

    step = jax.jit(both if backward else ours)
    x, weights = jax.device_put(x), jax.device_put(weights)
    return {"ours": lambda: finished(step(x))}


def in_tensorflow(ours, x, weights, pool, strides, backward: bool):
    """Ours, compiled and as a plain graph, and scatter."""
    import tensorflow as tf

    x, weights = tf.constant(x), tf.constant(weights)

    def scatter(x):
        pooled, argmax = tf.nn.max_pool_with_argmax(
            x, pool, strides, "VALID", include_batch_in_index=True
        )
        flat = tf.scatter_nd(
            tf.reshape(argmax, (-1, 1)), tf.reshape(pooled, (-1,)), [tf.size(x, tf.int64)]
        )
        return tf.reshape(flat, tf.shape(x))

    def compiled(round_trip, jit_compile):
        def step(x):
            if not backward:
                return round_trip(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = round_trip(x)
            return y, tape.gradient(y, x, output_gradients=weights)

        step = tf.function(step, jit_compile=jit_compile)
        return lambda: finished(step(x))

    return {
        "ours": compiled(ours, True),
        "plain": compiled(ours, False),
        "scatter": compiled(scatter, False),
    }


def pytorch(x, weights, pool, strides, backward, channels_last, device, compiled=False):
    """The round trip of `contenders` in PyTorch."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, weights = (
        torch.tensor(array.transpose(0, 3, 1, 2)).to(device).contiguous(memory_format=layout)
        for array in (x, weights)
    )
    down = torch.nn.MaxPool2d(pool, strides, return_indices=True)
    up = torch.nn.MaxUnpool2d(pool, strides)

    def round_trip(x):
        pooled, indices = down(x)
        return up(pooled, indices, output_size=x.shape[2:])

    step = torch.compile(round_trip) if compiled else round_trip

    def forward():
        with torch.no_grad():
            return waited(step(x))

    def both():
        given = x.detach().requires_grad_()
        step(given).backward(weights)
        return waited(given.grad)

    def waited(tensor):
        if tensor.is_cuda:
            torch.cuda.synchronize()
        return tensor

    return both if backward else forward


if __name__ == "__main__":
    sys.exit(main())
