"""Phone error rate on human speech by people never heard, against pocketsphinx's phone loop.

    python benchmarks/phone_errors.py an4=FOLDER [ocean=FOLDER ...] [--judge NAME] [--model tdnn]

Every corpus has TIMIT's layout. Of the first one `--held-out` speakers are kept for judging; with
`--judge NAME` all speakers of that corpus are, and it is not learnt from at all. `--dev` other
speakers choose the decoder's settings. A network is trained on the rest, with and without a phone
bigram in its decoder, and pocketsphinx (`pip install pocketsphinx`, its own model) listens to the
same recordings, or to as many of them as last `--seconds` together, by its phone loop with its
phone language model: with phones alone, and with triphones, some thirty times slower, on a fifth of
them. Rates are over the 39 groups, without silence.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

SAME_PERSON = {"mdcs2": "mdcs"}
"""Speakers of AN4 that may be one man, who then stands on one side."""


def main() -> int:
    """Print the rates, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--judge", metavar="NAME", help="Corpus that only judges")
    parser.add_argument("--model", default="tdnn", help="Recognizer, or classifier of windows")
    parser.add_argument("--held-out", type=int, default=8, help="Speakers that judge")
    parser.add_argument("--dev", type=int, default=8, help="Speakers that choose")
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--augment", default="mask,pitch=0.08")
    parser.add_argument("--encoder", help="Run to start from")
    parser.add_argument("--seed", type=int, default=0, help="Of speakers and of the training")
    parser.add_argument("--seconds", type=float, default=300, help="For pocketsphinx; 0: none")
    parser.add_argument("--work", type=Path, required=True, help="Folder of sets and runs")
    parser.add_argument("--json", type=Path, help="File for the figures")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    corpora = dict(name.split("=", 1) for name in options.corpora)
    if options.judge is not None and options.judge not in corpora:
        parser.error(f"--judge takes one of {', '.join(corpora)}; received {options.judge!r}.")

    from zoo.data import prepare

    name = "-".join([*corpora, options.judge or f"held{options.held_out}", str(options.seed)])
    tree = options.work / f"corpus-{name}"
    judges = assemble(corpora, tree, options.judge, options.held_out, options.seed)
    prepared = prepare(
        tree, options.work / f"set-{name}", examples="frames", dev_speakers=options.dev
    )
    figures: dict[str, Any] = {
        "corpora": list(corpora),
        "judges": judges,
        "seed": options.seed,
        "recordings": {s: v["examples"] for s, v in prepared.manifest["splits"].items()},
        "cores": os.cpu_count(),
    }
    figures |= ours(prepared, options, options.work / f"run-{name}-{options.model}")
    if options.seconds:
        figures |= pocketsphinx(prepared, tree, options.seconds)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def assemble(
    corpora: dict[str, str], tree: Path, judge: str | None, held_out: int, seed: int
) -> list[str]:
    """Link speakers' folders into one tree of TIMIT's layout; gives those that judge."""
    judges = []
    for number, (name, folder) in enumerate(corpora.items(), 1):
        speakers = sorted(p for p in Path(folder).glob("T*/DR*/*") if p.is_dir())
        if not speakers:
            sys.exit(f"{folder} has no speakers in TIMIT's layout (TRAIN/DR1/SPEAKER).")
        people = sorted({_person(s) for s in speakers})
        drawn = set(random.Random(seed).sample(people, held_out)) if number == 1 else set()
        for speaker in speakers:
            tests = name == judge if judge else _person(speaker) in drawn
            place = tree / ("TEST" if tests else "TRAIN") / f"DR{number}" / f"{speaker.name}-{name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.symlink_to(speaker.resolve())
            if tests:
                judges.append(place.name)
    return judges


def _person(folder: Path) -> str:
    code = folder.name.lower()
    return next((one for other, one in SAME_PERSON.items() if code.startswith(other)), code)


