"""Strict reading of recordings: a file must hold what its header states."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.containers import Edited, Promise, promised
from zoo.errors import FileWarning, UsageError

SAMPLE_RATE = 16000
"""Sample rate of TIMIT in Hz, and the default one of prepared sets."""

MAX_SECONDS = 3600.0
"""Longest recording that is read, so that a wrong header cannot ask for all of the memory."""

LONGEST_SECONDS = 24 * MAX_SECONDS
"""Longest recording that is transcribed; only a few blocks of it are in memory at a time."""

_BLOCK = 1 << 20
"""Samples that are decoded at a time where their number is not known before."""


class AudioFile:
    """A recording that is read in blocks: NIST SPHERE, WAV, FLAC, OGG, MP3, or another format of
    libsndfile.

    Args:
        path: path of the file.
        longest: seconds that it may last, so that a wrong header cannot ask for all of the memory.

    Attributes:
        path: path of the file.
        rate: sample rate in Hz.
        channels: number of channels.

    Raises:
        UsageError: no such file, not audio, truncated, without samples, or too long.
    """

    def __init__(self, path: str | Path, longest: float = MAX_SECONDS) -> None:
        self.path = Path(path)
        self._longest = longest
        with _opened(self.path, longest) as (file, promise):
            self.rate, self.channels = file.samplerate, file.channels
            self._frames = None if promise.counted else file.frames

    @functools.cached_property
    def frames(self) -> int:
        """Number of samples of each channel; if the header does not state it, all are decoded.

        Raises:
            UsageError: that fails.
        """
        return _counted(self.path, self._longest) if self._frames is None else self._frames

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """Its samples in order, float32 in [-1, 1), (n,) or (n, channels).

        Args:
            frames: most samples of a block.

        Raises:
            UsageError: the file is damaged, holds no samples or some that are not finite.
        """
        with _opened(self.path, self._longest) as (file, promise):
            yield from _blocks(file, promise, self.path, frames, self._longest)

    def excerpt(self, start: int, end: int) -> np.ndarray:
        """The samples from `start` to `end`, as `blocks` gives them; no others are kept.

        Raises:
            UsageError: the file is damaged, holds no samples there or some that are not finite.
        """
        return next(self.excerpts([(start, end)]))

    def excerpts(self, spans: Iterable[tuple[int, int]]) -> Iterator[np.ndarray]:
        """What `excerpt` gives for each (start, end) in turn, decoding no sample twice.

        Args:
            spans: in the order of their starts; they may overlap.

        Raises:
            UsageError: as `excerpt`.
        """
        with _opened(self.path, self._longest) as (file, promise):
            yield from _excerpts(file, promise, self.path, spans, self._longest)


@functools.lru_cache(maxsize=1)
def _reader() -> Any:
    import soundfile

    class Reader(soundfile.SoundFile):
        """Reads on without seeking, which fails at the end of a damaged or endless file."""

        def seekable(self) -> bool:
            return False

    return Reader


@contextlib.contextmanager
def _opened(path: Path, longest: float) -> Iterator[tuple[Any, Promise]]:
    import soundfile

    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(open(path, "rb"))
            size = os.fstat(raw.fileno()).st_size
            promise = promised(raw, path, size)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}.") from None
        if promise.end is not None and size < promise.end:
            raise UsageError(
                f"{path} is truncated: its header promises {promise.end} bytes, there are {size}."
            )
        if promise.cut is not None:
            warnings.warn(
                f"{path} may be cut short: {promise.cut}; the part that exists is read.",
                FileWarning,
                stacklevel=2,
            )
        beyond = promise.end is not None and size > promise.end and promise.trailing
        source = Edited(raw, promise, size) if promise.head or beyond else path
        try:
            with _reader()(source) as file:
                if not promise.counted and file.frames > longest * file.samplerate:
                    raise _too_long(path, file.frames / file.samplerate, longest)
                yield file, promise
        except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
            reason = str(error).split(": ", 1)[-1].rstrip(".")
            raise UsageError(
                f"{path} is not a recording that libsndfile can read ({reason})."
            ) from None


def _too_long(path: Path, seconds: float, longest: float) -> UsageError:
    return UsageError(f"{path} lasts {seconds:.0f} s; the limit is {longest:.0f} s: split it.")


def _blocks(
    file: Any, promise: Promise, path: Path, frames: int, longest: float, skipped: int = 0
) -> Iterator[np.ndarray]:
    """The samples of an open file from where it stands, after `skipped`, up to `frames` at a time.

    A header's number of samples is kept, or the file is truncated.
    """
    read = skipped
    while len(samples := _decoded(file, promise, path, frames, read)):
        read += len(samples)
        if read > longest * file.samplerate:
            raise _too_long(path, read / file.samplerate, longest)
        # Some three times faster than libsndfile's own conversion, and the same numbers.
        if samples.dtype == np.int16:
            samples = samples * np.float32(1 / 32768)
        elif not np.isfinite(samples).all():
            raise UsageError(f"{path} holds samples that are not finite numbers.")
        yield samples
    if not promise.stream and not promise.counted and read < file.frames:
        raise UsageError(
            f"{path} is truncated: its header promises {file.frames} samples, there are {read}."
        )
    if read == skipped:
        raise UsageError(f"{path} holds no samples; a recording was expected.")


def _decoded(file: Any, promise: Promise, path: Path, frames: int, read: int) -> np.ndarray:
    import soundfile

    try:
        return file.read(frames, dtype="int16" if file.subtype == "PCM_16" else "float32")
    except soundfile.SoundFileError as error:
        if promise.stream:
            raise
        reason = str(error).split(": ", 1)[-1].rstrip(".")
        held = "" if promise.counted else f" of the {file.frames} samples that its header promises"
        raise UsageError(
            f"{path} is truncated or damaged: decoding stops after sample {read} or later{held} "
            f"({reason})."
        ) from None


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a recording (NIST SPHERE, WAV, FLAC, OGG, MP3: whatever libsndfile reads).

    Returns:
        Samples in [-1, 1), float32, (n,) or (n, channels), and the sample rate in Hz.

    Raises:
        UsageError: no such file, not audio, truncated, without samples, or over `MAX_SECONDS`.
    """
    path = Path(path)
    # Opened once: a corpus has thousands of files that are read whole.
    with _opened(path, MAX_SECONDS) as (file, promise):
        # Of a known number of samples one more is asked for, so that they come at once.
        block = _BLOCK if promise.counted else file.frames + 1
        parts = list(_blocks(file, promise, path, block, MAX_SECONDS))
        return parts[0] if len(parts) == 1 else np.concatenate(parts), file.samplerate


