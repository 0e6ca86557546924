"""A synthetic corpus like the speech one has: its words, tempo, bandwidth and way of labelling."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo.data.corpora.phones import CLOSURES
from zoo.data.corpora.synthetic import synthesise
from zoo.errors import UsageError

pytest.importorskip("espeakng_loader")

DIGITS = "Zero. One. Two. Three. Four. Five. Six. Seven. Eight. Nine.".split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("style")
    (folder / "digits.txt").write_text("\n".join(["", *DIGITS]) + "\n")

    def make(name: str, **style) -> Path:
        out = folder / name
        if not out.exists():
            settings = {"speakers": 2, "sentences": 12, "seed": 1, "workers": 2}
            synthesise(out, **settings, progress=False, text=folder / "digits.txt", **style)
        return out

    return make


def phones(path: Path) -> list[tuple[int, int, str]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(int(start), int(end), label) for start, end, label in rows]


def test_every_speaker_reads_every_line_and_the_rest_is_drawn(made):
    for speaker in (path.parent for path in made("plain").rglob("SX1.TXT")):
        texts = [path.read_text().split(" ", 2)[2].strip() for path in speaker.glob("*.TXT")]
        count = Counter(texts)
        assert set(count) == set(DIGITS)
        assert (sum(count.values()), max(count.values())) == (12, 2)
    words = {path.read_text().split()[2] for path in made("plain").rglob("*.WRD")}
    assert words == {text.lower().strip(".") for text in DIGITS}


def test_nothing_is_left_above_the_bandwidth(made):
    def share_above(path):
        samples, rate = soundfile.read(path)
        power = np.abs(np.fft.rfft(samples)) ** 2
        return power[np.fft.rfftfreq(samples.size, 1 / rate) > 4200].sum() / power.sum()

    full = [share_above(path) for path in made("plain").rglob("*.WAV")]
    narrow = [share_above(path) for path in made("narrow", bandwidth=4000).rglob("*.WAV")]
    assert max(narrow) < 1e-4
    assert np.median(full) > 1e-3


def test_stops_are_one_segment_without_closures_and_the_speech_is_the_same(made):
    apart, joined = made("plain"), made("joined", closures=False)
    fused = 0
    for path in sorted(apart.rglob("*.PHN")):
        other = joined / path.relative_to(apart)
        assert path.with_suffix(".WAV").read_bytes() == other.with_suffix(".WAV").read_bytes()
        before, after = phones(path), phones(other)
        inner = {
            left[1]
            for left, right in itertools.pairwise(before)
            if CLOSURES.get(right[2]) == left[2]
        }
        starts = [start for start, _, _ in before if start not in inner]
        assert [start for start, _, _ in after] == starts
        assert [end for _, end, _ in after][:-1] == starts[1:]
        fused += len(inner)
    assert fused > 3


def test_slow_speakers_take_longer(made):
    def seconds(corpus):
        return sum(soundfile.info(path).duration for path in corpus.rglob("*.WAV"))

    assert seconds(made("slow", rate=(80, 100))) > 1.2 * seconds(made("plain"))


def test_the_record_names_what_is_not_as_usual_and_another_style_is_refused(made, tmp_path):
    record = json.loads((made("narrow", bandwidth=4000) / "corpus.json").read_text())
    assert record["settings"]["bandwidth"] == 4000
    assert "rate" not in record["settings"]
    settings = {"speakers": 2, "sentences": 12, "seed": 1, "progress": False}
    text = made("narrow", bandwidth=4000).parent / "digits.txt"
    with pytest.raises(UsageError, match=r"made with bandwidth 4000(\.0)?, not None"):
        synthesise(made("narrow", bandwidth=4000), text=text, **settings)
    plain = {"out": tmp_path / "plain", "speakers": 2, "sentences": 3, "progress": False}
    synthesise(**plain)
    with pytest.raises(UsageError, match="made with text None, not "):
        synthesise(**plain, text=text)


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ({"rate": (200, 100)}, "the slower first; received 200 and 100"),
        ({"rate": (79, 100)}, "from 80 to 450"),
        ({"bandwidth": 900}, "bandwidth must be 1000 to 8000 Hz; received 900"),
        ({"bandwidth": float("nan")}, "bandwidth must be 1000 to 8000 Hz"),
        ({"text": "missing.txt"}, "missing.txt cannot be read as sentences: No such file"),
    ],
)
def test_a_style_out_of_range_is_refused(tmp_path, style, message):
    with pytest.raises(UsageError, match=message):
        synthesise(tmp_path / "x", progress=False, **style)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"One.\nRoom 7\n", r"text.txt:2: .* spell out numbers: 'Room 7'"),
        ("Grüße\n".encode(), r"text.txt:1: "),
        (b"\n  \n", "holds no sentences"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"a" * 301, r"text.txt:1: a sentence has up to 300"),
        (b"one <phoneme>two\n", r"text.txt:1: "),
    ],
)
def test_text_that_cannot_be_read_aloud_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        synthesise(tmp_path / "x", progress=False, text=tmp_path / "text.txt")
