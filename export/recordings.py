"""Whole recordings inside a graph: the computation of `zoo.data.Frontend`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from zoo.data.features.frontend import LEVELS, RMS, Frontend
from zoo.data.features.normalization import statistics
from zoo.layers import Level, representation_layers
from zoo.layers.frontend import marked


class Recordings:
    """A front end for whole recordings, as TensorFlow functions.

    Args:
        frontend: what lies between a waveform and a network.
    """

    def __init__(self, frontend: Frontend) -> None:
        scaled, mode = LEVELS[frontend.level]
        self._frontend = frontend
        self._level = Level(mode if scaled == "file" else "none", RMS)
        self._placed_level = Level(mode if scaled == "segment" else "none", RMS)
        self._representation = representation_layers(frontend.representation)

    def represent(self, waveform: Any) -> Any:
        """(N, samples), one recording a row, -> (N, F, T, C), normalised and not centred."""
        x = self._frames_of(self._level(waveform))
        return self._normalised(x, x)

    def of_segments(
        self, waveform: Any, place: Callable[[Any], tuple[Any, Any]], durations: Any
    ) -> Any:
        """Segments of one recording that is known to them, as `Frontend.of_recording`.

        Args:
            waveform: (samples,), the recording.
            place: from levelled samples (samples,) to windows (S, length) cut out of them, and the
                samples of each window (S,) at which its segment starts.
            durations: durations of the segments, in samples (S,).

        Returns:
            (S, F, T, C), not centred.
        """
        samples = self._level(waveform[None])
        windows, starts = place(samples[0])
        x = self._represented(self._placed_level(windows))
        if self._frontend.by_recording:
            x = self._normalised(x, self._frames_of(samples))
        if not self._frontend.context:
            return x
        return marked(x, starts, starts + durations, self._frontend.shortest, self._frontend.hop)

    def _normalised(self, x: Any, recording: Any) -> Any:
        if not self._frontend.by_recording:
            return x
        from keras import ops

        found = statistics(recording, ops)
        return (x - found.mean) / found.deviation

    def _frames_of(self, waveform: Any) -> Any:
        """(N, samples) -> (N, F, T, C), as `Frontend.frames_of`."""
        frontend, samples = self._frontend, tf.shape(waveform)[1]
        if frontend.whole:
            frames = -(-samples // frontend.hop)
            left = frontend.margin
            right = (frames - 1) * frontend.hop + frontend.shortest - left - samples
        else:
            missing = tf.maximum(frontend.shortest - samples, 0)
            left, right = missing // 2, missing - missing // 2
        return self._represented(tf.pad(waveform, [[0, 0], [left, right]]))

    def _represented(self, x: Any) -> Any:
        for layer in self._representation:
            x = layer(x)
        return x
