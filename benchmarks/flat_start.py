"""How near boundaries come to those of labels that nothing was learnt from: a flat start, rounds.

    python benchmarks/flat_start.py CORPUS --work DIR [--from words] [--rounds N] [--json FILE]
    python benchmarks/flat_start.py festvox-ru --work DIR [--rounds N] [--json FILE]

CORPUS has TIMIT's layout. From the recordings of its `--split` and the phones of their .PHN, or the
words of their .WRD, phones are learnt without any times, as by `zoo align --flat-start`; networks
are trained on what came of it in `--rounds`. After the flat start and after every round all
recordings are aligned, and compared with the labels as by `benchmarks/alignment.py`; with
`--unseen`, those of the other split are as well.

festvox-ru is Debian's package of a Russian voice, whose recordings (one man, 1.66 h) come with the
times of their phones: it is fetched by `apt-get download` into the folder to work in. Its pauses
are given with the phones. Phones of Russian are compared as they are, none of them folded.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _boundaries import KINDS, Stretch, accuracy, by_kinds, grouped, phone_boundaries, shown
from alignment import Recording, aligned, recordings_of, said, word_accuracy

RUSSIAN = "festvox-ru"
VOICE = "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
PAUSE = "pau"

_TYPES = {"s": "stop", "f": "fricative", "a": "affricate", "n": "nasal", "l": "liquid"}
"""Festival's types of consonants."""


