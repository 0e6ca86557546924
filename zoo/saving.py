"""Loading models and weights from run folders and Keras files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, nearest
from zoo.presets import recorded_digest, run_or_preset
from zoo.startup import check_backend
from zoo.weights import weights_cards

if TYPE_CHECKING:
    import keras

MODEL_NAME = "model.keras"


def model_path(path: str | Path) -> Path:
    """The Keras file that `path`, a run folder, a preset's name or the file itself, stands for.

    Raises:
        UsageError: there is none.
    """
    path = Path(run_or_preset(str(path)))
    if path.is_dir():
        if not (path / MODEL_NAME).is_file():
            raise UsageError(
                f"{path} holds no {MODEL_NAME}: it is no run folder, or its training has not "
                "ended its first epoch (zoo train)."
            )
        return path / MODEL_NAME
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist; a run folder, a .keras file or the name of weights that ship "
            f"was expected. {nearest(path.name, weights_cards(), 'weight')}"
        )
    return path


def _verified(path: Path) -> Path:
    """`path`, if it is what its preset or the weights' card was written with.

    Raises:
        UsageError: it is not.
    """
    from zoo.files import sha256

    digest = recorded_digest(path.parent)
    if digest is not None and digest != sha256(path):
        raise UsageError(
            f"{path} is not the file that its card was written with (its SHA-256 differs); "
            "install the package again, or write the preset anew."
        )
    return path


def _checked(path: Path) -> Path:
    """`path`, if a .keras file is an archive of what Keras writes into one.

    Raises:
        UsageError: it is not.
    """
    if path.suffix == ".keras":
        try:
            with zipfile.ZipFile(path) as archive:
                missing = {"config.json", "model.weights.h5"} - set(archive.namelist())
        except zipfile.BadZipFile:
            raise UsageError(f"{path} is no Keras file, or it is damaged or cut short.") from None
        if missing:
            raise UsageError(f"{path} is no Keras file: it has no {min(missing)}.")
    return path


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def load(path: str | Path) -> keras.Model:
    """Load a model from a run folder or a `.keras` file, in safe mode.

    Raises:
        UsageError: there is no such model, or the file is not one.
    """
    check_backend()
    import keras

    import zoo.layers  # noqa: F401, registers what the file names

    path = _checked(_verified(model_path(path)))
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{path} cannot be loaded as a Keras model: {_first_line(error)}"
        ) from error


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Load weights into `model` from a run folder, a `.keras` or a `.weights.h5` file.

    Raises:
        UsageError: there are none, or they are another architecture's.
    """
    path = _verified(model_path(path))
    if path.suffix != ".keras" and not path.name.endswith(".weights.h5"):
        raise UsageError(f"{path} is neither a .keras nor a .weights.h5 file.")
    _checked(path)
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"the weights of {path} do not fit {model.name}: {_first_line(error)}"
        ) from error
