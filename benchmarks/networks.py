"""Every network of the zoo, beside the same network in PyTorch and beside the machine's limits.

    python -m benchmarks networks                      # or, with options:
    python benchmarks/networks.py [--only PATTERN] [--backend tensorflow|jax] [--device cpu|cuda]
                                  [--threads N] [--steps N] [--xla] [--compile] [--json FILE]

The twin in PyTorch (benchmarks/_twins.py) has the same layers and starts from the same weights; its
outputs are compared first, then the losses of both over the same steps of AdaGrad, without dropout,
which would draw differently. Then the contenders take turns, and the fastest repetition of each
counts, which other work on the machine disturbs least: training on batches of 128, inference on
batches of 1, 16 and 128, from NumPy to NumPy, ours as `zoo.classify` asks a network. PyTorch runs
with both of its memory formats, and with --compile compiled too (in its default format: the
compiler lays tensors out itself), but not for batches of 1 and 16; ours as Keras has it, and
compiled by XLA with --xla. On a card both may multiply in TF32, as JAX does unless told otherwise.
The ratio is that of the fastest of each; above 1 ours is faster. Without PyTorch ours is measured
alone.

The limits are this machine's, measured in the same run: a product of two float32 matrices, and a
copy of memory. A network's bound is what its multiply-adds take at the rate of the product, or its
tensors and weights (each written once and read once) at that of the copy, whichever is longer;
"share" is bound / time. A step of training counts three times as much as a forward pass.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import functools
import gc
import importlib.util
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

BATCHES = (1, 16, 128)
TRAINED = 128
CHECKED_STEPS = 3
TOLERANCE = {"cpu": 1e-3, "cuda": 2e-2}
"""Relative, of outputs and losses; TF32 has ten bits of a product's factors."""
RATE, ACCUMULATOR, EPSILON = 0.01, 0.1, 1e-7
PLANE, FRAMES, SAMPLES = (201, 16), 100, 2000
"""Lengths that unknown axes are measured at: spectrograms of segments, recordings, waveforms."""


def main() -> int:
    """Print the table; 1 if an output or a loss differs from PyTorch's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="*", help="pattern, or names with commas")
    parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    # PyTorch's threads would spin after their turn and take the next one's time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    import zoo
    from zoo.startup import clear_session, start_backend

    start_backend()
    warnings.filterwarnings("ignore", "The structure of `inputs`|Using padding='same'")
    patterns = options.only.split(",")
    names = [n for n in zoo.list_models() if any(fnmatch.fnmatch(n, p) for p in patterns)]
    limits = machine_limits(options.device)
    print(heading(options, limits), flush=True)
    rows, agreed = [], True
    for name in names:
        row = measured(name, options)
        # Other work may have disturbed them before.
        again = machine_limits(options.device)
        limits = {limit: max(value, again[limit]) for limit, value in limits.items()}
        rows = [{**row, **shares(row, limits)} for row in [*rows, row]]
        agreed &= row.get("agreed", True)
        print(line(rows[-1]), flush=True)
        if options.json is not None:
            record = {"limits": limits, "load": os.getloadavg()[0], "rows": rows}
            options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        clear_session()
        gc.collect()
    for phase in phases():
        ratios = [row[phase]["ratio"] for row in rows if "ratio" in row[phase]]
        if ratios:
            slower = [r["name"] for r in rows if r[phase].get("ratio", 1) < 1]
            print(
                f"\n{phase}: median ratio {statistics.median(ratios):.2f}, least "
                f"{min(ratios):.2f}; slower than PyTorch: {', '.join(slower) or 'none'}"
            )
    return 0 if agreed else 1


def phases() -> list[str]:
    """Training, and inference at every batch."""
    return ["training", *(f"inference_{batch}" for batch in BATCHES)]


def machine_limits(device: str) -> dict[str, float]:
    """Multiply-adds a second of a matrix product, and bytes a second of a copy, read and written.

    Args:
        device: where PyTorch and Keras compute.
    """
    import keras
    import numpy as np

    size, floats = (8192, 2**28) if device == "cuda" else (1024, 2**24)
    a = keras.ops.convert_to_tensor(np.ones((size, size), "float32"))
    long = keras.ops.convert_to_tensor(np.ones(floats, "float32"))
    from zoo.ops.compilation import compiled

    product, copy = compiled(keras.ops.matmul), compiled(lambda x: x + 1)
    return {
        "multiply_adds": size**3 / fastest({"": lambda: waited(product(a, a))}, 20)[""],
        "bytes": 8 * floats / fastest({"": lambda: waited(copy(long))}, 20)[""],
    }


def waited(x: Any) -> Any:
    """The tensor, computed: backends answer before they have."""
    if hasattr(x, "block_until_ready"):
        return x.block_until_ready()
    return x.shape


def fastest(runs: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Seconds of each one's fastest repetition, taking turns."""
    times: dict[str, list[float]] = {who: [] for who in runs}
    for repeat in range(repeats + 2):
        for who, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat >= 2:
                times[who].append(time.perf_counter() - start)
    return {who: min(values) for who, values in times.items()}


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A network's cost, and the seconds of its contenders in every phase."""
    import numpy as np

    import zoo
    from tuning.costs import multiply_adds
    from zoo.ops.compilation import answering

    model = without_dropout(zoo.build(name))
    size = lengths(model.inputs[0].shape[1:])
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TRAINED, *size)).astype("float32")
    shape = tuple(model(x[:1]).shape[1:])
    regression = zoo.describe(name).outputs is None
    y = (
        rng.standard_normal((TRAINED, *shape)).astype("float32")
        if regression
        else rng.integers(0, shape[-1], (TRAINED, *shape[:-1])).astype("int32")
    )
    row: dict[str, Any] = {
        "name": name,
        "input": size,
        "parameters": model.count_params(),
        "multiply_adds": multiply_adds(zoo.build(name, input_shape=size)),
        "elements": elements(model, x[:1]),
    }
    weights = model.get_weights()
    answer = answering(model)
    ours, theirs = trainers(name, model, regression, options)
    if theirs:
        row.update(compared(name, model, answer, regression, options, x, y))
        model.set_weights(weights)
    row["training"] = rated(ours, theirs, options.steps, x, y)
    for batch in BATCHES:
        theirs = inferrers(model, options, compiled=options.compile and batch == TRAINED)
        row[f"inference_{batch}"] = rated({"Keras": answer}, theirs, options.steps, x[:batch])
    return row


