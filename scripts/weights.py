#!/usr/bin/env python3
"""Trains the weights that ship, from nothing: speech is synthesised, prepared, learnt and scored.

    python scripts/weights.py --work DIR [--only NAME,NAME] [--also NAME=CORPUS]
                              [--people NAME=CORPUS]

Every name becomes a folder below `zoo/weights`: the run without what only its continuation needs,
and a card. Work that is done already is not done again. `--also` scores phone classifiers on
recorded speech too, all of it. `--people`, as often as there are such corpora, is what the weights
that heard people learn from, in TIMIT's layout: AN4 and speechocean762 (`PEOPLE`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SEED = 0
SENTENCES = {"speakers": 160, "sentences": 10}
WORDS = {"speakers": 480, "sentences": 10, "rate": (80, 200)}
NARROW = {"bandwidth": 4000, "closures": False}
SPOKEN = {**WORDS, "seed": SEED, "text": " ".join(DIGITS)}
PHONES = {"representation": "log_magnitude", "length": 2554}
LEARNT = {
    "optimizer": "adam",
    "learning_rate": 0.003,
    "schedule": "cosine",
    "epochs": 8,
    "per_class": 150,
}
WORDS_LEARNT = {
    **LEARNT,
    "learning_rate": 0.002,
    "augment": "pitch=0.15,shift=2,mask=0.2,noise=5",
    "epochs": 16,
    "per_class": 400,
}
DIGITS_LEARNT = {"optimizer": "adam", "learning_rate": 0.002, "schedule": "cosine", "epochs": 8}
LIMITS = {
    "sentences": "Synthetic voices only: on recorded speech expect far less than on the synthetic "
    "test part, and fine-tune. Segments up to 160 ms at 16 kHz, each scaled to peak 1.",
    "words": "For fine-tuning. Knows the 23 phones of the ten digits, spoken by synthetic voices "
    "with nothing above 4 kHz; stops are closure and release together; files scaled to peak 1.",
    "digits": "Synthetic voices only, English, one word a recording, 8 kHz.",
    "recognizer": "For aligning what is known to be said, and for transcribing speech like AN4's; "
    "other speech is transcribed with many errors. Read English at 16 kHz, little noise. People: "
    "adults, of the United States (letters, numbers, commands) and with Mandarin as their first "
    "language (sentences); children, other accents, spontaneous and disordered speech are not "
    "represented.",
    "segments": "Segments that somebody has cut, in recordings of read English with some "
    "silence around. People: adults, of the United States (letters, numbers, commands) and with "
    "Mandarin as their first language (sentences); children, other accents, spontaneous and "
    "disordered speech are not represented. Phones that AN4 lacks (dh ng oy sh uh zh) were heard "
    "from the others alone.",
}
PEOPLE = {
    "an4": "AN4, Copyright (c) 1991-2005 Carnegie Mellon University. All rights reserved. Free for "
    "use for any purpose; this work was supported in part by funding from the Defense Advanced "
    "Research Projects Agency and the National Science Foundation of the United States of America, "
    "and the CMU Sphinx Speech Consortium. THE RECORDINGS ARE PROVIDED ``AS IS'' AND ANY EXPRESSED "
    "OR IMPLIED WARRANTIES ARE DISCLAIMED.",
    "ocean": 'speechocean762, Junbo Zhang et al., Xiaomi and SpeechOcean, 2021: "available for '
    'free download for both commercial and non-commercial purposes".',
}
"""Corpora of people, and the notices that weights which heard them carry."""

LICENCE = (
    "Apache-2.0, as the package. Trained on speech that espeak-ng made of sentences of the "
    "package's own; no recording of a person took part."
)


def main() -> int:
    """Train, score and write what is asked for."""
    import zoo
    from zoo.data import open_corpus

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of corpora, sets, runs")
    parser.add_argument("--only", metavar="NAMES", help="some of them, with commas between")
    parser.add_argument(
        "--also", action="append", default=[], metavar="NAME=CORPUS", help="score on it too"
    )
    parser.add_argument(
        "--people", action="append", default=[], metavar="NAME=CORPUS", help="people to learn from"
    )
    options = parser.parse_args()
    heard = {name: Path(path) for name, path in (entry.split("=", 1) for entry in options.people)}
    if heard and set(heard) != set(PEOPLE):
        parser.error(f"--people takes all of {', '.join(PEOPLE)}")
    also = {name: Path(path) for name, path in (entry.split("=", 1) for entry in options.also)}
    alone = [m for m in zoo.list_models(family="classifier") if m != "tdnn_segments"]
    kinds = {f"{m}-synthetic": (m, "sentences") for m in alone}
    kinds["freq_best-digit_words"] = ("freq_best", "words")
    kinds["digits_residual-synthetic"] = ("digits_residual", "digits")
    kinds["tdnn-people"] = ("tdnn", "recognizer")
    kinds["tdnn_segments-people"] = ("tdnn_segments", "segments")
    names = options.only.split(",") if options.only else list(kinds)
    of_people = [name for name in names if name.endswith("-people")]
    if not heard:
        if options.only and of_people:
            parser.error(f"{of_people[0]} takes --people")
        names = [name for name in names if name not in of_people]
    for name in names:
        if name not in kinds:
            print(f"weights: there are no {name}; there are {', '.join(kinds)}.", file=sys.stderr)
            return 2
    for name in names:
        model, kind = kinds[name]
        # Recordings of words are for the network that tells words apart.
        fit = {
            other: path
            for other, path in also.items()
            if (open_corpus(path).kind == "digits") == (kind == "digits")
        }
        how = command(name, fit)
        if kind == "recognizer":
            run, card = recognizer(name, options.work, heard)
        elif kind == "segments":
            run, card = segments(name, options.work, heard, fit)
        else:
            make = digits if kind == "digits" else phones
            run, card = make(name, model, kind, options.work, fit)
        if name in of_people:
            how = " ".join([how, *(f"--people {corpus}=CORPUS" for corpus in heard)])
            card["licence"] = " ".join(
                ["Apache-2.0, as the package. Trained on:", *PEOPLE.values()]
            )
        write(name, run, {**card, "limits": LIMITS[kind], "command": how})
        print(name, json.dumps(card["scores"]), flush=True)
    return 0


def command(name: str, also: Iterable[str]) -> str:
    """What makes these weights again, and scores them on the same further corpora."""
    words = ["python scripts/weights.py --work DIR --only", name]
    return " ".join([*words, *(f"--also {other}=CORPUS" for other in also)])


def phones(
    name: str, model: str, kind: str, work: Path, also: dict[str, Path]
) -> tuple[Path, dict[str, Any]]:
    """A phone classifier's run, and what its card says."""
    from zoo.data import prepare
    from zoo.training import train_classifier
    from zoo.training.classifier import Settings

    if kind == "words":
        corpus = words(work, **NARROW)
        prepared = prepare(corpus, work / "words", **PHONES, too_long="crop", level="file")
        learnt = WORDS_LEARNT
    else:
        corpus = sentences(work)
        prepared = prepare(corpus, work / "sentences", **PHONES, level="segment")
        learnt = LEARNT
    settings = Settings(**learnt, seed=SEED)
    run = train_classifier(model, prepared, work / "runs" / name, settings, progress=True)
    run = packed(run, work / "packed" / name)
    scores = {"synthetic, test part": scored(run, prepared, ("test",))}
    for other, path in also.items():
        # No part of it was learnt from.
        set_ = prepare(path, work / f"{other}-{kind}", like=run, too_long="crop")
        scores[f"{other}, all speakers"] = scored(run, set_, ("train", "test"))
    return run, {
        "model": model,
        "task": "phones of 61 labels folded to 48 classes, scored as 39",
        "data": SENTENCES | {"seed": SEED} if kind == "sentences" else {**SPOKEN, **NARROW},
        "preparation": prepared.manifest["settings"],
        "recipe": {**learnt, "seed": SEED},
        "scores": scores,
    }


