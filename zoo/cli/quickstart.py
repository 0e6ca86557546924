"""`zoo quickstart`: the whole way, from speech to an answer over REST and a sentence's phones."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import RunError
from zoo.extras import require
from zoo.files import make_folder, read_json, write_json
from zoo.runs import Run
from zoo.seeds import seed_option
from zoo.settings import at_least, option
from zoo.siblings import sibling
from zoo.startup import start_backend

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared

MODEL = "freq_fullpad"
SERVED_AS = "phones"

SPEAKERS = 160
"""Synthetic speakers, 120 of them for training: an hour of speech."""

DEV_SPEAKERS = 8
"""Training speakers kept for the validation curve."""

EPOCHS = 14

RECOGNIZER = "tdnn"

RECOGNIZER_EPOCHS = 3
"""Most epochs of the network that transcribes; a sentence's phones are mostly right after three."""

START_SECONDS = 120
"""How long the server may take to load the model."""

STOP_SECONDS = 30
"""How long it may take to end."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo quickstart`."""

    out: str = option("quickstart", metavar="DIR", help="Folder for all results")
    speakers: int = option(SPEAKERS, check=at_least(2), help="Number of synthetic speakers")
    epochs: int = option(EPOCHS, check=at_least(1), help="Number of training epochs")
    seed: int = seed_option()


def run(options: Options) -> int:
    """Corpus, features, training, accuracy, export, server, answer, report; a sentence's phones."""
    for extra in ("synth", "serving", "reports"):
        require(extra)
    out = make_folder(options.out)
    begun = time.perf_counter()
    with _step("corpus", "speaking sentences with espeak-ng"):
        from zoo.data.corpora.synthetic import synthesise

        synthesise(out / "corpus", speakers=options.speakers, seed=options.seed)
    start_backend()
    with _step("prepare", "cutting phones, computing spectrograms"):
        prepared = _prepared(options, "prepared", representation="log_magnitude")
    with _step("train", f"{MODEL}, {options.epochs} balanced epochs"):
        from zoo.training.classifier import Settings, train_classifier

        settings = Settings(epochs=options.epochs, seed=options.seed)
        trained = Run.open(train_classifier(MODEL, prepared, out / "run", settings, progress=True))
    with _step("evaluate", "speakers that training never heard"):
        from zoo.cli.evaluate import table
        from zoo.evaluation.runs import evaluate

        evaluation = evaluate(trained, prepared, seed=options.seed)
        write_json(out / "scores.json", evaluation.scores)
        print("\n".join(table(evaluation.scores).splitlines()[:5]))
    with _step("export", "SavedModel with its preprocessing inside"):
        version = _export(trained, out / "export" / SERVED_AS)
        print(version)
    with _step("serve", "one segment of a test speaker, posted as a WAV file"):
        example = _example_segment(out / "corpus", prepared)
        with _server(out / "export" / SERVED_AS) as url:
            answer = _ask(url, example["wav"])
        print(f"POST {url}:predict   {{instances: [{{wav: {{b64: ...}}}}]}}")
        print(f"  {json.dumps({k: answer[k] for k in ('phones', 'scores')})}")
        print(f"  labelled {example['label']!r} in {example['utterance']}")
    with _step("report", "curves, confusions, examples"):
        from zoo.evaluation.report import write_report

        report = write_report(trained, prepared, evaluation, out / "report.html")
    transcribed, sentences = _transcribed(out, options)
    scores = evaluation.scores
    print(f"\ndone in {time.perf_counter() - begun:.0f} s; on unseen synthetic speakers")
    print(f"  accuracy_39_uniform   {scores['accuracy_39_uniform']:.1%}")
    print(f"  balanced_accuracy_39  {scores['balanced_accuracy_39']:.1%}")
    print(f"  phone error rate      {transcribed['phone_error_rate']:.1%}, of whole sentences")
    print(f"  reports               {report}, {sentences}")
    print(f"  serve it              zoo serve --model {SERVED_AS}={out / 'export' / SERVED_AS}")
    return 0


