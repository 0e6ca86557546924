"""Training rate of a classifier and of an autoencoder, against the same networks in PyTorch.

    python benchmarks/training.py [--backend tensorflow|jax] [--threads N] [--steps N]

`freq_fullpad` (without dropout, which would draw differently) and `freq_fullpad_ae` with four
units and switches are trained on batches of 128 spectrograms by AdaGrad. The PyTorch twins start
from the same weights and see the same batches. First every contender's losses over the same steps
are compared, and a difference of more than 1e-3 fails; then they take turns, step by step, and
the median step of each counts. PyTorch runs with both of its memory formats, ours with and
without XLA; the ratio is that of the faster of each.

PyTorch's `MaxUnpool2d` assigns as ours does where regions overlap, but sends the gradient of a
shared element to every value that fell on it. For the losses the twin is corrected; for the rate
it runs as PyTorch gives it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

BATCH = 128
CHECKED_STEPS = 5
RATE, ACCUMULATOR, EPSILON = 0.01, 0.1, 1e-7


def main() -> int:
    """Print the losses and the rates of both networks; 1 if the losses disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # PyTorch's threads would spin after their turn and take the next one's time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch
    except ImportError:
        print("the comparison needs PyTorch: pip install torch", file=sys.stderr)
        return 1
    import keras
    import numpy as np

    torch.set_num_threads(options.threads)
    if options.backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(f"Keras {keras.__version__} on {options.backend}, PyTorch {torch.__version__}, ", end="")
    print(f"{options.threads} threads, load {os.getloadavg()[0]:.1f}")
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((BATCH, 201, 16, 1)).astype("float32") for _ in range(4)]
    labels = [rng.integers(0, 48, BATCH) for _ in range(4)]
    agreed = True
    for name in ("freq_fullpad", "freq_fullpad_ae"):
        print(f"\n{name}")
        targets = batches if name.endswith("_ae") else labels
        agreed &= check_losses(name, batches, targets, options.backend)
        compare_rates(name, batches, targets, options)
    return 0 if agreed else 1


def check_losses(name, batches, targets, backend: str) -> bool:
    """Whether all contenders lose alike over the first steps."""
    losses = {
        who: [float(step(batches[i % 4], targets[i % 4])) for i in range(CHECKED_STEPS)]
        for who, step in contenders(name, backend, exact=True).items()
    }
    reference = losses["PyTorch"]
    agreed = True
    for who, values in losses.items():
        off = max(abs(v / r - 1) for v, r in zip(values, reference, strict=True))
        agreed &= off <= 1e-3
        print(f"  loss {who:<24}" + "".join(f"{v:>11.5f}" for v in values) + f"   off {off:.0e}")
    return agreed


