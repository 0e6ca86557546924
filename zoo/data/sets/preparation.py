"""From a corpus to a prepared set: one streaming pass, bounded memory, all cores, resumable."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.corpora.audio import audio_size
from zoo.data.corpora.corpus import Corpus, open_corpus
from zoo.data.corpora.utterances import Utterance
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import (
    Frontend,
    continuous_framing,
    framing,
    level_file,
    place_all,
)
from zoo.data.features.normalization import Statistics
from zoo.data.sets.assembly import Job, run
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.recordings import LabelledWork, RecordingWork
from zoo.data.sets.selection import Plan, default_mean, is_kept, make_plan
from zoo.data.sets.settings import Exemplar, Preparation
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
from zoo.errors import UsageError
from zoo.settings import changed

Part = tuple[Utterance, Sequence[tuple[int, int, str]], int]
"""An utterance, those of its segments that are to become examples, and where the last of all its
segments ends. Plain tuples go to another process at a third of the cost of named ones."""


def prepare(
    corpus: Corpus | str | Path,
    out: str | Path,
    settings: Preparation | None = None,
    *,
    progress: bool = False,
    write: WriteShards | None = None,
    portions: Portions | None = None,
    **options: Any,
) -> Prepared:
    """Turn a corpus into a prepared set; interrupted preparations resume.

    From TIMIT, SA sentences and the label `q` are left out, and labels are folded to 48 classes.
    Segments are zero-padded on both sides to the longest kept one, or (`length="any"`) stored as
    they are. Spoken digits, whose recordings are one segment each, are also stored as they are, at
    their own rate. The training set's mean representation is subtracted from everything.

    Args:
        corpus: what `zoo.data.open_corpus` gives, or a path that it opens without options.
        out: folder to write.
        settings: settings of the preparation; None: the defaults.
        progress: show a progress bar on stderr.
        write: what does the work; None: all cores of this machine. `zoo.data.sets.on_beam`
            gives one for many machines.
        portions: how the work is divided; None for the defaults.
        **options: fields of `Preparation`, in place of those of `settings`.

    Returns:
        The prepared set.

    Raises:
        UsageError: an unusable corpus, recording or argument; the message names it.
        RunError: `out` cannot be written.

    Reference: Riemens (2015), section 2.
    """
    settings = changed(settings or Preparation(), options)
    job = segment_job(corpus, settings, portions or PORTIONS)
    return run(job, out, progress, write or write_shards)


class SegmentWork(LabelledWork):
    """Turns segments of utterances into examples."""

    def pieces(self, items: Iterable[tuple[Part, ...]]) -> Iterator[Piece]:
        """The examples among the segments of parts of utterances, for each item."""
        latest = samples = found = None
        for item in items:
            waveforms: list[np.ndarray] = []
            rows: list[tuple[Any, ...]] = []
            sources: list[Path] = []
            statistics: list[Statistics | None] = []
            surrounded: list[np.ndarray] = []
            for utterance, segments, last in item:
                # Of a long recording, the next part is often in the next item.
                if samples is None or utterance is not latest:
                    latest, samples = utterance, None
                    samples = utterance.samples(self.resample, self.frontend.sample_rate, last)
                    samples = level_file(samples, self.frontend.level)
                    if self.frontend.by_recording:
                        found = self.frontend.statistics(self.frontend.frames_of(samples))
                kept = [(s, min(e, len(samples)), label) for s, e, label in segments]
                kept = [(start, end, label) for start, end, label in kept if start < end]
                rows += [(utterance.name, utterance.speaker, *segment) for segment in kept]
                sources += [utterance.audio] * len(kept)
                spans = [(start, end) for start, end, _ in kept]
                cuts = self.frontend.cuts(samples, spans)
                if self.frontend.context:
                    surrounded.append(self.frontend.surrounded_segments(cuts, spans, found))
                else:
                    waveforms += cuts
                    statistics += [found] * len(kept)
            if self.frontend.context:
                features = np.concatenate(surrounded)
                yield self._piece(features, np.ones(len(features), "int64"), rows, sources)
            else:
                yield self._piece(*self._normalised(waveforms, statistics), rows, sources)

    def _normalised(
        self, waveforms: list[np.ndarray], statistics: list[Statistics | None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `_features` gives, without the statistics of the recordings."""
        features, lengths = self._features(waveforms)
        ends = np.cumsum(lengths)
        for found, begin, end in zip(statistics, ends - lengths, ends, strict=True):
            if found is not None:
                # Where lengths differ a row is a frame, (F, C); else an example, (F, T, C).
                if self.frontend.length is None:
                    found = Statistics(*(a[:, 0] for a in found))
                features[begin:end] = self.frontend.normalized(features[begin:end], found)
        return features, lengths

    def _piece(
        self,
        features: np.ndarray,
        lengths: np.ndarray,
        rows: list[tuple[Any, ...]],
        sources: list[Path],
    ) -> Piece:
        ends = np.cumsum(lengths)
        if self.dtype != "float32":
            for source, begin, end in zip(sources, ends - lengths, ends, strict=True):
                check_range(features[begin:end], self.dtype, source)
        return Piece(
            {"features": features.astype(self.dtype, copy=False)},
            np.array(rows, self.row_type),
            np.array([self.class_of[row[-1]] for row in rows], "int64"),
            lengths,
            features.sum(axis=0, dtype="float64"),
        )

    def _features(self, waveforms: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Features, one below the other, and how many rows belong to each waveform."""
        frontend = self.frontend
        if frontend.length is not None:
            placed = place_all(waveforms, frontend.length)
            return frontend.represent(placed), np.ones(len(placed), "int64")
        if not waveforms:
            return np.zeros((0, *frontend.mean.shape), "float32"), np.zeros(0, "int64")
        # The axis of different lengths first: examples lie one below the other.
        axis = frontend.shape.index(None)
        examples = [
            np.moveaxis(frontend.represent(frontend.place(w)[None])[0], axis, 0) for w in waveforms
        ]
        return np.concatenate(examples), np.array([len(x) for x in examples])


def segment_job(
    corpus: Corpus | str | Path, chosen: Preparation, portions: Portions = PORTIONS
) -> Job:
    """Plan the work; nothing is written.

    Args:
        corpus: as for `prepare`.
        chosen: settings of the preparation.
        portions: how the work is divided.

    Raises:
        UsageError: a setting or the corpus is invalid.
    """
    corpus = open_corpus(corpus) if isinstance(corpus, str | Path) else corpus
    like = Prepared(chosen.like) if isinstance(chosen.like, str | Path) else chosen.like
    plan = make_plan(corpus, chosen, like)
    frontend = _frontend(plan, like)
    settings = plan.settings
    row_bytes = frontend.mean.size * np.dtype(chosen.dtype).itemsize
    work = (RecordingWork if frontend.whole else SegmentWork)(
        # Raw features are stored, by which the mean may become known in the same pass.
        dataclasses.replace(frontend, mean=np.zeros_like(frontend.mean)),
        plan.labelling,
        settings["resample"],
        chosen.dtype,
        plan.row_type,
    )
    return Job(
        kind="frames" if frontend.whole else "segments",
        corpus=corpus.root.name,
        settings=settings,
        digest=plan.digest,
        labelling=plan.labelling,
        work=work if like is None else dataclasses.replace(work, frontend=frontend),
        shards=[
            shard
            for name in plan.stored
            for shard in divide(
                name,
                _recording_items(plan, frontend, name)
                if frontend.whole
                else _items(plan, frontend, name, portions.segments),
                row_bytes,
                portions.shard_bytes,
            )
        ],
        splits=dict(_split_records(plan)),
        parts={
            name: {u.name: u.partition for u, _ in stored} for name, stored in plan.stored.items()
        },
        mean=(
            None
            if like is not None
            else settings.get(
                "mean", default_mean(frontend.kind, frontend.length is None, frontend.normalize)
            )
        ),
        unit="utterance",
        references={
            name: [segments for _, segments in stored] for name, stored in plan.stored.items()
        }
        if frontend.whole
        else {},
    )


def _frontend(plan: Plan, like: Exemplar | None) -> Frontend:
    if like is not None:
        return like.frontend
    kind = plan.settings["representation"]
    rate, whole = plan.sample_rate, plan.settings.get("examples") == "frames"
    try:
        frames = (
            continuous_framing(kind, rate, plan.settings["hop"] / 1000)
            if "hop" in plan.settings
            else framing(kind, rate)
        )
        representation = representation_settings(kind, plan.settings.get("deltas", 0), **frames)
        context = round(plan.settings.get("context", 0) * rate)
        frontend = Frontend(
            sample_rate=plan.sample_rate,
            length=plan.length and plan.length + 2 * context,
            level=plan.settings["level"],
            representation=representation,
            mean=np.zeros(0, "float32"),
            normalize=plan.settings.get("normalize", "set"),
            whole=whole,
            context=context,
        )
        shortest = frontend.shortest
        if plan.length is not None and plan.length < shortest:
            raise UsageError(
                f"a length of {plan.length} samples is shorter than one frame of {shortest}; "
                f"give --length {shortest} or more."
            )
        shape = [1 if size is None else size for size in frontend.shape]
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{kind} at {plan.sample_rate} Hz: {error}") from None
    return dataclasses.replace(frontend, mean=np.zeros(shape, "float32"))


def _items(plan: Plan, frontend: Frontend, name: str, most: int) -> Iterator[Item]:
    """The items of a split: parts of utterances, up to `most` segments in each."""
    too_long = plan.settings["too_long"]
    parts: list[Part] = []
    examples = rows = 0
    for utterance, segments in plan.stored[name]:
        chosen = [s for s in segments if is_kept(s, plan.labelling, plan.length, too_long)]
        bare = utterance.without_labels()
        for first in range(0, len(chosen), most):
            part = chosen[first : first + most]
            if examples + len(part) > most:
                yield Item(tuple(parts), rows, len(parts))
                parts, examples, rows = [], 0, 0
            parts.append((bare, [(s.start, s.end, s.label) for s in part], segments[-1].end))
            examples += len(part)
            rows += (
                len(part)
                if plan.length is not None
                else sum(frontend.frames_in(s.end - s.start) for s in part)
            )
    if parts:
        yield Item(tuple(parts), rows, len(parts))


def _recording_items(plan: Plan, frontend: Frontend, name: str) -> Iterator[Item]:
    """The items of a split of whole recordings: each is one."""
    for utterance, segments in plan.stored[name]:
        samples, rate = audio_size(utterance.audio)
        expected = frontend.frames_in(round(samples * frontend.sample_rate / rate))
        yield Item((utterance.without_labels(), segments), expected, 1)


def _split_records(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each split and part of one, and what is known of it before a recording is read."""
    mapping = plan.labelling.mapping
    for name, part in plan.stored.items():
        partitions = {u.partition for u, _ in part}
        for split in (name, *(p for p in ("core", "dev") if name == "test" and p in partitions)):
            utterances = [(u, s) for u, s in part if split in (name, u.partition)]
            labels = [s.label for _, segments in utterances for s in segments]
            kept = sum(mapping[label] is not None for label in labels)
            yield (
                split,
                {
                    "stored_in": name,
                    "utterances": len(utterances),
                    "speakers": len({u.speaker for u, _ in utterances}),
                    "labelled": kept,
                    "dropped_q": len(labels) - kept,
                },
            )
