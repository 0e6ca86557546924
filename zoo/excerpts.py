"""One segment of a sound file, of which no more is read than the answer depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from zoo.data.corpora.audio import AudioFile
from zoo.given_audio import checked_audio, to_mono
from zoo.inference import Answer, Classifier, best_of, classify, top_of

_BLOCK = 1 << 20
"""Samples of a recording, at a time."""


def classify_excerpt(
    classifier: Classifier, file: AudioFile, start: int, end: int, top_k: int | None = None
) -> Answer:
    """What `zoo.classify` answers for a segment of all of the file's samples.

    Of a model whose segments know their recording all of the file is read, a block at a time; of
    others the segment alone.

    Args:
        classifier: what `load_classifier` returned.
        file: the recording.
        start: first sample of the segment.
        end: the sample after its last one.
        top_k: how many classes to name; None: 5, or all of a model of fewer.

    Raises:
        UsageError: the file is damaged, or its samples are no audio.
    """
    from zoo.ops.resampling import moved, resample_pieces

    count = top_of(top_k, len(classifier.classes))
    if classifier.of_recording is None:
        audio = file.excerpt(start, end)
        (answer,) = classify(classifier, audio, file.rate, [(0, len(audio))], count)
        return dataclasses.replace(answer, start=start, end=end)

    def pieces() -> Iterator[np.ndarray]:
        blocks = (to_mono(checked_audio(block)) for block in file.blocks(_BLOCK))
        return resample_pieces(blocks, file.rate, classifier.sample_rate)

    segment = moved(start, end, file.rate, classifier.sample_rate)
    probabilities = classifier.of_recording(pieces, [segment])
    return best_of(classifier, [(start, end)], probabilities, count)[0]
