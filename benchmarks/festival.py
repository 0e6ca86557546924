"""Speak sentences by Festival, another synthesiser than that of `zoo corpus synth`, with times.

    python benchmarks/festival.py OUT [--sentences 100] [--voices kal_diphone ...]

Needs Debian's packages festival, festvox-kallpc16k (diphones of a man's voice, whose times are
those that the signal was built from) and festvox-us-slt-hts (hidden Markov models of a woman's).
OUT becomes a corpus in TIMIT's layout, all of it test, each voice a speaker: sentences of the
grammar of `zoo corpus synth`, with .WAV, .PHN, .WRD and .TXT.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VOICES = {"kal_diphone": "MKAL0", "cmu_us_slt_arctic_hts": "FSLT0"}
"""Voice -> what its speaker is called."""

RATE = 16000
PAUSE = "pau"


def main() -> int:
    """Write the corpus; 1 if Festival is not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--sentences", type=int, default=100, help="Of each voice")
    parser.add_argument("--voices", nargs="+", choices=VOICES, default=list(VOICES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if shutil.which("festival") is None:
        print(
            "this needs Festival: apt-get install festival festvox-kallpc16k festvox-us-slt-hts",
            file=sys.stderr,
        )
        return 1
    if options.out.exists():
        parser.error(f"{options.out} exists already.")
    from zoo.data.corpora.synthetic.sentences import assign

    readers = assign(0, len(VOICES), options.sentences, options.seed)
    for voice, sentences in zip(VOICES, readers, strict=True):
        if voice in options.voices:
            folder = options.out / "TEST" / "DR1" / VOICES[voice]
            folder.mkdir(parents=True)
            speak(voice, {s.name: s.text for s in sentences}, folder)
    return 0


def speak(voice: str, texts: dict[str, str], folder: Path) -> None:
    """Write recordings of texts, with their labels."""
    with tempfile.TemporaryDirectory() as scratch:
        lines = [f"(voice_{voice})"]
        for name, text in texts.items():
            path = Path(scratch) / name
            lines.append(f'(set! utt (utt.synth (Utterance Text "{text}")))')
            lines += [
                f'(utt.save.{what} utt "{path}.{what}"{kind})'
                for what, kind in (("segs", ""), ("words", ""), ("wave", " 'riff"))
            ]
        script = Path(scratch) / "speak.scm"
        script.write_text("\n".join(lines), encoding="ascii")
        subprocess.run(["festival", "-b", script], check=True)
        for name, text in texts.items():
            label(Path(scratch) / name, text, folder / name)


def label(spoken: Path, text: str, out: Path) -> None:
    """Write one recording at 16 kHz with its phones and words, in samples."""
    import soundfile

    from zoo.data.corpora.audio import read_audio, resample

    audio, rate = read_audio(spoken.with_suffix(".wave"))
    audio = resample(audio, rate, RATE)
    soundfile.write(out.with_suffix(".WAV"), audio, RATE, subtype="PCM_16", format="WAV")
    samples = len(audio)
    phones = [
        (start, end, phone)
        for start, end, phone in stretches(spoken.with_suffix(".segs"), samples)
        if start < end
    ]
    pauses = {start: end for start, end, phone in phones if phone == PAUSE}
    edges = {phones[0][0], phones[-1][0]}
    write(
        out.with_suffix(".PHN"),
        [(a, b, "h#" if p == PAUSE and a in edges else p) for a, b, p in phones],
    )
    # Words' files tell ends alone: what lies before a word is its predecessor or a pause.
    words = stretches(spoken.with_suffix(".words"), samples)
    write(out.with_suffix(".WRD"), [(pauses.get(a, a), b, word.lower()) for a, b, word in words])
    write(out.with_suffix(".TXT"), [(0, samples, text)])


def stretches(path: Path, samples: int) -> list[tuple[int, int, str]]:
    """What Festival labelled: `end colour name` in seconds, after a line `#`."""
    found = []
    start = 0
    for line in path.read_text(encoding="ascii").splitlines()[1:]:
        seconds, _, name = line.split(maxsplit=2)
        end = min(round(float(seconds) * RATE), samples)
        found.append((start, end, name.strip()))
        start = end
    return found


def write(path: Path, rows: list[tuple[int, int, str]]) -> None:
    """Write lines of TIMIT's files."""
    path.write_text("".join(f"{a} {b} {text}\n" for a, b, text in rows), encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
