"""Switch pooling and unpooling, timed against PyTorch and against argmax with scatter.

    python benchmarks/unpooling.py [--threads N] [--repeats N]

Each round trip pools a batch and unpools it again. Ours runs on Keras' TensorFlow backend,
compiled (`jit_compile=True`) and as a plain graph, which is Keras' default on a CPU. "Scatter" is
`tf.nn.max_pool_with_argmax` and `tf.scatter_nd` in a `tf.function` (neither compiles with XLA; the
scatter adds where regions overlap, so that it is not even the same result there); PyTorch is
`MaxPool2d(return_indices=True)` and `MaxUnpool2d`, with its default layout and with
`channels_last`. The contenders take turns, and the best repetition of each counts, which other
work on the machine disturbs least.

A ratio above 1 means that ours is faster: compiled, but for "plain", our plain graph against
scatter.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
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
RIVALS = ("scatter", "PyTorch", "PyTorch channels_last")


def main() -> int:
    """Print one line a case and direction."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    for package in ("torch", "tensorflow"):
        if importlib.util.find_spec(package) is None:
            print(
                f"{package} is not installed and the comparison needs it: pip install {package}",
                file=sys.stderr,
            )
            return 1
    import tensorflow as tf
    import torch

    torch.set_num_threads(options.threads)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(
        f"TensorFlow {tf.__version__}, PyTorch {torch.__version__}, {options.threads} threads; "
        "milliseconds, and how many times faster ours is\n"
    )
    head = "".join(f"{rival:>24}" for rival in RIVALS)
    print(f"{'input':<20}{'pool/stride':<14}{'pass':<19}{'ours':>8}{head}{'plain':>20}")
    for shape, pool, strides in CASES:
        window = f"{pool[0]}x{pool[1]}/{strides[0]}x{strides[1]}"
        for backward in (False, True):
            runs = contenders(shape, pool, strides, backward)
            times = race(runs, options.repeats)
            ours = times.pop("ours")
            cells = "".join(f"{times[r]:>16.2f} ({times[r] / ours:4.1f}x)" for r in RIVALS)
            plain = times["plain"]
            cells += f"{plain:>12.2f} ({times['scatter'] / plain:4.1f}x)"
            name = "forward+backward" if backward else "forward"
            print(f"{'x'.join(map(str, shape)):<20}{window:<14}{name:<19}{ours:>8.2f}{cells}")
    return 0


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


def contenders(shape, pool, strides, backward: bool):
    """Functions of no argument that each do one round trip and wait for its end."""
    import numpy as np
    import tensorflow as tf

    from zoo.ops import switch_pool, switch_unpool

    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal(shape), tf.float32)
    weights = tf.constant(rng.standard_normal(shape), tf.float32)

    def ours(x):
        pooled, switches = switch_pool(x, pool, strides)
        return switch_unpool(
            pooled, switches, pool_size=pool, strides=strides, output_size=shape[1:3]
        )

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
        return lambda: tf.nest.map_structure(lambda t: t.shape, step(x))

    return {
        "ours": compiled(ours, True),
        "plain": compiled(ours, False),
        "scatter": compiled(scatter, False),
        "PyTorch": pytorch(x.numpy(), weights.numpy(), pool, strides, backward, False),
        "PyTorch channels_last": pytorch(x.numpy(), weights.numpy(), pool, strides, backward, True),
    }


def pytorch(x, weights, pool, strides, backward: bool, channels_last: bool):
    """The round trip of `contenders` in PyTorch."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, weights = (
        torch.tensor(array.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)
        for array in (x, weights)
    )
    down = torch.nn.MaxPool2d(pool, strides, return_indices=True)
    up = torch.nn.MaxUnpool2d(pool, strides)

    def forward():
        with torch.no_grad():
            pooled, indices = down(x)
            return up(pooled, indices, output_size=x.shape[2:])

    def both():
        given = x.detach().requires_grad_()
        pooled, indices = down(given)
        up(pooled, indices, output_size=x.shape[2:]).backward(weights)
        return given.grad

    return both if backward else forward


if __name__ == "__main__":
    sys.exit(main())
