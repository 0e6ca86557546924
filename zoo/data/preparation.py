"""From a corpus to a prepared set: one streaming pass, bounded memory, resumable."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.frontend import LEVELS, Frontend, place
from zoo.data.phones import CLASSES, DROPPED, LABEL_TO_CLASS
from zoo.data.prepared import MANIFEST, Prepared
from zoo.data.timit import SAMPLE_RATE, Corpus, Segment, Utterance, read_phn
from zoo.errors import UsageError, nearest
from zoo.files import make_folder, os_failure, read_json, replacing, sha256, write_array, write_json
from zoo.progress import progress_bar

LENGTH_PERCENTILE = 95
"""Of the training segments' durations; longer ones are left out (Riemens 2015, section 2.1)."""

TOO_LONG = ("drop", "crop")

UTTERANCES_A_SHARD = 64
"""Work between two savings; bounds memory to some 40 MB of features and what a kill can lose."""

FORMAT = 1

_PARTITIONS = ("core", "dev", "test", "train")


@dataclasses.dataclass(frozen=True)
class _Plan:
    """All that decides a prepared set's content, but the recordings' samples themselves."""

    settings: dict[str, Any]
    length: int
    stored: dict[str, list[tuple[Utterance, list[Segment]]]]
    digest: str

    @property
    def row_type(self) -> np.dtype:
        """Of one segment's row, wide enough for the corpus' names."""
        utterances = [u for part in self.stored.values() for u, _ in part]
        name = max(len(u.name) for u in utterances)
        speaker = max(len(u.speaker) for u in utterances)
        return np.dtype(
            [
                ("utterance", f"<U{name}"),
                ("speaker", f"<U{speaker}"),
                ("start", "<i8"),
                ("end", "<i8"),
                ("label", "<U4"),
            ]
        )


def prepare(
    corpus: Corpus | str | Path,
    out: str | Path,
    *,
    representation: str = "real",
    length: str | int = "p95",
    too_long: str = "drop",
    level: str = "segment",
    resample: bool = False,
    dev_speakers: int = 0,
    like: str | Path | None = None,
    progress: bool = False,
) -> Prepared:
    """Turn a corpus into a prepared set; called again after a kill it goes on where it stopped.

    SA sentences and the label `q` are left out, labels folded to 48 classes. Segments are
    zero-padded on both sides to the longest kept one. The training set's mean representation is
    subtracted from everything.

    Args:
        corpus: a TIMIT-layout tree or its root.
        out: folder to write.
        representation: `"real"`, `"magnitude"` or `"log_magnitude"` of the STFT.
        length: `"p95"`: the 95th percentile of the training segments' durations; or a number of
            samples at 16 kHz.
        too_long: `"drop"` leaves longer segments out, `"crop"` keeps their centre.
        level: `"segment"` scales every segment to peak 1, `"file"` every file, `"none"` neither.
        resample: accept recordings of other rates than 16 kHz.
        dev_speakers: take so many training speakers, evenly spaced, out as a `dev` split.
        like: a prepared set or run whose length, level, representation and mean to use.
        progress: show a progress bar on stderr.

    Returns:
        The prepared set.

    Raises:
        UsageError: an unusable corpus, recording or argument; the message names it.
        RunError: `out` cannot be written.

    Reference: Riemens (2015), section 2.
    """
    corpus = corpus if isinstance(corpus, Corpus) else Corpus(corpus)
    out = Path(out)
    plan = _plan(
        corpus, representation, length, too_long, level, resample, dev_speakers, _like(like)
    )
    if (out / MANIFEST).exists():
        _same_plan(read_json(out / MANIFEST), plan, out)
        return Prepared(out)
    work = out / "work"
    if work.is_dir():
        if (work / "plan.json").is_file():
            _same_plan(read_json(work / "plan.json"), plan, out)
    elif out.is_dir() and any(out.iterdir()):
        raise UsageError(
            f"{out} is not empty and holds no prepared set; choose a new folder for the output."
        )
    make_folder(work)
    write_json(work / "plan.json", {"plan": plan.digest, "settings": plan.settings})
    frontend = _frontend(plan, like)
    _compute_shards(plan, frontend, work, progress)
    frontend = _with_mean(plan, frontend, work, like)
    frontend.save(out)
    for name in plan.stored:
        _merge(plan, name, frontend, work, out)
    write_json(out / MANIFEST, _manifest(plan, frontend, corpus, out))
    shutil.rmtree(work)
    return Prepared(out)


