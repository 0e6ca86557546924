"""These tests need JAX and an environment without TensorFlow, which `make test-jax` makes.

They are collected where they are named, and nowhere else.
"""

from pathlib import Path

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path, config):
    named = (Path(config.invocation_params.dir, arg.partition("::")[0]) for arg in config.args)
    return None if any(HERE in (path, path.parent) for path in named) else True
