"""Runs: the folder of one training, by its path, a preset's name or that of weights that ship.

Only this module knows the names of a run's files:

- `config.json`: model, family, classes, shape, settings, data, versions
- the front end's files, which `zoo.data.Frontend` writes
- `state.json` and `checkpoints/`: the last whole epoch, from which an interrupted run resumes
- `units-N.keras`: a stacked autoencoder after each stage
- `logs/`: for TensorBoard
- `history.json`, then `model.keras`: curves and network of a finished run
- `viterbi.json`: the decoder of a network that transcribes
- `report.html`, where `zoo report` was asked for
- `preset.json` of a preset, or `card.json` of weights that ship: what they are, and the SHA-256 of
  the network, which is checked whenever it is loaded
- `model.onnx` of some weights that ship: the network's twin, which answers without Keras. It is
  used only if both have the SHA-256 of the card
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError, UsageError, nearest
from zoo.files import (
    emptied,
    is_temporary,
    make_folder,
    read_json,
    replacing,
    sha256,
    write_json,
)
from zoo.models.card import is_autoencoder
from zoo.startup import backend_asked_for, check_backend, start_backend
from zoo.twins import Twin

if TYPE_CHECKING:
    import keras

    from zoo.data.features.frontend import Frontend
    from zoo.decoding.decoder import Decoder

FORMAT = 1
"""Format of the folder, in `config.json`; the first runs do not have it."""

CONFIG = "config.json"
STATE = "state.json"
HISTORY = "history.json"
NETWORK = "model.keras"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
DECODER = "viterbi.json"
REPORT = "report.html"
PRESET = "preset.json"
CARD = "card.json"
TWIN = "model.onnx"

WEIGHTS = Path(__file__).with_name("weights")
"""A run folder for each of the weights that ship."""

RECOGNIZER = "tdnn-people"
"""Default weights for transcription and alignment."""

CLASSIFIER = "tdnn_segments-people"
"""Default weights for classifying segments."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Names that presets may have."""


