"""The models that a server knows: loading, switching and unloading their versions."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from zoo.errors import RunError, UsageError
from zoo.runs import is_run

from .errors import ServingError, invalid
from .model_config import ModelConfig
from .servable import Servable
from .versions import fingerprint, versions_on_disk

_log = logging.getLogger(__name__)

_MAX_ENDED = 100
"""Ended versions of a model that its status still shows."""


class State(enum.IntEnum):
    """TensorFlow Serving's states of a version, with its numbers."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class ModelRef:
    """The model and version of a request.

    Attributes:
        name: name of the model.
        version: number, or None for the highest one.
        label: label of a version, in place of its number.
    """

    name: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is None:
            return f"Latest({self.name})"
        return f"Specific({self.name}, {self.version})"


@dataclasses.dataclass
class Version:
    """One version of a model with its state.

    Attributes:
        number: the version.
        state: where it stands.
        error: why it could not be loaded; empty if it could.
    """

    number: int
    state: State = State.START
    error: str = ""
    servable: Servable | None = None
    users: int = 0
    files: object = None


@dataclasses.dataclass
class _Model:
    config: ModelConfig
    versions: dict[int, Version] = dataclasses.field(default_factory=dict)
    # Taken out of the configuration: its status stays, its versions do not come back.
    withdrawn: bool = False

    def available(self) -> list[int]:
        """Versions that take requests, highest first."""
        found = (v.number for v in self.versions.values() if v.state == State.AVAILABLE)
        return sorted(found, reverse=True)


def check_folder(path: Path) -> None:
    """Check that there are versions to load.

    Raises:
        UsageError: the folder does not exist, or holds no version.
    """
    if not path.is_dir():
        raise UsageError(f"{path} does not exist; a folder of exported versions was expected.")
    if not versions_on_disk(path):
        hint = " It is a run folder: export it first (zoo export)." if is_run(path) else ""
        raise UsageError(f"{path} holds no numbered folder with a SavedModel.{hint}")