def compare_rates(name, batches, targets, options) -> None:
    """Print the examples a second of each contender and the ratio of the fastest two."""
    steps = contenders(name, options.backend, exact=False)
    times: dict[str, list[float]] = {who: [] for who in steps}
    for number in range(options.steps + 5):
        for who, step in steps.items():
            start = time.perf_counter()
            step(batches[number % 4], targets[number % 4])
            if number >= 5:
                times[who].append(time.perf_counter() - start)
    rates = {who: BATCH / sorted(values)[len(values) // 2] for who, values in times.items()}
    for who, rate in rates.items():
        print(f"  rate {who:<24}{rate:>9.0f} examples/s")
    ours = max((rate, who) for who, rate in rates.items() if "PyTorch" not in who)
    theirs = max((rate, who) for who, rate in rates.items() if "PyTorch" in who)
    print(f"  {ours[1]} is {ours[0] / theirs[0]:.2f} times as fast as {theirs[1]}")


def contenders(name, backend: str, exact: bool):
    """Functions (batch, target) -> loss that each train a model of their own by one step."""
    import keras
    import torch

    import zoo

    keras.utils.set_random_seed(0)
    arguments = {"units": 4} if name.endswith("_ae") else {"dropout": 0.0}
    source = zoo.build(name, **arguments)
    steps = {}
    for jit_compile in (False, True) if backend == "tensorflow" else (True,):
        model = zoo.build(name, **arguments)
        model.set_weights(source.get_weights())
        model.compile(
            keras.optimizers.Adagrad(RATE, ACCUMULATOR, epsilon=EPSILON),
            "mse" if name.endswith("_ae") else "sparse_categorical_crossentropy",
            jit_compile=jit_compile,
        )
        steps[backend + (" with XLA" if jit_compile else "")] = model.train_on_batch
    for layout in (torch.contiguous_format, torch.channels_last):
        who = "PyTorch" + (" channels_last" if layout is torch.channels_last else "")
        steps[who] = pytorch_step(source, layout, exact)
    return steps


def pytorch_step(source, layout, exact: bool):
    """One step of training the PyTorch twin of the Keras model `source`."""
    import torch
    from torch.nn import functional

    weights = [torch.tensor(array).requires_grad_() for array in twin_weights(source)]
    autoencoder = source.name.endswith("_ae")
    pools = [
        (layer.pool_size, layer.strides) for layer in source.layers if layer.name.startswith("pool")
    ]
    optimizer = torch.optim.Adagrad(
        weights, RATE, initial_accumulator_value=ACCUMULATOR, eps=EPSILON
    )
    run = decode if autoencoder else classify

    def step(batch, target):
        x = torch.from_numpy(batch.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)
        output = run(x, weights, pools, exact)
        loss = (
            functional.mse_loss(output, x)
            if autoencoder
            else functional.cross_entropy(output, torch.from_numpy(target))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def twin_weights(source):
    """The model's weights in PyTorch's layout: (filters, channels, h, w) and (outputs, inputs)."""
    for array in source.get_weights():
        if array.ndim == 4:
            yield array.transpose(3, 2, 0, 1).copy()
        else:
            yield array.T.copy()


def classify(x, weights, pools, exact):
    """Logits."""
    from torch.nn import functional

    parameters = iter(weights)
    for pool, strides in pools:
        x = functional.conv2d(x, next(parameters), next(parameters), padding="same")
        x = functional.relu(functional.max_pool2d(x, pool, strides))
    x = x.flatten(1)
    x = functional.relu(functional.linear(x, next(parameters), next(parameters)))
    x = functional.relu(functional.linear(x, next(parameters), next(parameters)))
    return functional.linear(x, next(parameters), next(parameters))


def decode(x, weights, pools, exact):
    """The reconstruction."""
    from torch.nn import functional

    parameters, undo = iter(weights), []
    for pool, strides in pools:
        x = functional.conv2d(x, next(parameters), next(parameters), padding="same")
        size = x.shape
        x, where = functional.max_pool2d(x, pool, strides, return_indices=True)
        x = functional.relu(x)
        undo.append((pool, strides, where, size))
    for number, (pool, strides, where, size) in enumerate(reversed(undo)):
        x = functional.relu(x) if number else x
        if exact:
            x = without_losers(x, where, size)
        x = functional.max_unpool2d(x, where, pool, strides, output_size=size[2:])
        kernel, bias = next(parameters), next(parameters)
        # "same" padding of an even filter is one longer behind, so that the adjoint is cut there.
        edges = [(n - 1) // 2 for n in kernel.shape[2:]]
        x = functional.conv_transpose2d(x, kernel, bias, padding=edges)[..., : size[2], : size[3]]
    return x


def without_losers(values, where, size):
    """The values, with those that a later region overwrites set to zero without a gradient."""
    import torch

    order = torch.arange(values[0, 0].numel()).reshape(values.shape[2:]).expand(where.shape)
    last = torch.full((*size[:2], size[2] * size[3]), -1)
    last.scatter_reduce_(2, where.flatten(2), order.flatten(2), "amax")
    won = last.gather(2, where.flatten(2)).reshape(where.shape) == order
    return torch.where(won, values, torch.zeros_like(values))


if __name__ == "__main__":
    sys.exit(main())