class Run:
    """One training's folder: its settings, its state and its result.

    Attributes:
        path: the folder.
        epoch: whole epochs done; of a run that `create` gave.

    Example:
        >>> run = zoo.Run.open("freq_best-synthetic")
        >>> run.family, len(run.classes), run.model.output_shape
        ('classifier', 48, (None, 48))
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.epoch = 0

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def open(cls, place: str | Path | Run) -> Run:
        """The run at a path, or of the preset or the weights of this name.

        Args:
            place: a run folder, the name of a preset or of weights that ship, or a `Run`.

        Raises:
            UsageError: there is no run, or a later version of the zoo wrote it.
        """
        if isinstance(place, Run):
            return place
        path = resolve(place)
        if path.is_file():
            raise UsageError(
                f"{path} is a file; a run folder is required, since it records what the "
                "network was trained on."
            )
        if not is_run(path):
            # Says what is missing, where it is not the configuration alone.
            network_file(path)
            raise UsageError(f"{path} holds no {CONFIG}: it is not a run folder of zoo train.")
        run = cls(path)
        if run.config.get("format", FORMAT) > FORMAT:
            raise UsageError(
                f"{path} was written by a later version of the zoo (format "
                f"{run.config['format']}; this one reads up to {FORMAT})."
            )
        return run

    @classmethod
    def create(
        cls,
        path: str | Path,
        settings: Mapping[str, Any],
        implied: Mapping[str, Any] | None = None,
    ) -> Run:
        """Create the folder, or resume the run in it if its settings are the same.

        Args:
            path: the folder.
            settings: those that decide the result; `epochs` may grow between calls, unless the
                learning rate's schedule ends with them.
            implied: settings of runs that were begun before these could be set.

        Raises:
            UsageError: the folder holds a run with other settings, or something else.
            RunError: it cannot be written.
        """
        run = cls(path)
        # Tuples come back from a file as lists.
        wanted = json.loads(json.dumps(settings))
        if (run.path / CONFIG).exists():
            found = {**(implied or {}), **read_json(run.path / CONFIG)["settings"]}
            differing = [
                f"{key} {found.get(key)!r}, now {wanted[key]!r}"
                for key in wanted
                if (key != "epochs" or wanted.get("schedule") == "cosine")
                and found.get(key) != wanted[key]
                # An option that an older run does not know was not in use.
                and (key in found or wanted[key])
            ]
            if differing:
                raise UsageError(
                    f"{run.path} holds a run with other settings ({'; '.join(differing)}); "
                    "choose another folder or remove it."
                )
        elif run.path.is_dir() and not run._just_begun():
            raise UsageError(f"{run.path} is not empty and holds no run; choose a new folder.")
        make_folder(run.path / CHECKPOINTS)
        run.history = {}
        if (run.path / STATE).exists():
            state = read_json(run.path / STATE)
            run.epoch, run.history = state["epoch"], state["history"]
        if not wanted.get("stack") and wanted["epochs"] < run.epoch:
            raise UsageError(
                f"{run.path} holds a run of {run.epoch} epochs already, more than "
                f"{wanted['epochs']}; choose another folder or remove it."
            )
        return run

    def _just_begun(self) -> bool:
        """Whether the folder holds no more than what is there before its `config.json`."""
        from zoo.data.features.frontend import Frontend

        names = {entry.name for entry in self.path.iterdir() if not is_temporary(entry.name)}
        return names <= {CHECKPOINTS, *Frontend.FILES}

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """All that `config.json` holds."""
        return read_json(self.path / CONFIG)

    @property
    def name(self) -> str:
        """Name of the folder; for presets and weights that ship, their name."""
        return self.path.name

    @property
    def model_name(self) -> str:
        """The network's name in the zoo."""
        return self.config.get("model", "model")

    @property
    def family(self) -> str:
        """The network's family."""
        return self.config.get("family", "classifier")

    @property
    def is_autoencoder(self) -> bool:
        """Whether the network reconstructs its input, rather than classify it."""
        return is_autoencoder(self.family)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it was trained on, which a classifier's outputs stand for."""
        return self._classes_and_groups[0]

    @property
    def groups(self) -> dict[str, str]:
        """Class -> the group that it is scored as."""
        return self._classes_and_groups[1]

    @property
    def window(self) -> int | None:
        """Frames of the windows that a classifier of recordings takes; None: it takes no windows.

        A network that takes whole recordings was trained on excerpts, which are not windows.
        """
        return self.config.get("window")

    @property
    def transcribes(self) -> bool:
        """Whether the network scores every frame of recordings of any length."""
        return self.family == "recognizer" or (
            self.family == "classifier" and self.window is not None
        )

    @functools.cached_property
    def decoder(self) -> Decoder | None:
        """The decoder, which turns the scores of frames into phones; None: the run has none.

        Raises:
            UsageError: the file is damaged.
        """
        from zoo.decoding.decoder import Decoder

        path = self.path / DECODER
        return Decoder.from_dict(read_json(path)) if path.is_file() else None

    def save_decoder(self, decoder: Decoder, chosen: Mapping[str, Any]) -> None:
        """Keep a decoder, and how its settings were chosen."""
        write_json(self.path / DECODER, {**decoder.as_dict(), "tuning": dict(chosen)})
        self.__dict__.pop("decoder", None)

    @functools.cached_property
    def _classes_and_groups(self) -> tuple[tuple[str, ...], dict[str, str]]:
        from zoo.data.sets.prepared import classes_and_groups

        return classes_and_groups(self.config)

    @functools.cached_property
    def frontend(self) -> Frontend:
        """The front end, which turns a segment's samples into the network's input.

        Raises:
            UsageError: the folder holds none, or its mean is not the one it was written with.
        """
        from zoo.data.features.frontend import Frontend

        return Frontend.load(self.path)

    @functools.cached_property
    def model(self) -> keras.Model:
        """The trained network, loaded once.

        Raises:
            UsageError: the training has not ended, or the file is damaged or not the one that its
                card names.
        """
        return load(self.path)

    @functools.cached_property
    def twin(self) -> Twin | None:
        """The network's twin, loaded once.

        None: there is none, its runtime is not installed, it does not belong to the network, or the
        user chose a backend of Keras (`zoo.startup`).
        """
        if backend_asked_for() or not Twin.can_run() or not (self.path / CARD).is_file():
            return None
        card, file = read_json(self.path / CARD), self.path / TWIN
        told = card.get("twin")
        if told is None or not file.is_file() or not self.finished:
            return None
        if (sha256(file), sha256(self.network)) != (told["sha256"], card["sha256"]):
            return None
        return Twin(file, told["context"])

    def set_twin(self, content: bytes, context: int | None, **about: Any) -> None:
        """Put a twin beside the network of weights that ship, and its SHA-256 into their card.

        Args:
            content: contents of the .onnx file.
            context: as `Twin` takes it.
            **about: what else the card says of it.
        """
        card = read_json(self.path / CARD)
        with replacing(self.path / TWIN) as temporary:
            temporary.write_bytes(content)
        told = {"sha256": sha256(self.path / TWIN), "context": context, **about}
        write_json(self.path / CARD, {**card, "twin": told})
        self.__dict__.pop("twin", None)

    @property
    def applied(self) -> keras.Model | Twin:
        """The twin, or else the network: what is applied to recordings.

        Raises:
            UsageError: as by `model`.
        """
        if self.twin is not None:
            return self.twin
        start_backend()
        return self.model

    @property
    def network(self) -> Path:
        """The trained network's file.

        Raises:
            UsageError: the training has not ended.
        """
        return network_file(self.path)

    @property
    def finished(self) -> bool:
        """Whether a trained network is there."""
        return (self.path / NETWORK).is_file()

    @functools.cached_property
    def history(self) -> dict[str, list[float]]:
        """Metric -> its value after every completed epoch."""
        return read_json(self.path / HISTORY)

    @property
    def report(self) -> Path:
        """Default path of the report."""
        # The package's own folder is not the user's to write in.
        return Path(f"{self.name}.html") if self.path.parent == WEIGHTS else self.path / REPORT

    @property
    def logs(self) -> Path:
        """Folder of the logs for TensorBoard."""
        return self.path / LOGS

    @property
    def checkpoint(self) -> Path:
        """The Keras file of the last whole epoch, with the optimiser's state."""
        return self.path / CHECKPOINTS / f"epoch-{self.epoch:04d}.keras"

    def load_checkpoint(self) -> keras.Model:
        """The model of the last whole epoch, compiled, with its optimiser's state.

        Raises:
            RunError: it cannot be read.
        """
        import keras

        try:
            return keras.saving.load_model(self.checkpoint, safe_mode=True)
        except (OSError, ValueError) as error:
            raise RunError(
                f"the checkpoint {self.checkpoint} cannot be read; remove {self.path} to start "
                "afresh."
            ) from error

    def record(self, config: Mapping[str, Any], frontend: Frontend) -> None:
        """Write the run's settings and its front end.

        Args:
            config: `model`, `family`, `classes`, `settings` and whatever else there is to say.
            frontend: front end of its inputs.
        """
        frontend.save(self.path)
        write_json(self.path / CONFIG, {"format": FORMAT, **config})
        self.__dict__.pop("config", None)

    def save_epoch(self, values: Mapping[str, float], save: Callable[[Path], object]) -> None:
        """Record one more whole epoch: `save(path)` writes the checkpoint.

        The state names the checkpoint and is replaced in one step after the checkpoint is
        complete, so a kill at any moment loses at most the current epoch.
        """
        previous = self.checkpoint
        self.epoch += 1
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        with replacing(self.checkpoint) as temporary:
            save(temporary)
        write_json(self.path / STATE, {"epoch": self.epoch, "history": self.history})
        previous.unlink(missing_ok=True)

    def save_stage(self, units: int, network: keras.Model) -> None:
        """Save a stacked autoencoder after the stage of `units` units."""
        _save(network, self.path / f"units-{units}.keras")

    def stage(self, units: int) -> keras.Model:
        """The autoencoder that `save_stage` saved.

        Raises:
            UsageError: no stage of so many units was kept.
        """
        return load(self.path / f"units-{units}.keras")

    def finish(self, network: keras.Model) -> None:
        """Write the history, then the network, whose presence marks the run as finished."""
        write_json(self.path / HISTORY, self.history)
        _save(network, self.path / NETWORK)
        self.__dict__.pop("model", None)

    def copy(self, folder: Path, model: str | None = None) -> None:
        """Copy the files that using a finished run takes into an existing folder.

        Args:
            folder: where to.
            model: what the network is called there; None: as here.
        """
        from zoo.data.features.frontend import Frontend

        for name in (*Frontend.FILES, HISTORY, NETWORK, DECODER):
            if name != DECODER or (self.path / name).is_file():
                shutil.copy2(self.path / name, folder / name)
        write_json(folder / CONFIG, {**self.config, "model": model or self.model_name})

    def copy_unfinished(self, folder: Path) -> None:
        """Copy everything that training resumes from, if there is any, into a new folder."""
        if self.path.is_dir():
            shutil.copytree(self.path, folder, ignore=shutil.ignore_patterns(LOGS, ".*"))

    def start_from(self, earlier: Run) -> None:
        """Begin as a copy of another run, to be trained further, unless this run exists."""
        if not self.path.exists():
            with emptied(self.path.with_name(f".{self.name}.tmp")) as partial:
                shutil.copytree(earlier.path, partial, dirs_exist_ok=True)
                partial.rename(self.path)

    def free(self) -> None:
        """Remove every network; settings and results stay."""
        for path in [*self.path.glob("*.keras"), *(self.path / CHECKPOINTS).glob("*.keras")]:
            path.unlink(missing_ok=True)


