"""Prepared sets of noisy and clean excerpts, for networks that remove noise."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.corpus import Corpus, open_corpus
from zoo.data.corpora.names import is_audio
from zoo.data.corpora.utterances import Utterance, at_rate, read_mono
from zoo.data.features.frontend import LEVELS, RMS, Frontend, level_file, place
from zoo.data.features.representations import WAVEFORM
from zoo.data.sets.assembly import Job, run
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.selection import chosen_rate, digest_of, stored_splits
from zoo.data.sets.settings import PairSettings
from zoo.data.sets.shards import (
    PORTIONS,
    Item,
    Piece,
    Portions,
    WriteShards,
    check_range,
    divide,
    write_shards,
)
from zoo.errors import UsageError, nearest
from zoo.files import walk
from zoo.settings import changed, check

PAIRS = {"train": 250, "test": 50}
"""Pairs of each split (University of Pennsylvania, lab 2B, section 3.3)."""

GENERATED = ("white", "pink")
"""Noises that need no recordings."""

TRAIN_SHARE = 0.75
"""Of every recording of noise, its beginning; no sample of it is in train and test."""

_DRAWS = 20
_AUDIBLE = 0.01


def prepare_pairs(
    corpus: Corpus | str | Path,
    out: str | Path,
    settings: PairSettings | None = None,
    *,
    progress: bool = False,
    write: WriteShards | None = None,
    portions: Portions | None = None,
    **options: Any,
) -> Prepared:
    """Mix clean excerpts of a corpus' recordings with noise; interrupted preparations resume.

    `features` of the set are the noisy waveforms (N, length, 1), `targets` the clean ones. An
    excerpt begins anywhere in a recording where there is something to be heard; shorter recordings
    are zero-padded on both sides. Speakers and noise samples of train and test are disjoint.

    Args:
        corpus: what `zoo.data.open_corpus` gives, or a path that it opens without options.
        out: folder to write.
        settings: settings of the preparation; None: the defaults.
        progress: show a progress bar on stderr.
        write: what does the work, as for `zoo.data.prepare`.
        portions: how the work is divided; None for the defaults.
        **options: fields of `PairSettings`, in place of those of `settings`.

    Raises:
        UsageError: an unusable corpus, recording, noise or argument.
        RunError: `out` cannot be written.

    Example:
        >>> p = zoo.data.prepare_pairs("digits", "noisy-digits", snr=(0, 10))
        >>> p.features("train").shape, p.targets("train").shape
        ((250, 8000, 1), (250, 8000, 1))

    Reference: University of Pennsylvania, lab 2B, section 3.3.
    """
    corpus = open_corpus(corpus) if isinstance(corpus, str | Path) else corpus
    chosen = changed(settings or PairSettings(), options)
    check(chosen)
    noise, dtype = chosen.noise, chosen.dtype
    rate = chosen_rate(corpus, chosen.sample_rate, own=True)
    length = rate if chosen.length is None else chosen.length
    utterances = stored_splits(corpus, chosen.dev_speakers)
    counts = {name: PAIRS.get(name, PAIRS["test"]) for name in utterances} | dict(
        chosen.pairs or {}
    )
    for name, count in counts.items():
        if name not in utterances:
            raise UsageError(
                f"{corpus.root} has no split {name!r} to make pairs of. "
                + nearest(name, utterances, "split")
            )
        if count < 1:
            raise UsageError(f"pairs must be 1 or more of each split; received {count} of {name}.")
    recordings = noise_recordings(noise)
    record = {
        "noise": str(noise) if not recordings else Path(noise).name,
        "snr": list(chosen.bounds),
        "pairs": counts,
        "length": length,
        "level": chosen.level,
        "sample_rate": rate,
        "dtype": dtype,
        "resample": chosen.resample,
        "dev_speakers": chosen.dev_speakers,
        "seed": chosen.seed,
    }
    digest = digest_of(record)
    for name, part in utterances.items():
        for utterance in part:
            digest.update(repr((name, utterance.name, utterance.audio.stat().st_size)).encode())
    for path in recordings:
        digest.update(repr((path.name, path.stat().st_size)).encode())
    everyone = [u for part in utterances.values() for u in part]
    noises = [path.name for path in recordings] or [str(noise)]
    work = PairWork(
        frontend=Frontend(
            rate,
            length,
            chosen.level,
            {"representation": WAVEFORM},
            np.zeros((length, 1), "float32"),
        ),
        utterances=utterances,
        noise=str(noise),
        recordings=recordings,
        snr=chosen.bounds,
        resample=chosen.resample,
        seed=chosen.seed,
        dtype=dtype,
        row_type=np.dtype(
            [
                ("utterance", f"<U{max(len(u.name) for u in everyone)}"),
                ("speaker", f"<U{max(len(u.speaker) for u in everyone)}"),
                ("start", "<i8"),
                ("end", "<i8"),
                ("noise", f"<U{max(map(len, noises))}"),
                ("snr", "<f8"),
            ]
        ),
    )
    job = Job(
        kind="pairs",
        corpus=corpus.root.name,
        settings=record,
        digest=digest.hexdigest(),
        labelling=None,
        work=work,
        shards=[
            shard
            for name in utterances
            for shard in divide(
                name,
                (Item((name, n), rows=1, units=1) for n in range(counts[name])),
                length * np.dtype(dtype).itemsize,
                (portions or PORTIONS).shard_bytes,
            )
        ],
        splits={
            name: {
                "stored_in": name,
                "utterances": len(part),
                "speakers": len({u.speaker for u in part}),
            }
            for name, part in utterances.items()
        },
        parts={},
        mean=None,
        unit="pair",
    )
    return run(job, out, progress, write or write_shards)


def noise_recordings(noise: str | Path) -> list[Path]:
    """The recordings of noise at `noise`, sorted; none for a generated one.

    Raises:
        UsageError: it is neither the name of a noise nor a place with recordings.
    """
    if str(noise) in GENERATED:
        return []
    path = Path(noise)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(
            f"noise must be {', '.join(GENERATED)}, a recording or a folder of "
            f"recordings; {path} does not exist."
        )
    files = (folder / name for folder, names in walk(path) for name in names)
    found = sorted(f for f in files if is_audio(f) and f.is_file() and not f.name.startswith("."))
    if not found:
        raise UsageError(f"{path} holds no recordings of noise.")
    return found


@dataclasses.dataclass(frozen=True)
class PairWork:
    """Draws and mixes pairs, each from the seed, its split and its number alone.

    Attributes:
        frontend: sample rate, length and level.
        utterances: split -> what clean excerpts are drawn from.
        noise: name of a generated noise, where there are no recordings.
        recordings: recordings of noise.
        snr: bounds of the signal-to-noise ratio in dB.
        resample: accept recordings of other rates.
        seed: random seed of all draws.
        dtype: type of the stored waveforms.
        row_type: type of the record of how each pair was made.
    """

    frontend: Frontend
    utterances: Mapping[str, Sequence[Utterance]]
    noise: str
    recordings: Sequence[Path]
    snr: tuple[float, float]
    resample: bool
    seed: int
    dtype: str
    row_type: np.dtype

    def pieces(self, items: Iterable[tuple[str, int]]) -> Iterator[Piece]:
        """A pair for each split and number."""
        return itertools.starmap(self._pair, items)

    def _pair(self, split: str, number: int) -> Piece:
        place_of_split = list(self.utterances).index(split)
        rng = np.random.default_rng([self.seed, place_of_split, number, 3])
        length, rate = self.frontend.length or 0, self.frontend.sample_rate
        utterance = self.utterances[split][int(rng.integers(len(self.utterances[split])))]
        samples, found = read_mono(utterance.audio)
        samples = at_rate(utterance.audio, samples, found, rate, self.resample)
        samples = level_file(samples, self.frontend.level)
        start = _audible(samples, length, rng, utterance.audio)
        clean = place(samples[start : start + length], length)
        snr = rng.uniform(*self.snr)
        noise, name = self._noise(place_of_split, rng)
        noisy = mix(clean, noise, snr)
        scale = _scale(noisy, self.frontend.level)
        waveforms = {"features": noisy * scale, "targets": clean * scale}
        for wave in waveforms.values():
            check_range(wave, self.dtype, utterance.audio)
        row = (utterance.name, utterance.speaker, start, min(start + length, len(samples)))
        return Piece(
            {what: wave.astype(self.dtype)[None, :, None] for what, wave in waveforms.items()},
            np.array([(*row, name, snr)], self.row_type),
            np.zeros(0, "int64"),
            np.ones(1, "int64"),
            np.zeros((length, 1)),
        )

    def _noise(self, place_of_split: int, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """`length` samples of noise, and its name."""
        length = self.frontend.length or 0
        if not self.recordings:
            return generate(self.noise, length, rng), self.noise
        path = self.recordings[int(rng.integers(len(self.recordings)))]
        samples = _noise_samples(path, self.frontend.sample_rate, self.resample)
        others = max(1, len(self.utterances) - 1)
        edges = [0.0, *(TRAIN_SHARE + (1 - TRAIN_SHARE) * n / others for n in range(others + 1))]
        begin, end = (int(edges[place_of_split + n] * len(samples)) for n in range(2))
        part = samples[begin:end]
        if 0 < len(part) < length:
            part = np.tile(part, -(-length // len(part)))
        start = _audible(part, length, rng, path)
        return part[start : start + length], path.name


@functools.lru_cache(maxsize=4)
def _noise_samples(path: Path, rate: int, resampling: bool) -> np.ndarray:
    samples, found = read_mono(path)
    return at_rate(path, samples, found, rate, resampling)


def _audible(samples: np.ndarray, length: int, rng: np.random.Generator, path: Path) -> int:
    """Where an excerpt begins: drawn again while its power is below a hundredth of the whole's.

    Raises:
        UsageError: there is nothing but zeros.
    """
    power = float(np.mean(samples.astype("float64") ** 2)) if len(samples) else 0.0
    if not power:
        raise UsageError(f"{path} is silent, so it has no signal-to-noise ratio.")
    best, loudest = 0, -1.0
    for _ in range(_DRAWS):
        start = int(rng.integers(max(1, len(samples) - length + 1)))
        found = float(np.mean(samples[start : start + length].astype("float64") ** 2))
        if found >= _AUDIBLE * power:
            return start
        if found > loudest:
            best, loudest = start, found
    if not loudest:
        # Nearly all of it is silence: the excerpt around its loudest sample.
        best = max(0, int(np.abs(samples).argmax()) - length // 2)
    return min(best, max(0, len(samples) - length))


def generate(noise: str, length: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise (length,): `"white"`, or `"pink"`, whose power falls by 3 dB an octave."""
    white = rng.standard_normal(length)
    if noise == "white":
        return white
    spectrum = np.fft.rfft(white)
    # The bin at 0 Hz, where the power would be endless, is that of the next one.
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, length)


def mix(clean: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Add noise, scaled to a signal-to-noise ratio.

    Args:
        clean: (n,), not all zeros.
        noise: (n,), not all zeros.
        snr: ratio of the mean powers, in dB.

    Returns:
        (n,) float64.
    """
    clean, noise = clean.astype("float64"), noise.astype("float64")
    ratio = np.mean(clean**2) / np.mean(noise**2)
    return clean + noise * np.sqrt(ratio / 10 ** (snr / 10))


def _scale(noisy: np.ndarray, level: str) -> Any:
    """What a pair is multiplied by."""
    scaled, mode = LEVELS[level]
    if scaled != "segment":
        return 1.0
    return 1 / np.abs(noisy).max() if mode == "peak" else RMS / np.sqrt(np.mean(noisy**2))