def without_dropout(model: Any) -> Any:
    """The model, whose dropout layers pass everything."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


def lengths(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """The shape with lengths for its unknown axes."""
    if len(shape) == 2:
        return tuple(n or SAMPLES for n in shape)  # type: ignore[return-value]
    if shape[0] is None:
        return (*PLANE, shape[2] or 1)
    return (shape[0], shape[1] or FRAMES, shape[2] or 1)


def elements(model: Any, x: Any) -> int:
    """Numbers in all tensors between a network's layers, for one example."""
    import keras

    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    tensors = {id(t): t for node in nodes for t in node.outputs}.values()
    if all(None not in t.shape[1:] for t in tensors):
        return sum(_product(t.shape[1:]) for t in tensors)
    outputs = keras.Model(model.inputs, list(tensors))(x)
    return sum(_product(t.shape[1:]) for t in outputs)


def _product(shape: Any) -> int:
    total = 1
    for n in shape:
        total *= int(n)
    return total


def trainers(
    name: str, source: Any, regression: bool, options: argparse.Namespace, exact: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Functions (x, y) -> loss that each train a network of their own by one step."""
    import keras

    import zoo
    from zoo.ops.compilation import fusing

    def step(x: Any, y: Any, model: Any) -> Any:
        # As `zoo train` traces it.
        with fusing():
            return model.train_on_batch(x, y)

    ours = {}
    for xla in (False, True) if options.xla and options.backend == "tensorflow" else (False,):
        model = without_dropout(zoo.build(name))
        model.set_weights(source.get_weights())
        model.compile(
            keras.optimizers.Adagrad(RATE, ACCUMULATOR, epsilon=EPSILON),
            "mse" if regression else "sparse_categorical_crossentropy",
            jit_compile=xla or "auto",
        )
        ours["Keras with XLA" if xla else "Keras"] = functools.partial(step, model=model)
    theirs = {
        who: _torch_trainer(twin, regression, options, layout)
        for who, twin, layout in twins(
            source,
            options,
            # Whether both compute the same is asked of plain PyTorch.
            compiled=options.compile and not exact,
            logits=not regression,
            exact=exact,
        )
    }
    return ours, theirs


def twins(
    source: Any, options: argparse.Namespace, compiled: bool = False, **arguments: bool
) -> Any:
    """Name, twin and memory format of PyTorch's contenders; none where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return
    import torch
    from _twins import Twin

    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    planes = len(source.inputs[0].shape) == 4
    for layout in (torch.contiguous_format, torch.channels_last)[: 1 + planes]:
        twin = Twin(source, **arguments).to(options.device)
        yield "PyTorch" + (" channels_last" if layout is torch.channels_last else ""), twin, layout
    if compiled:
        twin = Twin(source, **arguments).to(options.device)
        yield "PyTorch compiled", torch.compile(twin), torch.contiguous_format


def _torch_trainer(twin: Any, regression: bool, options: argparse.Namespace, layout: Any) -> Any:
    import torch
    from _twins import torch_input
    from torch.nn import functional

    weights = [p for p in twin.parameters() if p.requires_grad]
    optimizer = torch.optim.Adagrad(
        weights, RATE, initial_accumulator_value=ACCUMULATOR, eps=EPSILON
    )
    twin.train()

    def step(x: Any, y: Any) -> float:
        output = twin(torch_input(x, options.device, layout))
        target = torch.from_numpy(y).to(options.device)
        if regression:
            loss = functional.mse_loss(output, target)
        else:
            loss = functional.cross_entropy(output.flatten(0, -2), target.flatten().long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inferrers(source: Any, options: argparse.Namespace, compiled: bool = False) -> dict[str, Any]:
    """Functions x -> output of PyTorch's contenders, both in NumPy's memory."""
    return {
        who: _torch_inferrer(twin.eval(), options, layout)
        for who, twin, layout in twins(source, options, compiled)
    }


def _torch_inferrer(twin: Any, options: argparse.Namespace, layout: Any) -> Any:
    import torch
    from _twins import torch_input

    def run(x: Any) -> Any:
        with torch.inference_mode():
            return twin(torch_input(x, options.device, layout)).cpu().numpy()

    return run


def compared(
    name: str,
    source: Any,
    answer: Any,
    regression: bool,
    options: argparse.Namespace,
    x: Any,
    y: Any,
) -> dict[str, Any]:
    """How far the twin's outputs and its losses over the first steps are off ours."""
    import numpy as np

    reference, theirs = answer(x[:8]), inferrers(source, options)
    # Not the largest difference: one rounded maximum moves a value that is unpooled by its switch.
    off = max(float(np.linalg.norm(run(x[:8]) - reference)) for run in theirs.values())
    scale = float(np.linalg.norm(reference))
    ours, theirs = trainers(name, source, regression, options, exact=True)
    losses = {
        who: [float(step(x, y)) for _ in range(CHECKED_STEPS)]
        for who, step in {**ours, **theirs}.items()
    }
    expected = losses["Keras"]
    losing = max(
        abs(v / e - 1) for values in losses.values() for v, e in zip(values, expected, strict=True)
    )
    return {
        "output_off": off / scale,
        "loss_off": losing,
        "agreed": max(off / scale, losing) < TOLERANCE[options.device],
    }


def rated(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], steps: int, *batch: Any
) -> dict[str, Any]:
    """Seconds of all contenders, and how many times faster the fastest of ours is."""
    runs = {who: (lambda run=run: run(*batch)) for who, run in {**ours, **theirs}.items()}
    seconds = fastest(runs, steps)
    found: dict[str, Any] = {"seconds": seconds, "ours": min(seconds[who] for who in ours)}
    if theirs:
        found["theirs"] = min(seconds[who] for who in theirs)
        found["ratio"] = found["theirs"] / found["ours"]
    return found


def shares(row: Mapping[str, Any], limits: Mapping[str, float]) -> dict[str, Any]:
    """The phases of a row with the share of the machine's limits that each reaches."""
    found = {}
    for phase in phases():
        batch = TRAINED if phase == "training" else int(phase.rpartition("_")[2])
        times = 3 if phase == "training" else 1
        # Written by one layer and read by the next, of 4 bytes.
        moved = 2 * 4 * (batch * row["elements"] + row["parameters"])
        bound = times * max(
            batch * row["multiply_adds"] / limits["multiply_adds"], moved / limits["bytes"]
        )
        found[phase] = {**row[phase], "bytes": times * moved, "share": bound / row[phase]["ours"]}
    return found


def heading(options: argparse.Namespace, limits: Mapping[str, float]) -> str:
    """What is measured on what, and the columns."""
    import keras

    versions = f"Keras {keras.__version__} on {options.backend}"
    with contextlib.suppress(ImportError):
        import torch

        versions += f", PyTorch {torch.__version__}"
    first = (
        f"{versions}, {options.device}, {options.threads} threads, load {os.getloadavg()[0]:.1f}; "
        f"matrix product {limits['multiply_adds'] / 1e9:.1f} G multiply-adds/s, copy "
        f"{limits['bytes'] / 1e9:.1f} GB/s\n"
        "times of one step in ms, ratio to PyTorch, share of the bound\n"
    )
    columns = "".join(f"{phase.replace('_', ' '):>26}" for phase in phases())
    return f"{first}\n{'network':<20}{'M mult-adds':>12}{'MB a step':>11}{columns}{'loss off':>10}"


def line(row: Mapping[str, Any]) -> str:
    """A network's row."""
    text = f"{row['name']:<20}{row['multiply_adds'] / 1e6:>12.2f}"
    text += f"{row['training']['bytes'] / 1e6:>11.0f}"
    for phase in phases():
        found = row[phase]
        ratio = f"{found['ratio']:.2f}x" if "ratio" in found else "-"
        text += f"{1e3 * found['ours']:>12.2f}{ratio:>8}{found['share']:>6.0%}"
    off = f"{row['loss_off']:.0e}" if "loss_off" in row else "-"
    return text + f"{off:>10}" + ("" if row.get("agreed", True) else "  DIFFERS")


if __name__ == "__main__":
    sys.exit(main())
