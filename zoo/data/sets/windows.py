"""A set of whole recordings as windows of one shape, for networks that require one."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.features.frontend import Frontend
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import Shares
from zoo.data.sets.storage import WindowedExamples

WINDOW = 25
"""Default number of frames of a window: a quarter of a second."""


class Windows:
    """Windows around the frames of a set of recordings, with a prepared set's interface for
    training.

    Args:
        prepared: holds whole recordings.
        frames: number of frames of a window; its label is that of frame `frames // 2`.
        labelled: only windows around frames that have a class.

    Attributes:
        path: path of the set.
        manifest: manifest of the set.
        classes: names of the classes that labels index.
        groups: class -> scored group.
        window: frames of one.

    Raises:
        UsageError: the set holds no whole recordings.

    Example:
        >>> prepared = zoo.data.prepare("TIMIT", "timit-recordings", examples="frames")
        >>> Windows(prepared, 25).features("train").shape[1:]
        (40, 25, 1)
    """

    kind = "segments"

    def __init__(self, prepared: Prepared, frames: int = WINDOW, *, labelled: bool = True) -> None:
        prepared.check_frames()
        self._prepared = prepared
        self._labelled = labelled
        self.window = frames
        self.path = prepared.path
        self.manifest: dict[str, Any] = prepared.manifest
        self.classes = prepared.classes
        self.groups = prepared.groups

    @property
    def frontend(self) -> Frontend:
        """The front end that computed the features."""
        return self._prepared.frontend

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(F, frames, C)."""
        rows, _, channels = self._prepared.shape
        return (rows, self.window, channels)

    @property
    def splits(self) -> list[str]:
        """Names of the splits."""
        return self._prepared.splits

    def features(self, split: str) -> WindowedExamples:
        """An array-like (N, F, frames, C)."""
        return self._prepared.windows(split, self.window, labelled=self._labelled)[0]

    def labels(self, split: str) -> np.ndarray:
        """Class of the frame in the middle of each window, (N,); -1 where unlabelled."""
        labels = self._prepared.labels(split)
        return labels[labels >= 0] if self._labelled else labels

    def shares(self, split: str) -> Shares | None:
        """As `Prepared.shares`, of the windows."""
        shares = self._prepared.shares(split)
        if shares is None or not self._labelled:
            return shares
        return shares.of(self._prepared.labels(split) >= 0)