def scored(run: Path, prepared: Any, splits: tuple[str, ...]) -> dict[str, float]:
    """Accuracy over the 39 groups of a run, on these parts of a set together."""
    import numpy as np

    import zoo
    from zoo.evaluation.runs import inputs_for, predict
    from zoo.evaluation.scores import classification_scores

    network = zoo.load(run)
    found = classification_scores(
        np.concatenate([prepared.labels(split) for split in splits]),
        np.concatenate([predict(network, inputs_for(run, prepared, s)) for s in splits]),
        SEED,
        prepared.classes,
        prepared.groups,
    )
    kept = ("accuracy_39", "accuracy_39_uniform", "balanced_accuracy_39")
    return {key: round(found[key], 4) for key in kept}


def digits(
    name: str, model: str, kind: str, work: Path, also: dict[str, Path]
) -> tuple[Path, dict[str, Any]]:
    """A digit classifier's run, and what its card says."""
    import keras
    import numpy as np

    import zoo
    from zoo.data import prepare
    from zoo.files import make_folder
    from zoo.runs import Run
    from zoo.training.classifier import Settings
    from zoo.training.recordings import fit_recordings, outputs_of

    recordings = recorded_words(words(work), work / "digit_recordings")
    common = {"representation": "log_mel", "length": "any", "resample": True, "sample_rate": 8000}
    prepared = prepare(recordings, work / "digits", **common)
    run = Run(make_folder(work / "runs" / name))
    x, y = list(prepared.features("train")), prepared.labels("train")
    keras.utils.set_random_seed(SEED)
    network = zoo.build(model, classes=len(prepared.classes), input_shape=prepared.shape)
    learning = Settings(**DIGITS_LEARNT, seed=SEED)
    run.history = fit_recordings(network, x, y, prepared.shape, learning)
    # Without the optimiser's state, as runs of zoo train are.
    final = zoo.build(model, classes=len(prepared.classes), input_shape=prepared.shape)
    final.set_weights(network.get_weights())
    run.record(
        {"model": model, "family": "digits", "classes": list(prepared.classes)}, prepared.frontend
    )
    run.finish(final)
    run = Run(packed(run.path, work / "packed" / name))
    network = run.model

    def accuracy(inputs: list[Any], labels: Any) -> dict[str, float]:
        answers = [o.argmax() for o in outputs_of(network, inputs, prepared.shape)]
        return {"accuracy": round(float(np.mean(np.array(answers) == labels)), 4)}

    test = list(prepared.features("test")), prepared.labels("test")
    scores = {"synthetic, test part": accuracy(*test)}
    for other, path in also.items():
        set_ = prepare(path, work / other, like=run.path)
        parts = [list(set_.features(split)) for split in set_.splits]
        labels = np.concatenate([set_.labels(split) for split in set_.splits])
        scores[f"{other}, all speakers"] = accuracy([x for part in parts for x in part], labels)
    return run.path, {
        "model": model,
        "task": "spoken digits, one a recording",
        "data": SPOKEN,
        "preparation": prepared.manifest["settings"],
        "recipe": {**DIGITS_LEARNT, "seed": SEED},
        "scores": scores,
    }


