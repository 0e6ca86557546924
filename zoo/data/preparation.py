"""From a corpus to a prepared set: one streaming pass, bounded memory, resumable."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.audio import SAMPLE_RATE
from zoo.data.corpora import Corpus, open_corpus
from zoo.data.frontend import Frontend, level_file, place
from zoo.data.plan import FORMAT, Labelled, Plan, check_same_plan, make_plan
from zoo.data.prepared import MANIFEST, Prepared
from zoo.data.utterances import Utterance
from zoo.errors import UsageError
from zoo.files import make_folder, os_failure, read_json, replacing, sha256, write_array, write_json
from zoo.progress import progress_bar

UTTERANCES_A_SHARD = 64
"""Work between two savings; bounds memory to some 40 MB of features and what a kill can lose."""


def prepare(
    corpus: Corpus | str | Path,
    out: str | Path,
    *,
    representation: str = "real",
    length: str | int = "p95",
    too_long: str = "drop",
    level: str = "segment",
    deltas: int = 0,
    mean: str = "element",
    resample: bool = False,
    dev_speakers: int = 0,
    like: str | Path | None = None,
    progress: bool = False,
) -> Prepared:
    """Turn a corpus into a prepared set; called again after a kill it goes on where it stopped.

    Of TIMIT, SA sentences and the label `q` are left out, labels folded to 48 classes. Segments
    are zero-padded on both sides to the longest kept one. The training set's mean representation
    is subtracted from everything.

    Args:
        corpus: what `zoo.data.open_corpus` gives, or a path that it opens without options.
        out: folder to write.
        representation: one of `zoo.data.representations.REPRESENTATIONS`.
        length: `"p95"`: the 95th percentile of the training segments' durations; or a number of
            samples at 16 kHz.
        too_long: `"drop"` leaves longer segments out, `"crop"` keeps their centre.
        level: `"segment"` scales every segment to peak 1, `"file"` every file, `"none"` neither;
            `"segment-rms"` and `"file-rms"` scale to a root mean square of 0.1.
        deltas: highest order of the temporal derivatives that follow as channels, 0 to 2.
        mean: what is subtracted: the training set's mean of every `"element"`, of every `"bin"`
            over all frames (and channel by channel), or `"none"`.
        resample: accept recordings of other rates than 16 kHz.
        dev_speakers: take so many training speakers, evenly spaced, out as a `dev` split.
        like: a prepared set or run whose length, level, representation, deltas and mean to use,
            and whose classes.
        progress: show a progress bar on stderr.

    Returns:
        The prepared set.

    Raises:
        UsageError: an unusable corpus, recording or argument; the message names it.
        RunError: `out` cannot be written.

    Reference: Riemens (2015), section 2.
    """
    corpus = open_corpus(corpus) if isinstance(corpus, str | Path) else corpus
    out = Path(out)
    plan = make_plan(
        corpus,
        representation=representation,
        length=length,
        too_long=too_long,
        level=level,
        deltas=deltas,
        mean=mean,
        resample=resample,
        dev_speakers=dev_speakers,
        like=like,
    )
    if (out / MANIFEST).exists():
        check_same_plan(read_json(out / MANIFEST), plan, out)
        return Prepared(out)
    work = out / "work"
    if work.is_dir():
        if (work / "plan.json").is_file():
            check_same_plan(read_json(work / "plan.json"), plan, out)
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


def _frontend(plan: Plan, like: str | Path | None) -> Frontend:
    if like is not None:
        return Frontend.load(like)
    from zoo.layers import representation_layers, representation_settings

    representation = representation_settings(
        plan.settings["representation"], plan.settings.get("deltas", 0)
    )
    layer, *following = representation_layers(representation)
    if layer.frames(plan.length) < 1:
        raise UsageError(
            f"a length of {plan.length} samples is shorter than one frame of "
            f"{layer.frame_length}; give --length {layer.frame_length} or more."
        )
    shape = layer.compute_output_shape((None, plan.length))
    for other in following:
        shape = other.compute_output_shape(shape)
    return Frontend(
        sample_rate=SAMPLE_RATE,
        length=plan.length,
        level=plan.settings["level"],
        representation=representation,
        mean=np.zeros(shape[1:], "float32"),
    )


def _shards(plan: Plan) -> Iterator[tuple[str, list[Labelled]]]:
    for name, utterances in plan.stored.items():
        for number, first in enumerate(range(0, len(utterances), UTTERANCES_A_SHARD)):
            yield f"{name}-{number:05d}", utterances[first : first + UTTERANCES_A_SHARD]


def _read(plan: Plan, utterance: Utterance) -> tuple[list[np.ndarray], list[tuple], list[int]]:
    """Placed waveforms, segment rows and labels of one utterance's kept segments."""
    samples, segments = utterance.read(resampling=plan.settings["resample"])
    samples = level_file(samples, plan.settings["level"])
    waveforms, rows, labels = [], [], []
    for start, end, label in segments:
        too_long = end - start > plan.length and plan.settings["too_long"] == "drop"
        name = plan.labelling.mapping[label]
        if name is None or too_long or start >= end:
            continue
        waveforms.append(place(samples[start:end], plan.length))
        rows.append((utterance.name, utterance.speaker, start, end, label))
        labels.append(plan.labelling.classes.index(name))
    return waveforms, rows, labels


def _compute_shards(plan: Plan, frontend: Frontend, work: Path, progress: bool) -> None:
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


def _with_mean(plan: Plan, frontend: Frontend, work: Path, like: str | Path | None) -> Frontend:
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
        write_array(path, _subtracted(total / count, plan).astype("float32"))
    return dataclasses.replace(frontend, mean=np.load(path))


def _subtracted(mean: np.ndarray, plan: Plan) -> np.ndarray:
    """What is subtracted of every example (F, T, C), given the mean example."""
    kind = plan.settings.get("mean", "element")
    if kind == "none":
        return np.zeros_like(mean)
    if kind == "bin":
        return np.broadcast_to(mean.mean(axis=1, keepdims=True), mean.shape)
    return mean


def _merge(plan: Plan, name: str, frontend: Frontend, work: Path, out: Path) -> None:
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


def _manifest(plan: Plan, frontend: Frontend, corpus: Corpus, out: Path) -> dict[str, Any]:
    splits = {}
    classes, mapping = plan.labelling.classes, plan.labelling.mapping
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
            kept = sum(mapping[s.label] is not None for s in labelled)
            count = np.bincount(labels[chosen], minlength=len(classes))
            splits[part] = {
                "stored_in": name,
                "first": int(chosen[0]) if len(chosen) else 0,
                "segments": len(chosen),
                "utterances": len(utterances),
                "speakers": len({u.speaker for u, _ in utterances}),
                "excluded_too_long": kept - len(chosen),
                "dropped_q": len(labelled) - kept,
                "per_class": {c: int(n) for c, n in zip(classes, count, strict=True)},
            }
    files = sorted(f for name in plan.stored for f in (out / name).glob("*.npy"))
    return {
        "format": FORMAT,
        "plan": plan.digest,
        "corpus": corpus.root.name,
        "settings": plan.settings,
        "length": plan.length,
        "classes": list(classes),
        "groups": dict(plan.labelling.groups),
        "shape": list(frontend.mean.shape),
        "frontend": frontend.fingerprint,
        "splits": splits,
        "sha256": {f.relative_to(out).as_posix(): sha256(f) for f in files},
    }
