"""`zoo predict`: the phones in a recording."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.extras import require
from zoo.settings import add_options, at_least, from_arguments, option
from zoo.siblings import sibling

if TYPE_CHECKING:
    import numpy as np

    from zoo.inference import Answer, Classifier


_BY = "what classifies"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What `zoo predict` is told: a recording, and one of `model` and `url`."""

    file: str = option(
        name="file", metavar="FILE", help="Recording in a WAV, SPHERE, FLAC or other sound file"
    )
    model: str | None = option(None, metavar="PATH", help="Run folder or exported model", group=_BY)
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
    def annotation(self) -> str | None:
        """The file of labelled segments."""
        return self.labels or self.phn


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    either = parser.add_mutually_exclusive_group(required=True)
    add_options(parser, Options, groups={_BY: either})


def run(args: argparse.Namespace) -> None:
    """Read, classify and print."""
    options = from_arguments(Options, args)
    from zoo.data.corpora.audio import read_audio
    from zoo.data.corpora.phones import accuracy_names

    _check_options(options)
    if not options.annotation and options.start is None and options.end is None:
        _check_short(options.file)
    audio, rate = read_audio(options.file)
    classifier = None if options.url else _classifier(options)
    segments, labels = _segments(options, len(audio), rate, classifier)
    if classifier is None:
        answers = _ask(options, audio, rate, segments)
        groups = _groups_of_answers(answers)
    else:
        from zoo.inference import classify

        answers = classify(classifier, audio, rate, segments, options.top_k)
        groups = classifier.groups
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
    if options.annotation and (options.start is not None or options.end is not None):
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


def _classifier(options: Options) -> Classifier:
    from zoo.inference import load_classifier
    from zoo.startup import start_backend

    start_backend()
    return load_classifier(str(options.model))


def _groups_of_answers(answers: list[Answer]) -> Mapping[str, str]:
    """What a served model's classes are scored as, by those that it named, its best ones."""
    from zoo.data.corpora.phones import CLASSES, GROUPS

    named = {phone for answer in answers for phone in answer.phones}
    return GROUPS if named <= set(CLASSES) else {name: name for name in sorted(named)}


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


def _ask(
    options: Options, audio: np.ndarray, rate: int, segments: list[tuple[int, int]] | None
) -> list[Answer]:
    import numpy as np

    from zoo.inference import Answer, top_of, wav_contents

    pairs = [(0, len(audio))] if segments is None else segments
    require("client")
    with sibling("serving.client").Client(str(options.url), api_key=options.api_key) as client:
        signatures = client.signatures()
        if not {"phones", "scores"} <= set(getattr(signatures.get("wav_bytes"), "outputs", ())):
            raise UsageError(f"{options.url} is no phone classifier of zoo export.")
        if segments is None or "segments" not in signatures:
            answer = client.predict_wav(*(wav_contents(audio[a:b], rate) for a, b in pairs))
        else:
            # Whether the model looks at the rest of the recording, it knows by itself.
            starts, ends = (np.array(times) / rate for times in zip(*pairs, strict=True))
            inputs = {"wav": wav_contents(audio, rate), "starts": starts, "ends": ends}
            answer = client.predict(inputs, "segments")
    count = top_of(options.top_k, answer["phones"].shape[1], "--top-k of a served model")
    return [
        Answer(a, b, tuple(phones[:count]), tuple(map(float, scores[:count])))
        for (a, b), phones, scores in zip(pairs, answer["phones"], answer["scores"], strict=True)
    ]


def _segments(
    options: Options, samples: int, rate: int, classifier: Classifier | None
) -> tuple[list[tuple[int, int]] | None, list[str | None]]:
    """Segments to classify (None: the whole) and their labels, where there are any."""
    from zoo.inference import MAX_WHOLE_SECONDS

    if options.annotation:
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
    if options.start is None and options.end is None:
        return None, [None]
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
    return [(round(start * rate), min(round(end * rate), samples))], [None]


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
