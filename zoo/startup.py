"""Importing Keras and its backend without their start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile


def start_backend() -> None:
    """Import Keras; what its backend prints meanwhile is shown only if that fails.

    TensorFlow tells of missing GPUs and rounding on every start, before any log level is heeded.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    ours = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import keras  # noqa: F401
        except BaseException:
            said.seek(0)
            os.write(ours, said.read())
            raise
        finally:
            os.dup2(ours, 2)
            os.close(ours)
