"""`zoo predict`: the phones in a recording."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo.errors import UsageError
from zoo.extras import require
from zoo.parsers import heading
from zoo.runs import CLASSIFIER
from zoo.settings import add_options, at_least, from_arguments, option
from zoo.siblings import sibling

if TYPE_CHECKING:
    from zoo.data.corpora.audio import AudioFile
    from zoo.inference import Answer, Classifier


_BY = "model (--model or --url)"
_EITHER = "either"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What `zoo predict` is told: a recording, and at most one of `model` and `url`."""

    file: str = option(name="file", metavar="FILE", help="Recording (WAV, FLAC, MP3, SPHERE, ...)")
    model: str | None = option(
        None,
        metavar="RUN",
        help="Run folder, exported model, or name of a preset or of weights that ship",
        shown=CLASSIFIER,
        group=_EITHER,
    )
    url: str | None = option(
        None,
        help="URL of a served model, such as http://127.0.0.1:8501/v1/models/phones",
        group=_EITHER,
    )
    api_key: str | None = option(
        None, metavar="KEY", help="API key for --url, if the server requires one", group=_BY
    )
    labels: str | None = option(
        None,
        metavar="FILE",
        help=(
            "File of labelled segments: a TextGrid, a .ctm, a table (.csv, .tsv, "
            ".jsonl) or a .PHN file"
        ),
        group="segments (without any, a recording of up to 1 s is one)",
    )
    phn: str | None = option(
        None,
        metavar="FILE",
        help="File of labelled segments in TIMIT's .PHN format, whatever its name",
        group="segments (without any, a recording of up to 1 s is one)",
    )
    tier: str | None = option(
        None,
        metavar="NAME",
        help="Interval tier of the TextGrid to read",
        shown="phones or similar, else the first",
        group="segments (without any, a recording of up to 1 s is one)",
    )
    mapping: str | None = option(
        None,
        metavar="FILE",
        help="Class of each label, as for zoo prepare",
        shown="a label is a class of the model; for the 48 phones, one of TIMIT's 61 labels",
        group="segments (without any, a recording of up to 1 s is one)",
    )
    start: float | None = option(
        None,
        metavar="S",
        help="Start of one segment in seconds",
        group="segments (without any, a recording of up to 1 s is one)",
    )
    end: float | None = option(
        None,
        metavar="S",
        help="End of the segment in seconds",
        group="segments (without any, a recording of up to 1 s is one)",
    )
    top_k: int | None = option(
        None,
        metavar="K",
        check=at_least(1),
        help="Number of classes to name",
        shown="5, or all if the model has fewer",
        group="results",
    )
    json: bool = option(False, help="Print JSON", group="results")

    @property
    def cut(self) -> bool:
        """Whether one segment is asked for by its times."""
        return self.start is not None or self.end is not None

    @property
    def annotation(self) -> str | None:
        """The file of labelled segments."""
        return self.labels or self.phn


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    model = heading(parser, _BY)
    either = model.add_mutually_exclusive_group()
    add_options(parser, Options, groups={_EITHER: either})


def run(args: argparse.Namespace) -> None:
    """Read, classify and print."""
    options = from_arguments(Options, args)
    if options.url is None and options.model is None:
        options = dataclasses.replace(options, model=CLASSIFIER)
    from zoo.data.corpora.phones import accuracy_names

    _check_options(options)
    rate, answers, labels, groups = _hear(options)
    mapping = _mapping(options, groups, labels)
    records = [_record(a, rate, x, mapping, groups) for a, x in zip(answers, labels, strict=True)]
    counted = [r["agrees"] for r in records if r.get("agrees") is not None]
    score = accuracy_names(tuple(groups), groups).accuracy
    if options.json:
        model = options.url or options.model
        result = {"file": options.file, "model": model, "sample_rate": rate, "segments": records}
        if counted:
            result |= {score: sum(counted) / len(counted), "scored": len(counted)}
        print(json.dumps(result, indent=2))
        return
    for record in records:
        print(_line(record, with_label=options.annotation is not None))
    if counted:
        share = 100 * sum(counted) / len(counted)
        folded = len(set(groups.values()))
        of = "" if folded == len(groups) else f" ({folded} groups)"
        print(f"right{of}: {sum(counted)} of {len(counted)}, {share:.1f} %")
    elif options.annotation:
        print(
            "right: 0 of 0; no label is a class of the model (--mapping FILE assigns "
            "classes to labels)"
        )


def _check_options(options: Options) -> None:
    if options.phn and options.labels:
        raise UsageError("--phn and --labels exclude each other; give one of them.")
    if options.annotation and options.cut:
        flag = "--phn" if options.phn else "--labels"
        raise UsageError(f"{flag} says where the segments are; leave out --start and --end.")
    for name in ("tier", "mapping"):
        if getattr(options, name) is not None and not options.annotation:
            raise UsageError(f"--{name} requires --labels.")


class _Heard(NamedTuple):
    """What a model said of segments.

    Attributes:
        rate: sample rate of the recording, in Hz.
        answers: one for each segment.
        labels: label of each segment; None where it has none.
        groups: class -> what it is scored as.
    """

    rate: int
    answers: list[Answer]
    labels: list[str | None]
    groups: Mapping[str, str]


def _hear(options: Options) -> _Heard:
    """Classify the segments of an annotation, one segment, or a short recording as a whole."""
    from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile

    file = AudioFile(options.file, LONGEST_SECONDS)
    asked = None if options.annotation else _asked(options, file)
    if options.url:
        with _served(options) as served:
            segments, labels = asked or _labelled(options, file, None)
            answers = served.answers(file, segments)
            groups = served.groups(answers, all_of_them=options.annotation is not None)
        return _Heard(file.rate, answers, labels, groups)
    from zoo.data.corpora.audio import read_audio
    from zoo.excerpts import classify_file
    from zoo.inference import classify

    classifier = _classifier(options)
    segments, labels = asked or _labelled(options, file, classifier)
    if segments is None:
        answers = classify(classifier, *read_audio(file.path), top_k=options.top_k)
    else:
        answers = classify_file(classifier, file, segments, options.top_k)
    return _Heard(file.rate, answers, labels, classifier.groups)


