"""Exporting a run as a numbered TensorFlow SavedModel."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from zoo.errors import RunError, UsageError
from zoo.files import make_folder, os_failure


def next_version(out: str | Path) -> int:
    """The lowest number above every numbered folder in `out`."""
    out = Path(out)
    numbers = [int(f.name) for f in out.iterdir() if f.name.isdecimal()] if out.is_dir() else []
    return max(numbers, default=0) + 1


def write_version(out: str | Path, version: int | None, write: Callable[[Path], None]) -> Path:
    """Fill a hidden folder in `out` by `write`, then give it its number.

    Args:
        out: base folder, made if needed.
        version: the number; None for the next free one.
        write: called with the folder to write into; if it raises, nothing stays.

    Returns:
        `out`/<version>.

    Raises:
        UsageError: `version` is not positive, or exists already.
        RunError: the folder cannot be written.
    """
    out = Path(out)
    if version is not None and version < 1:
        raise UsageError(f"the version must be 1 or more; received {version}.")
    if version is not None and (out / str(version)).exists():
        raise UsageError(
            f"{out / str(version)} exists already; choose another version, or none for the next."
        )
    make_folder(out)
    # Servers look for folders named by a number alone, so they do not see this one.
    temporary = out / f".{os.getpid()}.tmp"
    try:
        temporary.mkdir()
        write(temporary)
        return _publish(temporary, out, version)
    except OSError as error:
        raise os_failure(error, f"cannot write into {out}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary: Path, out: Path, version: int | None) -> Path:
    while True:
        final = out / str(next_version(out) if version is None else version)
        try:
            os.rename(temporary, final)
            return final
        except OSError as error:
            # Another export took this number meanwhile.
            if version is None and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            raise


def export_savedmodel(run: str | Path, out: str | Path, version: int | None = None) -> Path:
    """Export a classifier's run to `out`/<version>, with its preprocessing inside.

    Signatures: `serving_default` takes `spectrogram` (N, F, T, C), the representation before the
    mean is subtracted; `waveform` takes `waveform` (N, samples) at the front end's rate, one
    segment a row; `wav_bytes` takes `wav` (N,), the contents of WAV files. All answer with
    `probabilities` (N, classes), `phones` (N, 5) strings, best first, and `scores` (N, 5).

    Args:
        run: a run folder.
        out: base folder, made if needed; nothing half-written is left in it.
        version: number of the new version; None for the next free one.

    Returns:
        The new version's folder.

    Raises:
        UsageError: `run` is no classifier's run, or `version` exists.
        RunError: the export cannot be written.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"a SavedModel is exported with Keras on TensorFlow, not on {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow (runs of every backend load)."
        )
    import tensorflow as tf

    from export.card import write_card
    from export.signatures import ClassifierModule
    from zoo.data.frontend import Frontend
    from zoo.inference import from_model, run_classes
    from zoo.saving import load

    run = Path(run)
    if not run.is_dir():
        raise UsageError(f"{run} is no run folder.")
    frontend, classes = Frontend.load(run), run_classes(run)
    model = load(run)
    from_model(model, frontend, classes)  # says what does not fit, before anything is written
    module = ClassifierModule(model, frontend, classes)

    def write(folder: Path) -> None:
        try:
            tf.saved_model.save(module, str(folder), signatures=module.signatures())
        except tf.errors.OpError as error:
            raise RunError(f"cannot write into {out}: {error.message}") from error
        write_card(folder, run, frontend, classes)

    return write_version(out, version, write)
