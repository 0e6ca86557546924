"""Training rate of a classifier and of an autoencoder, against the same networks in PyTorch.

    python benchmarks/training.py [--backend tensorflow|jax] [--threads N] [--steps N]

`freq_fullpad` (without dropout, which would draw differently) and `freq_fullpad_ae` with four
units and switches are trained on batches of 128 spectrograms by AdaGrad. The PyTorch twins
(benchmarks/_twins.py) start from the same weights and see the same batches. First every contender's
losses over the same steps are compared, and a difference of more than 1e-3 fails; then they take
turns, step by step, and the median step of each counts. PyTorch runs with both of its memory
formats, ours with and without XLA; the ratio is that of the faster of each.

PyTorch's `MaxUnpool2d` assigns as ours does where regions overlap, but sends the gradient of a
shared element to every value that fell on it. For the losses the twin is corrected; for the rate
it runs as PyTorch gives it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

BATCH = 128
CHECKED_STEPS = 5
NETWORKS = ("freq_fullpad", "freq_fullpad_ae")

Steps = Mapping[str, Callable[[Any, Any], Any]]
"""Contender -> its step of training."""


def main() -> int:
    """Print the losses and the rates of both networks; 1 if the losses disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    # PyTorch's threads would spin after their turn and take the next one's time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import torch
    except ImportError:
        print("the comparison needs PyTorch: pip install torch", file=sys.stderr)
        return 1
    from zoo.startup import start_backend

    start_backend()
    import keras
    import numpy as np

    print(f"Keras {keras.__version__} on {options.backend}, PyTorch {torch.__version__}, ", end="")
    print(f"{options.threads} threads, load {os.getloadavg()[0]:.1f}")
    # As `trainers` takes them.
    options.xla, options.device, options.compile = True, "cpu", False
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((BATCH, 201, 16, 1)).astype("float32") for _ in range(4)]
    labels = [rng.integers(0, 48, BATCH) for _ in range(4)]
    agreed = True
    for name in NETWORKS:
        print(f"\n{name}")
        targets = batches if name.endswith("_ae") else labels
        given = list(zip(batches, targets, strict=True))
        agreed &= check_losses(contenders(name, options, exact=True), given)
        compare_rates(contenders(name, options, exact=False), given, options.steps)
    return 0 if agreed else 1


def contenders(name: str, options: argparse.Namespace, exact: bool) -> Steps:
    """Functions (batch, target) -> loss that each train a model of their own by one step."""
    import keras
    from networks import trainers, without_dropout

    import zoo

    keras.utils.set_random_seed(0)
    source = without_dropout(zoo.build(name))
    ours, theirs = trainers(name, source, name.endswith("_ae"), options, exact)
    return {**ours, **theirs}


def check_losses(steps: Steps, given: Sequence[tuple[Any, Any]]) -> bool:
    """Whether all contenders lose alike over the first steps."""
    losses = {
        who: [float(step(*given[i % len(given)])) for i in range(CHECKED_STEPS)]
        for who, step in steps.items()
    }
    reference = losses["PyTorch"]
    agreed = True
    for who, values in losses.items():
        off = max(abs(v / r - 1) for v, r in zip(values, reference, strict=True))
        agreed &= off <= 1e-3
        print(f"  loss {who:<24}" + "".join(f"{v:>11.5f}" for v in values) + f"   off {off:.0e}")
    return agreed


def compare_rates(steps: Steps, given: Sequence[tuple[Any, Any]], count: int) -> None:
    """Print the examples a second of each contender and the ratio of the fastest two."""
    times: dict[str, list[float]] = {who: [] for who in steps}
    for number in range(count + 5):
        for who, step in steps.items():
            start = time.perf_counter()
            step(*given[number % len(given)])
            if number >= 5:
                times[who].append(time.perf_counter() - start)
    rates = {who: BATCH / sorted(values)[len(values) // 2] for who, values in times.items()}
    for who, rate in rates.items():
        print(f"  rate {who:<24}{rate:>9.0f} examples/s")
    ours = max((rate, who) for who, rate in rates.items() if "PyTorch" not in who)
    theirs = max((rate, who) for who, rate in rates.items() if "PyTorch" in who)
    print(f"  {ours[1]} is {ours[0] / theirs[0]:.2f} times as fast as {theirs[1]}")


if __name__ == "__main__":
    sys.exit(main())