def recognizer(name: str, work: Path, people: dict[str, Path]) -> tuple[Path, dict[str, Any]]:
    """The recognizer that heard people, and its card."""
    import people as recipe

    from zoo.runs import Run

    learnt = recipe.train(sentences(work), people, work / "people", SEED)
    run = packed(learnt.run, work / "packed" / name)
    return run, {
        "model": recipe.NETWORK,
        "task": "phones of every frame, of 61 labels folded to 48 classes, scored as 39",
        "data": {"people": list(people), "synthetic": SENTENCES | {"seed": SEED}},
        "preparation": Run.open(run).config["data"]["settings"],
        "recipe": {
            "epochs": recipe.EPOCHS,
            "last_epochs": recipe.LAST_EPOCHS,
            "augment": recipe.AUGMENT,
            "seed": SEED,
            "labels": "of people by the machine's phones with divided stops; for the last epochs "
            "aligned anew from the texts, and refined",
        },
        "scores": {
            "synthetic, test part" if corpus == "synthetic" else f"{corpus}, speakers left out": {
                "before alignment": recipe.rate(learnt.before, judge),
                "after alignment": recipe.rate(run, judge),
            }
            for corpus, judge in learnt.judges.items()
        },
    }


def segments(
    name: str, work: Path, people: dict[str, Path], also: dict[str, Path]
) -> tuple[Path, dict[str, Any]]:
    """The classifier of segments that heard people, and its card."""
    import people as recognizers
    import people_segments as recipe

    from zoo.data import prepare
    from zoo.runs import Run

    learnt = recognizers.train(sentences(work), people, work / "people", SEED)
    trained, judges = recipe.train(learnt, work / "people_segments", SEED)
    run = packed(trained, work / "packed" / name, encoder="tdnn-people")
    scores = {
        "synthetic, test part" if corpus == "synthetic" else f"{corpus}, speakers left out": scored(
            run, judge, ("test",)
        )
        for corpus, judge in judges.items()
    }
    for other, path in also.items():
        set_ = prepare(path, work / f"{other}-people_segments", like=run, too_long="crop")
        scores[f"{other}, all speakers"] = scored(run, set_, ("train", "test"))
    return run, {
        "model": recipe.NETWORK,
        "task": "phones of 61 labels folded to 48 classes, scored as 39; stops whole, or as "
        "closure and release",
        "data": {"people": list(people), "synthetic": SENTENCES | {"seed": SEED}},
        "preparation": Run.open(run).config["data"]["settings"],
        "recipe": {
            **recipe.RECIPE,
            "seed": SEED,
            "encoder": "that of tdnn-people",
            "sets": recipe.SHARES,
        },
        "scores": scores,
    }


