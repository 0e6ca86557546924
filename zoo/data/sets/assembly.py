"""A preparation as one job: its work divided into shards, done, and put together as a set."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.labels import Labelling
from zoo.data.corpora.utterances import SPLITS, Segment
from zoo.data.features.frontend import Frontend
from zoo.data.sets.prepared import FORMAT, MANIFEST, Prepared, content_hash
from zoo.data.sets.selection import check_same_plan
from zoo.data.sets.shards import WORK, Records, Shard, WriteShards, records, write_shards
from zoo.errors import UsageError
from zoo.files import make_folder, read_json, sha256, write_array, write_json


@dataclasses.dataclass(frozen=True)
class Job:
    """The preparation of a set.

    Attributes:
        kind: as the manifest has it.
        corpus: name of the corpus.
        settings: as the manifest records them.
        digest: by which an interrupted preparation is recognised.
        labelling: labelling of the classes; None without labels.
        work: turns items into examples.
        shards: all shards of the set.
        splits: name -> its counts but for those of the examples.
        parts: split that is stored -> partition of each of its utterances.
        mean: which mean becomes that of the front end; None: it has one already.
        unit: what an item is, for people.
        references: where recordings are examples, split that is stored -> the labelled segments of
            each recording.
    """

    kind: str
    corpus: str
    settings: dict[str, Any]
    digest: str
    labelling: Labelling | None
    work: Any
    shards: Sequence[Shard]
    splits: Mapping[str, dict[str, Any]]
    parts: Mapping[str, Mapping[str, str]]
    mean: str | None
    unit: str
    references: Mapping[str, Sequence[Sequence[Segment]]] = dataclasses.field(default_factory=dict)


def run(
    job: Job, out: str | Path, progress: bool = False, write: WriteShards = write_shards
) -> Prepared:
    """Do a job, or what is left of it.

    Args:
        job: what to do.
        out: the set's folder.
        progress: show a progress bar on stderr.
        write: writes the shards.

    Raises:
        UsageError: `out` holds something else, or a recording is unusable.
        RunError: `out` cannot be written.
    """
    out = Path(out)
    if (out / MANIFEST).exists():
        check_same_plan(read_json(out / MANIFEST), job.settings, job.digest, out)
        return Prepared(out)
    begun, fresh = out / WORK / "plan.json", not out.exists()
    # Records of shards count only where the same work is divided in the same way.
    layout = {"format": FORMAT, "shards": collections.Counter(s.split for s in job.shards)}
    if begun.is_file():
        found = read_json(begun)
        wanted = {**layout, "plan": job.digest}
        if {name: found.get(name) for name in wanted} != wanted:
            if _anything_done(out):
                check_same_plan(found, job.settings, job.digest, out)
                raise UsageError(
                    f"{out} was begun by an earlier version; remove it and start again."
                )
            _withdraw(out)
    elif out.is_dir() and any(out.iterdir()) and not (out / WORK).is_dir():
        raise UsageError(
            f"{out} is not empty and holds no prepared set; choose a new folder for the output."
        )
    make_folder(out / WORK)
    write_json(begun, {**layout, "plan": job.digest, "settings": job.settings})
    try:
        write(job.work, job.shards, out, job.unit, progress)
    except BaseException:
        if not _anything_done(out):
            _withdraw(out)
            if fresh:
                with contextlib.suppress(OSError):
                    out.rmdir()
        raise
    _finish(job, out)
    shutil.rmtree(out / WORK)
    return Prepared(out)


def _anything_done(out: Path) -> bool:
    """Whether a shard of an unfinished preparation has its record."""
    return any((out / WORK).glob("*.npz"))


def _withdraw(out: Path) -> None:
    """Remove what a preparation has left that has not done a shard yet."""
    for name in (WORK, *SPLITS):
        shutil.rmtree(out / name, ignore_errors=True)


def _finish(job: Job, out: Path) -> None:
    """Put together what the shards recorded, and write the manifest last."""
    for left in out.rglob(".*.tmp.*"):
        # What a kill has cut short; `replacing` names it so.
        left.unlink()
    names = [name for name, record in job.splits.items() if record["stored_in"] == name]
    found = {name: records(job.work, job.shards, out, name) for name in names}
    frontend = job.work.frontend
    if job.mean is not None:
        frontend = frontend.with_mean(_mean(job, found))
    frontend.save(out)
    hashes: dict[str, str] = {}
    for name, record in found.items():
        folder = make_folder(out / name)
        write_array(folder / "segments.npy", record.rows)
        if job.labelling is not None:
            write_array(folder / "labels.npy", record.labels)
        if frontend.length is None:
            write_array(folder / "offsets.npy", np.cumsum([0, *record.lengths]))
        if name in job.references:
            phones = _references(job.references[name], record.rows["end"])
            write_array(folder / "phones.npy", phones)
        hashes |= record.hashes
        hashes |= {
            f"{name}/{what}.npy": sha256(folder / f"{what}.npy")
            for what in ("labels", "offsets", "phones", "segments")
            if (folder / f"{what}.npy").exists()
        }
    labelling = job.labelling
    manifest = {
        "format": FORMAT,
        "kind": job.kind,
        "plan": job.digest,
        "corpus": job.corpus,
        "settings": job.settings,
        "sample_rate": frontend.sample_rate,
        "length": frontend.length,
        "dtype": job.work.dtype,
        "classes": [] if labelling is None else list(labelling.classes),
        "groups": {} if labelling is None else dict(labelling.groups),
        **({"mapping": dict(labelling.mapping)} if job.references and labelling else {}),
        **({"label_set": labelling.name} if labelling is not None and labelling.name else {}),
        "shape": list(frontend.shape),
        "frontend": frontend.fingerprint,
        "splits": {name: _split(job, name, found) for name in job.splits},
        "shards": {name: record.shards for name, record in found.items()},
        "sha256": dict(sorted(hashes.items())),
    }
    write_json(out / MANIFEST, {**manifest, "content": content_hash(manifest)})


def _references(recordings: Sequence[Sequence[Segment]], samples: np.ndarray) -> np.ndarray:
    """The segments of recordings as rows of recording, start, end and label.

    Resampled recordings may end a sample before their labels.
    """
    width = max((len(s.label) for segments in recordings for s in segments), default=1)
    rows = [
        (number, s.start, min(s.end, int(end)), s.label)
        for number, (segments, end) in enumerate(zip(recordings, samples, strict=True))
        for s in segments
        if s.start < min(s.end, int(end))
    ]
    kind = [("recording", "<i8"), ("start", "<i8"), ("end", "<i8"), ("label", f"<U{width}")]
    return np.array(rows, kind)


def _mean(job: Job, found: Mapping[str, Records]) -> np.ndarray:
    """What is to be subtracted, by the training part's sum of features."""
    frontend: Frontend = job.work.frontend
    source = "train" if "train" in found else next(iter(found))
    total, count = found[source].total, int(found[source].lengths.sum())
    if total is None:
        raise UsageError(
            f"no segment of the {source} part is within {frontend.length} samples; "
            "give a larger --length or --too-long crop."
        )
    shape = frontend.mean.shape
    if job.mean == "none":
        return np.zeros(shape, "float32")
    mean = total / count
    if frontend.length is None:
        mean = np.expand_dims(mean, frontend.shape.index(None))
    elif job.mean == "bin":
        mean = np.broadcast_to(mean.mean(axis=1, keepdims=True), shape)
    return mean.astype("float32")


