"""Importing Keras and its backend, and calling what they hold, without their many messages."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


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
    """Import Keras; what its backend prints meanwhile is shown only if that fails.

    TensorFlow tells of missing GPUs and rounding on every start, before any log level is heeded.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras  # noqa: F401
