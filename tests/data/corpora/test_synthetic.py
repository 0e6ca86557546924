"""The synthetic corpus: its bytes, its layout, its labels, and what it says when it cannot."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from zoo.data.corpora.phones import CLASSES, LABEL_TO_CLASS, TIMIT_LABELS
from zoo.data.corpora.sphere import sphere_bytes, write_sphere
from zoo.data.corpora.synthetic import (
    ABSENT_CLASSES,
    ABSENT_LABELS,
    espeak,
    labels,
    recording,
    split_speakers,
    synthesise,
)
from zoo.data.corpora.synthetic import corpus as corpus_module
from zoo.data.corpora.synthetic.sentences import assign
from zoo.data.corpora.synthetic.speakers import (
    TEST_FEMALE_VOICES,
    TEST_MALE_VOICES,
    draw,
)
from zoo.errors import RunError, UsageError

pytest.importorskip("espeakng_loader")

SETTINGS = {"speakers": 5, "sentences": 5, "seed": 3}
VOWELS = {"iy", "ih", "eh", "ae", "aa", "ah", "ao", "uh", "er"}


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def phones(path: Path) -> list[tuple[int, int, str]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(int(start), int(end), label) for start, end, label in rows]


def zoo(*args: object, **kwargs) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "zoo", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)


def synth_command(out: Path) -> list[object]:
    options = [x for key, value in SETTINGS.items() for x in (f"--{key}", value)]
    return ["corpus", "synth", out, *options, "--workers", 1]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "corpus"
    assert synthesise(out, **SETTINGS, workers=2, progress=False) == out / "corpus.json"
    return out


@pytest.fixture(scope="module")
def clean() -> list[tuple[str, espeak.Spoken, list[labels.Segment]]]:
    """Some sentences in every accent as the synthesiser said them, without a recording's noise."""
    texts = [s.text for reads in assign(4, 0, 10, seed=1) for s in reads][:24]
    texts.append("A rotten kitten and a button; the poor boys hire your uncle Milton, sure.")

    def say(accent: str) -> list[espeak.Spoken]:
        return espeak.speak(texts, voice=f"{accent}+m3")

    with ThreadPoolExecutor(2) as pool:
        spoken = list(zip(labels.ACCENTS, pool.map(say, labels.ACCENTS), strict=True))
    return [
        (accent, one, labels.transcribe(one.samples, one.events, accent))
        for accent, many in spoken
        for one in many
    ]


def test_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(corpus, tmp_path):
    synthesise(tmp_path / "one", **SETTINGS, workers=1, progress=False)
    assert tree(tmp_path / "one") == tree(corpus)


def test_another_seed_gives_other_speakers_and_sentences():
    names = [{s.name for s in draw(8, 4, seed)} for seed in (0, 1)]
    texts = [{s.text for reads in assign(8, 4, 10, seed) for s in reads} for seed in (0, 1)]
    assert not names[0] & names[1]
    assert len(texts[0] & texts[1]) == 2  # SA1 and SA2


def test_layout_is_timits(corpus):
    folders = sorted(p for p in corpus.glob("*/*/*") if p.is_dir())
    assert len(folders) == 5
    for folder in folders:
        assert folder.name[0] in "MF"
        assert len(folder.name) == 5
        stems = {p.stem for p in folder.iterdir()}
        assert {"SA1", "SA2"} <= stems
        assert len(stems) == 5
        assert {p.name for p in folder.iterdir()} == {
            stem + suffix for stem in stems for suffix in (".WAV", ".PHN", ".WRD", ".TXT")
        }


def test_labels_are_contiguous_and_span_the_utterance(corpus):
    for path in corpus.rglob("*.PHN"):
        rows = phones(path)
        assert rows[0][0] == 0
        assert rows[-1][1] == soundfile.info(path.with_suffix(".WAV")).frames
        assert rows[0][2] == rows[-1][2] == "h#"
        assert all(end > start for start, end, _ in rows)
        assert [row[1] for row in rows[:-1]] == [row[0] for row in rows[1:]]
        assert {label for _, _, label in rows} <= set(TIMIT_LABELS)


