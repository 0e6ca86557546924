"""A run, loaded and checked for export."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.files import read_json
from zoo.inference import fixed_length

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class ExportedRun:
    """What is exported.

    Attributes:
        path: the run folder.
        model: its network.
        frontend: what lies between a waveform and the network.
        config: the run's configuration.
        classes: names of the outputs; empty for an autoencoder.
    """

    path: Path
    model: keras.Model
    frontend: Frontend
    config: dict[str, Any]
    classes: tuple[str, ...]

    @property
    def length(self) -> int:
        """Samples of an input waveform."""
        return fixed_length(self.frontend)

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's, (F, T, C)."""
        return tuple(n for n in self.frontend.shape if n is not None)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.get("model", "model")

    @property
    def family(self) -> str:
        """The model's family."""
        return self.config.get("family", "classifier")

    def module(self) -> Any:
        """The network with its preprocessing as TensorFlow functions."""
        from .signatures import AutoencoderModule, ClassifierModule

        if self.classes:
            return ClassifierModule(self.model, self.frontend, self.classes)
        return AutoencoderModule(self.model, self.frontend)


def load_run(path: str | Path) -> ExportedRun:
    """Load a classifier's or an autoencoder's run.

    Raises:
        UsageError: `path` is no such run, or its parts do not fit together.
    """
    from zoo.evaluation.runs import is_autoencoder
    from zoo.inference import from_model, run_classes
    from zoo.saving import load

    path = Path(path)
    if not path.is_dir():
        raise UsageError(f"{path} is no run folder.")
    frontend, config = Frontend.load(path), read_json(path / "config.json")
    fixed_length(frontend)
    if not is_autoencoder(path):
        run = ExportedRun(path, load(path), frontend, config, run_classes(path))
        from_model(run.model, frontend, run.classes)  # says what does not fit
        return run
    model = load(path)
    shapes = {tuple(model.input_shape[1:]), tuple(model.output_shape[1:]), frontend.shape}
    if len(shapes) > 1:
        raise UsageError(
            f"the network of {path} takes {model.input_shape[1:]} and gives "
            f"{model.output_shape[1:]}, its front end gives {frontend.shape}; an autoencoder gives "
            "what it takes."
        )
    return ExportedRun(path, model, frontend, config, ())