def _like(like: str | Path | None) -> Frontend | None:
    return None if like is None else Frontend.load(like)


def _plan(
    corpus: Corpus,
    representation: str,
    length: str | int,
    too_long: str,
    level: str,
    resample: bool,
    dev_speakers: int,
    like: Frontend | None,
) -> _Plan:
    from zoo.data.representations import REPRESENTATIONS

    for value, valid, name in (
        (representation, REPRESENTATIONS, "representation"),
        (too_long, TOO_LONG, "too_long"),
        (level, LEVELS, "level"),
    ):
        if value not in valid:
            raise UsageError(f"unknown {name} {value!r}. " + nearest(value, valid))
    stored = _stored_splits(corpus, dev_speakers)
    labelled = {
        name: [(u, read_phn(u.phn)) for u in utterances] for name, utterances in stored.items()
    }
    limit = _limit(labelled.get("train", []), length, resample) if like is None else like.length
    settings = {
        "representation": representation if like is None else like.kind,
        "length": str(length) if like is None else limit,
        "too_long": too_long,
        "level": level if like is None else like.level,
        "resample": resample,
        "dev_speakers": dev_speakers,
        "like": None if like is None else like.fingerprint,
    }
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    for name, utterances in labelled.items():
        for utterance, segments in utterances:
            size = utterance.audio.stat().st_size
            digest.update(repr((name, utterance.name, size, segments)).encode())
    return _Plan(settings, limit, labelled, digest.hexdigest())


