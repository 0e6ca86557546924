"""Classification of a sound file's segments, reading no more of the file than the answers depend
on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo.data.corpora.audio import AudioFile, neighbours
from zoo.given_audio import checked_audio, to_mono
from zoo.inference import Answer, Classifier, best_of, classify_alone, top_of

_BLOCK = 1 << 20
"""Samples of a recording that are read at a time."""

_TOGETHER = 30
"""Seconds of a recording whose segments are cut out of one excerpt."""


def classify_file(
    classifier: Classifier,
    file: AudioFile,
    segments: Sequence[tuple[int, int]],
    top_k: int | None = None,
) -> list[Answer]:
    """What `zoo.classify` answers for segments of all of the file's samples.

    All of the file is read, a block at a time, only if the model's inputs depend on the whole
    recording, that is, if they are normalised or levelled by it. For other models the segments
    alone are read, with their surroundings if the model was trained with them.

    Args:
        classifier: what `load_classifier` returned.
        file: the recording.
        segments: (start, end) of each in samples, within the recording, in the order of their
            starts.
        top_k: how many classes to name; None: 5, or all of a model of fewer.

    Raises:
        UsageError: the file is damaged, or its samples are no audio.
    """
    from zoo.ops.resampling import moved

    count = top_of(top_k, len(classifier.classes))
    if not segments:
        return []
    if classifier.of_recording is None:
        cuts = map(checked_audio, file.excerpts(segments))
        probabilities = classify_alone(classifier, cuts, file.rate)
    else:
        target = classifier.sample_rate
        places = [moved(start, end, file.rate, target) for start, end in segments]
        probabilities = classifier.of_recording(Resampled(file, target), places)
    return best_of(classifier, segments, probabilities, count)


class Resampled:
    """A sound file at another rate, read piece by piece: a `zoo.data.features.streaming.Source`.

    Args:
        file: the recording.
        rate: the other rate, in Hz.
    """

    def __init__(self, file: AudioFile, rate: int) -> None:
        self._file = file
        self._rate = rate

    def pieces(self) -> Iterator[np.ndarray]:
        """All samples, one piece (n,) after another.

        Raises:
            UsageError: the file is damaged, or its samples are no audio.
        """
        from zoo.ops.resampling import resample_pieces

        blocks = (to_mono(checked_audio(block)) for block in self._file.blocks(_BLOCK))
        return resample_pieces(blocks, self._file.rate, self._rate)

    def cuts(self, spans: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """The samples of each (start, end), as far as there are any; no others are read.

        Args:
            spans: in samples at the new rate, in the order of their starts; they may overlap.

        Raises:
            UsageError: as `pieces`.
        """
        from zoo.ops.resampling import resample

        groups = list(neighbours(spans, _TOGETHER * self._rate))
        excerpts = self._file.excerpts(self._excerpt(group) for group in groups)
        for group, excerpt in zip(groups, excerpts, strict=True):
            samples = resample(to_mono(checked_audio(excerpt)), self._file.rate, self._rate)
            begun = self._excerpt(group)[0] // self._file.rate * self._rate
            for start, end in group:
                yield samples[max(start, 0) - begun : max(end - begun, 0)]

    def _excerpt(self, group: list[tuple[int, int]]) -> tuple[int, int]:
        """Samples of the file, from a whole second on, that those of a group are made of."""
        from zoo.ops.resampling import surroundings

        source = self._file.rate
        beside = surroundings(source, self._rate)
        first = max(group[0][0] // self._rate - beside, 0)
        last = -(-max(end for _, end in group) // self._rate) + beside
        return first * source, min(last * source, self._file.frames)
