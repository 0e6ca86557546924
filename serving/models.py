"""The models that a server knows, by name and version."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from serving.errors import ServingError
from serving.servable import Servable
from zoo.errors import UsageError
from zoo.inference import newest_version


@dataclasses.dataclass(frozen=True)
class Model:
    """A name and its loaded versions, never empty."""

    name: str
    versions: Mapping[int, Servable]

    @property
    def newest(self) -> int:
        """The highest version."""
        return max(self.versions)


def find_version(base: str | Path) -> tuple[int, Path]:
    """The version to serve from `base` and its folder.

    Args:
        base: a folder of numbered versions, of which the highest is taken, or a SavedModel's own
            folder, whose version is its name if that is a number, else 1.

    Raises:
        UsageError: there is no SavedModel there.
    """
    base = Path(base)
    if not base.is_dir():
        raise UsageError(f"{base} does not exist; a folder of exported versions was expected.")
    folder = newest_version(base)
    if folder is None:
        hint = ""
        if (base / "frontend.json").is_file():
            hint = " It is a run folder: export it first (zoo export)."
        raise UsageError(f"{base} holds no numbered folder with a SavedModel.{hint}")
    name = folder.resolve().name
    return (int(name) if name.isdecimal() else 1), folder


class Models:
    """All models of a server.

    Args:
        paths: model name -> base folder; the newest version of each is loaded.

    Raises:
        UsageError: a name or path is wrong.
        RunError: a SavedModel cannot be loaded.
    """

    def __init__(self, paths: Mapping[str, str | Path]) -> None:
        for name in paths:
            if not name or "/" in name or ":" in name:
                raise UsageError(f"the model name {name!r} must not be empty or hold '/' or ':'.")
        found = {name: find_version(path) for name, path in paths.items()}
        self._models = {
            name: Model(name, {version: Servable(folder)})
            for name, (version, folder) in found.items()
        }

    @property
    def names(self) -> list[str]:
        """Names of all models."""
        return sorted(self._models)

    def model(self, name: str) -> Model:
        """The model `name`.

        Raises:
            ServingError: there is none.
        """
        if name not in self._models:
            raise ServingError(
                "NOT_FOUND",
                f"Servable not found for request: Latest({name}); the models here are: "
                f"{', '.join(self.names)}.",
            )
        return self._models[name]

    def servable(self, name: str, version: int | None) -> tuple[int, Servable]:
        """A version (None: the newest) of the model `name`.

        Raises:
            ServingError: there is no such model, or no such version of it.
        """
        model = self.model(name)
        version = model.newest if version is None else version
        if version not in model.versions:
            loaded = ", ".join(map(str, sorted(model.versions)))
            raise ServingError(
                "NOT_FOUND",
                f"Servable not found for request: Specific({name}, {version}); "
                f"loaded is version {loaded}.",
            )
        return version, model.versions[version]