def test_words_are_the_sentence_and_lie_on_phone_boundaries(corpus):
    for path in corpus.rglob("*.WRD"):
        rows = [line.split() for line in path.read_text().splitlines()]
        boundaries = {x for row in phones(path.with_suffix(".PHN")) for x in row[:2]}
        assert {int(x) for row in rows for x in row[:2]} <= boundaries
        start, end, sentence = path.with_suffix(".TXT").read_text().strip().split(" ", 2)
        assert (start, int(end)) == ("0", soundfile.info(path.with_suffix(".WAV")).frames)
        said = " ".join(row[2] for row in rows).replace("-", " ")
        assert said == "".join(c for c in sentence.lower() if c.isalpha() or c in " '")


def test_soundfile_reads_the_sphere_files(corpus):
    for path in list(corpus.rglob("*.WAV"))[:8]:
        samples, rate = soundfile.read(path, dtype="int16")
        raw = path.read_bytes()
        assert rate == 16000
        assert samples.tobytes() == raw[1024:]
        header = dict(line.split(" ", 1) for line in raw[:1024].decode().split("\n")[2:-2])
        assert header["sample_count"] == f"-i {samples.size}"
        assert header["sample_min"] == f"-i {samples.min()}"
        assert header["sample_max"] == f"-i {samples.max()}"
        assert np.abs(samples.astype(int)).max() > 500


def test_sphere_refuses_what_is_not_one_channel_of_int16(tmp_path):
    with pytest.raises(UsageError, match=r"int16 samples; received float64 of shape \(4,\)"):
        write_sphere(tmp_path / "x.WAV", np.zeros(4), 16000)
    with pytest.raises(UsageError, match=r"shape \(4, 2\)"):
        sphere_bytes(np.zeros((4, 2), np.int16), 16000)


def test_speakers_split_as_timits():
    assert split_speakers(630) == (462, 168)
    assert split_speakers(56) == (40, 16)
    assert split_speakers(2) == (1, 1)


def test_training_and_test_share_neither_speakers_nor_sentences():
    cast = draw(462, 168, seed=0)
    reads = assign(462, 168, 10, seed=0)
    assert len({speaker.name for speaker in cast}) == 630
    held_out = {*TEST_MALE_VOICES, *TEST_FEMALE_VOICES}
    assert not held_out & {s.variant for s in cast if s.split == "TRAIN"}
    assert held_out <= {s.variant for s in cast if s.split == "TEST"}
    texts = [
        {s.text for row in part for s in row if not s.name.startswith("SA")}
        for part in (reads[:462], reads[462:])
    ]
    assert not texts[0] & texts[1]
    assert {tuple(s.text for s in row[:2]) for row in reads} == {
        tuple(s.text for s in reads[0][:2])
    }
    si = [s.text for row in reads for s in row if s.name.startswith("SI")]
    assert len(set(si)) == len(si) == 3 * 630


