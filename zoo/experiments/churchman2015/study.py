"""Common parts of the figures of Churchman (2015): networks, sounds, reconstructions.

The figures show the same reconstructions in different ways. Each reconstruction is one file in the
folder of the trainings (`--work`), so that figures with the same folder share them.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.experiments.engine.runner import Context, locked

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.sets.prepared import Prepared
    from zoo.inversion.sounds import Sounds

NETWORK = "freq_overlap"
"""The thesis' network."""

PADDED = "freq_overlap_pad"
"""Its twin, whose activity the decoders decode."""

LAYERS = ("L1", "L3", "L6", "L9", "L12")
METHODS = {
    "annealing": "simulated annealing",
    "gradient": "gradient descent",
    "decoder": "decoder",
    "decoder+gradient": "decoder, then gradient descent",
}
TODAY = "search"
"""The default of `zoo reconstruct`, which the thesis did not have."""

COMPARED = {**METHODS, TODAY: "L-BFGS from a regression (today)"}
KINDS = ("phones", "chirps")
MEASURES = {
    "euclidean_error": "Euclidean distance between input and reconstruction",
    "cross_correlation": "maximal cross-correlation of the spectrograms",
    "waveform_cross_correlation": "maximal cross-correlation of the waveforms",
}


class Study:
    """The networks, the sounds and their reconstructions, each computed when first used.

    Args:
        settings: settings of a cell.
        context: context of the experiment.

    Attributes:
        folder: what was reconstructed, and how.
        prepared: the data.
    """

    def __init__(self, settings: Mapping[str, Any], context: Context) -> None:
        from zoo.data.sets.prepared import Prepared
        from zoo.files import make_folder

        self.settings = {k: v for k, v in settings.items() if k not in ("method", "layer")}
        self._context = context
        self.prepared: Prepared = Prepared(context.data)
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        self.folder = make_folder(context.work / f"reconstructions-{digest[:16]}")

    @functools.cached_property
    def sounds(self) -> Sounds:
        """Phones of every class, then chirps as loud as they are."""
        import numpy as np

        from zoo.data.features.representations import STFT_FORMS
        from zoo.evaluation.reconstruction import waveforms
        from zoo.inversion.sounds import chirps, joined, phones

        frontend = self.prepared.frontend
        if frontend.kind not in STFT_FORMS:
            raise UsageError(
                f"{self.prepared.path} holds {frontend.kind}, which cannot be turned back "
                f"into sound; prepare one of {', '.join(STFT_FORMS)}."
            )
        said = phones(self.prepared, self.settings["examples"], self.settings["seed"])
        waves = self._kept("phones.npy", lambda: waveforms(said.inputs, frontend))
        loudness = float(np.median(np.sqrt(np.mean(waves**2, axis=1))))
        return joined(said, chirps(frontend, loudness))

    @functools.cached_property
    def waves(self) -> np.ndarray:
        """The sounds' waveforms, computed from their spectrograms, (N, samples)."""
        from zoo.evaluation.reconstruction import waveforms

        inputs = self.sounds.inputs
        return self._kept("waves.npy", lambda: waveforms(inputs, self.prepared.frontend))

    def _kept(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """An array of the folder, made if it is not there."""
        import numpy as np

        from zoo.files import write_array

        with locked(self.folder / f".{name}.lock"):
            if not (self.folder / name).exists():
                write_array(self.folder / name, make())
        return np.load(self.folder / name)

    def places(self, kind: str) -> np.ndarray:
        """Indices of the phones, or of the chirps, among the sounds."""
        import numpy as np

        chirped = np.array([label == "chirp" for label in self.sounds.labels])
        return np.flatnonzero(chirped == (kind == "chirps"))

    def phone(self, wished: Iterable[str]) -> int:
        """The first example of the first of some classes that occurs; or of any class."""
        for label in [*wished, *self.sounds.labels]:
            if label in self.sounds.labels:
                return self.sounds.labels.index(label)
        raise UsageError("the set has no phones to reconstruct.")

    def run(self, name: str) -> Path:
        """The run folder of a network."""
        from zoo.experiments.engine.trainings import classifier

        if name in self._context.given:
            return self._context.given[name]

        return classifier(name, self.settings, self.prepared, self._context)

    def reconstructions(self, method: str, layer: str) -> dict[str, np.ndarray]:
        """`reconstruction` (N, F, T, C), `error` before and after, (2, N), for all sounds."""
        import numpy as np

        from zoo.files import replacing

        path = self.folder / f"{layer}-{method}.npz"
        with locked(self.folder / f".{path.name}.lock"):
            if not path.exists():
                found = self._reconstruct(method, layer)
                with replacing(path) as temporary, open(temporary, "wb") as file:
                    np.savez(
                        file,
                        reconstruction=found.reconstruction,
                        error=np.stack([found.history[0], found.history[-1]]),
                    )
        with np.load(path) as file:
            return dict(file)

    def _reconstruct(self, method: str, layer: str) -> Any:
        import numpy as np

        from zoo.inversion import reconstruct
        from zoo.inversion.reconstruction import training_examples
        from zoo.runs import load

        inputs, settings = self.sounds.inputs, self.settings
        options: dict[str, Any] = {}
        if method.startswith("decoder"):
            options["decoder"] = self._decoder(layer)
        if method == TODAY:
            examples = self._training.features("train")
            training = training_examples(examples, self.settings["seed"])
            method, options = "gradient", {"training": training}
        elif method.endswith("gradient"):
            options |= {"optimizer": "bold", "steps": settings["steps"]}
        if method == "annealing":
            options["steps"] = settings["annealing_steps"]
            # The thesis' 0.05 is about the standard deviation of its spectrograms.
            options["amplitude"] = float(inputs.std())
        return reconstruct(
            load(self.run(NETWORK)),
            layer,
            np.asarray(inputs),
            method,
            settings["seed"],
            **options,
        )

    @functools.cached_property
    def _training(self) -> Prepared:
        """The set whose train split decoders and today's search learn from."""
        from zoo.data.sets.prepared import Prepared

        other = self._context.pretraining
        return self.prepared if other is None else Prepared(other)

    def _decoder(self, layer: str) -> Any:
        import numpy as np

        from zoo.data.sets.samplers import BalancedEpochs
        from zoo.files import sha256
        from zoo.inversion import train_decoder
        from zoo.inversion.decoders import DecoderSettings
        from zoo.runs import Run, load

        settings, run = self.settings, self.run(PADDED)
        chosen = DecoderSettings(epochs=settings["decoder_epochs"])
        labels = self._training.labels("train")
        drawn = BalancedEpochs(labels, settings["per_class"], settings["seed"]).epoch(0)
        # Studies of several sets whose decoders learn from one share them.
        decides = [
            *(dataclasses.asdict(chosen), self._training.manifest["plan"]),
            *(sha256(Run.open(run).network), settings["per_class"], settings["seed"]),
        ]
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        folder = self._context.work / f"decoder-{layer}-{digest[:16]}"
        with locked(self._context.work / f".{folder.name}.lock"):
            return train_decoder(
                load(run),
                layer,
                np.asarray(self._training.features("train")[np.unique(drawn)]),
                chosen,
                settings["seed"],
                folder,
            )

    def measures(self, method: str, layer: str) -> dict[str, Any]:
        """Means of all measures over the phones and over the chirps, with 95 % intervals."""
        from zoo.files import read_json, write_json

        found = self.reconstructions(method, layer)
        path = self.folder / f"{layer}-{method}.json"
        with locked(self.folder / f".{path.name}.lock"):
            if not path.exists():
                write_json(path, self._measures(found))
            return read_json(path)

    def _measures(self, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
        from zoo.evaluation.reconstruction import average_waveform_threshold, likeness
        from zoo.evaluation.statistics import mean_interval

        inputs, outputs, frontend = (
            self.sounds.inputs,
            found["reconstruction"],
            self.prepared.frontend,
        )
        phones = self.waves[self.places("phones")]
        measures: dict[str, Any] = {"threshold": average_waveform_threshold(phones, frontend)}
        for kind in KINDS:
            at = self.places(kind)
            measures[f"{kind}_examples"] = len(at)
            errors = found["error"][:, at].astype("float64").mean(axis=1)
            measures[f"{kind}_error_before"], measures[f"{kind}_error"] = map(float, errors)
            values = likeness(inputs[at], outputs[at], frontend, self.waves[at])
            for name, each in values.items():
                mean, half = mean_interval(each.tolist())
                measures[f"{kind}_{name}"] = mean
                if half is not None:
                    measures[f"{kind}_{name}_interval"] = half
        return measures


def compute(settings: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """One method on one layer."""
    method, layer = settings["method"], settings["layer"]
    return {f"{method}/{layer}": Study(settings, context).measures(method, layer)}