@contextlib.contextmanager
def _served(options: Options) -> Iterator[Any]:
    require("client")
    url = str(options.url)
    with sibling("serving.client").Client(url, api_key=options.api_key) as client:
        yield sibling("serving.phones").ServedPhones(client, options.top_k)


def _classifier(options: Options) -> Classifier:
    from zoo.inference import load_classifier

    return load_classifier(str(options.model))


def _mapping(
    options: Options, groups: Mapping[str, str], labels: list[str | None]
) -> Mapping[str, str | None]:
    """Label -> class, of the labels at hand or of all."""
    from zoo.data.corpora.labels import read_mapping
    from zoo.data.corpora.phones import CLASSES, LABEL_TO_CLASS

    if options.mapping is not None:
        return read_mapping(options.mapping).mapping
    if set(groups) != set(CLASSES):
        return {name: name for name in groups}
    return {label: LABEL_TO_CLASS.get(label.lower()) for label in labels if label is not None}


_Segments = tuple[list[tuple[int, int]] | None, list[str | None]]
"""Segments to classify, in samples (None: the recording as a whole), and the label of each."""


def _asked(options: Options, file: AudioFile) -> _Segments:
    """The segment from --start to --end, or a short recording as a whole."""
    from zoo.inference import MAX_WHOLE_SECONDS

    if options.cut:
        return [_segment(options, file.frames, file.rate)], [None]
    if file.frames > MAX_WHOLE_SECONDS * file.rate:
        raise UsageError(
            f"{file.path} lasts {file.frames / file.rate:.2f} s, longer than one segment of up to "
            f"{MAX_WHOLE_SECONDS:g} s: give --labels FILE, or --start and --end, or find its "
            "phones with zoo transcribe."
        )
    return None, [None]


def _labelled(options: Options, file: AudioFile, classifier: Classifier | None) -> _Segments:
    """The segments of an annotation."""
    from zoo.data.corpora.audio import MAX_SECONDS
    from zoo.data.corpora.companions import read_annotation
    from zoo.data.corpora.phones import CLASSES, DROPPED, LABEL_TO_CLASS

    # A misspelt phone is an error where phones are what the model knows.
    phones = options.mapping is None and classifier and classifier.classes == CLASSES
    annotation = str(options.annotation)
    rows = read_annotation(
        annotation,
        file.path,
        file.rate,
        file.frames,
        tier=options.tier,
        phones={*LABEL_TO_CLASS, DROPPED} if phones else None,
    )
    for row in rows:
        seconds = (row.end - row.start) / file.rate
        if seconds > MAX_SECONDS:
            raise UsageError(
                f"{annotation}: the segment {row.label!r} lasts {seconds:g} s; the limit is "
                f"{MAX_SECONDS:g} s."
            )
    return [(row.start, row.end) for row in rows], [row.label for row in rows]


def _segment(options: Options, samples: int, rate: int) -> tuple[int, int]:
    """The segment from --start to --end, in samples."""
    from zoo.data.corpora.audio import MAX_SECONDS
    from zoo.inference import MAX_WHOLE_SECONDS

    start = 0.0 if options.start is None else options.start
    end = samples / rate if options.end is None else options.end
    if options.end is None and end - start > MAX_WHOLE_SECONDS:
        raise UsageError(
            f"{options.file} lasts {end - start:.2f} s after --start {start:g}, longer than one "
            f"segment of up to {MAX_WHOLE_SECONDS:g} s: give --end as well."
        )
    if start == end:
        raise UsageError(f"the segment from --start {start:g} to --end {end:g} is empty.")
    if not 0 <= start < end or end > samples / rate + 0.5 / rate:
        raise UsageError(
            f"--start {start:g} --end {end:g} lies outside {options.file}, "
            f"which lasts {samples / rate:.3f} s."
        )
    if end - start > MAX_SECONDS:
        raise UsageError(
            f"the segment from --start {start:g} to --end {end:g} lasts {end - start:g} s; the "
            f"limit is {MAX_SECONDS:g} s."
        )
    return round(start * rate), min(round(end * rate), samples)


def _record(
    answer: Answer,
    rate: int,
    label: str | None,
    mapping: Mapping[str, str | None],
    groups: Mapping[str, str],
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "start": answer.start,
        "end": answer.end,
        "start_seconds": answer.start / rate,
        "end_seconds": answer.end / rate,
        "phones": list(answer.phones),
        "scores": list(answer.scores),
    }
    if label is not None:
        record |= {"label": label, "agrees": _agrees(mapping.get(label), answer.phones[0], groups)}
    return record


def _agrees(expected: str | None, phone: str, groups: Mapping[str, str]) -> bool | None:
    """Whether both classes fall into one scored group; None for a label that is not scored."""
    if expected is None:
        return None
    return groups.get(expected, expected) == groups.get(phone, phone)


def _line(record: dict[str, Any], with_label: bool) -> str:
    named = "  ".join(
        f"{p:<4} {s:.3f}" for p, s in zip(record["phones"], record["scores"], strict=True)
    )
    times = f"{record['start_seconds']:8.3f} {record['end_seconds']:8.3f}"
    if not with_label:
        return f"{times}  {named}"
    mark = {True: "right", False: "wrong", None: "-"}[record["agrees"]]
    return f"{times}  {record['label']:<5} {mark:<6} {named}"
