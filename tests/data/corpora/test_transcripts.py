"""Recordings with what is said in them, as people have them."""

import itertools
import time
import unicodedata

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import long_textgrid, short_textgrid, write_csv, write_jsonl
from zoo.data.corpora.transcripts import transcribed_recordings
from zoo.errors import UsageError

words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8
).filter(lambda text: text.isprintable() and not text.isdecimal() and text != "#")
texts = st.lists(words, min_size=2, max_size=8).map(" ".join)


def make_audio(root, *names, suffix=".wav"):
    for name in names:
        path = root / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(1600), 16000, format="WAV")


def read(path, **options):
    """What is found, problems, and what has no counterpart, all as plain values."""
    problems, unmatched = [], []
    found = transcribed_recordings(
        path,
        lambda *problem: problems.append(problem),
        unmatched=lambda file, line, text: unmatched.append(file.name),
        **options,
    )
    return found, problems, sorted(unmatched)


def said(found):
    return {
        r.name: r.text or [(float(s.start), float(s.end), s.label) for s in r.spans] for r in found
    }


def fresh(tmp_path_factory, *names):
    root = tmp_path_factory.mktemp("speech")
    make_audio(root, *names)
    return root


@pytest.mark.parametrize("suffix", [".lab", ".txt", ".LAB", ".Txt"])
@given(
    texts, st.sampled_from(["\n", "\r\n", ""]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
)
@settings(max_examples=30)
def test_all_of_a_file_beside_a_recording_is_its_transcript(
    tmp_path_factory, suffix, text, newline, encoding
):
    root = fresh(tmp_path_factory, "anna/one")
    written = text.replace(" ", f"{newline} " if newline else " ", 1) + newline
    (root / "anna" / f"one{suffix}").write_bytes(written.encode(encoding))
    (found,), problems, unmatched = read(root)
    assert (found.name, found.speaker, found.text, found.spans) == ("anna/one", "anna", text, ())
    assert (found.line, found.where) == (None, str(root / "anna" / f"one{suffix}"))
    assert problems == unmatched == []


@given(st.lists(st.tuples(texts, st.integers(1, 900)), min_size=1, max_size=6))
@settings(max_examples=30)
def test_a_tier_of_sentences_is_read_back(tmp_path_factory, sentences):
    root = fresh(tmp_path_factory, "a")
    rows, last = [], 0
    for text, length in sentences:
        rows.append((last / 100, (last + length) / 100, text))
        last += length + length % 2
    (root / "a.TextGrid").write_text(long_textgrid({"anna": rows}, last / 100 + 1), "utf-8")
    (found,), problems, _ = read(root)
    assert (found.text, found.speaker, problems) == (None, "anna", [])
    assert said([found]) == {"a": rows}


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@given(st.lists(st.tuples(texts, words), min_size=1, max_size=5))
@settings(max_examples=30)
def test_a_table_is_read_back(tmp_path_factory, kind, rows):
    root = fresh(tmp_path_factory, *map(str, range(len(rows))))
    records = [
        {"Audio": f"{n}.wav", "TEXT": text, "remark": "x", " Speaker": who}
        for n, (text, who) in enumerate(rows)
    ]
    path = root / f"all.{kind}"
    if kind == "jsonl":
        write_jsonl(path, records)
    else:
        write_csv(path, records, "\t" if kind == "tsv" else ",")
    for place in (root, path):
        found, problems, unmatched = read(place)
        assert said(found) == {str(n): text for n, (text, _) in enumerate(rows)}
        assert [r.speaker for r in found] == [who for _, who in rows]
        assert problems == unmatched == []


@given(st.lists(st.tuples(texts, words), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_folder_of_kaldis_is_read_back(tmp_path_factory, rows):
    root = fresh(tmp_path_factory, *(f"wavs/{n}" for n in range(len(rows))))
    lines = [f"utt{n} {text}\n" for n, (text, _) in enumerate(rows)]
    (root / "text").write_text("".join(lines), encoding="utf-8")
    (root / "wav.scp").write_text("".join(f"utt{n} wavs/{n}.wav\n" for n in range(len(rows))))
    speakers = "".join(f"utt{n} {who}\n" for n, (_, who) in enumerate(rows))
    (root / "utt2spk").write_text(speakers, encoding="utf-8")
    found, problems, unmatched = read(root)
    assert said(found) == {f"wavs/{n}": text for n, (text, _) in enumerate(rows)}
    assert [r.speaker for r in found] == [who for _, who in rows]
    assert [r.line for r in found] == list(range(1, len(rows) + 1))
    assert problems == unmatched == []


def test_timits_sample_numbers_are_no_words(tmp_path):
    folder = tmp_path / "TRAIN" / "DR1" / "FAKS0"
    make_audio(folder, "SA1", suffix=".WAV")
    make_audio(folder, "SA1", suffix=".WAV.wav")
    make_audio(folder, "SA2", suffix=".WAV.wav")
    (folder / "SA1.TXT").write_text("0 46797 She had your dark suit.\n")
    (folder / "sa2.txt").write_text("0 51200 Don't ask me.\n")
    (folder / "SA1.PHN").write_text("0 1600 h#\n")
    found, problems, unmatched = read(tmp_path)
    assert [r.text for r in found] == ["She had your dark suit.", "Don't ask me."]
    assert [r.audio.name for r in found] == ["SA1.WAV", "SA2.WAV.wav"]
    assert {r.speaker for r in found} == {"FAKS0"}
    assert problems == unmatched == []
    # No other suffix, and no other numbers.
    for name, text in {"SA1.lab": "0 46797 she", "b.txt": "0 15 love"}.items():
        make_audio(tmp_path / "own", name.split(".")[0])
        (tmp_path / "own" / name).write_text(text)
    assert [r.text for r in read(tmp_path / "own")[0]] == ["0 46797 she", "0 15 love"]


ONE, TWO = [(0, 1, "she had")], [(1, 2, "your dark suit")]


@pytest.mark.parametrize(
    ("tiers", "options", "expected", "speaker"),
    [
        ({"notes": TWO, "Sentences": ONE}, {}, ONE, "spk"),
        ({"notes": TWO, "spk": ONE}, {}, ONE, "spk"),
        ({"words": [(0, 1, "she")], "phones": [(0, 1, "sh")], "text": ONE}, {}, ONE, "spk"),
        ({"phones": [(0, 1, "sh")], "ann": ONE}, {}, ONE, "ann"),
        # As Montreal Forced Aligner reads a conversation.
        ({"ben": TWO, "ann": ONE}, {}, ONE + TWO, "ben and ann"),
        ({"ben": TWO, "ann": ONE}, {"tier": "ann"}, ONE, "spk"),
        ({"words": [(0, 1, "she"), (1, 2, "had")]}, {}, "she had", "spk"),
    ],
)
def test_tiers_of_sentences_are_told_from_others(tmp_path, tiers, options, expected, speaker):
    make_audio(tmp_path, "spk/a")
    (tmp_path / "spk" / "a.TextGrid").write_text(short_textgrid(tiers, 3))
    found, problems, _ = read(tmp_path, **options)
    assert (said(found), problems) == ({"spk/a": expected}, [])
    assert found[0].speaker == speaker


def test_a_textgrid_of_words_and_phones_is_no_transcript(tmp_path):
    make_audio(tmp_path, "a", "b")
    for name in "ab":
        tiers = {"words": [(0, 1, "she")], "phones": [(0, 1, "sh")]}
        (tmp_path / f"{name}.TextGrid").write_text(short_textgrid(tiers, 3))
    (tmp_path / "a.lab").write_text("other words")
    found, problems, unmatched = read(tmp_path)
    assert (said(found), problems, unmatched) == ({"a": "other words"}, [], ["b.wav"])


def test_of_several_sources_the_first_is_taken_and_others_must_agree(tmp_path):
    make_audio(tmp_path, "a", "b", "c")
    (tmp_path / "a.txt").write_text("She had: your dark suit")
    (tmp_path / "a.lab").write_text("she had your dark suit")
    (tmp_path / "b.lab").write_text("one thing")
    (tmp_path / "all.csv").write_text("audio,text\nb.wav,another thing\nc.wav,x\n")
    (tmp_path / "c.TextGrid").write_text(short_textgrid({"sentences": [(0, 1, "X")]}, 2))
    found, problems, _ = read(tmp_path)
    assert said(found) == {"a": "she had your dark suit", "c": [(0, 1, "X")]}
    assert problems == [
        (
            tmp_path / "b.lab",
            None,
            f"says something else than {tmp_path / 'all.csv'}, line 2 of b.wav; keep the one that "
            "is right.",
        )
    ]


def test_what_has_no_counterpart_is_named(tmp_path):
    make_audio(tmp_path, "a", "b")
    (tmp_path / "a.lab").write_text("words")
    (tmp_path / "README.txt").write_text("words")
    assert read(tmp_path)[1:] == ([], ["README.txt", "b.wav"])
    (tmp_path / "a.lab").unlink()
    with pytest.raises(UsageError, match="holds no recording with a transcript: none of "):
        read(tmp_path)
    with pytest.raises(UsageError, match="is not a folder; a folder of recordings and transcripts"):
        read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"a\.wav is neither a table \(\.csv"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("files", "line", "message"),
    [
        ({"a.lab": " \n"}, None, "is empty."),
        (
            {"a.lab": "#\n0.1 100 pau\n"},
            None,
            "holds labels with times; a transcript was expected.",
        ),
        ({"a.txt": "0\t0.5\tone\n0.5\t1\ttwo\n"}, None, "holds labels with times"),
        ({"a.TextGrid": "nothing"}, 1, "the file ends where the header of a TextGrid"),
        ({"a.TextGrid": short_textgrid({"text": []}, 2)}, None, "has no text in its tier 'text'."),
        ({"a.TextGrid": short_textgrid({"x": ONE, "y": ONE}, 2)}, 24, "the segment starts at 0 s"),
        ({"text": "a\n"}, 1, "'a' has no text."),
        (
            {"text": "a one\n", "wav.scp": "a sph2pipe -f wav a.sph |\n"},
            1,
            "'a' is the output of a",
        ),
        ({"text": "a one\n", "wav.scp": "a b.wav\n"}, 1, "there is no recording b.wav."),
        ({"text": "b one\n", "wav.scp": "a a.wav\n"}, 1, "'b' is not in wav.scp."),
        ({"text": "a one\n", "segments": "b a 0 1\n"}, 1, "'a' is not in segments."),
        ({"text": "b one\n", "segments": "b a 0\n"}, 1, "expected `utterance recording start end`"),
        ({"text": "b one\n", "segments": "b a 1 0\n"}, 1, "the segment ends at 0 s, not after"),
        ({"t.csv": "audio,text\nb.wav,one\n"}, 2, "there is no recording"),
        ({"t.csv": "audio,text\na.wav,\n"}, 2, "text is ''; text was expected."),
        ({"t.csv": "audio,text,start,end\na.wav,b,1,\n"}, 2, "end is ''; a time in seconds"),
        ({"t.csv": "audio,text,speakr\na.wav,b,c\n"}, 1, "unknown column 'speakr'. Did you mean"),
        ({"t.jsonl": '{"audio": "a.wav", "text": ["b"]}\n'}, 1, "text is \"['b']\"; text was"),
    ],
)
def test_what_is_wrong_is_reported_with_file_and_line(tmp_path, files, line, message):
    make_audio(tmp_path, "a", "good")
    (tmp_path / "good.lab").write_text("a good one")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found, problems, _ = read(tmp_path)
    assert "good" in said(found)
    assert len(problems) >= 1
    assert problems[0][0].name in files
    assert problems[0][1] == line
    assert problems[0][2].startswith(message)
    with pytest.raises(UsageError):
        transcribed_recordings(tmp_path)


def test_parts_of_long_recordings_come_in_order(tmp_path):
    make_audio(tmp_path, "long")
    rows = [("y", "2.5", "3", "ben"), ("x", "0", "2.25", "ann")]
    records = [
        {"audio": "long.wav", "text": t, "start": a, "end": b, "speaker": who}
        for t, a, b, who in rows
    ]
    write_csv(tmp_path / "parts.csv", records)
    (found,), problems, _ = read(tmp_path)
    assert said([found]) == {"long": [(0, 2.25, "x"), (2.5, 3, "y")]}
    assert (found.speaker, [s.line for s in found.spans], problems) == ("ben and ann", [3, 2], [])
    (tmp_path / "parts.csv").unlink()
    (tmp_path / "text").write_text("u1 x\nu2 y\n")
    (tmp_path / "segments").write_text("u2 long 2.5 3\nu1 long 0 2.25\n")
    (found,), problems, _ = read(tmp_path)
    assert said([found]) == {"long": [(0, 2.25, "x"), (2.5, 3, "y")]}
    assert problems == []


def test_recordings_elsewhere_are_called_as_the_source_does(tmp_path):
    make_audio(tmp_path / "far", "ann/1", "ben/1")
    data = tmp_path / "data"
    data.mkdir()
    far = tmp_path / "far"
    (data / "all.csv").write_text(f"audio,text\n{far}/ann/1.wav,one\n../far/ben/1.wav,two\n")
    found, problems, _ = read(data)
    assert said(found) == {"ann/1": "one", "ben/1": "two"}
    assert [r.speaker for r in found] == ["ann", "ben"]
    (data / "all.csv").unlink()
    (data / "text").write_text("id1 one\n../id2 two\n")
    (data / "wav.scp").write_text(f"id1 {far}/ann/1.wav\n../id2 {far}/ben/1.wav\n")
    found, problems, _ = read(data)
    assert said(found) == {"id1": "one"}
    assert problems[0][2] == "'../id2' cannot be the name of a transcript."


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_may_have_spaces_accents_and_any_script(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    names = ["José Ü/one two", "太郎/録音 1", "José Ü/a.b"]
    make_audio(tmp_path, *(unicodedata.normalize(form, name) for name in names))
    for name in names:
        path = tmp_path / unicodedata.normalize(other, f"{name}.lab")
        path.parent.mkdir(exist_ok=True)
        path.write_text(name.split("/")[1], encoding="utf-8")
    found, problems, unmatched = read(tmp_path)
    assert said(found) == {n: n.split("/")[1] for n in names}
    assert {r.speaker for r in found} == {"José Ü", "太郎"}
    assert problems == unmatched == []
    for path in tmp_path.rglob("*.lab"):
        path.unlink()
    records = [{"audio": unicodedata.normalize(other, f"{n}.wav"), "text": "x"} for n in names]
    write_csv(tmp_path / "t.csv", records)
    assert set(said(read(tmp_path)[0])) == set(names)


def test_names_that_differ_in_case_alone_are_told_apart(tmp_path):
    make_audio(tmp_path, "a", "A", "b")
    (tmp_path / "a.lab").write_text("small")
    (tmp_path / "A.lab").write_text("large")
    (tmp_path / "B.LAB").write_text("other")
    assert said(read(tmp_path)[0]) == {"A": "large", "a": "small", "b": "other"}


def test_two_recordings_of_one_name_are_refused(tmp_path):
    make_audio(tmp_path, "a", "b")
    make_audio(tmp_path, "a", suffix=".flac")
    for name in "ab":
        (tmp_path / f"{name}.lab").write_text("words")
    found, problems, unmatched = read(tmp_path)
    assert (set(said(found)), unmatched) == ({"b"}, [])
    assert [(p[0].name, p[2]) for p in problems] == [
        ("a.flac", "is named like a.wav; one is right.")
    ]


def test_speakers_are_folders_or_beginnings_of_names(tmp_path):
    make_audio(tmp_path, "train/ann/s1/a-001", "ben_002")
    for audio in list(tmp_path.rglob("*.wav")):
        audio.with_suffix(".lab").write_text("x")
    assert {r.speaker for r in read(tmp_path)[0]} == {"ann", tmp_path.name}
    found = read(tmp_path, speaker_characters=3)[0]
    assert sorted(r.speaker for r in found) == ["a-0", "ben"]


def test_files_that_are_passed_over_play_no_part(tmp_path):
    make_audio(tmp_path, "a", "out/b")
    (tmp_path / "a.lab").write_text("x")
    (tmp_path / "out" / "b.lab").write_text("x")
    found, _, unmatched = read(tmp_path, passed_over=lambda f: (tmp_path / "out") in f.parents)
    assert (set(said(found)), unmatched) == ({"a"}, [])


@given(
    st.text(max_size=200),
    st.sampled_from(
        ["a.lab", "a.txt", "a.TextGrid", "text", "t.csv", "t.jsonl", "wav.scp", "segments"]
    ),
)
@settings(max_examples=150)
def test_anything_is_read_or_reported(tmp_path_factory, text, name):
    root = fresh(tmp_path_factory, "a", "good")
    (root / "good.lab").write_text("good")
    (root / "text").write_text("a one\n")
    (root / name).write_text(text, encoding="utf-8", errors="ignore")
    found, problems, _ = read(root)
    assert "good" in said(found)
    for recording in found:
        assert recording.text or recording.spans
        assert all(x.end <= y.start for x, y in itertools.pairwise(recording.spans))
    assert all("\n" not in problem[2] for problem in problems)


def test_ten_thousand_recordings_are_found_soon(tmp_path):
    for speaker in range(100):
        (tmp_path / f"s{speaker}").mkdir()
        for take in range(100):
            (tmp_path / f"s{speaker}" / f"{take}.wav").touch()
            (tmp_path / f"s{speaker}" / f"{take}.lab").write_text("she had your dark suit")
    rows = [f's{s}/{t}.wav,"She had your dark suit."\n' for s in range(100) for t in range(100)]
    (tmp_path / "all.csv").write_text("audio,text\n" + "".join(rows))
    begin = time.perf_counter()
    found, problems, _ = read(tmp_path)
    assert (len(found), problems) == (10_000, [])
    assert time.perf_counter() - begin < 20
