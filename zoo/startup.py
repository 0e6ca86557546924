"""Keras' backend: how it is chosen, and its import without messages.

The user's choice counts: the variable `KERAS_BACKEND`, then `~/.keras/keras.json`, then Keras' own
default, TensorFlow. If the variable is not set and the backend that Keras would take is not
installed, `import zoo` sets the variable to the first of TensorFlow, JAX and PyTorch that is. A
process that has already imported Keras keeps its backend.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import UsageError, nearest
from zoo.extras import installed
from zoo.interrupts import held

VARIABLE = "KERAS_BACKEND"
BACKENDS = ("tensorflow", "jax", "torch")
"""Backends in the order of preference."""

_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
_REPEATABLE = {"TF_DETERMINISTIC_OPS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
_JAX_FLAG = "--xla_gpu_deterministic_ops=true"


def configured_backend() -> str:
    """The backend that Keras takes when it is imported here."""
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    # As Keras does: a file that is missing or damaged says nothing.
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        return str(json.loads(Path(home, "keras.json").read_text(encoding="utf-8"))["backend"])
    return BACKENDS[0]


_stopgap: str | None = None
"""What `choose_backend` set the variable to."""


def choose_backend() -> None:
    """Make Keras use an installed backend, unless the environment names one."""
    global _stopgap
    if "keras" in sys.modules or os.environ.get(VARIABLE) or installed(configured_backend()):
        return
    _stopgap = next(filter(installed, BACKENDS), None)
    if _stopgap is not None:
        os.environ[VARIABLE] = _stopgap


def backend_asked_for() -> bool:
    """Whether the user chose a backend: by the variable, or by another than the default in Keras'
    file, which Keras itself writes."""
    named = os.environ.get(VARIABLE)
    if named:
        return named != _stopgap
    return configured_backend() != BACKENDS[0]


def check_backend() -> None:
    """Check that Keras can be imported.

    Raises:
        UsageError: its backend is not installed; the message says how to install one.
    """
    name = configured_backend()
    if "keras" in sys.modules or installed(name):
        return
    if name not in BACKENDS:
        raise UsageError(f"Keras has no backend {name!r}. {nearest(name, BACKENDS, 'backend')}")
    if any(map(installed, BACKENDS)):
        others = " or ".join(filter(installed, BACKENDS))
        raise UsageError(
            f"{VARIABLE} is {name}, which is not installed: pip install 'phone-zoo[{name}]', or "
            f"set {VARIABLE} to {others}"
        )
    raise UsageError(
        "Keras needs a backend, and none is installed: pip install 'phone-zoo[tensorflow]', or "
        "[jax], or [torch]"
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what compiled code and libraries write to stderr; show it only if the block fails."""
    sys.stderr.flush()
    ours = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(ours, said.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(ours, 2)
            os.close(ours)


def start_backend() -> None:
    """Import Keras; messages of its backend are shown only if that fails.

    TensorFlow reports missing GPUs and rounding at every start, whatever the log level.

    Raises:
        UsageError: no backend is installed.
    """
    if "keras" in sys.modules:
        return
    check_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Packages that look for one another take an interrupted import for one that is not installed.
    with held(), quiet(), hidden():
        import keras  # noqa: F401
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """Whether TensorFlow warns of something else: recordings differ in length, as they should."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Import Keras or TensorFlow in the block without their optional packages.

    JAX, where Keras does not run on it, Matplotlib and scikit-learn look as if they were not
    installed. Importing them takes a third of the time; after the block they can be imported.
    Garbage collection, which takes another fifth, is off in the block.
    """
    packages = {"jax", "matplotlib", "sklearn"} - {configured_backend(), *sys.modules}
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        for package in packages:
            del sys.modules[package]


def set_random_seed(seed: int) -> None:
    """Seed all random number generators: Python's, NumPy's and the backend's."""
    import keras

    # Keras imports TensorFlow for it wherever that is installed, with all that it prints.
    with contextlib.nullcontext() if "tensorflow" in sys.modules else quiet():
        keras.utils.set_random_seed(seed)


def compute_repeatably() -> None:
    """Make the backend give the same numbers in every process of this machine; it uses fewer
    threads.

    The result of a sum depends on the number of threads that share it, and a process that has the
    machine to itself uses more threads than one of several workers. Here TensorFlow and PyTorch
    compute every operation in one thread; JAX uses as many in every process. On GPUs, operations of
    random order are replaced. Child processes inherit this.

    Raises:
        UsageError: the backend has computed with several threads in this process already.
    """
    backend = _backend()
    inherited = _ONE_THREAD.items() <= os.environ.items()
    os.environ |= _ONE_THREAD | _REPEATABLE
    if backend == "jax":
        flags = os.environ.get("XLA_FLAGS", "").split()
        if _JAX_FLAG not in flags:
            os.environ["XLA_FLAGS"] = " ".join([*flags, _JAX_FLAG])
    if backend == "tensorflow" and "tensorflow" in sys.modules and not inherited:
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(1)
        except RuntimeError:
            raise UsageError(
                "TensorFlow has computed with several threads in this process, and deterministic "
                "training takes one; call zoo.startup.compute_repeatably() before anything is "
                "computed."
            ) from None
    if backend == "torch" and "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True, warn_only=True)


def _backend() -> str:
    """The one that Keras has, or will have."""
    if "keras" not in sys.modules:
        return configured_backend()
    import keras

    return str(keras.backend.backend())


def clear_session() -> None:
    """Make Keras forget the networks built so far, and free their memory.

    Ctrl-C waits meanwhile: the garbage collector's callbacks would lose it.
    """
    import keras

    with held():
        keras.utils.clear_session(free_memory=False)
        gc.collect()
