"""From a class for every frame to intervals, inside a graph, as `zoo.decoding.frames` has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from zoo.decoding.edits import SILENCE


class Intervals(NamedTuple):
    """The intervals of one recording, without gaps.

    Attributes:
        phones: (M,) strings.
        starts: (M,), in seconds.
        ends: (M,), in seconds.
        scores: (M,), mean posterior of the phone, 0..1.
        alternatives: (M, K) strings, the most probable classes, best first.
        alternative_scores: (M, K), their mean posteriors.
    """

    phones: Any
    starts: Any
    ends: Any
    scores: Any
    alternatives: Any
    alternative_scores: Any

    @classmethod
    def of_path(
        cls,
        path: Any,
        posteriors: Any,
        samples: Any,
        *,
        classes: Sequence[str],
        groups: Mapping[str, str],
        hop: int,
        sample_rate: int,
        duration: Any,
        alternatives: int,
    ) -> Intervals:
        """The result of `to_intervals` and then `merged`, if frames cover the recording.

        The last one ends with the recording: resampling may have added part of a sample.

        Args:
            path: (T,) int32, the class of every frame; T = ceil(samples / hop).
            posteriors: (T, C).
            samples: number of samples of the recording, int32.
            classes: names of the C classes.
            groups: class -> group, which tells silences.
            hop: samples from one frame to the next.
            sample_rate: in Hz, of `samples`.
            duration: duration of the recording in seconds, float64.
            alternatives: how many classes to name beside each interval's own.
        """
        silences = tf.constant([groups.get(name, name) == SILENCE for name in classes])
        silent = tf.gather(silences, path)  # (T,)
        first = tf.ones([1], tf.bool)
        changes = tf.concat([first, path[1:] != path[:-1]], 0)
        # A silence that follows another one belongs to the same interval.
        begins = changes & tf.concat([first, ~(silent[1:] & silent[:-1])], 0)
        interval = tf.cumsum(tf.cast(begins, tf.int32)) - 1  # (T,), which one a frame is in

        # A silence's score is the mean of its parts' scores, which count by their samples.
        part = tf.cumsum(tf.cast(changes, tf.int32)) - 1
        own = tf.gather(posteriors, path, batch_dims=1)
        borders = _borders(changes, hop, samples)
        lengths = tf.cast(borders[1:] - borders[:-1], tf.float32)
        whole = tf.boolean_mask(interval, changes)
        weighted = tf.math.segment_sum(tf.math.segment_mean(own, part) * lengths, whole)
        scores = weighted / tf.math.segment_sum(lengths, whole)

        best, index = tf.math.top_k(tf.math.segment_mean(posteriors, interval), alternatives)
        names = tf.constant(list(classes))
        phones = tf.where(silent, SILENCE, tf.gather(names, path))
        starts = tf.cast(_borders(begins, hop, samples), tf.float64)[:-1] / sample_rate
        starts = tf.boolean_mask(starts, starts < duration)
        ends = tf.concat([starts[1:], duration[None]], 0)
        found = cls(
            phones=tf.boolean_mask(phones, begins),
            starts=tf.cast(starts, tf.float32),
            ends=tf.cast(ends, tf.float32),
            scores=tf.clip_by_value(scores, 0.0, 1.0),
            alternatives=tf.gather(names, index),
            alternative_scores=best,
        )
        return cls(*(values[: tf.size(starts)] for values in found))


def _borders(begins: Any, hop: int, samples: Any) -> Any:
    """Where intervals that begin with these frames (T,) have their borders, in samples (M + 1,).

    Frame i has its centre half a hop after sample i * hop, which is midway to the one before it.
    """
    frames = tf.cast(tf.where(begins)[:, 0], tf.int32)
    return tf.concat([frames * hop, tf.cast(samples, tf.int32)[None]], 0)