def _transcribed(out: Path, options: Options) -> tuple[dict[str, Any], Path]:
    """Train a network for whole sentences; print one of an unseen speaker beside its reference."""
    from zoo.decoding import Transcript
    from zoo.evaluation.transcript_report import write_transcript_report
    from zoo.evaluation.transcripts import evaluate_transcripts
    from zoo.registry import describe
    from zoo.training.classifier import train_classifier
    from zoo.training.settings import Settings
    from zoo.transcription import load_recognizer

    with _step("prepare", "whole sentences, a label for every frame"):
        prepared = _prepared(options, "prepared-sentences", examples="frames")
    epochs = min(RECOGNIZER_EPOCHS, options.epochs)
    with _step("train", f"{RECOGNIZER}, {epochs} epochs, then its decoder"):
        recipe = {"schedule": "cosine", **describe(RECOGNIZER).recipe}
        settings = Settings(epochs=epochs, seed=options.seed, **recipe)
        folder = out / "run-sentences"
        run = Run.open(train_classifier(RECOGNIZER, prepared, folder, settings, progress=True))
    with _step("transcribe", "sentences of speakers that training never heard"):
        transcribed = evaluate_transcripts(run, prepared)
        report = write_transcript_report(run, prepared, transcribed, out / "sentences.html")
        first = transcribed.recordings[0]
        file = out / "corpus" / f"{first.name}.WAV"
        found = load_recognizer(run.path).transcribe_file(file)
        both = Transcript(
            {**found.tiers, "reference": first.reference}, found.duration, found.sample_rate
        )
        print(f"{file}, also in {both.save(out / 'sentence.TextGrid')}")
        print(f"  reference  {_in_a_row(first.reference)}")
        print(f"  found      {_in_a_row(first.transcript)}")
    return transcribed.scores, report


def _in_a_row(intervals: Iterable[Any]) -> str:
    return " ".join(interval.label for interval in intervals)


def _prepared(options: Options, name: str, **settings: Any) -> Prepared:
    """A set of the corpus, in a folder of this name, whose counts are printed."""
    from zoo.cli.prepare import summary
    from zoo.data.sets.preparation import prepare

    out = Path(options.out)
    dev = min(DEV_SPEAKERS, max(1, options.speakers // 10))
    prepared = prepare(out / "corpus", out / name, dev_speakers=dev, progress=True, **settings)
    print(summary(prepared))
    return prepared


@contextlib.contextmanager
def _step(name: str, text: str) -> Iterator[None]:
    print(f"{name:<10} {text} ...", flush=True)
    begun = time.perf_counter()
    yield
    print(f"{'':<10} {time.perf_counter() - begun:.1f} s", flush=True)


def _export(trained: Run, out: Path) -> Path:
    """The newest export if it is of this very model, else a new version."""
    from zoo.inference import ASSETS_FOLDER, CARD_NAME, newest_version

    newest = newest_version(out)
    if newest is not None and (newest / ASSETS_FOLDER / CARD_NAME).is_file():
        card = read_json(newest / ASSETS_FOLDER / CARD_NAME)
        if card.get("fingerprint") == sibling("export.card").model_fingerprint(trained):
            return newest
    return sibling("export.savedmodel").export_savedmodel(trained.path, out)


def _example_segment(corpus: Path, prepared: Any) -> dict[str, Any]:
    """The longest vowel of the first test utterance that has one, as a WAV file's bytes."""
    from zoo.data.corpora.audio import read_audio
    from zoo.inference import wav_contents

    rows = prepared.segments("test")
    first = rows[rows.utterance == rows.utterance[0]]
    vowels = [row for row in first if row.label[0] in "aeiou"] or list(first)
    row = max(vowels, key=lambda r: r.end - r.start)
    samples, rate = read_audio(corpus / f"{row.utterance}.WAV")
    return {
        "utterance": str(row.utterance),
        "label": str(row.label),
        "wav": wav_contents(samples[row.start : row.end], rate),
    }


@contextlib.contextmanager
def _server(exported: Path) -> Iterator[str]:
    """A server process of its own on a free port; gives the model's URL."""
    command = [sys.executable, "-m", "zoo", "serve", "--model", f"{SERVED_AS}={exported}"]
    with (
        # A file takes all that it says; a pipe that nobody reads would stop it.
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            [*command, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            said = process.stdout
            if said is None or not select.select([said], [], [], START_SECONDS)[0]:
                raise RunError(f"the server did not start within {START_SECONDS} s.")
            line = said.readline()
            if " at http" not in line:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=STOP_SECONDS)
                complaints.seek(0)
                lines = complaints.read().decode(errors="replace").strip().splitlines()
                raise RunError(f"the server did not start: {(lines or ['it said nothing'])[-1]}")
            yield line.split(" at ", 1)[1].strip()
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _ask(url: str, wav: bytes) -> dict[str, Any]:
    body = {
        "signature_name": "wav_bytes",
        "instances": [{"wav": {"b64": base64.b64encode(wav).decode("ascii")}}],
    }
    request = urllib.request.Request(
        f"{url}:predict",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["predictions"][0]
    except urllib.error.HTTPError as error:
        raise RunError(f"the server answered {error.code}: {error.read().decode()}") from error
    except urllib.error.URLError as error:
        raise RunError(f"the server did not answer: {error.reason}") from error
