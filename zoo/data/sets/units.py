"""Acoustic units: classes of frames that k-means finds, in place of labels."""

from __future__ import annotations

import functools
import hashlib
import itertools
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.data.corpora.utterances import Segment
from zoo.data.features.frontend import Frontend
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import Shares
from zoo.data.sets.storage import Examples, WindowedExamples, WindowedLabels
from zoo.errors import UsageError
from zoo.progress import progress_bar

LOGARITHMIC = ("log_mel", "gammatone", "log_magnitude", "log_power")
"""Representations whose cosine transform is a cepstrum."""

CEPSTRA = 13
REACH = 0.24
"""Seconds before and after a frame that its description covers."""

STEP = 0.03
"""Seconds between two frames of a description."""

SPREAD = 0.1
"""Seconds from the middle after which a frame counts 0.78 times as much, by a Gaussian."""

FITTED = 100_000
"""Most frames on which k-means is run."""

ROUNDS = 20
"""Number of iterations of k-means."""


class _Fitted(NamedTuple):
    """Mean and deviation of cepstra, (13,) each, and centres of descriptions, (units, values)."""

    mean: np.ndarray
    scale: np.ndarray
    centres: np.ndarray


class Units(Prepared):
    """A set of whole recordings whose frames are labelled by acoustic units.

    A frame is described by 13 cepstral coefficients of it and of the frames within 0.24 s, 0.03 s
    apart, near ones weighted more. K-means divides the descriptions of the training part; every
    frame belongs to the nearest centre. Descriptions are longer than a phone, so that a unit is a
    sound among its neighbours, and units agree better with phones than those of single frames do.

    Args:
        prepared: whole recordings, labelled or not. Its labels are not used.
        count: number of units.
        seed: random seed of the sample and of the first centres.
        progress: show progress bars on stderr.

    Raises:
        UsageError: the set holds no whole recordings, another representation than log spectra, or
            fewer training frames than units.

    Example:
        >>> prepared = zoo.data.prepare("TIMIT", "timit-recordings", examples="frames")
        >>> Units(prepared, 100).classes[:2]
        ('u0', 'u1')
    """

    def __init__(
        self, prepared: Prepared, count: int, seed: int = 0, *, progress: bool = False
    ) -> None:
        prepared.check_frames()
        if prepared.frontend.kind not in LOGARITHMIC:
            raise UsageError(
                f"units are found in {', '.join(LOGARITHMIC)}; {prepared.path} holds "
                f"{prepared.frontend.kind}."
            )
        self._prepared = prepared
        self._progress = progress
        self._found: dict[str, list[np.ndarray]] = {}
        self.path = prepared.path
        self.kind = prepared.kind
        self.classes = tuple(f"u{number}" for number in range(count))
        self.groups = {name: name for name in self.classes}
        plan = f"{prepared.manifest['plan']} {count} {seed}"
        self.manifest: dict[str, Any] = {
            **prepared.manifest,
            "plan": hashlib.sha256(plan.encode()).hexdigest(),
            "classes": list(self.classes),
            "groups": self.groups,
            "mapping": {name: name for name in self.classes},
            "label_set": "own",
        }
        self._seed = seed
        frames = len(prepared.labels("train"))
        if frames < count:
            raise UsageError(
                f"{self.path} has {frames} frames to train on; they cannot be divided into {count} "
                "units."
            )

    @functools.cached_property
    def frontend(self) -> Frontend:
        """The front end that computed the features."""
        return self._prepared.frontend

    def shares(self, split: str) -> Shares | None:
        """How often each of several sets is drawn, if that was chosen."""
        return self._prepared.shares(split)

    def missing_classes(self) -> list[str]:
        """Nothing: the training part has frames of every unit."""
        return []

    def features(self, split: str) -> Examples:
        """As `Prepared.features`."""
        return self._prepared.features(split)

    def segments(self, split: str) -> np.recarray:
        """As `Prepared.segments`."""
        return self._prepared.segments(split)

    def labels(self, split: str) -> np.ndarray:
        """The unit of every frame, those of all recordings in order, (frames,) int64."""
        return np.concatenate([np.zeros(0, "int64"), *self.frame_labels(split)])

    def frame_labels(self, split: str) -> list[np.ndarray]:
        """The unit of every frame, (T,) int64 for each recording."""
        if split not in self._found:
            self._found[split] = self._assigned(split)
        return self._found[split]

    def phones(self, split: str) -> list[list[Segment]]:
        """Every stretch of one unit, in samples at the set's rate."""
        hop = self.hop
        found = []
        for labels in self.frame_labels(split):
            edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
            found.append(
                [
                    Segment(int(a * hop), int(b * hop), self.classes[labels[a]])
                    for a, b in itertools.pairwise(edges)
                ]
            )
        return found

    def windows(
        self,
        split: str,
        frames: int,
        *,
        labelled: bool = True,
        recordings: Sequence[int] | np.ndarray | None = None,
    ) -> tuple[WindowedExamples, WindowedLabels]:
        """As `Prepared.windows`; every frame has a unit, whether it is labelled or not."""
        examples, _ = self._prepared.windows(split, frames, labelled=False, recordings=recordings)
        units = self.frame_labels(split)
        offsets = np.cumsum([0, *map(len, units)])
        chosen = range(len(units)) if recordings is None else np.asarray(recordings).tolist()
        middles = [np.arange(offsets[n], offsets[n + 1]) for n in chosen]
        return examples, WindowedLabels(
            self.labels(split), np.concatenate([np.zeros(0, "int64"), *middles]), frames, offsets
        )

    @functools.cached_property
    def _fitted(self) -> _Fitted:
        """Frames of the training part are chosen, and their descriptions divided.

        When labels are first asked for: a run that is finished needs none.
        """
        from scipy.cluster.vq import kmeans2

        features = self._prepared.features("train")
        count = len(self.classes)
        rng = np.random.default_rng([self._seed, count])
        cepstra: list[np.ndarray] = []
        frames = 0
        for number in rng.permutation(len(features)):
            cepstra.append(_cepstra(features[int(number)]))
            frames += len(cepstra[-1])
            if frames >= 2 * FITTED:
                break
        together = np.concatenate(cepstra)
        mean, scale = together.mean(axis=0), together.std(axis=0) + 1e-6
        described = np.concatenate([self._described(one, mean, scale) for one in cepstra])
        described = described[np.sort(rng.permutation(frames)[:FITTED])]
        centres = described[rng.permutation(len(described))[:count]]
        with (
            warnings.catch_warnings(),
            progress_bar(ROUNDS, "round", "units", shown=self._progress) as bar,
        ):
            # A centre that lost its frames stays where it was.
            warnings.filterwarnings("ignore", message="One of the clusters is empty")
            for _ in range(ROUNDS):
                centres, _ = kmeans2(described, centres, iter=1, minit="matrix")
                bar.update()
        return _Fitted(mean, scale, centres)

    def _described(self, cepstra: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """(T, 13) -> (T, values): a frame's cepstra and those of its neighbours."""
        rate = self.frontend.sample_rate / self.hop
        step = max(1, round(STEP * rate))
        offsets = np.arange(-round(REACH / STEP), round(REACH / STEP) + 1) * step
        weights = np.exp(-((offsets / (2 * SPREAD * rate)) ** 2))
        # Coefficients of a higher order say less of phones and more of voices.
        scaled = (cepstra - mean) / scale * np.exp(-np.arange(cepstra.shape[1]) / 20)
        place = np.clip(np.arange(len(cepstra))[:, None] + offsets, 0, len(cepstra) - 1)
        return (scaled[place] * weights[:, None]).reshape(len(cepstra), -1).astype("float32")

    def _assigned(self, split: str) -> list[np.ndarray]:
        """The nearest centre of every frame."""
        from scipy.cluster.vq import vq

        features = self._prepared.features(split)
        mean, scale, centres = self._fitted
        found = []
        with progress_bar(len(features), "recording", "units", shown=self._progress) as bar:
            for number in range(len(features)):
                described = self._described(_cepstra(features[number]), mean, scale)
                units, _ = vq(described, centres)
                found.append(units.astype("int64"))
                bar.update()
        return found


def _cepstra(x: np.ndarray) -> np.ndarray:
    """(F, T, C) -> (T, at most 13), of the first channel."""
    from scipy.fft import dct

    return dct(x[:, :, 0], axis=0, norm="ortho")[:CEPSTRA].T