def sentences(work: Path) -> Path:
    """The synthetic corpus of sentences."""
    from zoo.data.corpora.synthetic import synthesise

    return synthesise(work / "speech", **SENTENCES, seed=SEED).parent


def words(work: Path, **style: Any) -> Path:
    """A synthetic corpus of the ten digits."""
    from zoo.data.corpora.synthetic import synthesise

    text = work / "digits.txt"
    work.mkdir(parents=True, exist_ok=True)
    text.write_text("".join(f"{word.capitalize()}.\n" for word in DIGITS))
    out = work / ("narrow_words" if style else "plain_words")
    return synthesise(out, **WORDS, seed=SEED, text=text, **style).parent


def recorded_words(corpus: Path, out: Path) -> Path:
    """The words of a corpus as recordings of their own, `DIGIT_SPEAKER_TAKE.wav`."""
    import soundfile

    from zoo.files import replacing_folder

    if out.exists():
        return out
    with replacing_folder(out) as making:
        for path in sorted(corpus.rglob("*.WRD")):
            start, end, word = path.read_text().split()
            samples, rate = soundfile.read(path.with_suffix(".WAV"), dtype="int16")
            name = f"{DIGITS.index(word)}_{path.parent.name.lower()}_0.wav"
            soundfile.write(making / name, samples[int(start) : int(end)], rate)
    return out


def packed(run: Path, folder: Path, **config: Any) -> Path:
    """A copy of a run as it ships: weights of 11 significant bits, as half precision has, deflated.

    They stay float32, whose range they may need. `config` is written over what the run was told.
    """
    from zoo.files import make_folder, replacing_folder
    from zoo.runs import Run

    trained = Run.open(run)
    trained.config |= config
    network = trained.model
    network.set_weights([rounded(w) for w in network.get_weights()])
    make_folder(folder.parent)
    with replacing_folder(folder) as making:
        trained.copy(making)
        copy = Run(making)
        network.save(copy.network)
        deflate(copy.network)
    return folder


def rounded(values: Any, bits: int = 11) -> Any:
    """The nearest numbers of `bits` significant bits; whole numbers stay."""
    import numpy as np

    if not np.issubdtype(values.dtype, np.floating):
        return values
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits).astype(values.dtype)


def deflate(path: Path) -> None:
    """Compress the members of a ZIP archive, which Keras stores as they are."""
    import zipfile

    from zoo.files import replacing

    with zipfile.ZipFile(path) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as smaller,
    ):
        for info, content in members.items():
            # The time that Keras wrote it says nothing, and would make every file another.
            smaller.writestr(zipfile.ZipInfo(info.filename), content, zipfile.ZIP_DEFLATED)


def write(name: str, run: Path, card: dict[str, Any]) -> None:
    """Put a packed run's network, its card and perhaps a twin among the weights that ship."""
    from export.twins import add_twin
    from zoo.files import replacing_folder, sha256, write_json
    from zoo.machine import versions
    from zoo.runs import CARD, CLASSIFIER, RECOGNIZER, WEIGHTS, Run

    trained = Run.open(run)
    with replacing_folder(WEIGHTS / name) as making:
        trained.copy(making)
        card = {
            "name": name,
            **card,
            "parameters": trained.model.count_params(),
            "licence": card.get("licence", LICENCE),
            "versions": versions(),
            "sha256": sha256(trained.network),
        }
        write_json(making / CARD, card)
        if name in (CLASSIFIER, RECOGNIZER):
            add_twin(Run(making))


if __name__ == "__main__":
    sys.exit(main())