def _save(network: keras.Model, path: Path) -> None:
    with replacing(path) as temporary:
        network.save(temporary)


def presets_folder() -> Path:
    """Where presets lie: the folder that `ZOO_PRESETS` names, or `~/.zoo/presets`."""
    named = os.environ.get("ZOO_PRESETS")
    return Path(named) if named else Path.home() / ".zoo" / "presets"


def presets() -> dict[str, Path]:
    """Name -> run folder of every preset."""
    return {path.parent.name: path.parent for path in sorted(presets_folder().glob(f"*/{PRESET}"))}


@functools.cache
def weights_cards() -> dict[str, dict[str, Any]]:
    """Name -> card of all weights that ship."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(WEIGHTS.glob(f"*/{CARD}"))
    }


def weights_of(model: str) -> tuple[str, ...]:
    """Names of the weights that ship for `model`."""
    return tuple(name for name, card in weights_cards().items() if card["model"] == model)


def find(place: str | Path) -> Path | None:
    """A path as it is if it exists, or the run folder of the preset or weights of this name."""
    path, name = Path(place), str(place)
    if path.exists():
        return path
    if NAME.fullmatch(name):
        preset = presets_folder() / name
        if (preset / PRESET).is_file():
            return preset
        if name in weights_cards():
            return WEIGHTS / name
    return None


def resolve(place: str | Path) -> Path:
    """The path that `find` gives.

    Raises:
        UsageError: there is nothing.
    """
    path = find(place)
    if path is None:
        raise UsageError(
            f"{place} does not exist; a run folder, a .keras file or the name of weights that ship "
            f"was expected. {nearest(Path(place).name, weights_cards(), 'weight')}"
        )
    return path


def is_run(path: str | Path) -> bool:
    """Whether a folder holds a run."""
    return (Path(path) / CONFIG).is_file()


def network_file(place: str | Path) -> Path:
    """The Keras file that a run folder, a name, or the file itself stands for.

    Raises:
        UsageError: nothing is there, or the training has not finished.
    """
    path = resolve(place)
    if not path.is_dir():
        return path
    if not (path / NETWORK).is_file():
        if is_run(path):
            raise UsageError(
                f"the training of {path} has not finished (there is no {NETWORK}); the same zoo "
                "train command resumes it."
            )
        raise UsageError(f"{path} holds no {NETWORK}: it is not a run folder of zoo train.")
    return path / NETWORK


def _verified(path: Path) -> Path:
    """`path`, if it is what its preset or the weights' card was written with.

    Raises:
        UsageError: it is not.
    """
    for name in (PRESET, CARD):
        card = path.parent / name
        digest = read_json(card).get("sha256") if card.is_file() else None
        if digest is not None and digest != sha256(path):
            raise UsageError(
                f"{path} is not the file that its card describes (its SHA-256 differs); "
                "install the package again, or save the preset again."
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
            raise UsageError(
                f"{path} is not a Keras file, or it is damaged or cut short."
            ) from None
        if missing:
            raise UsageError(f"{path} is not a Keras file: it has no {min(missing)}.")
    return path


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def load(path: str | Path) -> keras.Model:
    """Load a model from a run folder or a `.keras` file, in safe mode.

    Raises:
        UsageError: there is no such model, or the file is not one; or Keras has no backend.
    """
    check_backend()
    import keras

    import zoo.layers  # noqa: F401, registers what the file names

    path = _checked(_verified(network_file(path)))
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
    path = _verified(network_file(path))
    if path.suffix != ".keras" and not path.name.endswith(".weights.h5"):
        raise UsageError(f"{path} is neither a .keras nor a .weights.h5 file.")
    _checked(path)
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"the weights of {path} do not fit {model.name}: {_first_line(error)}"
        ) from error
