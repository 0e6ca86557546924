"""Front ends applied to recordings that are read piece by piece, in bounded memory."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from zoo.data.features.frontend import LEVELS, RMS, Frontend
from zoo.data.features.normalization import Running, Statistics
from zoo.machine import cores


class Loudness:
    """The level of a recording whose samples come in pieces.

    Attributes:
        samples: how many there were.
        peak: greatest magnitude.
        energy: sum of the squares.
        first: number of the first sample that is not zero; None: there was none.
        last: number of the last one.

    Example:
        >>> heard = Loudness()
        >>> heard.add(np.array([0.0, 0.5]))
        >>> heard.add(np.array([-1.0, 0.0]))
        >>> heard.peak, heard.first, heard.last
        (1.0, 1, 2)
    """

    def __init__(self) -> None:
        self.samples = 0
        self.peak = 0.0
        self.energy = 0.0
        self.first: int | None = None
        self.last = 0

    def add(self, piece: np.ndarray) -> None:
        """Add the next samples (n,)."""
        if len(piece):
            self.peak = max(self.peak, float(piece.max()), float(-piece.min()))
            self.energy += float(np.square(piece, dtype="float64").sum())
            heard = np.flatnonzero(piece)
            if len(heard):
                if self.first is None:
                    self.first = self.samples + int(heard[0])
                self.last = self.samples + int(heard[-1])
        self.samples += len(piece)

    def listening(self, pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same pieces, each of which is added as it passes."""
        for piece in pieces:
            self.add(piece)
            yield piece

    def levelled(self, piece: np.ndarray, level: str) -> np.ndarray:
        """Samples as `zoo.data.features.frontend.level_file` scales those of the whole file."""
        scaled, mode = LEVELS[level]
        if scaled != "file" or mode == "none" or self.first is None or not self.energy:
            return piece
        if mode == "peak":
            return piece / np.float32(self.peak)
        mean = self.energy / (self.last - self.first + 1)
        return (piece * (RMS / np.sqrt(mean))).astype("float32")


class _Stretch(NamedTuple):
    """Samples from which some frames are computed, and how many of them are beside the wanted."""

    samples: np.ndarray
    before: int
    wanted: int


def _stretches(frontend: Frontend, pieces: Iterable[np.ndarray], frames: int) -> Iterator[_Stretch]:
    """All frames of a recording, `frames` at a time, with the frames beside them that they need."""
    slopes = frontend.representation.get("deltas", {"order": 0, "width": 1})
    beside = slopes["order"] * (slopes["width"] // 2)
    hop, long = frontend.hop, frontend.shortest
    # Samples from the one numbered `offset` on, which is where frame `offset / hop` begins.
    held, offset = np.zeros(frontend.margin, "float32"), 0
    samples, start = 0, 0

    def stretch(end: int, total: int) -> _Stretch:
        first, last = max(start - beside, 0), min(end + beside, total)
        part = held[first * hop - offset : (last - 1) * hop + long - offset]
        return _Stretch(part, start - first, end - start)

    for piece in pieces:
        samples += len(piece)
        held = np.concatenate([held, piece])
        while (start + frames + beside - 1) * hop + long <= offset + len(held):
            yield stretch(start + frames, start + frames + beside)
            start += frames
            done = max(start - beside, 0) * hop - offset
            held, offset = held[done:], offset + done
    total = frontend.frames_in(samples)
    missing = (total - 1) * hop + long - offset - len(held)
    held = np.pad(held, (0, max(missing, 0)))
    while start < total:
        end = min(start + frames, total)
        yield stretch(end, total)
        start = end


def frames_of_pieces(
    frontend: Frontend, pieces: Iterable[np.ndarray], frames: int
) -> Iterator[np.ndarray]:
    """What `Frontend.frames_of` gives for a recording, in blocks (F, t, C), on all cores.

    Args:
        frontend: what makes frames of samples.
        pieces: its levelled samples, one piece (n,) after another; one sample at least, and one
            frame where frames do not cover a recording whole.
        frames: number of frames of a block; the last may have fewer.
    """

    def analysed(stretch: _Stretch) -> np.ndarray:
        x = frontend.analysed(stretch.samples[None])[0]
        return x[:, stretch.before : stretch.before + stretch.wanted]

    yield from _in_order(analysed, _stretches(frontend, pieces, frames))


class Source(Protocol):
    """A recording at a front end's sample rate that is read piece by piece, or in parts."""

    def pieces(self) -> Iterator[np.ndarray]:
        """All of its samples, one piece (n,) after another; may be called again."""

    def cuts(self, spans: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """The samples of each (start, end), as far as the recording has any there.

        Args:
            spans: in the order of their starts; they may begin before the recording and overlap.
        """


class Samples:
    """A recording that is in memory.

    Args:
        samples: (n,).
    """

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    def pieces(self) -> Iterator[np.ndarray]:
        """See `Source`."""
        yield self._samples

    def cuts(self, spans: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """See `Source`."""
        return (self._samples[max(start, 0) : max(end, 0)] for start, end in spans)


def segments_of(
    frontend: Frontend,
    source: Source,
    segments: Sequence[tuple[int, int]],
    *,
    frames: int = 4096,
    count: int = 512,
) -> Iterator[np.ndarray]:
    """What `Frontend.of_recording` gives, in batches (n, *shape).

    The whole recording is read only if its level or its statistics are needed.

    Args:
        frontend: one with segments of one length.
        source: the recording.
        segments: (start, end) of each within it, in the order of their starts.
        frames: number of frames to compute at a time.
        count: number of segments to compute at a time.
    """
    heard = Loudness()
    scaled, mode = LEVELS[frontend.level]
    if scaled == "file" and mode != "none":
        collections.deque(heard.listening(source.pieces()), maxlen=0)
    found = _statistics_of(frontend, source, heard, frames) if frontend.by_recording else None
    cuts = source.cuts([frontend.heard_around(segment) for segment in segments])
    for first in range(0, len(segments), count):
        batch = segments[first : first + count]
        levelled = [
            heard.levelled(cut, frontend.level) for cut in itertools.islice(cuts, len(batch))
        ]
        yield frontend.of_cuts(levelled, batch, found)


def _statistics_of(
    frontend: Frontend, source: Source, heard: Loudness, frames: int
) -> Statistics | None:
    levelled = (heard.levelled(piece, frontend.level) for piece in source.pieces())
    begun, samples = [], 0
    while samples < frontend.shortest and (piece := next(levelled, None)) is not None:
        begun.append(piece)
        samples += len(piece)
    if samples < frontend.shortest:
        return frontend.statistics(frontend.frames_of(np.concatenate(begun)))
    running = Running()
    for x in frames_of_pieces(frontend, itertools.chain(begun, levelled), frames):
        running.add(x)
    return running.statistics


def _in_order(
    work: Callable[[_Stretch], np.ndarray], stretches: Iterable[_Stretch]
) -> Iterator[np.ndarray]:
    """As `map`, by a thread for each core, with few stretches in memory."""
    workers = cores()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    waiting: collections.deque[concurrent.futures.Future[np.ndarray]] = collections.deque()
    try:
        for stretch in stretches:
            waiting.append(pool.submit(work, stretch))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
