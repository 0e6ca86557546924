"""How near boundaries of words and phones come to those of labels, against pocketsphinx's aligner.

    python benchmarks/alignment.py CORPUS --model RUN [--from phones] [--wrong 0.05] [--json FILE]

CORPUS has TIMIT's layout. A network aligns its recordings from their words (.WRD, or without it
.TXT), or with `--from phones` from the labels of .PHN, and every edge of a word and every boundary
between phones is compared with the labels' times. A dictionary's phones are not all those that were
said: phones are folded to the 39 groups, closures joined with their releases, both sequences are
aligned by edit distance, and a boundary counts where the phones on both of its sides are the same.

Where pocketsphinx is installed (`pip install pocketsphinx`, its own model and dictionary), it
aligns the same recordings from the same words: one pass for words and another for phones. Words
missing from its dictionary are added. Both are timed from sound files to times, without loading; a
second rate of each is that after a shift of all of its times by the median of its words' edges.

With `--refine`, the network's alignments are learnt from first, as `zoo.alignment.refinement` does,
from the same recordings and texts; that counts as loading.

`--wrong` gives a share of the recordings the words of another one, and counts how many of these
are among the lowest scores, once for each of `--seeds`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _boundaries import (
    KINDS,
    WITHIN,
    Boundary,
    Stretch,
    accuracy,
    by_kinds,
    grouped,
    phone_boundaries,
    shown,
    word_edges,
)

from zoo.errors import UsageError

LOWEST = 0.07
"""Share of the recordings, those of the lowest scores, among which wrong ones are looked for."""


class Recording(NamedTuple):
    """A recording with its labels; phones as they are written.

    A label of a word may be several words, as "from-the" is.
    """

    audio: Path
    speaker: str
    seconds: float
    labels: list[Stretch]
    words: list[tuple[str, ...]]
    phones: list[Stretch]

    @property
    def texts(self) -> list[str]:
        """Its words, one by one."""
        return [word for words in self.words for word in words]

    def labelled(self, found: Sequence[Stretch]) -> list[Stretch]:
        """The words that were found, joined as they are in the labels."""
        parts = iter(found)
        joined = []
        for words in self.words:
            own = [next(parts) for _ in words]
            joined.append(Stretch(own[0].start, own[-1].end, " ".join(words)))
        return joined


class Result(NamedTuple):
    """What an aligner found in a recording; phones as it calls them."""

    words: list[Stretch]
    phones: list[Stretch]
    score: float = 0.0


class Taken(NamedTuple):
    """Seconds of a clock, and of all processors together."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Taken:
        """Until now, from some time on."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, before: Taken) -> Taken:
        """Since another `now`."""
        return Taken(self.wall - before.wall, self.processor - before.processor)


def main() -> int:
    """Print the figures, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--model", required=True, help="Run, or name of weights that ship")
    parser.add_argument("--split", choices=("train", "test", "all"), default="test")
    parser.add_argument("--from", dest="given", choices=("words", "phones"), default="words")
    parser.add_argument("--recordings", type=int, help="As many, drawn (default: all)")
    parser.add_argument("--refine", action="store_true", help="Learn how the recordings sound")
    parser.add_argument("--wrong", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--seeds", type=int, default=5, help="Draws of wrong texts")
    parser.add_argument("--pocketsphinx", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path, help="File for the figures")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    recordings = recordings_of(options.corpus, None if options.split == "all" else options.split)
    if options.recordings:
        recordings = random.Random(0).sample(recordings, min(options.recordings, len(recordings)))
    figures: dict[str, Any] = {
        "model": Path(options.model).name,
        "given": options.given,
        "refined": options.refine,
        "recordings": len(recordings),
        "seconds": round(sum(r.seconds for r in recordings)),
        "cores": os.cpu_count(),
    }
    before = Taken.now()
    from zoo.alignment import load_aligner

    aligner = load_aligner(options.model)
    if options.given == "words":
        aligner.lexicon.pronounce_all(sorted({word for r in recordings for word in r.texts}))
    if options.refine:
        from zoo.alignment.refinement import refined

        aligner = refined(aligner, [(r.audio, said(r, options.given)) for r in recordings])
    ours(aligner, recordings[:1], options.given)
    loading = Taken.now().since(before)
    found, taken = ours(aligner, recordings, options.given)
    figures["zoo"] = judged(recordings, found, loading, taken)
    if options.given == "words" and options.pocketsphinx:
        figures |= compared(aligner, recordings, found, taken)
    if options.wrong:
        figures["wrong_texts"] = wrong_texts(aligner, recordings, found, options)
    shown(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def recordings_of(corpus: Path, split: str | None) -> list[Recording]:
    """The recordings of a corpus that have words; those without .WRD have words without times."""
    import soundfile

    from zoo.alignment.text import words_of
    from zoo.data.corpora.timit import Corpus

    found = []
    for utterance in Corpus(corpus).utterances(split):
        info = soundfile.info(utterance.audio)
        phones = [
            Stretch(s.start / info.samplerate, s.end / info.samplerate, s.label)
            for s in utterance.segments()
        ]
        times, text = (_beside(utterance.phn, suffix) for suffix in (".WRD", ".TXT"))
        labels, words = [], []
        if times is not None:
            for line in times.read_text(encoding="ascii").splitlines():
                start, end, label = line.split()
                labels.append(
                    Stretch(int(start) / info.samplerate, int(end) / info.samplerate, label)
                )
            words = [words_of(label.label, str(times)) for label in labels]
        elif text is not None:
            said = text.read_text(encoding="ascii").split(maxsplit=2)[2]
            words = [(word,) for word in words_of(said, str(text))]
        if words:
            found.append(
                Recording(utterance.audio, utterance.speaker, info.duration, labels, words, phones)
            )
    if not found:
        sys.exit(f"{corpus} has no recordings with words.")
    return found


def _beside(path: Path, suffix: str) -> Path | None:
    """The file of the same name with another suffix, in upper or lower case."""
    files = (path.with_suffix(suffix), path.with_suffix(suffix.lower()))
    return next((file for file in files if file.exists()), None)


def ours(aligner: Any, recordings: Sequence[Recording], given: str) -> tuple[list[Result], Taken]:
    """What the zoo finds, and how long it takes."""
    before = Taken.now()
    found = [aligned(aligner, r.audio, **said(r, given)) for r in recordings]
    return found, Taken.now().since(before)


def said(recording: Recording, given: str) -> dict[str, list[str]]:
    """What `Aligner.align_file` takes: words, or phones without the silence at the edges."""
    if given == "words":
        return {"words": recording.texts}
    labels = [phone.label for phone in recording.phones]
    inner = [place for place, label in enumerate(labels) if label not in ("h#", "sil")]
    return {"phones": labels[inner[0] : inner[-1] + 1]}


def aligned(aligner: Any, audio: Path, **given: list[str]) -> Result:
    """The words and phones of a sound file."""
    transcript = aligner.align_file(audio, **given)
    words, phones = (
        [Stretch(i.start, i.end, i.label) for i in transcript.tiers.get(tier, ())]
        for tier in ("words", "phones")
    )
    return Result(words, phones, transcript.score)


def judged(
    recordings: Sequence[Recording], found: Sequence[Result], loading: Taken, taken: Taken
) -> dict[str, Any]:
    """Accuracy and speed of an aligner."""
    edges = edges_of(recordings, found)
    boundaries, possible = [], 0
    for recording, result in zip(recordings, found, strict=True):
        truth = grouped(recording.phones)
        possible += len(truth) - 1
        boundaries += phone_boundaries(truth, grouped(result.phones))
    seconds = sum(r.seconds for r in recordings)
    figures: dict[str, Any] = word_accuracy(recordings, found)
    figures["phone_boundaries"] = {
        "share_compared": round(len(boundaries) / possible, 4),
        **accuracy(boundaries),
    }
    shift = -accuracy(edges or boundaries)["bias_ms"] / 1e3
    figures["shifted"] = {
        "by_ms": round(shift * 1e3, 2),
        **({"word_edges": accuracy(edges, shift)} if edges else {}),
        "phone_boundaries": accuracy(boundaries, shift),
    }
    return figures | {
        "by_kinds": by_kinds(boundaries, KINDS),
        "loading_seconds": round(loading.wall, 2),
        "seconds": round(taken.wall, 2),
        "processor_seconds": round(taken.processor, 2),
        "times_faster_than_real_time": round(seconds / taken.wall, 1),
    }


def edges_of(recordings: Sequence[Recording], found: Sequence[Result]) -> list[Boundary]:
    """The edges of words that were found, where labels tell their times."""
    return [
        edge
        for recording, result in zip(recordings, found, strict=True)
        if result.words and recording.labels
        for edge in word_edges(recording.labels, recording.labelled(result.words))
    ]


def word_accuracy(recordings: Sequence[Recording], found: Sequence[Result]) -> dict[str, Any]:
    """The accuracy of words' edges, if there are any."""
    edges = edges_of(recordings, found)
    return {"word_edges": accuracy(edges)} if edges else {}


def compared(
    aligner: Any, recordings: Sequence[Recording], found: Sequence[Result], taken: Taken
) -> dict[str, Any]:
    """Pocketsphinx on the same recordings, and how much better and faster the zoo is."""
    try:
        decoder, loading = loaded(aligner, recordings)
    except ImportError:
        print("pocketsphinx is left out: pip install pocketsphinx", file=sys.stderr)
        return {}
    before = Taken.now()
    theirs = [heard(decoder, recording) for recording in recordings]
    took = Taken.now().since(before)
    both = [place for place, result in enumerate(theirs) if result is not None]
    chosen = [recordings[place] for place in both]
    other = judged(chosen, [r for r in theirs if r is not None], loading, took)
    other["times_faster_than_real_time"] = round(sum(r.seconds for r in recordings) / took.wall, 1)
    mine = judged(chosen, [found[place] for place in both], loading, taken)
    return {
        "pocketsphinx": {"not_aligned": len(recordings) - len(both), **other},
        "zoo_is_better_by_points": points(mine, other),
        "zoo_is_better_by_points_where_both_are_shifted": points(mine["shifted"], other["shifted"]),
        "zoo_is_faster_by": round(took.wall / taken.wall, 1),
        "zoo_takes_less_processor_time_by": round(took.processor / taken.processor, 1),
    }


def points(mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """By how many points the shares within some milliseconds differ."""
    return {
        kind: {
            name: round(100 * (mine[kind][name] - other[kind][name]), 1)
            for name in (f"within_{n}_ms" for n in WITHIN)
        }
        for kind in ("word_edges", "phone_boundaries")
        if kind in mine
    }


def loaded(aligner: Any, recordings: Sequence[Recording]) -> tuple[Any, Taken]:
    """Pocketsphinx with all words of some recordings, and how long that takes."""
    before = Taken.now()
    from _pocketsphinx import word_aligner

    decoder = word_aligner()
    for word in sorted({text.lower() for r in recordings for text in r.texts}):
        if decoder.lookup_word(word) is not None:
            continue
        for number, phones in enumerate(aligner.lexicon.pronounce(word), 1):
            name = word if number == 1 else f"{word}({number})"
            decoder.add_word(name, " ".join(arpabet(phones)), True)
    return decoder, Taken.now().since(before)


def arpabet(phones: Sequence[str]) -> list[str]:
    """A pronunciation in the phones of pocketsphinx's model."""
    groups = [phone.label for phone in grouped([Stretch(0, 0, phone) for phone in phones])]
    return [{"dx": "T"}.get(group, group.upper()) for group in groups if group != "q"]


def heard(decoder: Any, recording: Recording) -> Result | None:
    """What pocketsphinx finds in a recording; None: no way through it."""
    import soundfile
    from _pocketsphinx import FRAME, align

    samples, _ = soundfile.read(recording.audio, dtype="int16")
    found = align(decoder, samples, [word.lower() for word in recording.texts])
    if found is None:
        return None
    words, phones = (
        [Stretch(start * FRAME, (start + frames) * FRAME, name) for name, start, frames in tier]
        for tier in found
    )
    spoken = [word for word in words if not word.label.startswith(("<", "[", "("))]
    if len(spoken) != len(recording.texts):
        return None
    return Result(spoken, phones)


def wrong_texts(
    aligner: Any,
    recordings: Sequence[Recording],
    found: Sequence[Result],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """How many recordings with another one's words are among those of the lowest scores."""
    number, lowest = round(options.wrong * len(recordings)), round(LOWEST * len(recordings))
    draws = []
    for seed in range(options.seeds):
        rng = random.Random(seed)
        scores = [result.score for result in found]
        wrong = rng.sample(range(len(recordings)), number)
        for place in wrong:
            mine = recordings[place]
            other = rng.choice([r for r in recordings if r.texts != mine.texts])
            try:
                scores[place] = aligned(aligner, mine.audio, **said(other, options.given)).score
            except UsageError:
                # It is too short for the other one's words: `zoo align` names it among the failed.
                scores[place] = -1.0
        order = sorted(range(len(scores)), key=scores.__getitem__)
        refused = sum(scores[place] < 0 for place in wrong)
        among = len(set(order[:lowest]) & set(wrong))
        draws.append({"seed": seed, "wrong": number, "found": among, "refused": refused})
    return {
        "share_wrong": options.wrong,
        "share_lowest": LOWEST,
        "found": round(sum(d["found"] for d in draws) / sum(d["wrong"] for d in draws), 4),
        "draws": draws,
    }


if __name__ == "__main__":
    sys.exit(main())
