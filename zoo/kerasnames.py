"""The zoo's classes under the names by which Keras' files know them, without importing Keras.

After `import zoo`, `keras.saving.load_model` finds them. Once Keras is imported, before or after
the zoo, each name stands for a class that imports the real one when a file asks for it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CLASSES = {
    "zoo.layers": (
        "BlindUpsampling1D BlindUpsampling2D Deltas FixedMapPooling2D Frames Gammatone "
        "LearnableFilterbank Level LogMel MFCC RecordingNormalization SegmentPooling "
        "SpectralConv2D Spectrogram SplitMark SubtractMean SwitchPooling1D SwitchPooling2D "
        "SwitchUnpooling1D SwitchUnpooling2D TiedConv2D"
    ),
    "zoo.training.metrics": "FoldedAccuracy",
    "zoo.training.objectives": (
        "Cosine EuclideanError ScaleInvariant SpectralConvergence SquaredEuclidean"
    ),
    "zoo.training.penalties": "PenalisedAutoencoder",
}
"""Module -> names of what it registers with Keras in the package "zoo"."""


def offer_to_keras() -> None:
    """Register the classes with Keras: now if it is imported, else as soon as it is."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "saving"):
        _offer(keras)
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())


def _offer(keras: ModuleType) -> None:
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names.split():
            # What is registered already is the class itself, which later takes this one's place.
            known.setdefault(f"zoo>{name}", _stand_in(module, name))


def _stand_in(module: str, name: str) -> type:
    def from_config(config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(module), name).from_config(config)

    return type(name, (), {"from_config": staticmethod(from_config), "__module__": module})


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Finds Keras where the others do, and has its import end with `_offer`."""

    def __init__(self) -> None:
        self._looking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras" or self._looking:
            return None
        self._looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_offer(module: ModuleType) -> None:
                execute(module)
                _offer(module)

            spec.loader.exec_module = execute_and_offer  # type: ignore[method-assign]
        return spec
