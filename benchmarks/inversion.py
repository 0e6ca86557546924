"""Reconstruction of inputs: gradient descent against PyTorch, annealing against one at a time.

    python benchmarks/inversion.py [--threads N] [--steps N] [--repeats N] [--layers NAME ...]

48 inputs of `freq_overlap` are searched for together. Gradient descent with the bold driver runs
as `zoo.inversion` has it and as a loop that one writes in PyTorch, both from the same start, with
the same weights and rate; PyTorch with both of its memory formats. First the errors of the first
steps are compared, and a difference of more than 1e-3 fails; then the contenders take turns, and
the best repetition of each counts, which other work on the machine disturbs least. The time is that
of a whole search: ours is traced anew every time, which is in it.

Annealing is timed on the batch and on its inputs one by one, in neighbours tried a second.

A ratio above 1 means that ours, or the batch, is faster.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# PyTorch's threads would spin after their turn and take the next one's time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

INPUTS = 48
LAYERS = ("conv1", "pool1", "pool2", "pool3", "fc2")
CHECKED_STEPS = 10
RATE, L2 = 0.02, 1e-4


def main() -> int:
    """Print one line a layer and search; 1 if the errors disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=LAYERS)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("the comparison needs PyTorch: pip install torch", file=sys.stderr)
        return 1
    import keras
    import numpy as np
    import tensorflow as tf

    import zoo

    torch.set_num_threads(options.threads)
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    print(
        f"Keras {keras.__version__} on TensorFlow {tf.__version__}, PyTorch {torch.__version__}, "
        f"{options.threads} threads, load {os.getloadavg()[0]:.1f}; {INPUTS} inputs\n"
    )
    keras.utils.set_random_seed(0)
    model = zoo.build("freq_overlap")
    rng = np.random.default_rng(0)
    inputs, start = (
        rng.normal(0, (0.6, 0.06), (INPUTS, *model.input_shape[1:], 2))
        .astype("float32")
        .transpose(4, 0, 1, 2, 3)
    )
    agreed = True
    print(f"{'gradient descent':<18}{'ours':>10}{'PyTorch':>12}{'channels_last':>16}{'ratio':>8}")
    for layer in options.layers:
        runs = searches(model, layer, inputs, start)
        agreed &= check_errors(layer, runs)
        best = race(runs, options)
        theirs = min(v for k, v in best.items() if k != "ours")
        cells = "".join(f"{1000 * v / options.steps:>11.2f}" for v in best.values())
        print(f"  {layer:<15}{cells}  ms a step, {theirs / best['ours']:.2f}x", flush=True)
    print(f"\n{'annealing':<18}{'together':>10}{'one by one':>12}")
    for layer in ("conv1", "pool3"):
        together, alone = annealing_rates(model, layer, inputs, start, options)
        print(
            f"  {layer:<15}{together:>11.0f}{alone:>12.0f}  neighbours/s, {together / alone:.1f}x"
        )
    return 0 if agreed else 1


def searches(model, layer, inputs, start):
    """Who -> function of a number of steps that gives the errors, (steps + 1, N)."""
    import torch

    from zoo.inversion.activity import activity_model
    from zoo.inversion.backend import outputs
    from zoo.inversion.descent import GradientSettings, descend

    network = activity_model(model, layer)
    target = outputs(network, inputs)

    def ours(steps):
        settings = GradientSettings(steps=steps, learning_rate=RATE, l2=L2)
        return descend(network, target, start, settings).history

    found = {"ours": ours}
    for layout in (torch.contiguous_format, torch.channels_last):
        who = "PyTorch" + (" channels_last" if layout is torch.channels_last else "")
        found[who] = pytorch_search(network, inputs, start, layout)
    return found


def pytorch_search(network, inputs, start, layout):
    """The same search as a loop in PyTorch."""
    import torch

    forward = pytorch_forward(network, layout)

    def tensor(x):
        return torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)

    with torch.no_grad():
        target = forward(tensor(inputs))

    def search(steps):
        x = tensor(start).clone(memory_format=torch.preserve_format)
        factor = torch.ones(len(x))
        history, last = [], None
        for step in range(steps + 1):
            x = x.detach().requires_grad_()
            axes = tuple(range(1, target.ndim))
            error = 0.5 * ((forward(x) - target) ** 2).sum(axes)
            error = error + 0.5 * L2 * (x**2).sum((1, 2, 3))
            (gradient,) = torch.autograd.grad(error.sum(), x)
            error = error.detach()
            if last is not None:
                factor = factor * torch.where(error < last, 1.01, 0.9)
            last = error
            history.append(error)
            if step < steps:
                x = x.detach() - RATE * factor[:, None, None, None] * gradient
        return torch.stack(history).numpy()

    return search


def pytorch_forward(network, layout):
    """The network in PyTorch, as a function of (N, C, F, T)."""
    import torch
    from torch.nn import functional

    steps = []
    for layer in network.layers:
        kind = type(layer).__name__
        weights = [torch.tensor(w) for w in layer.get_weights()]
        if "Conv" in kind:
            kernel = weights[0].permute(3, 2, 0, 1).contiguous(memory_format=layout)
            steps.append(lambda x, k=kernel, b=weights[1]: functional.conv2d(x, k, b))
        elif kind == "Dense":
            kernel = weights[0].T.contiguous()
            steps.append(lambda x, k=kernel, b=weights[1]: functional.linear(x, k, b))
        elif kind == "Activation":
            steps.append(functional.relu)
        elif kind == "MaxPooling2D":
            pool = (layer.pool_size, layer.strides)
            steps.append(lambda x, p=pool: functional.max_pool2d(x, *p))
        elif kind == "Flatten":
            steps.append(lambda x: x.permute(0, 2, 3, 1).flatten(1))

    def forward(x):
        for step in steps:
            x = step(x)
        return x

    return forward


def check_errors(layer, runs) -> bool:
    """Whether all searches have the same errors in their first steps."""
    import numpy as np

    found = {who: run(CHECKED_STEPS).mean(axis=1) for who, run in runs.items()}
    off = max(np.abs(v / found["PyTorch"] - 1).max() for v in found.values())
    if off > 1e-3:
        print(f"  {layer}: the errors disagree by {off:.1e}", file=sys.stderr)
    return bool(off <= 1e-3)


def race(runs, options) -> dict[str, float]:
    """Best time of each, in seconds, in turns."""
    times: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(options.repeats + 1):
        for who, run in runs.items():
            begin = time.perf_counter()
            run(options.steps)
            times[who].append(time.perf_counter() - begin)
    # The first calls warm up.
    return {who: min(values[1:]) for who, values in times.items()}


def annealing_rates(model, layer, inputs, start, options) -> tuple[float, float]:
    """Neighbours tried a second, of the batch and one input after the other."""
    from zoo.inversion.activity import activity_model
    from zoo.inversion.annealing import AnnealingSettings, anneal
    from zoo.inversion.backend import outputs

    network = activity_model(model, layer)
    target = outputs(network, inputs)

    def seconds(rows, steps):
        """Of `steps` steps, less what a search takes to begin."""
        best = []
        for count in (1, steps + 1):
            settings = AnnealingSettings(steps=count)
            times = []
            for _ in range(2):
                begin = time.perf_counter()
                anneal(network, target[rows], start[rows], settings)
                times.append(time.perf_counter() - begin)
            best.append(min(times))
        return best[1] - best[0]

    together = INPUTS * options.steps / seconds(slice(None), options.steps)
    return together, options.steps / seconds(slice(0, 1), options.steps)


if __name__ == "__main__":
    sys.exit(main())
