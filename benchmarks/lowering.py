"""Each lowering of `SpectralConv2D` against the ordinary convolution, forward and backward.

    python benchmarks/lowering.py [--backend tensorflow|jax] [--threads N] [--repeats N]

Milliseconds of the best repetition for batches of 128, the ways taking turns; the star marks the
one that `lowering="auto"` takes. On TensorFlow as a plain graph (Keras' default on a CPU) and
with XLA, on JAX with XLA.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

# (F, T, C), (height, width, filters), padding
CASES = [
    ((201, 16, 1), (8, 16, 8), "same"),
    ((201, 16, 1), (40, 16, 8), "valid"),
    ((99, 8, 8), (8, 8, 16), "same"),
    ((48, 4, 16), (8, 4, 32), "same"),
    ((22, 2, 32), (8, 2, 64), "same"),
    ((201, 16, 1), (8, 3, 8), "same"),
    ((201, 16, 1), (3, 3, 8), "same"),
    ((201, 16, 1), (8, 8, 8), "valid"),
    ((201, 16, 2), (3, 3, 8), "same"),
    ((201, 16, 4), (3, 3, 8), "same"),
    ((201, 16, 8), (3, 3, 8), "same"),
    ((201, 16, 8), (8, 8, 8), "same"),
    ((201, 16, 8), (3, 3, 1), "same"),
    ((201, 16, 8), (5, 5, 1), "same"),
    ((201, 16, 8), (3, 3, 2), "same"),
    ((99, 8, 8), (5, 3, 16), "same"),
    ((48, 4, 16), (3, 3, 32), "same"),
    ((48, 4, 64), (3, 3, 64), "same"),
    ((64, 64, 1), (3, 3, 8), "same"),
    ((201, 16, 1), (201, 3, 16), "valid"),
    ((201, 16, 1), (201, 8, 16), "valid"),
    ((99, 8, 8), (99, 3, 16), "valid"),
]


def main() -> int:
    """Print one line a shape and compilation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=8)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(f"{options.backend}, {options.threads} threads, load {os.getloadavg()[0]:.1f}\n")
    ways = ("none", "banded", "spanning")
    print(f"{'map':<12}{'kernel':<13}{'padding':<9}{'':<7}" + "".join(f"{w:>10}" for w in ways))
    for shape, kernel, padding in CASES:
        for jit_compile in (False, True) if options.backend == "tensorflow" else (True,):
            chosen, runs = contenders(shape, kernel, padding, jit_compile)
            times = race(runs, options.repeats)
            cells = "".join(
                f"{times[w]:>9.1f}{'*' if w == chosen else ' '}" if w in times else f"{'-':>9} "
                for w in ways
            )
            names = ("x".join(map(str, sizes)) for sizes in (shape, kernel))
            line = "".join(f"{name:<12} " for name in names)
            print(f"{line}{padding:<8}{'XLA' if jit_compile else 'plain':<7}{cells}", flush=True)
    return 0


def race(runs, repeats: int) -> dict[str, float]:
    """Milliseconds of each one's best repetition, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat >= 2:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: min(values) for name, values in times.items()}


def contenders(shape, kernel, padding, jit_compile: bool):
    """The lowering that "auto" takes, and functions that each do one pass there and back."""
    import numpy as np

    from zoo.layers import SpectralConv2D

    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, *shape)).astype("float32")
    height, width, filters = kernel
    weights = rng.standard_normal((height, width, shape[2], filters)).astype("float32")
    runs = {}
    for lowering in ("none", "banded", "spanning"):
        if lowering == "spanning" and (height != shape[0] or padding != "valid"):
            continue
        layer = SpectralConv2D(filters, (height, width), padding=padding, lowering=lowering)
        layer.build(x.shape)
        layer.kernel.assign(weights)
        runs[lowering] = gradients(layer, x, jit_compile)
    auto = SpectralConv2D(filters, (height, width), padding=padding)
    return auto._lowered(*shape), runs


def gradients(layer, x, jit_compile: bool):
    """A function of no argument: the layer's outputs and the gradients of their squares' sum."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        weights = [variable.value for variable in layer.trainable_variables]

        def loss(weights, x):
            out, _ = layer.stateless_call(weights, [], x)
            return keras.ops.sum(out * out)

        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        x = jax.device_put(x)
        return lambda: jax.block_until_ready(step(weights, x))

    import tensorflow as tf

    x = tf.constant(x)

    @tf.function(jit_compile=jit_compile)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = layer(x)
            loss = tf.reduce_sum(out * out)
        return tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    return step


if __name__ == "__main__":
    sys.exit(main())