def main() -> int:
    """Print the figures, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help=f"Folder, or {RUSSIAN}")
    parser.add_argument("--split", choices=("train", "test", "all"), default="train")
    parser.add_argument("--from", dest="given", choices=("words", "phones"), default="phones")
    parser.add_argument("--recordings", type=int, help="As many, drawn (default: all)")
    parser.add_argument("--unseen", action="store_true", help="Judge by the other split as well")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True, help="Folder of rounds, kept")
    parser.add_argument("--json", type=Path, help="File for the figures")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options.work.mkdir(parents=True, exist_ok=True)
    judges: dict[str, list[Recording]] = {}
    if options.corpus == RUSSIAN:
        folder = fetched(options.work)
        learnt, kinds, folded = russian(folder), russian_kinds(folder), as_written
    else:
        split = None if options.split == "all" else options.split
        learnt, kinds, folded = recordings_of(Path(options.corpus), split), KINDS, grouped
        if options.unseen:
            other = {"train": "test", "test": "train"}[options.split]
            judges["unseen"] = recordings_of(Path(options.corpus), other)
    if options.recordings:
        learnt = random.Random(0).sample(learnt, min(options.recordings, len(learnt)))
    judges = {"learnt_from": learnt, **judges}
    figures: dict[str, Any] = {
        "corpus": Path(options.corpus).name,
        "given": options.given,
        "recordings": len(learnt),
        "seconds": round(sum(r.seconds for r in learnt)),
        "cores": os.cpu_count(),
    }
    began = time.perf_counter()
    models = learn(learnt, options)
    figures["learning_seconds"] = round(time.perf_counter() - began)
    figures["rounds"] = json.loads((options.work / "rounds" / "rounds.json").read_text())
    for name, model in models.items():
        figures[name] = {
            judge: judged(model, recordings, options.given, folded, kinds)
            for judge, recordings in judges.items()
        }
    shown(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def learn(recordings: Sequence[Recording], options: argparse.Namespace) -> dict[str, Path]:
    """The models of the flat start and of every round."""
    from zoo.alignment.adaptation import Adaptation, adapt
    from zoo.alignment.recordings import How
    from zoo.data.corpora.transcripts import Transcribed

    phones = options.given == "phones"
    texts = options.work / "texts"
    texts.mkdir(exist_ok=True)
    transcribed = []
    for number, recording in enumerate(recordings):
        source = texts / f"{number}.lab"
        (given,) = said(recording, options.given).values()
        source.write_text(" ".join(given) + "\n", encoding="utf-8")
        name = f"{recording.audio.parent.name}/{recording.audio.stem}"
        transcribed.append(
            Transcribed(name, recording.audio, source, None, recording.speaker, " ".join(given))
        )
    settings = Adaptation(
        rounds=options.rounds, epochs=options.epochs, flat_start=True, seed=options.seed
    )
    out = options.work / "rounds"
    adapt(
        transcribed,
        How(model="", phones=phones),
        out,
        settings,
        say=lambda line: print(line, file=sys.stderr, flush=True),
        failing=lambda problem: print(problem, file=sys.stderr),
    )
    rounds = {f"round_{n}": out / str(n - 1) / "run" for n in range(1, options.rounds + 1)}
    found = {"flat_start": out / "0" / "flat", **rounds}
    return {name: model for name, model in found.items() if model.exists()}


def judged(
    model: Path,
    recordings: Sequence[Recording],
    given: str,
    folded: Callable[[Sequence[Stretch]], list[Stretch]],
    kinds: dict[str, str],
) -> dict[str, Any]:
    """How near a model's boundaries come to the labels'; recordings that fail are counted."""
    from zoo.alignment import load_aligner
    from zoo.errors import UsageError

    aligner = load_aligner(model)
    done, results = [], []
    for recording in recordings:
        try:
            results.append(aligned(aligner, recording.audio, **said(recording, given)))
        except UsageError as error:
            print(error, file=sys.stderr)
            continue
        done.append(recording)
    boundaries, possible = [], 0
    for recording, result in zip(done, results, strict=True):
        truth = folded(recording.phones)
        possible += len(truth) - 1
        boundaries += phone_boundaries(truth, folded(result.phones))
    return {
        "not_aligned": len(recordings) - len(done),
        **word_accuracy(done, results),
        "phone_boundaries": {
            "share_compared": round(len(boundaries) / possible, 4),
            **accuracy(boundaries),
        },
        "by_kinds": by_kinds(boundaries, kinds),
    }


def fetched(work: Path) -> Path:
    """The unpacked folder of the Russian voice."""
    folder = work / RUSSIAN
    if not (folder / VOICE).is_dir():
        if not list(work.glob(f"{RUSSIAN}_*.deb")):
            subprocess.run(["apt-get", "download", RUSSIAN], cwd=work, check=True)
        (package,) = work.glob(f"{RUSSIAN}_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder / VOICE


def russian(folder: Path) -> list[Recording]:
    """Its recordings, with the phones of its labels; pauses are called `sil`."""
    import soundfile

    found = []
    for file in sorted((folder / "lab").glob("*.lab")):
        audio = folder / "wav" / f"{file.stem}.wav"
        phones: list[Stretch] = []
        start = 0.0
        for line in file.read_text(encoding="ascii").partition("#\n")[2].splitlines():
            seconds, _, label = line.split()
            end = float(seconds)
            phones.append(Stretch(start, end, "sil" if label == PAUSE else label))
            start = end
        length = soundfile.info(audio).duration
        found.append(Recording(audio, "nsh", length, [], [], as_written(phones)))
    return found


def as_written(phones: Sequence[Stretch]) -> list[Stretch]:
    """Phones with neighbouring silences joined."""
    found: list[Stretch] = []
    for phone in phones:
        if found and phone.label == found[-1].label == "sil":
            found[-1] = found[-1]._replace(end=phone.end)
        else:
            found.append(phone)
    return found


def russian_kinds(folder: Path) -> dict[str, str]:
    """Phone of the voice -> its kind."""
    text = (folder / "festvox" / "msu_ru_nsh_phoneset.scm").read_text(encoding="utf-8")
    kinds = {"sil": "silence"}
    # (name, vowel or not, length, height, frontness, roundness, type, ...
    for name, vowel, kind in re.findall(r"^\s*\((\w+)\s+([+-])(?:\s+\S+){4}\s+(\w)\s", text, re.M):
        kinds[name] = "vowel" if vowel == "+" else _TYPES.get(kind, "silence")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
