"""Recordings of any length in, phones with their times out."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile, resample_blocks
from zoo.data.features.frontend import LEVELS, Frontend
from zoo.data.features.normalization import Running, Statistics
from zoo.data.features.streaming import Loudness, frames_of_pieces
from zoo.decoding.decoder import Decoder
from zoo.decoding.edits import SILENCE
from zoo.decoding.formats import PHONES, Interval
from zoo.decoding.frames import merged, to_intervals
from zoo.decoding.posteriors import CHUNK, in_chunks, log_posteriors
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.given_audio import MAX_AMPLITUDE, checked_audio, checked_rate
from zoo.inference import newest_version
from zoo.runs import RECOGNIZER, Run, find
from zoo.twins import Twin

if TYPE_CHECKING:
    import keras

Progress = Callable[[float], object]
"""Function that is called with the number of further seconds of a recording that are done."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Sizes of the parts of a recording that are in memory at a time.

    Attributes:
        samples: that are read together, at the recording's rate.
        frames: that are transformed together on one core.
        chunk: frames that the network scores together, beside those that they depend on.
        memory: bytes of features, and of scores, above which they are kept in a temporary file.
    """

    samples: int = 2**18
    frames: int = 2048
    chunk: int = CHUNK
    memory: int = 2**25


class Scored(NamedTuple):
    """A network's outputs for every frame of a recording.

    Attributes:
        log_posteriors: (T, classes), T = ceil(samples / hop); none where all is silent and a class
            is silence.
        silent: every sample is 0.
        samples: at the network's rate.
        duration: in seconds.
        sample_rate: the recording's own, in Hz.
        name: name of the recording.
    """

    log_posteriors: Rows
    silent: bool
    samples: int
    duration: float
    sample_rate: int
    name: str


@dataclasses.dataclass(frozen=True)
class Recognizer:
    """A loaded network that scores every frame of a recording, with its front end and decoder.

    Attributes:
        sample_rate: in Hz, at which it hears recordings.
        classes: names of the outputs.
        groups: class -> the group that it is scored as.
        hop: samples from one frame to the next.
        frontend: what turns samples into its input.
        decoder: what turns scores into phones.
        window: frames of the windows that a classifier takes; None: it takes recordings whole.
        context: frames on each side that an output depends on; None: all of the recording.
        model: the network, or its twin.
    """

    sample_rate: int
    classes: tuple[str, ...]
    groups: Mapping[str, str] = dataclasses.field(repr=False)
    hop: int
    frontend: Frontend = dataclasses.field(repr=False)
    decoder: Decoder = dataclasses.field(repr=False)
    window: int | None
    context: int | None
    model: keras.Model | Twin = dataclasses.field(repr=False, compare=False)

    def log_posteriors(self, samples: np.ndarray) -> np.ndarray:
        """Natural logarithms of the probabilities of every class at every frame.

        Args:
            samples: samples of a recording (n,) at `sample_rate`, full scale 1, n at least 1.

        Returns:
            (T, classes) float32, T = ceil(n / hop).
        """
        x = self.frontend.recording(samples)
        return log_posteriors(self.model, x, self.window, self.context)

    def transcribe(
        self, audio: np.ndarray, sample_rate: int, *, channel: int | None = None
    ) -> Transcript:
        """The phones of a recording; see `zoo.transcribe`."""
        with self.score(audio, sample_rate, channel=channel) as scored:
            return self._transcript(scored)

    def transcribe_file(
        self,
        path: str | Path,
        *,
        channel: int | None = None,
        blocks: Blocks | None = None,
        progress: Progress | None = None,
    ) -> Transcript:
        """The phones of a sound file, which is never in memory as a whole.

        Args:
            path: a WAV, SPHERE, FLAC or other file that libsndfile reads, of up to 24 hours.
            channel: which one of several, from 1 on.
            blocks: how much of it is in memory at a time.
            progress: is called with the seconds that are done since the last call.

        Raises:
            UsageError: no such file, not a recording, too long, samples that are not finite, or
                several channels of which none was chosen.
        """
        with self.score_file(path, channel=channel, blocks=blocks, progress=progress) as scored:
            return self._transcript(scored)

    @contextlib.contextmanager
    def score(
        self, audio: np.ndarray, sample_rate: int, *, channel: int | None = None
    ) -> Iterator[Scored]:
        """The log posteriors of a recording's frames; see `zoo.transcribe` for what it may be."""
        rate = checked_rate(sample_rate)
        audio = checked_audio(audio)
        column = _column("the audio", 1 if audio.ndim == 1 else audio.shape[1], channel)
        _check_length("the audio", len(audio), rate)

        def samples() -> Iterator[np.ndarray]:
            for start in range(0, len(audio), Blocks.samples):
                block = audio[start : start + Blocks.samples]
                scale = np.float32(1 / 32768 if block.dtype == np.int16 else 1)
                yield _mono(block.astype("float32") * scale, column)

        with self._scored(samples, rate, "", Blocks(), None) as scored:
            yield scored

    @contextlib.contextmanager
    def score_file(
        self,
        path: str | Path,
        *,
        channel: int | None = None,
        blocks: Blocks | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Scored]:
        """The log posteriors of a sound file's frames; arguments are those of `transcribe_file`."""
        blocks = blocks or Blocks()
        file = AudioFile(path, LONGEST_SECONDS)
        column = _column(str(path), file.channels, channel)

        def samples() -> Iterator[np.ndarray]:
            read = 0
            for block in file.blocks(blocks.samples):
                read += len(block)
                _check_length(str(path), read, file.rate)
                if np.abs(block).max() > MAX_AMPLITUDE:
                    raise UsageError(
                        f"{path} holds samples beyond {MAX_AMPLITUDE:g}; full scale 1 is expected."
                    )
                yield _mono(block, column)

        with self._scored(samples, file.rate, Path(path).stem, blocks, progress) as scored:
            yield scored

    @contextlib.contextmanager
    def _scored(
        self,
        blocks_of: Callable[[], Iterable[np.ndarray]],
        rate: int,
        name: str,
        blocks: Blocks,
        progress: Progress | None,
    ) -> Iterator[Scored]:
        source = _Source(blocks_of, rate, self.sample_rate)
        with Rows(blocks.memory) as features, Rows(blocks.memory) as scores:
            heard, statistics = self._hear(source, features, blocks)
            duration = source.given / rate

            def read(first: int, last: int) -> np.ndarray:
                x = features[first:last].swapaxes(0, 1)
                return self.frontend.normalized(x, statistics) - self.frontend.mean

            frames = features.shape[0]
            silent = heard.first is None
            if not (silent and self.has_silence):
                for part in in_chunks(
                    self.model, read, frames, self.window, self.context, blocks.chunk
                ):
                    scores.append(part)
                    if progress is not None:
                        progress(len(part) * duration / frames)
            yield Scored(scores, silent, heard.samples, duration, rate, name)

    @property
    def has_silence(self) -> bool:
        """Whether one of the classes is silence."""
        return SILENCE in map(self.groups.get, self.classes)

    def _transcript(self, scored: Scored) -> Transcript:
        duration, rate, name = scored.duration, scored.sample_rate, scored.name
        if scored.silent and self.has_silence:
            silence = Interval(0.0, duration, SILENCE, 1.0)
            return Transcript({PHONES: (silence,)}, duration, rate, name)
        (path,) = self.decoder.decode([scored.log_posteriors])
        found = to_intervals(
            path.classes,
            self.classes,
            hop=self.hop,
            samples=scored.samples,
            sample_rate=self.sample_rate,
            log_posteriors=scored.log_posteriors,
        )
        inside = within(merged(found, self.groups), duration, self.sample_rate)
        return Transcript({PHONES: inside}, duration, rate, name)

    def _hear(
        self, source: _Source, features: Rows, blocks: Blocks
    ) -> tuple[Loudness, Statistics | None]:
        """Keep the representation of every frame, (F, C) each, before it is normalised."""
        level = self.frontend.level
        heard, running = Loudness(), Running()
        pieces: Iterable[np.ndarray]
        if LEVELS[level][0] == "file":
            for piece in source:
                heard.add(piece)
            pieces = (heard.levelled(piece, level) for piece in source)
        else:
            pieces = heard.listening(source)
        for x in frames_of_pieces(self.frontend, pieces, blocks.frames):
            running.add(x)
            features.append(x.swapaxes(0, 1))
        return heard, running.statistics if self.frontend.by_recording else None