def neighbours(spans: Iterable[tuple[int, int]], longest: int) -> Iterator[list[tuple[int, int]]]:
    """Spans that lie close together, one group after another.

    Args:
        spans: (start, end) of each, in the order of their starts.
        longest: from the start of a group's first span to the end of any, unless it has but one.

    Example:
        >>> list(neighbours([(0, 4), (5, 9), (8, 12), (90, 200)], 10))
        [[(0, 4), (5, 9)], [(8, 12)], [(90, 200)]]
    """
    group: list[tuple[int, int]] = []
    for span in spans:
        if group and span[1] - group[0][0] > longest:
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def read_excerpt(
    path: str | Path, start: float, seconds: float, channel: int | None = None
) -> tuple[np.ndarray, int]:
    """Read a part of one channel of a recording, however long that is.

    Args:
        path: path of the file.
        start: start of the part, in seconds.
        seconds: that it lasts, or to the recording's end.
        channel: which one of several, from 1 on; None: the first.

    Returns:
        Samples in [-1, 1), float32, (n,), and the sample rate in Hz.

    Raises:
        UsageError: no such file, not audio, truncated, or nothing left there.
    """
    path = Path(path)
    with _opened(path, LONGEST_SECONDS) as (file, promise):
        rate = file.samplerate
        first, wanted = round(start * rate), round(seconds * rate)
        span = (first, first + wanted)
        samples = next(_excerpts(file, promise, path, [span], LONGEST_SECONDS + seconds))
        return samples if samples.ndim == 1 else samples[:, (channel or 1) - 1], rate


def _excerpts(
    file: Any, promise: Promise, path: Path, spans: Iterable[tuple[int, int]], longest: float
) -> Iterator[np.ndarray]:
    """The samples of each span of a file that has just been opened, as far as there are any."""
    held: list[np.ndarray] = []
    first = at = 0
    for start, end in spans:
        if not promise.counted:
            start = min(start, file.frames)
        if start > at:
            _advance(file, promise, at, start)
            held, at = [], start
        elif held:
            held = [np.concatenate(held)[start - first :]]
        if end > at:
            samples = next(_blocks(file, promise, path, end - at, longest, at))
            held.append(samples)
            at += len(samples)
        first = start
        yield np.concatenate(held)[: end - start]


def _advance(file: Any, promise: Promise, at: int, target: int) -> None:
    """Move an open file on from one sample to a later one."""
    import soundfile

    # A short way is decoded: in some formats seeking takes longer than that.
    if target - at >= file.samplerate and not promise.counted:
        # What has no known end cannot be sought in, and neither can some codecs' samples.
        with contextlib.suppress(soundfile.SoundFileError):
            if file.seek(target) == target:
                return
    for position in range(at, target, _BLOCK):
        file.read(min(_BLOCK, target - position), dtype="float32")


def audio_size(path: str | Path) -> tuple[int, int]:
    """Number of samples and rate in Hz of a recording, from its header if that states them.

    Raises:
        UsageError: the file is no recording.
    """
    file = AudioFile(path, LONGEST_SECONDS)
    return file.frames, file.rate


def _counted(path: Path, longest: float) -> int:
    """Samples of a recording, which it takes decoding to know."""
    about = path.stat()
    return _count(path, longest, about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=65536)
def _count(path: Path, longest: float, size: int, changed: int) -> int:
    with _opened(path, longest) as (file, promise):
        return sum(map(len, _blocks(file, promise, path, _BLOCK, longest)))


def resample(samples: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample mono float32 `samples` (n,) from `rate` to `target_rate` Hz (soxr, high quality)."""
    if rate == target_rate:
        return samples
    import soxr

    return soxr.resample(samples, rate, target_rate, quality="HQ")


def resample_blocks(
    blocks: Iterable[np.ndarray], rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """What `resample` gives for a recording that comes in blocks (n,)."""
    if rate == target_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, "float32"), last=True)
