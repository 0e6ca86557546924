"""A run's folder: what it was asked for, where it stands, what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.files import is_temporary, make_folder, read_json, replacing, write_json

CONFIG = "config.json"
STATE = "state.json"
HISTORY = "history.json"
CHECKPOINTS = "checkpoints"

OPTIMIZERS = ("adagrad", "adam")
SCHEDULES = ("constant", "cosine")

IMPLIED = {"optimizer": "adagrad", "schedule": "constant"}
"""Settings of runs that were begun before these could be set."""


@dataclasses.dataclass
class RunFolder:
    """One training's folder.

    `state.json` names the checkpoint of the last whole epoch and is replaced in one step after
    the checkpoint is complete, so a kill at any moment loses at most the current epoch.

    Attributes:
        path: the folder.
        epoch: whole epochs done.
        history: metric -> value of every epoch done.
    """

    path: Path
    epoch: int = 0
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path, config: dict[str, Any]) -> RunFolder:
        """Create the folder, or take up the run that is in it if it was asked for the same.

        Args:
            path: the folder.
            config: settings that decide the result; `epochs` may grow between calls, unless the
                learning rate's schedule ends with them.

        Raises:
            UsageError: the folder holds a run with other settings, or something else.
            RunError: it cannot be written.
        """
        path = Path(path)
        # Tuples come back from a file as lists.
        config = json.loads(json.dumps(config))
        if (path / CONFIG).exists():
            found = {**IMPLIED, **read_json(path / CONFIG)["settings"]}
            differing = [
                f"{key} {found.get(key)!r}, now {config[key]!r}"
                for key in config
                if (key != "epochs" or config.get("schedule") == "cosine")
                and found.get(key) != config[key]
                # An option that an older run does not know was not in use.
                and (key in found or config[key])
            ]
            if differing:
                raise UsageError(
                    f"{path} holds a run with other settings ({'; '.join(differing)}); "
                    "choose another folder or remove it."
                )
        elif path.is_dir() and not _just_begun(path):
            raise UsageError(f"{path} is not empty and holds no run; choose a new folder.")
        make_folder(path / CHECKPOINTS)
        run = cls(path)
        if (path / STATE).exists():
            state = read_json(path / STATE)
            run.epoch, run.history = state["epoch"], state["history"]
        if not config.get("stack") and config["epochs"] < run.epoch:
            raise UsageError(
                f"{path} holds a run of {run.epoch} epochs already, more than {config['epochs']}; "
                "choose another folder or remove it."
            )
        return run

    @property
    def checkpoint(self) -> Path:
        """The Keras file of the last whole epoch, with the optimiser's state."""
        return self.path / CHECKPOINTS / f"epoch-{self.epoch:04d}.keras"

    def save_epoch(self, values: dict[str, float], save: Callable[[Path], object]) -> None:
        """Record one more whole epoch: `save(path)` writes the checkpoint."""
        previous = self.checkpoint
        self.epoch += 1
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        with replacing(self.checkpoint) as temporary:
            save(temporary)
        write_json(self.path / STATE, {"epoch": self.epoch, "history": self.history})
        with contextlib.suppress(FileNotFoundError):
            previous.unlink()


def _just_begun(path: Path) -> bool:
    """Whether a folder holds no more than a run that was broken off before its `config.json`."""
    # Not at the top: the command line reads this module's constants for --help.
    from zoo.data.features.frontend import FILE_NAME, MEAN_NAME

    names = {entry.name for entry in path.iterdir() if not is_temporary(entry.name)}
    return names <= {CHECKPOINTS, FILE_NAME, MEAN_NAME}