def _split(job: Job, name: str, found: Mapping[str, Records]) -> dict[str, Any]:
    """A split's entry in the manifest."""
    known = dict(job.splits[name])
    stored_in, labelled = known.pop("stored_in"), known.pop("labelled", None)
    record = found[stored_in]
    chosen = np.arange(len(record.rows))
    if name != stored_in:
        parts = job.parts[stored_in]
        chosen = np.flatnonzero([parts[u] == name for u in record.rows["utterance"]])
    entry = {
        "stored_in": stored_in,
        "first": int(chosen[0]) if len(chosen) else 0,
        "examples": len(chosen),
    }
    if job.labelling is None:
        return {**entry, **known}
    classes = job.labelling.classes
    if job.references:
        first = entry["first"]
        begin, end = np.cumsum([0, *record.lengths])[[first, first + len(chosen)]]
        return {**entry, **known, **_frame_counts(record.labels[begin:end], classes)}
    count = np.bincount(record.labels[chosen], minlength=len(classes))
    return {
        **entry,
        "segments": len(chosen),
        **known,
        "excluded_too_long": labelled - len(chosen),
        "per_class": {c: int(n) for c, n in zip(classes, count, strict=True)},
    }


def _frame_counts(labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Frames in all and by class."""
    count = np.bincount(labels[labels >= 0], minlength=len(classes))
    return {
        "frames": len(labels),
        "labelled_frames": int(count.sum()),
        "per_class": {c: int(n) for c, n in zip(classes, count, strict=True)},
    }