class Models:
    """All models of a server.

    A new version is loaded and warmed beside the old one, which is closed when the requests that
    use it have ended. One that cannot be loaded changes nothing but the status.

    Args:
        configs: the models.
        load: makes a warm servable of a model's name and a version's folder; raises RunError.
        allow_labels_for_unavailable: take new labels of versions that are not there (yet).
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        load: Callable[[str, int, Path], Servable] = lambda name, number, path: Servable(path),
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        self._load = load
        self._allow_labels = allow_labels_for_unavailable
        self._models = {config.name: _Model(config) for config in configs}
        # Held for a moment, by requests too.
        self._lock = threading.Lock()
        # Held while versions are loaded: one change at a time.
        self._changing = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Load every model.

        Raises:
            UsageError: a path is wrong or holds no model, or a label names no served version.
            RunError: a model has no version that can be loaded.
        """
        with self._changing:
            for model in self._models.values():
                self._first_load(model)
            for model in self._models.values():
                self._check_labels(model, model.available(), {})

    def _first_load(self, model: _Model) -> None:
        config = model.config
        check_folder(config.base_path)
        failures = self._update(model)
        if model.available():
            self._report(failures)
            return
        failed = [v.error for v in model.versions.values() if v.error]
        if not failed:
            found = ", ".join(map(str, versions_on_disk(config.base_path)))
            raise UsageError(
                f"{config.base_path} has none of the versions asked for; there are: {found}."
            )
        raise RunError(failed[0])

    def watch(self, seconds: float, look: Callable[[], None]) -> None:
        """Call `look` (such as `update`) every `seconds` until `stop`, in a thread."""

        def work() -> None:
            while not self._stopped.wait(seconds):
                try:
                    look()
                except Exception:
                    _log.exception("looking for new versions failed; trying again")

        threading.Thread(target=work, name="versions", daemon=True).start()

    def stop(self) -> None:
        """End the threads of `watch`."""
        self._stopped.set()

    def update(self) -> None:
        """Bring every model in line with what is on the disk."""
        with self._changing:
            for model in list(self._models.values()):
                if not model.withdrawn:
                    self._report(self._update(model))

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on, and no others.

        New versions are loaded first, and replace others only if all of them load.

        Raises:
            ServingError: a new model, or one of another folder, cannot be loaded, or a label names
                no version that would be served. What was served before stays in service.
        """
        with self._changing:
            before = dict(self._models)
            after = {c.name: _Model(c) for c in configs}
            leaving: dict[str, set[int]] = {}
            try:
                for name, model in after.items():
                    known = before.get(name)
                    if (
                        known is None
                        or known.withdrawn
                        or known.config.base_path != model.config.base_path
                    ):
                        self._first_load(model)
                    else:
                        model.versions = dict(known.versions)
                        failures, leaving[name] = self._load_wanted(model)
                        self._report(failures)
            except (RunError, UsageError) as error:
                self._give_up(after, before)
                raise ServingError("UNKNOWN", str(error)) from error
            try:
                for name, model in after.items():
                    served = set(model.available()) - leaving.get(name, set())
                    known = before.get(name)
                    used = {} if known is None or known.withdrawn else known.config.labels
                    self._check_labels(model, served, used)
            except UsageError as error:
                self._give_up(after, before)
                raise ServingError("FAILED_PRECONDITION", str(error)) from error
            with self._lock:
                self._models.update(after)
            for name, model in before.items():
                if name not in after:
                    model.withdrawn = True
                    self._retire(model, model.available())
                elif name in leaving:
                    self._retire(after[name], leaving[name])
                else:
                    self._retire(model, model.available())

    def _give_up(self, after: Mapping[str, _Model], before: Mapping[str, _Model]) -> None:
        """Unload what a configuration that is refused has had loaded."""
        kept = {id(v) for model in before.values() for v in model.versions.values()}
        for model in after.values():
            self._retire(model, [n for n in model.available() if id(model.versions[n]) not in kept])

    def _check_labels(
        self, model: _Model, served: Collection[int], used: Mapping[str, int]
    ) -> None:
        """Refuse labels of versions that are not among those `served`.

        Where such labels are allowed, those in use still may not move to such a version.
        """
        for label, number in model.config.labels.items():
            if number in served or (self._allow_labels and used.get(label, number) == number):
                continue
            way_out = (
                "load that version first: the label is in use"
                if self._allow_labels
                else f"label {label!r} needs a served version, or "
                "--allow_version_labels_for_unavailable_models"
            )
            raise UsageError(
                f"Request to assign label to version {number} of model {model.config.name}, "
                f"which is not currently available for inference; {way_out}."
            )

    def _report(self, failures: Sequence[str]) -> None:
        for failure in failures:
            _log.warning("%s", failure)

    def _update(self, model: _Model) -> list[str]:
        """Load and retire versions; sentences about those that newly cannot be loaded."""
        failures, leaving = self._load_wanted(model)
        self._retire(model, leaving)
        return failures

    def _load_wanted(self, model: _Model) -> tuple[list[str], set[int]]:
        """Load versions; sentences about those that newly cannot be, and versions to retire."""
        config = model.config
        try:
            found = versions_on_disk(config.base_path)
        except OSError as error:
            return [f"{config.base_path} cannot be read ({error}); keeping what is loaded"], set()
        failures = []
        wanted = config.policy.choose(found)
        for number in sorted(wanted):
            failures += self._ensure(model, number, found[number])
        if config.policy.specific is None:
            # The newest cannot be loaded: an older one is better than none.
            for number in sorted(set(found) - wanted, reverse=True):
                if model.available():
                    break
                failures += self._ensure(model, number, found[number])
        available = set(model.available())
        return failures, available - wanted if wanted & available or not wanted else set()

    def _ensure(self, model: _Model, number: int, folder: Path) -> list[str]:
        known = model.versions.get(number)
        if known and known.state in (State.AVAILABLE, State.LOADING):
            return []
        files = fingerprint(folder)
        if known and known.error and known.files == files:
            return []
        version = Version(number, State.LOADING, files=files)
        with self._lock:
            model.versions[number] = version
        name = model.config.name
        try:
            servable = self._load(name, number, folder)
        except RunError as error:
            with self._lock:
                version.error, version.state = str(error), State.END
            return [f"version {number} of model {name} is not served: {error}"]
        with self._lock:
            version.servable, version.state = servable, State.AVAILABLE
        _log.info("version %d of model %s is served", number, name)
        return []

    def _retire(self, model: _Model, numbers: Collection[int]) -> None:
        for number in sorted(numbers):
            version = model.versions[number]
            with self._lock:
                version.state = State.UNLOADING
                idle = version.users == 0
            _log.info("version %d of model %s is no longer served", number, model.config.name)
            if idle:
                self._close(version)
        ended = sorted(v.number for v in model.versions.values() if v.state == State.END)
        with self._lock:
            for number in ended[:-_MAX_ENDED]:
                del model.versions[number]

    def _close(self, version: Version) -> None:
        with self._lock:
            servable, version.servable = version.servable, None
        if servable is not None:
            servable.close()
            version.state = State.END

    @contextlib.contextmanager
    def use(self, ref: ModelRef) -> Iterator[tuple[int, Servable]]:
        """The version that a request asks for, kept in memory while the block runs.

        Raises:
            ServingError: there is no such model, version or label.
        """
        with self._lock:
            version = self._find(ref)
            version.users += 1
        servable = version.servable
        if servable is None:
            raise RuntimeError("an available version has no servable")
        try:
            yield version.number, servable
        finally:
            with self._lock:
                version.users -= 1
                last = version.state == State.UNLOADING and version.users == 0
            if last:
                # Freeing a model's memory takes a while, and this may be the event loop.
                threading.Thread(target=self._close, args=(version,), daemon=True).start()

    def _find(self, ref: ModelRef) -> Version:
        model = self._models.get(ref.name)
        available = model.available() if model else []
        number = self._labelled(ref) if ref.label is not None else ref.version
        ref = ModelRef(ref.name, number)
        if model is None or not available:
            served = ", ".join(self.served()) or "none"
            raise ServingError(
                "NOT_FOUND",
                f"Servable not found for request: {ref}; the models here are: {served}.",
            )
        number = available[0] if number is None else number
        if number not in available:
            loaded = ", ".join(map(str, sorted(available)))
            raise ServingError(
                "NOT_FOUND",
                f"Servable not found for request: {ref}; loaded is version {loaded}.",
            )
        return model.versions[number]

    def _labelled(self, ref: ModelRef) -> int:
        model = self._models.get(ref.name)
        labels = model.config.labels if model else {}
        if ref.label is None or ref.label not in labels:
            known = ", ".join(sorted(labels)) or "none"
            raise invalid(
                f"Unrecognized servable version label: {ref.label}; model {ref.name} has: {known}."
            )
        return labels[ref.label]

    @property
    def names(self) -> list[str]:
        """Names of all models that were ever served."""
        return sorted(self._models)

    def served(self) -> dict[str, list[int]]:
        """Model name -> versions that take requests, highest first; models that have any."""
        found = {name: model.available() for name, model in sorted(self._models.items())}
        return {name: numbers for name, numbers in found.items() if numbers}

    def ready(self) -> bool:
        """Whether every model of the configuration takes requests."""
        return bool(self._models) and all(
            model.available() or all(v.state >= State.UNLOADING for v in model.versions.values())
            for model in list(self._models.values())
        )

    def status(self, ref: ModelRef) -> list[Version]:
        """All versions of a model, or the one asked for; highest first.

        Raises:
            ServingError: nothing is known of the model, version or label.
        """
        with self._lock:
            model = self._models.get(ref.name)
            if model is None or not model.versions:
                served = ", ".join(self.served()) or "none"
                raise ServingError(
                    "NOT_FOUND",
                    f"Could not find any versions of model {ref.name}; the models here are: "
                    f"{served}.",
                )
            number = self._labelled(ref) if ref.label is not None else ref.version
            if number is None:
                return [model.versions[n] for n in sorted(model.versions, reverse=True)]
            if number not in model.versions:
                known = ", ".join(map(str, sorted(model.versions)))
                raise ServingError(
                    "NOT_FOUND",
                    f"Could not find version {number} of model {ref.name}; there are: {known}.",
                )
            return [model.versions[number]]