def ours(prepared: Any, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train, and recognise the judging speakers' recordings with and without the bigram."""
    from zoo import registry
    from zoo.cli.train import overrides
    from zoo.decoding.posteriors import log_posteriors
    from zoo.decoding.tuning import GRID, phones_of, tune
    from zoo.models.recognizers import context
    from zoo.runs import Run
    from zoo.training.classifier import train_classifier
    from zoo.training.settings import Settings

    recipe = {"schedule": "cosine", **registry.describe(options.model).recipe}
    settings = Settings(
        epochs=options.epochs,
        augment=options.augment or None,
        seed=options.seed,
        encoder=options.encoder,
        **recipe,
    )
    path = train_classifier(
        options.model, prepared, out, settings, overrides=overrides(options.set), progress=True
    )
    run = Run.open(path)
    around = None if run.window else context(run.model)

    def scores(split: str) -> list[Any]:
        return [log_posteriors(run.model, x, run.window, around) for x in prepared.features(split)]

    alone = tune(
        run.decoder.with_settings(bigram_weight=0.0),
        scores("dev"),
        phones(prepared, "dev"),
        prepared.groups,
        grid={**GRID, "bigram_weight": (0.0,)},
    ).decoder
    judged, references = scores("test"), phones(prepared, "test")
    began = time.perf_counter()
    found = [phones_of(path.classes, prepared.classes) for path in run.decoder.decode(judged)]
    decoding = time.perf_counter() - began
    bare = [phones_of(path.classes, prepared.classes) for path in alone.decode(judged)]
    return {
        "model": options.model,
        "parameters": run.model.count_params(),
        "epochs": options.epochs,
        "training_seconds": round(sum(run.history["seconds"])),
        "decoding_seconds": round(decoding, 2),
        "with_bigram": rates(prepared, references, found),
        "alone": rates(prepared, references, bare),
    }


def phones(prepared: Any, split: str) -> list[list[str]]:
    """Class names of every recording's reference."""
    return [[segment.label for segment in found] for found in prepared.reference(split)]


def rates(prepared: Any, references: list[Any], found: list[Any]) -> dict[str, Any]:
    """Errors without silence, in shares of the reference's phones."""
    from zoo.decoding.edits import phone_errors

    without, with_silence = phone_errors(references, found, prepared.groups)
    return {
        "phone_error_rate": round(without.rate, 4),
        "substitutions": without.substitutions,
        "deletions": without.deletions,
        "insertions": without.insertions,
        "phones": without.length,
        "with_silence": round(with_silence.rate, 4),
    }


def pocketsphinx(prepared: Any, tree: Path, seconds: float) -> dict[str, Any]:
    """Its phone loop, on recordings of the judging speakers in the order of a draw."""
    import soundfile
    from _pocketsphinx import hear, phone_loop

    from zoo.data import open_corpus

    files = {u.name: u.audio for u in open_corpus(tree).utterances("test")}
    references, rows = phones(prepared, "test"), prepared.segments("test")
    order = list(range(len(references)))
    random.Random(0).shuffle(order)
    results = {}
    # Its default beams take triphones twenty times as long as the recording.
    narrow = {"beam": 1e-20, "pbeam": 1e-20}
    for kind, alone, share, beams in (
        ("context_independent", True, 1.0, {}),
        ("triphones", False, 0.2, narrow),
    ):
        try:
            decoder = phone_loop(alone, **beams)
        except ImportError:
            print("pocketsphinx is left out: pip install pocketsphinx", file=sys.stderr)
            return {}
        heard, wanted, audio = [], [], 0.0
        began = time.perf_counter()
        for number in order:
            samples, rate = soundfile.read(files[str(rows.utterance[number])], dtype="int16")
            heard.append([_named(phone) for phone in hear(decoder, samples)])
            wanted.append(references[number])
            audio += len(samples) / rate
            if audio >= share * seconds:
                break
        took = time.perf_counter() - began
        results[kind] = {
            **rates(prepared, wanted, heard),
            "seconds": round(audio),
            "times_faster_than_real_time": round(audio / took, 1),
        }
    return {"pocketsphinx": results}


def _named(phone: str) -> str:
    """A phone of pocketsphinx's as one of the 48 classes; noises are silence."""
    name = phone.lower()
    return "sil" if name == "sil" or name.startswith("+") or name.startswith("<") else name


if __name__ == "__main__":
    sys.exit(main())