def _stored_splits(corpus: Corpus, dev_speakers: int) -> dict[str, list[Utterance]]:
    """Utterances by the split that they are stored in; core and dev come first within test."""
    utterances = corpus.utterances()
    stored = {
        split: sorted(
            (u for u in utterances if u.split == split),
            key=lambda u: _PARTITIONS.index(u.partition),
        )
        for split in ("train", "test")
    }
    if dev_speakers:
        if any(u.partition == "dev" for u in utterances):
            raise UsageError(
                f"{corpus.root} has TIMIT's own development speakers, in its test part; "
                "leave --dev-speakers out."
            )
        speakers = list(dict.fromkeys(u.speaker for u in stored["train"]))
        if not 0 < dev_speakers < len(speakers):
            raise UsageError(
                f"dev_speakers must be between 1 and {len(speakers) - 1}, one less than the "
                f"training speakers of {corpus.root}; received {dev_speakers}."
            )
        chosen = {speakers[i * len(speakers) // dev_speakers] for i in range(dev_speakers)}
        stored["dev"] = [u for u in stored["train"] if u.speaker in chosen]
        stored["train"] = [u for u in stored["train"] if u.speaker not in chosen]
    return {name: found for name, found in stored.items() if found}


def _limit(
    train: Sequence[tuple[Utterance, list[Segment]]], length: str | int, resample: bool
) -> int:
    """The length of every example: that of the longest training segment within the rule's limit."""
    durations = []
    for utterance, segments in train:
        scale = SAMPLE_RATE / _rate(utterance) if resample else 1.0
        durations += [round((s.end - s.start) * scale) for s in segments if s.label != DROPPED]
    if str(length) != "p95":
        if not str(length).isdecimal() or int(length) < 1:
            raise UsageError(
                f"length must be 'p95' or a number of samples, 1 or more; received {length!r}."
            )
        return int(length)
    if not durations:
        raise UsageError(
            "the corpus has no training part to take the 95th percentile of durations from; "
            "give --length N or --like RUN."
        )
    longest = np.percentile(durations, LENGTH_PERCENTILE)
    return max(d for d in durations if d <= longest)


def _rate(utterance: Utterance) -> int:
    import soundfile

    try:
        return soundfile.info(utterance.audio).samplerate
    except (soundfile.SoundFileError, RuntimeError):
        # The reader that follows says what is wrong with this file.
        return SAMPLE_RATE


def _same_plan(found: dict[str, Any], plan: _Plan, out: Path) -> None:
    if found.get("plan") == plan.digest:
        return
    old, new = found.get("settings", {}), plan.settings
    differing = [f"{k} {old.get(k)!r}, now {new[k]!r}" for k in new if old.get(k) != new[k]]
    what = "; ".join(differing) if differing else "another corpus or other labels"
    raise UsageError(
        f"{out} was prepared with other settings ({what}); choose another folder or remove it."
    )


def _frontend(plan: _Plan, like: str | Path | None) -> Frontend:
    if like is not None:
        return Frontend.load(like)
    from zoo.layers import Spectrogram

    layer = Spectrogram(plan.settings["representation"])
    if layer.frames(plan.length) < 1:
        raise UsageError(
            f"a length of {plan.length} samples is shorter than one frame of "
            f"{layer.frame_length}; give --length {layer.frame_length} or more."
        )
    config = layer.get_config()
    keys = ("representation", "frame_length", "hop_length", "fft_length", "log_offset")
    return Frontend(
        sample_rate=SAMPLE_RATE,
        length=plan.length,
        level=plan.settings["level"],
        representation={key: config[key] for key in keys},
        mean=np.zeros((layer.bins, layer.frames(plan.length), 1), "float32"),
    )


def _shards(plan: _Plan) -> Iterator[tuple[str, list[tuple[Utterance, list[Segment]]]]]:
    for name, utterances in plan.stored.items():
        for number, first in enumerate(range(0, len(utterances), UTTERANCES_A_SHARD)):
            yield f"{name}-{number:05d}", utterances[first : first + UTTERANCES_A_SHARD]


def _read(plan: _Plan, utterance: Utterance) -> tuple[list[np.ndarray], list[tuple], list[int]]:
    """Placed waveforms, segment rows and labels of one utterance's kept segments."""
    samples, segments = utterance.read(resampling=plan.settings["resample"])
    if plan.settings["level"] == "file":
        samples = samples / (np.abs(samples).max() or 1)
    waveforms, rows, labels = [], [], []
    for start, end, label in segments:
        too_long = end - start > plan.length and plan.settings["too_long"] == "drop"
        if label == DROPPED or too_long or start >= end:
            continue
        waveforms.append(place(samples[start:end], plan.length))
        rows.append((utterance.name, utterance.speaker, start, end, label))
        labels.append(CLASSES.index(LABEL_TO_CLASS[label]))
    return waveforms, rows, labels


def _compute_shards(plan: _Plan, frontend: Frontend, work: Path, progress: bool) -> None:
    """Write every shard that is not there yet: raw representation, rows, labels and their sum."""
    # Shards that a broken merge has consumed already are named in merged.json.
    merged = set(_merged(work))
    todo = [
        (name, part)
        for name, part in _shards(plan)
        if name not in merged and not (work / f"{name}.npz").exists()
    ]
    if not todo:
        return
    model = frontend.representation_model
    bar = progress_bar(sum(len(part) for _, part in todo), "utterance", shown=progress)
    # One thread reads the next shard's files while this one's are transformed.
    with bar, concurrent.futures.ThreadPoolExecutor(1) as reader:
        futures = collections.deque(
            reader.submit(lambda p: [_read(plan, u) for u, _ in p], part) for _, part in todo[:2]
        )
        for index, (name, part) in enumerate(todo):
            read = futures.popleft().result()
            if index + 2 < len(todo):
                futures.append(
                    reader.submit(lambda p: [_read(plan, u) for u, _ in p], todo[index + 2][1])
                )
            waveforms = [w for wave, _, _ in read for w in wave]
            rows = [r for _, row, _ in read for r in row]
            labels = [c for _, _, label in read for c in label]
            features = (
                np.asarray(model(np.stack(waveforms), training=False))
                if waveforms
                else np.zeros((0, *frontend.mean.shape), "float32")
            )
            with replacing(work / f"{name}.npz") as temporary, open(temporary, "wb") as file:
                np.savez(
                    file,
                    features=features,
                    rows=np.array(rows, dtype=plan.row_type),
                    labels=np.array(labels, "int64"),
                    total=features.sum(axis=0, dtype="float64"),
                )
            bar.update(len(part))


def _merged(work: Path) -> dict[str, int]:
    path = work / "merged.json"
    return read_json(path) if path.exists() else {}


def _with_mean(plan: _Plan, frontend: Frontend, work: Path, like: str | Path | None) -> Frontend:
    """The front end with the training set's mean; kept in `work` for a resumed merge."""
    if like is not None:
        return frontend
    path = work / "mean.npy"
    if not path.exists():
        source = "train" if "train" in plan.stored else next(iter(plan.stored))
        total, count = np.zeros(frontend.mean.shape), 0
        for name, _ in _shards(plan):
            if name.rsplit("-", 1)[0] == source:
                with np.load(work / f"{name}.npz") as shard:
                    total += shard["total"]
                    count += len(shard["labels"])
        if not count:
            raise UsageError(
                f"no segment of the {source} part is within {plan.length} samples; "
                "give a larger --length or --too-long crop."
            )
        write_array(path, (total / count).astype("float32"))
    return dataclasses.replace(frontend, mean=np.load(path))


def _merge(plan: _Plan, name: str, frontend: Frontend, work: Path, out: Path) -> None:
    """Centre the shards of a stored split into one file, removing each as it is taken up.

    A shard's place in the file is known from the shards before it, so a merge that was broken off
    writes the same bytes to the same place again.
    """
    folder = make_folder(out / name)
    merged = _merged(work)
    names = [shard for shard, _ in _shards(plan) if shard.rsplit("-", 1)[0] == name]
    counts = []
    for shard in names:
        if shard not in merged:
            with np.load(work / f"{shard}.npz") as arrays:
                merged[shard] = len(arrays["labels"])
        counts.append(merged[shard])
    total = sum(counts)
    shape = (total, *frontend.mean.shape)
    first = 0
    try:
        with (
            _ArrayFile(folder / "features.npy", "<f4", shape) as features,
            _ArrayFile(folder / "labels.npy", "<i8", (total,)) as labels,
            _ArrayFile(folder / "segments.npy", plan.row_type, (total,)) as rows,
        ):
            for shard, count in zip(names, counts, strict=True):
                path = work / f"{shard}.npz"
                if path.exists():
                    with np.load(path) as arrays:
                        features.write(first, arrays["features"] - frontend.mean)
                        labels.write(first, arrays["labels"])
                        rows.write(first, arrays["rows"])
                    for file in (features, labels, rows):
                        file.sync()
                    done = _merged(work) | {shard: count}
                    write_json(work / "merged.json", done)
                    path.unlink()
                first += count
    except OSError as error:
        raise os_failure(error, f"cannot write {folder}") from error


class _ArrayFile:
    """A .npy file of known shape whose rows are written piece by piece at their places.

    Plain writes rather than a memory map: on a full disk these raise, a map kills the process.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
        self._dtype = np.dtype(dtype)
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()
        self._row = int(np.prod(shape[1:], dtype=int)) * self._dtype.itemsize

    def write(self, first: int, rows: np.ndarray) -> None:
        self._file.seek(self._start + first * self._row)
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> _ArrayFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()


def _manifest(plan: _Plan, frontend: Frontend, corpus: Corpus, out: Path) -> dict[str, Any]:
    splits = {}
    for name in plan.stored:
        rows = np.load(out / name / "segments.npy")
        labels = np.load(out / name / "labels.npy")
        partition = {u.name: u.partition for u, _ in plan.stored[name]}
        of_row = np.array([partition[u] for u in rows["utterance"]])
        parts = [name, *(p for p in ("core", "dev") if name == "test" and p in of_row)]
        for part in parts:
            chosen = np.flatnonzero(of_row == part) if part != name else np.arange(len(rows))
            utterances = [(u, s) for u, s in plan.stored[name] if part in (name, u.partition)]
            labelled = [s for _, segments in utterances for s in segments]
            kept = sum(s.label != DROPPED for s in labelled)
            count = np.bincount(labels[chosen], minlength=len(CLASSES))
            splits[part] = {
                "stored_in": name,
                "first": int(chosen[0]) if len(chosen) else 0,
                "segments": len(chosen),
                "utterances": len(utterances),
                "speakers": len({u.speaker for u, _ in utterances}),
                "excluded_too_long": kept - len(chosen),
                "dropped_q": len(labelled) - kept,
                "per_class": {c: int(n) for c, n in zip(CLASSES, count, strict=True)},
            }
    files = sorted(f for name in plan.stored for f in (out / name).glob("*.npy"))
    return {
        "format": FORMAT,
        "plan": plan.digest,
        "corpus": corpus.root.name,
        "settings": plan.settings,
        "length": plan.length,
        "shape": list(frontend.mean.shape),
        "frontend": frontend.fingerprint,
        "splits": splits,
        "sha256": {f.relative_to(out).as_posix(): sha256(f) for f in files},
    }