def within(intervals: Iterable[Interval], duration: float, rate: int) -> tuple[Interval, ...]:
    """Intervals that end with the recording at the latest: resampling adds or takes part of a
    sample, of which there are `rate` a second."""
    inside = [i for i in intervals if i.start < duration]
    if inside and inside[-1].end > duration - 1.5 / rate:
        inside[-1] = inside[-1]._replace(end=duration)
    return tuple(inside)


class _Source:
    """A recording's samples at the network's rate, read as often as they are asked for.

    Attributes:
        given: samples at the recording's own rate, once they have been read.
    """

    def __init__(
        self, blocks: Callable[[], Iterable[np.ndarray]], rate: int, target_rate: int
    ) -> None:
        self._blocks, self._rate, self._target_rate = blocks, rate, target_rate
        self.given = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        produced = 0
        for piece in resample_blocks(self._counted(), self._rate, self._target_rate):
            produced += len(piece)
            yield piece
        if not produced:
            # A few samples may be less than one of the network's.
            yield np.zeros(1, "float32")

    def _counted(self) -> Iterator[np.ndarray]:
        self.given = 0
        for block in self._blocks():
            self.given += len(block)
            yield block


class Rows:
    """Rows of numbers, written one after another and read by slices; large ones are kept on disk.

    Args:
        memory: bytes above which they are kept in a temporary file.

    Attributes:
        shape: how many rows, and what each is like.

    Example:
        >>> with Rows(2**20) as rows:
        ...     rows.append(np.ones((3, 2)))
        ...     rows.append(np.zeros((1, 2)))
        ...     rows.shape, rows[2:4].tolist()
        ((4, 2), [[1.0, 1.0], [0.0, 0.0]])
    """

    def __init__(self, memory: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(memory)  # noqa: SIM115, closed by `__exit__`
        self.shape: tuple[int, ...] = (0,)

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, rows: np.ndarray) -> None:
        """Append rows (n, ...) as float32."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(rows, "float32").tobytes())
        self.shape = (self.shape[0] + len(rows), *rows.shape[1:])

    def __getitem__(self, part: slice) -> np.ndarray:
        first, last, _ = part.indices(self.shape[0])
        size = 4 * math.prod(self.shape[1:])
        self._file.seek(first * size)
        read = self._file.read(max(last - first, 0) * size)
        return np.frombuffer(read, "float32").reshape(-1, *self.shape[1:])


def _column(what: str, channels: int, channel: int | None) -> int:
    """Index of the channel to take."""
    if channel is None:
        if channels > 1:
            raise UsageError(
                f"{what} has {channels} channels; choose one, 1 to {channels} (--channel, or "
                "channel= in Python)."
            )
        return 0
    if not isinstance(channel, numbers.Integral) or not 1 <= channel <= channels:
        has = "1 channel" if channels == 1 else f"{channels} channels"
        raise UsageError(f"{what} has {has}, counted from 1; received channel {channel!r}.")
    return int(channel) - 1


def _mono(block: np.ndarray, column: int) -> np.ndarray:
    return block if block.ndim == 1 else np.ascontiguousarray(block[:, column])


def _check_length(what: str, samples: int, rate: int) -> None:
    if samples > LONGEST_SECONDS * rate:
        raise UsageError(
            f"{what} lasts {samples / rate:.0f} s; the limit is {LONGEST_SECONDS:.0f} s: split it."
        )


def load_recognizer(path: str | Path = RECOGNIZER) -> Recognizer:
    """Load a network once, to transcribe many recordings with it.

    Args:
        path: a run folder, or the name of a preset or of weights that ship.

    Raises:
        UsageError: there is no such run, or its network does not transcribe.
    """
    found = find(path)
    if found is not None and found.is_dir() and newest_version(found) is not None:
        raise UsageError(f"{path} is an exported model; a run folder of zoo train was expected.")
    run = Run.open(path)
    if run.is_autoencoder:
        raise UsageError(
            f"{run.path} holds {run.model_name}, which reconstructs its input; a network that "
            "names phones was expected."
        )
    if not run.transcribes:
        raise UsageError(
            f"{run.path} holds {run.model_name}, which classifies segments; use zoo "
            "predict (zoo transcribe requires a network trained on a set of zoo "
            "prepare --examples frames)."
        )
    frontend, classes = run.frontend, run.classes
    if not frontend.whole:
        raise UsageError(
            f"{run.path} was not trained on whole recordings; prepare a set with zoo prepare "
            "--examples frames."
        )
    # Counted from nothing: every class, and every pair of them, is as likely.
    decoder = run.decoder or Decoder.count([], classes)
    network = run.applied
    if decoder.classes != classes or network.output_shape[-1] != len(classes):
        raise UsageError(
            f"the classes of {run.path}, its network's outputs and its decoder do not agree."
        )
    return Recognizer(
        sample_rate=frontend.sample_rate,
        classes=classes,
        groups=run.groups,
        hop=frontend.hop,
        frontend=frontend,
        decoder=decoder,
        window=run.window,
        context=None if run.window else _context(network),
        model=network,
    )


def _context(network: keras.Model | Twin) -> int | None:
    if isinstance(network, Twin):
        return network.context
    from zoo.models.recognizers import context

    return context(network)


def transcribe(
    model_or_path: Any, audio: np.ndarray, sample_rate: int, *, channel: int | None = None
) -> Transcript:
    """Find the phones of a recording and their times.

    Audio at another rate is resampled to the network's. Digital silence is one interval `sil`.

    Args:
        model_or_path: a run folder, the name of a preset or of weights that ship, or what
            `load_recognizer` returned.
        audio: (samples,) or (samples, channels), of up to 24 hours; floats with full scale 1, or
            int16.
        sample_rate: sample rate of `audio`, in Hz.
        channel: which one of several to take, from 1 on.

    Returns:
        Intervals without gaps from 0 to the recording's end, labelled with the network's classes;
        silences as `sil`.

    Raises:
        UsageError (a ValueError): the audio is empty, not finite or of a wrong shape or type, the
            rate is out of range, one of several channels must be chosen, or there is no such model.

    Example:
        >>> audio = np.random.default_rng(0).normal(0, 0.1, 16000)
        >>> transcript = zoo.transcribe("runs/tdnn", audio, 16000)
        >>> transcript.intervals[-1].end
        1.0
        >>> path = transcript.save("sentence.TextGrid")
    """
    if isinstance(model_or_path, str | os.PathLike):
        model_or_path = load_recognizer(Path(model_or_path))
    if not isinstance(model_or_path, Recognizer):
        raise UsageError(
            "model_or_path must be a run folder or a Recognizer; received "
            f"{type(model_or_path).__name__}."
        )
    return model_or_path.transcribe(audio, sample_rate, channel=channel)