def test_killed_at_any_moment_it_resumes_to_the_same_bytes(corpus, tmp_path):
    out = tmp_path / "killed"
    for speakers_done in (0, 1, 2):
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo", *map(str, synth_command(out))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(list(out.glob("*/*/*"))) < speakers_done and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    # Also what a kill in the midst of a speaker leaves.
    out.mkdir(exist_ok=True)
    (out / ".making-FXYZ0").mkdir()
    (out / ".making-FXYZ0" / "SA1.WAV").write_bytes(b"half")
    done = zoo(*synth_command(out))
    assert done.returncode == 0, done.stderr
    assert tree(out) == tree(corpus)


def test_a_speaker_with_a_missing_file_is_made_again(corpus, tmp_path):
    out = tmp_path / "damaged"
    synthesise(out, **SETTINGS, workers=2, progress=False)
    next(out.rglob("SA2.PHN")).unlink()
    (out / "corpus.json").rename(out / "corpus.partial.json")
    synthesise(out, **SETTINGS, workers=2, progress=False)
    assert tree(out) == tree(corpus)


def test_a_complete_corpus_is_left_alone(corpus):
    times = {p: p.stat().st_mtime_ns for p in corpus.rglob("*")}
    done = zoo(*synth_command(corpus))
    assert done.returncode == 0
    assert "already there (train: 4 speakers, 20 utterances" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in corpus.rglob("*")} == times


def test_corpus_json_counts_what_is_there(corpus):
    record = json.loads((corpus / "corpus.json").read_text())
    counts = record["counts"]
    assert record["settings"]["seed"] == 3
    assert (counts["train"]["speakers"], counts["test"]["speakers"]) == (4, 1)
    seconds = sum(soundfile.info(p).duration for p in corpus.rglob("*.WAV"))
    hours = counts["train"]["hours"] + counts["test"]["hours"]
    assert hours == pytest.approx(seconds / 3600, abs=2e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("speakers", 6), ("sentences", 6), ("seed", 4), ("generator", 99)]
)
def test_other_settings_in_the_same_folder_are_refused(corpus, monkeypatch, name, value):
    settings = dict(SETTINGS)
    if name == "generator":
        monkeypatch.setattr(corpus_module, "VERSION", value)
    else:
        settings[name] = value
    with pytest.raises(UsageError, match=rf"made with {name} \d+, not {value};"):
        synthesise(corpus, **settings, progress=False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"speakers": 1}, "speakers must be 2 or more; received 1"),
        ({"sentences": 2}, "sentences must be 3 to 160; received 2"),
        ({"sentences": 161}, "received 161"),
        ({"seed": -1}, "seed must be 0 to 4294967295"),
        ({"workers": 0}, "workers must be 1 or more"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        synthesise(tmp_path / "x", **wrong, progress=False)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no synthetic corpus"):
        synthesise(tmp_path, progress=False)
    assert tree(tmp_path) == {"thesis.txt": b"mine"}


def test_a_folder_that_cannot_be_made_gives_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    for out, code, words in (
        (tmp_path / "file", 2, "is a file; give a folder"),
        (tmp_path / "file" / "corpus", 2, "is a file; a folder for the output was expected"),
    ):
        done = zoo("corpus", "synth", out)
        assert done.returncode == code
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only")]
)
def test_a_failing_disk_gives_one_clear_sentence(tmp_path, monkeypatch, code, words):
    def fail(source, target):
        raise OSError(code, os.strerror(code), str(target))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunError, match=rf"cannot write .*{words}"):
        synthesise(tmp_path / "x", speakers=2, sentences=3, progress=False)


def test_without_espeak_it_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UsageError, match=r"pip install 'phone-zoo\[synth\]'"):
        synthesise(tmp_path / "x", progress=False)
    assert not (tmp_path / "x").exists()


def test_an_unknown_voice_is_named():
    with pytest.raises(RunError, match="espeak-ng has no voice gmw/nowhere"):
        espeak.speak(["Hello."], voice="gmw/nowhere")


def test_a_phoneme_without_a_label_is_named():
    with pytest.raises(RunError, match=r"without a TIMIT label: 'x\^' in gmw/en"):
        labels.transcribe(np.zeros(100, np.int16), [["phone", 0, "'x^"]], "gmw/en")


def test_neither_espeak_nor_tensorflow_is_loaded_by_the_main_process():
    code = (
        "import sys, zoo.data.synthetic as s;"
        "from zoo.data.corpora.synthetic.espeak import speak;"
        "speak(['Hello.'], voice='gmw/en');"
        "maps = open('/proc/self/maps').read() if sys.platform == 'linux' else '';"
        "print('espeak-ng' in maps, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"] * 3


def test_a_speaker_sounds_the_same_whenever_and_after_whatever_is_said():
    voices = ("gmw/en-US+klatt4", "gmw/en-029+grandpa", "gmw/en+anika")
    for voice in voices:
        first, second = (
            espeak.speak(["The boy saw a zebra."], voice=voice)[0].samples for _ in range(2)
        )
        assert np.array_equal(first, second)
        # espeak-ng seeds rand() with the second; a voice that uses it would differ after one.
        time.sleep(1.05)
        third = espeak.speak(["The boy saw a zebra."], voice=voice)[0].samples
        assert np.array_equal(first, third)


def test_exactly_the_labels_said_to_be_absent_do_not_occur(clean):
    seen = {segment.label for _, _, segments in clean for segment in segments}
    assert seen == set(TIMIT_LABELS) - ABSENT_LABELS
    classes = {LABEL_TO_CLASS[label] for label in seen if label in LABEL_TO_CLASS}
    assert classes == set(CLASSES) - ABSENT_CLASSES


def test_every_closure_is_followed_by_its_release_or_ends_in_silence(clean):
    releases: dict[str, set[str]] = {}
    for release, closure in labels.CLOSURES.items():
        releases.setdefault(closure, set()).add(release)
    pairs = [
        (before.label, after.label)
        for _, _, segments in clean
        for before, after in itertools.pairwise(segments)
        if before.label in releases
    ]
    assert len(pairs) > 1000
    assert all(after in releases[before] for before, after in pairs)


def test_closures_are_quiet_or_dull_and_as_long_as_in_speech(clean):
    lengths, treble_rise = [], []
    for _, spoken, segments in clean:
        for closure, release in itertools.pairwise(segments):
            if closure.label not in labels.CLOSURES.values():
                continue
            lengths.append((closure.end - closure.start) / espeak.RATE)
            # The first quarter may hold the end of the vowel before it; the release's first 10 ms
            # are where the rise must be.
            start = closure.start + (closure.end - closure.start) // 4
            treble = [
                np.mean(np.diff(spoken.samples[a:b].astype(float)) ** 2) + 1
                for a, b in ((start, closure.end), (release.start, release.start + 220))
            ]
            treble_rise.append(10 * np.log10(treble[1] / treble[0]))
    assert 0.02 < np.median(lengths) < 0.07
    assert np.mean(np.array(treble_rise) > 6) > 0.97


def centroid(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hamming(samples.size))) ** 2
    hertz = np.fft.rfftfreq(samples.size, 1 / espeak.RATE)
    return float((hertz * spectrum).sum() / max(spectrum.sum(), 1e-9))


def test_boundaries_separate_hiss_from_vowels(clean):
    hiss, vowel, frames = [], [], 220
    for _, spoken, segments in clean:
        for segment in segments:
            if segment.end - segment.start < 2 * frames:
                continue
            # The first 10 ms, where a boundary set too early or too late shows.
            onset = spoken.samples[segment.start : segment.start + frames].astype(float)
            if segment.label == "s":
                hiss.append(centroid(onset))
            elif segment.label in VOWELS:
                vowel.append(centroid(onset))
    assert len(hiss) > 100
    assert np.percentile(hiss, 5) > 4000
    assert np.percentile(vowel, 95) < 3000


def test_edges_of_a_clean_utterance_are_silent(clean):
    for _, spoken, segments in clean:
        for edge in (segments[0], segments[-1]):
            assert edge.label == "h#"
            piece = spoken.samples[edge.start : edge.end]
            assert not np.any(piece)


def test_recording_moves_labels_with_the_vocal_tract():
    speaker = next(s for s in draw(60, 1, seed=0) if abs(s.tract - 1) > 0.08)
    tone = np.round(8000 * np.sin(2 * np.pi * 1000 * np.arange(espeak.RATE) / espeak.RATE))
    quarter = espeak.RATE // 4
    segments = [
        labels.Segment(0, quarter, "h#", -1),
        labels.Segment(quarter, 3 * quarter, "iy", 0),
        labels.Segment(3 * quarter, espeak.RATE, "h#", -1),
    ]
    tone[:quarter] = tone[3 * quarter :] = 0
    samples, moved = recording.record(
        tone.astype(np.int16), segments, speaker, np.random.default_rng(0)
    )
    start, end = moved[1].start, moved[1].end
    assert (end - start) / 16000 == pytest.approx(0.5 / speaker.tract, abs=0.001)
    spectrum = np.abs(np.fft.rfft(samples[start:end].astype(float)))
    peak = np.argmax(spectrum) * 16000 / (end - start)
    assert peak == pytest.approx(1000 * speaker.tract, rel=0.01)
    inside = np.mean(samples[start:end].astype(float) ** 2)
    assert inside > 20 * np.mean(samples[: start - 160].astype(float) ** 2)


def test_recording_conditions_vary_and_stay_moderate(corpus):
    cast = draw(200, 80, seed=0)
    assert 17 <= min(s.snr_db for s in cast) < 18
    assert max(s.level_db for s in cast) - min(s.level_db for s in cast) > 15
    assert {s.region for s in cast if s.split == "TEST"} == {f"DR{i}" for i in range(1, 9)}
    peaks = [np.abs(soundfile.read(p)[0]).max() for p in corpus.rglob("*.WAV")]
    assert max(peaks) < 1
    assert max(peaks) / min(peaks) > 1.5


def test_letter_to_sound_gives_the_labels_of_speech():
    words = "butter university bottle teacher mirror thanks judges button here useful".split()
    spoken = espeak.speak(words, voice="gmw/en-US")
    for said, events in zip(spoken, espeak.translate(words, voice="gmw/en-US"), strict=True):
        segments = labels.transcribe(said.samples, said.events, "gmw/en-US")
        heard = [s.label for s in labels.without_closures(segments) if s.label not in ("h#", "pau")]
        assert [label for label, _ in labels.spoken_labels(events, "gmw/en-US")] == heard
