"""`zoo predict`: the phones in a recording."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.extras import require
from zoo.settings import add_options, at_least, from_arguments, option
from zoo.siblings import sibling

if TYPE_CHECKING:
    import numpy as np

    from zoo.inference import Answer


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
    phn: str | None = option(None, metavar="FILE", help="Labelled segments, in TIMIT's .PHN format")
    start: float | None = option(None, metavar="S", help="Start of one segment in seconds")
    end: float | None = option(None, metavar="S", help="End of the segment in seconds")
    top_k: int = option(5, metavar="K", check=at_least(1), help="Number of classes to name")
    json: bool = option(False, help="Print JSON")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    either = parser.add_mutually_exclusive_group(required=True)
    add_options(parser, Options, groups={_BY: either})


def run(args: argparse.Namespace) -> None:
    """Read, classify and print."""
    options = from_arguments(Options, args)
    from zoo.data.corpora.audio import read_audio

    if options.phn and (options.start is not None or options.end is not None):
        raise UsageError("--phn says where the segments are; leave out --start and --end.")
    if not options.phn and options.start is None and options.end is None:
        _check_short(options.file)
    audio, rate = read_audio(options.file)
    segments, labels = _segments(options, len(audio), rate)
    ask = _ask if options.url else _classify
    answers = ask(options, audio, rate, segments)
    records = [_record(a, rate, label) for a, label in zip(answers, labels, strict=True)]
    counted = [r["agrees"] for r in records if r.get("agrees") is not None]
    if options.json:
        model = options.url or options.model
        result = {"file": options.file, "model": model, "sample_rate": rate, "segments": records}
        if counted:
            result |= {"accuracy_39": sum(counted) / len(counted), "scored": len(counted)}
        print(json.dumps(result, indent=2))
        return
    for record in records:
        print(_line(record, with_label=options.phn is not None))
    if counted:
        share = 100 * sum(counted) / len(counted)
        print(f"right (39 groups): {sum(counted)} of {len(counted)}, {share:.1f} %")


def _check_short(path: str) -> None:
    """Refuse a long recording without segments before it is read."""
    from zoo.data.corpora.audio import audio_size
    from zoo.inference import MAX_WHOLE_SECONDS

    samples, rate = audio_size(path)
    if samples > MAX_WHOLE_SECONDS * rate:
        raise UsageError(
            f"{path} lasts {samples / rate:.2f} s, longer than one segment of up to "
            f"{MAX_WHOLE_SECONDS:g} s: give --phn FILE.phn, or --start and --end, or find its "
            "phones with zoo transcribe."
        )


def _classify(
    options: Options, audio: np.ndarray, rate: int, segments: list[tuple[int, int]] | None
) -> list[Answer]:
    from zoo.inference import classify, load_classifier
    from zoo.startup import start_backend

    start_backend()
    return classify(load_classifier(str(options.model)), audio, rate, segments, options.top_k)


def _ask(
    options: Options, audio: np.ndarray, rate: int, segments: list[tuple[int, int]] | None
) -> list[Answer]:
    import numpy as np

    from zoo.inference import Answer, wav_contents

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
    named = answer["phones"].shape[1]
    if not 1 <= options.top_k <= named:
        raise UsageError(
            f"a served model names 1 to {named} classes; received --top-k {options.top_k}."
        )
    return [
        Answer(a, b, tuple(phones[: options.top_k]), tuple(map(float, scores[: options.top_k])))
        for (a, b), phones, scores in zip(pairs, answer["phones"], answer["scores"], strict=True)
    ]


def _segments(
    options: Options, samples: int, rate: int
) -> tuple[list[tuple[int, int]] | None, list[str | None]]:
    """Segments to classify (None: the whole) and their labels, where there are any."""
    from zoo.inference import MAX_WHOLE_SECONDS

    if options.phn:
        from zoo.data.corpora.timit import read_phn

        rows = read_phn(options.phn, samples)
        if not rows:
            raise UsageError(f"{options.phn} holds no segments.")
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


def _record(answer: Answer, rate: int, label: str | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "start": answer.start,
        "end": answer.end,
        "start_seconds": answer.start / rate,
        "end_seconds": answer.end / rate,
        "phones": list(answer.phones),
        "scores": list(answer.scores),
    }
    if label is not None:
        record |= {"label": label, "agrees": _agrees(label, answer.phones[0])}
    return record


def _agrees(label: str, phone: str) -> bool | None:
    """Whether both fall into one scored group; None for a label that is not scored."""
    from zoo.data.corpora.phones import GROUPS, LABEL_TO_CLASS

    if label not in LABEL_TO_CLASS:
        return None
    return GROUPS[LABEL_TO_CLASS[label]] == GROUPS.get(phone, phone)


def _line(record: dict[str, Any], with_label: bool) -> str:
    named = "  ".join(
        f"{p:<4} {s:.3f}" for p, s in zip(record["phones"], record["scores"], strict=True)
    )
    times = f"{record['start_seconds']:8.3f} {record['end_seconds']:8.3f}"
    if not with_label:
        return f"{times}  {named}"
    mark = {True: "right", False: "wrong", None: "-"}[record["agrees"]]
    return f"{times}  {record['label']:<5} {mark:<6} {named}"
