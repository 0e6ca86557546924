"""Inputs that exported files are compared with Keras on, and that int8 is calibrated with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.inference import fixed_length

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.windows import Windows
    from zoo.runs import Run

EXAMPLES = 256
"""Most examples of a prepared set."""

RECORDINGS = 32
"""Most recordings of a prepared set, for networks that take them whole."""

NOISE_EXAMPLES = 32
NOISE_SECONDS = (0.1, 0.5, 1.0, 3.0)
"""Durations of recordings of noise."""

SEED = 0


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs for a network.

    Attributes:
        batches: arrays (N, ...), each asked at once; of whole recordings one each.
        text: what they are, in words.
        labels: class of every output, all batches in a row; -1 where nobody labelled. None: there
            are no labels.
    """

    batches: list[np.ndarray]
    text: str
    labels: np.ndarray | None = None


def noise_waveforms(run: Run) -> Inputs:
    """Waveforms of a front end's length, of many levels and lengths, as segments are."""
    generator = np.random.default_rng(SEED)
    shape = (NOISE_EXAMPLES, fixed_length(run.frontend))
    waveforms = generator.normal(size=shape) * generator.uniform(0.001, 0.3, (shape[0], 1))
    margin = generator.integers(0, shape[1] // 3, shape[0])
    index = np.arange(shape[1])[None]
    inside = (index >= margin[:, None]) & (index < shape[1] - margin[:, None])
    waveforms = (waveforms * inside).clip(-1, 1).astype("float32")
    return Inputs([waveforms], f"{NOISE_EXAMPLES} of noise")


def noise_representations(run: Run) -> Inputs:
    """Representations of noise, not centred."""
    if run.transcribes:
        return _noise_recordings(run)
    from zoo.layers import waveform_layers

    noise = noise_waveforms(run)
    x = noise.batches[0]
    for layer in waveform_layers(run.frontend):
        x = layer(x)
    return Inputs([np.asarray(x)], noise.text)


def _noise_recordings(run: Run) -> Inputs:
    generator = np.random.default_rng(SEED)
    lengths = [round(seconds * run.frontend.sample_rate) for seconds in NOISE_SECONDS]
    noise = [generator.normal(0, 0.1, samples).astype("float32") for samples in lengths]
    recordings = [run.frontend.recording(samples) + run.frontend.mean for samples in noise]
    if run.window is None:
        return Inputs([x[None] for x in recordings], f"{len(recordings)} recordings of noise")
    windows = np.lib.stride_tricks.sliding_window_view(recordings[-1], run.window, axis=1)
    chosen = windows[:, :NOISE_EXAMPLES].transpose(1, 0, 3, 2)
    return Inputs([np.ascontiguousarray(chosen)], f"{len(chosen)} windows of noise")


def open_data(path: str | Path, run: Run) -> Prepared | Windows:
    """A prepared set, with examples in the form that a run's network takes.

    Raises:
        UsageError: the set has another front end.
    """
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.windows import Windows

    prepared = Prepared(path)
    if prepared.frontend.fingerprint != run.frontend.fingerprint:
        raise UsageError(
            f"{path} was prepared with another front end than {run.path} was trained with; name "
            "the prepared set of that training."
        )
    return prepared if run.window is None else Windows(prepared, run.window)


def of_data(prepared: Prepared | Windows) -> Inputs:
    """Examples of the test split, or of the last one, not centred."""
    return _drawn(prepared, "test" if "test" in prepared.splits else prepared.splits[-1])


def for_calibration(prepared: Prepared | Windows) -> list[np.ndarray]:
    """Examples (1, ...) of the training split, or of the first one, not centred."""
    drawn = _drawn(prepared, "train" if "train" in prepared.splits else prepared.splits[0])
    return [x[None] for batch in drawn.batches for x in batch]


def _drawn(prepared: Prepared | Windows, split: str) -> Inputs:
    from zoo.data.sets.windows import Windows

    features, mean = prepared.features(split), prepared.frontend.mean
    if isinstance(prepared, Windows) or prepared.kind != "frames":
        chosen = _chosen(len(features), EXAMPLES)
        batch = np.asarray(features[chosen]) + mean
        return Inputs([batch], f"{len(chosen)} of {split}", prepared.labels(split)[chosen])
    chosen, labels = _chosen(len(features), RECORDINGS), prepared.frame_labels(split)
    return Inputs(
        [np.asarray(features[int(number)])[None] + mean for number in chosen],
        f"{len(chosen)} recordings of {split}",
        np.concatenate([labels[number] for number in chosen]),
    )


def _chosen(examples: int, most: int) -> np.ndarray:
    generator = np.random.default_rng(SEED)
    return np.sort(generator.choice(examples, min(most, examples), replace=False))
