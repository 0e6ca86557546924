"""Whole recordings as examples, with a label for every frame."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.names import AUDIO_SUFFIXES
from zoo.data.corpora.utterances import Report, Segment, Utterance, refuse
from zoo.data.features.frontend import Frontend, level_file
from zoo.data.sets.shards import Piece, check_range
from zoo.errors import UsageError
from zoo.files import walk

NO_CLASS = -1
"""Label of frames that are unlabelled, or whose label belongs to no class."""


@dataclasses.dataclass(frozen=True)
class Unlabelled(Utterance):
    """A recording without labels."""

    def segments(self, samples: int | None = None, report: Report = refuse) -> list[Segment]:
        """None."""
        return []


def unlabelled_recordings(folder: str | Path) -> list[Unlabelled]:
    """Every recording below a folder; speakers are the folders that they lie in.

    Raises:
        UsageError: there is no recording.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(
            f"{root} is not a folder; a folder of recordings without labels was expected."
        )
    found = []
    for place, names in walk(root):
        for name in names:
            path = place / name
            if path.suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                short = path.relative_to(root).as_posix()
                speaker = place.name if place != root else root.name
                found.append(Unlabelled(f"unlabelled/{short}", path, speaker, "train"))
    if not found:
        raise UsageError(f"{root} holds no recordings ({', '.join(AUDIO_SUFFIXES)}).")
    return found


def frame_labels(
    segments: Sequence[tuple[int, int, int]], frames: int, hop: int, centre: float
) -> np.ndarray:
    """The class of the segment that each frame's centre lies in, (frames,) int64.

    Args:
        segments: (start, end, class) in samples, in order; the class may be `NO_CLASS`.
        frames: number of frames.
        hop: samples from one frame to the next.
        centre: sample at the centre of frame 0.
    """
    labels = np.full(frames, NO_CLASS, "int64")
    for start, end, label in segments:
        # Frames i with start <= centre + i hop < end.
        first, last = (int(np.ceil((edge - centre) / hop)) for edge in (start, end))
        labels[max(first, 0) : max(last, 0)] = label
    return labels


@dataclasses.dataclass(frozen=True)
class LabelledWork:
    """Work that turns labelled speech into examples.

    Attributes:
        frontend: its mean is not subtracted yet.
        labelling: from labels to classes.
        resample: accept recordings of other rates.
        dtype: type of the stored features.
        row_type: type of the examples' rows.
    """

    frontend: Frontend
    labelling: Labelling
    resample: bool
    dtype: str
    row_type: np.dtype

    @functools.cached_property
    def class_of(self) -> Mapping[str, int]:
        """Label -> number of its class."""
        number = {name: number for number, name in enumerate(self.labelling.classes)}
        return {
            label: NO_CLASS if name is None else number.get(name, NO_CLASS)
            for label, name in self.labelling.mapping.items()
        }


class RecordingWork(LabelledWork):
    """Turns recordings into examples, one each."""

    def pieces(self, items: Iterable[tuple[Utterance, Sequence[Segment]]]) -> Iterator[Piece]:
        """The example of each recording, one frame a row."""
        frontend = self.frontend
        for utterance, segments in items:
            last = max((end for _, end, _ in segments), default=0)
            samples = utterance.samples(self.resample, frontend.sample_rate, last)
            x = frontend.frames_of(level_file(samples, frontend.level))
            x = np.moveaxis(frontend.normalized(x, frontend.statistics(x)), 1, 0)
            check_range(x, self.dtype, utterance.audio)
            known = [(start, end, self.class_of[label]) for start, end, label in segments]
            centre = frontend.shortest / 2 - frontend.margin
            row = (utterance.name, utterance.speaker, 0, len(samples), "")
            yield Piece(
                {"features": np.ascontiguousarray(x, self.dtype)},
                np.array([row], self.row_type),
                frame_labels(known, len(x), frontend.hop, centre),
                np.array([len(x)]),
                x.sum(axis=0, dtype="float64"),
            )
