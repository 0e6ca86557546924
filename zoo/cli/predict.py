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
from zoo.runs import CLASSIFIER
from zoo.settings import add_options, at_least, from_arguments, option
from zoo.siblings import sibling

if TYPE_CHECKING:
    from zoo.inference import Answer, Classifier


_BY = "what classifies"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What `zoo predict` is told: a recording, and at most one of `model` and `url`."""

    file: str = option(
        name="file", metavar="FILE", help="Recording in a WAV, SPHERE, FLAC or other sound file"
    )
    model: str | None = option(
        None,
        metavar="RUN",
        help="Run folder, exported model, or the name of a preset or of weights that ship",
        shown=CLASSIFIER,
        group=_BY,
    )
    url: str | None = option(
        None, help="Served model, such as http://127.0.0.1:8501/v1/models/phones", group=_BY
    )
    api_key: str | None = option(
        None, metavar="KEY", help="Key of the server of --url, if it requires one"
    )
    labels: str | None = option(
        None,
        metavar="FILE",
        help="Labelled segments: a TextGrid, a .ctm, a table (.csv, .tsv, .jsonl) or a .PHN file",
    )
    phn: str | None = option(None, metavar="FILE", help="The same, in TIMIT's .PHN format")
    tier: str | None = option(
        None,
        metavar="NAME",
        help="Interval tier of the TextGrid",
        shown="the one of phones; else the first",
    )
    mapping: str | None = option(
        None,
        metavar="FILE",
        help="Class of each label, as for zoo prepare",
        shown="labels are the model's classes; of the 48 phones, TIMIT's 61 labels",
    )
    start: float | None = option(None, metavar="S", help="Start of one segment in seconds")
    end: float | None = option(None, metavar="S", help="End of the segment in seconds")
    top_k: int | None = option(
        None,
        metavar="K",
        check=at_least(1),
        help="Number of classes to name",
        shown="5, or all of a model of fewer",
    )
    json: bool = option(False, help="Print JSON")

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
    either = parser.add_mutually_exclusive_group()
    add_options(parser, Options, groups={_BY: either})


def run(args: argparse.Namespace) -> None:
    """Read, classify and print."""
    options = from_arguments(Options, args)
    if options.url is None and options.model is None:
        options = dataclasses.replace(options, model=CLASSIFIER)
    from zoo.data.corpora.phones import accuracy_names

    _check_options(options)
    rate, answers, labels, groups = _hear_one(options) if options.cut else _hear_all(options)
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
        print("right: 0 of 0; no label is a class of the model (--mapping FILE says what they are)")


def _check_options(options: Options) -> None:
    if options.phn and options.labels:
        raise UsageError("--phn and --labels are the same; give one of them.")
    if options.annotation and options.cut:
        flag = "--phn" if options.phn else "--labels"
        raise UsageError(f"{flag} says where the segments are; leave out --start and --end.")
    for name in ("tier", "mapping"):
        if getattr(options, name) is not None and not options.annotation:
            raise UsageError(f"--{name} is for --labels; give it too, or leave it out.")


def _check_short(path: str) -> None:
    """Refuse a long recording without segments before it is read."""
    from zoo.data.corpora.audio import audio_size
    from zoo.inference import MAX_WHOLE_SECONDS

    samples, rate = audio_size(path)
    if samples > MAX_WHOLE_SECONDS * rate:
        raise UsageError(
            f"{path} lasts {samples / rate:.2f} s, longer than one segment of up to "
            f"{MAX_WHOLE_SECONDS:g} s: give --labels FILE, or --start and --end, or find its "
            "phones with zoo transcribe."
        )


class _Heard(NamedTuple):
    """What a model said of segments.

    Attributes:
        rate: of the recording, in Hz.
        answers: one for each segment.
        labels: of each segment; None where there is none.
        groups: class -> what it is scored as.
    """

    rate: int
    answers: list[Answer]
    labels: list[str | None]
    groups: Mapping[str, str]


def _hear_all(options: Options) -> _Heard:
    """Classify the segments of an annotation, or a short recording as a whole."""
    from zoo.data.corpora.audio import read_audio
    from zoo.inference import classify

    if not options.annotation:
        _check_short(options.file)
    audio, rate = read_audio(options.file)
    if options.url:
        segments, labels = _segments(options, len(audio), rate, None)
        with _served(options) as served:
            answers = served.answers(audio, rate, segments)
            groups = served.groups(answers, all_of_them=options.annotation is not None)
        return _Heard(rate, answers, labels, groups)
    classifier = _classifier(options)
    segments, labels = _segments(options, len(audio), rate, classifier)
    answers = classify(classifier, audio, rate, segments, options.top_k)
    return _Heard(rate, answers, labels, classifier.groups)


def _hear_one(options: Options) -> _Heard:
    """Classify the segment from --start to --end, of a recording that may last for hours."""
    from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile

    file = AudioFile(options.file, LONGEST_SECONDS)
    start, end = _segment(options, file.frames, file.rate)
    if options.url:
        with _served(options) as served:
            answer = served.excerpt(file, start, end)
            return _Heard(file.rate, [answer], [None], served.groups([answer], all_of_them=False))
    from zoo.excerpts import classify_excerpt

    classifier = _classifier(options)
    answer = classify_excerpt(classifier, file, start, end, options.top_k)
    return _Heard(file.rate, [answer], [None], classifier.groups)


@contextlib.contextmanager
def _served(options: Options) -> Iterator[Any]:
    require("client")
    url = str(options.url)
    with sibling("serving.client").Client(url, api_key=options.api_key) as client:
        yield sibling("serving.phones").ServedPhones(client, options.top_k)


def _classifier(options: Options) -> Classifier:
    from zoo.inference import load_classifier
    from zoo.startup import start_backend

    start_backend()
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


def _segments(
    options: Options, samples: int, rate: int, classifier: Classifier | None
) -> tuple[list[tuple[int, int]] | None, list[str | None]]:
    """Segments to classify (None: the whole) and their labels, where there are any."""
    if not options.annotation:
        return None, [None]
    from zoo.data.corpora.companions import read_annotation
    from zoo.data.corpora.phones import CLASSES, DROPPED, LABEL_TO_CLASS

    # A misspelt phone is an error where phones are what the model knows.
    phones = options.mapping is None and classifier and classifier.classes == CLASSES
    rows = read_annotation(
        options.annotation,
        options.file,
        rate,
        samples,
        tier=options.tier,
        phones={*LABEL_TO_CLASS, DROPPED} if phones else None,
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
