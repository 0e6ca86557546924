"""Aligning folders: files, table and report; what is kept, what is refused, what resumes."""

import csv
import json
import os
import shutil
import time

import pytest
import soundfile

from tests.helpers.alignments import words_of_corpus
from tests.helpers.annotations import long_textgrid
from zoo.alignment.folders import Where, align_folder
from zoo.alignment.journal import Journal
from zoo.alignment.recordings import How
from zoo.data import open_corpus, prepare
from zoo.decoding import Transcript
from zoo.errors import RunError, UsageError

pytest.importorskip("espeakng_loader")


@pytest.fixture
def speech(spoken, tmp_path):
    """A copy of the recordings and transcripts."""
    return shutil.copytree(spoken / "speech", tmp_path / "speech")


@pytest.fixture
def how(spoken):
    return How(model=spoken / "run")


def table(out):
    with open(out / "alignment.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(out):
    """Every file but the journal, whose lines have no order."""
    files = sorted(f for f in out.rglob("*") if f.is_file() and f.name != "alignment.jsonl")
    return {f.relative_to(out).as_posix(): f.read_bytes() for f in files}


def names_of(speech):
    return {f.relative_to(speech).with_suffix("").as_posix() for f in speech.rglob("*.wav")}


@pytest.fixture(scope="module")
def aligned(spoken, tmp_path_factory):
    """The folder aligned once, and what came of it."""
    out = tmp_path_factory.mktemp("aligned") / "out"
    found = align_folder(spoken / "speech", How(model=spoken / "run"), Where(out=out))
    return out, found


def test_every_recording_gets_words_and_phones(spoken, aligned):
    out, found = aligned
    names = names_of(spoken / "speech")
    assert {row.name for row in found.rows} == names == set(found.files)
    assert (found.written, found.kept, found.problems, found.unmatched) == (len(names), 0, [], [])
    assert found.page
    near = []
    for name in sorted(names):
        transcript = Transcript.load(out / f"{name}.TextGrid")
        assert list(transcript.tiers) == ["words", "phones"]
        assert transcript.duration == soundfile.info(spoken / "speech" / f"{name}.wav").duration
        text = (spoken / "speech" / f"{name}.lab").read_text().lower()
        said = [i.label for i in transcript.tiers["words"]]
        assert said == [word.strip(".,?!") for word in text.split()]
        ends = {end for _, end, _ in words_of_corpus(spoken, *name.split("/"))}
        near += [min(abs(i.end - end) for end in ends) < 0.1 for i in transcript.tiers["words"]]
    assert sum(near) > 0.7 * len(near)


def test_the_table_has_the_lowest_scores_first(aligned):
    out, _ = aligned
    rows = table(out)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores)
    assert [row["suspicious"] for row in rows] == ["yes"] + [""] * (len(rows) - 1)
    for row in rows:
        transcript = Transcript.load(out / row["file"])
        phones = [i for i in transcript.tiers["phones"] if i.label != "sil"]
        assert int(row["words"]) == len(transcript.tiers["words"])
        assert int(row["phones"]) == len(phones)
        assert row["speaker"] == row["recording"].split("/")[0]
        lowest = float(row["lowest_start"])
        assert row["lowest_phone"] in {p.label for p in phones if abs(p.start - lowest) < 0.001}


def test_the_report_names_and_draws_the_worst(aligned):
    out, found = aligned
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 5
    for row in found.rows[:3]:
        assert f"Lowest score: {row.name}, {row.speaker}" in page
    assert "http" not in page.replace("http-equiv", "")


def test_praat_reads_them(spoken, aligned):
    parselmouth = pytest.importorskip("parselmouth")
    out, found = aligned
    for file in found.files.values():
        grid = parselmouth.read(str(out / file))
        transcript = Transcript.load(out / file)
        names = [parselmouth.praat.call(grid, "Get tier name", n) for n in (1, 2)]
        assert names == ["words", "phones"]
        intervals = parselmouth.praat.call(grid, "Get number of intervals", 2)
        labels = [
            parselmouth.praat.call(grid, "Get label of interval", 2, n + 1)
            for n in range(intervals)
        ]
        assert [x for x in labels if x] == [i.label for i in transcript.tiers["phones"]]


def test_a_set_is_prepared_from_them_by_the_phones(spoken, aligned, tmp_path):
    out, found = aligned
    corpus = open_corpus(out, "textgrid", recordings=spoken / "speech")
    assert {u.name for u in corpus.utterances()} == set(found.files)
    assert {u.speaker for u in corpus.utterances()} == {n.split("/")[0] for n in found.files}
    prepared = prepare(corpus, tmp_path / "set", examples="frames")
    for name in found.files:
        transcript = Transcript.load(out / f"{name}.TextGrid")
        (utterance,) = (u for u in corpus.utterances() if u.name == name)
        assert [s.label for s in utterance.segments()] == [
            i.label for i in transcript.tiers["phones"]
        ]
    assert {"sil", "AH0"} <= set(prepared.classes)


def test_what_was_aligned_is_kept_and_what_changed_is_aligned_anew(speech, how, tmp_path):
    where = Where(out=tmp_path / "out")
    first = align_folder(speech, how, where)
    before = contents(where.out)
    again = align_folder(speech, how, where)
    assert (again.written, again.kept) == (0, first.written)
    assert contents(where.out) == before
    one, two, three, *_ = sorted(first.files)
    (speech / f"{one}.lab").write_text("another")
    os.utime(speech / f"{two}.wav")
    (where.out / f"{three}.TextGrid").unlink()
    third = align_folder(speech, how, where)
    assert (third.written, third.kept) == (3, first.written - 3)
    assert (where.out / f"{one}.TextGrid").read_bytes() != before[f"{one}.TextGrid"]
    for name in (two, three):
        assert (where.out / f"{name}.TextGrid").read_bytes() == before[f"{name}.TextGrid"]
    assert align_folder(speech, how, Where(out=where.out, overwrite=True)).kept == 0


def test_a_dictionary_and_a_channel_count_as_changes(speech, how, spoken, tmp_path):
    where = Where(out=tmp_path / "out")
    first = align_folder(speech, how, where)
    dictionary = tmp_path / "own.dict"
    dictionary.write_text("the DH IY1\n")
    changed = How(model=spoken / "run", dictionary=(str(dictionary),))
    assert align_folder(speech, changed, where).kept == 0
    assert align_folder(speech, changed, where).kept == first.written
    dictionary.write_text("the DH AH0\n")
    assert align_folder(speech, How(**vars_of(changed)), where).kept == 0
    with pytest.raises(UsageError, match=r"cannot read the dictionary .*nowhere: No such file"):
        align_folder(speech, How(model=spoken / "run", dictionary=("nowhere",)), where)


def vars_of(how):
    """Its arguments, so that a copy looks at the files anew."""
    return {"model": how.model, "dictionary": how.dictionary}


def test_files_of_others_stay(speech, how, tmp_path):
    where = Where(out=tmp_path / "out")
    name, other, *_ = sorted(names_of(speech))
    path = where.out / f"{name}.TextGrid"
    path.parent.mkdir(parents=True)
    path.write_text("somebody's")
    found = align_folder(speech, how, where)
    assert path.read_text() == "somebody's"
    assert found.problems == [f"{path} was not written by zoo align; --overwrite replaces it."]
    # What was changed by hand is kept as it is, until its text changes.
    changed = where.out / f"{other}.TextGrid"
    changed.write_text("corrected")
    assert align_folder(speech, how, where).kept == found.written
    (speech / f"{other}.lab").write_text("another")
    problems = align_folder(speech, how, where).problems
    assert f"{changed} was changed since zoo align wrote it; --overwrite replaces it." in problems
    assert changed.read_text() == "corrected"
    replaced = align_folder(speech, how, Where(out=where.out, overwrite=True))
    assert replaced.problems == []
    assert Transcript.load(path).tiers["words"]


@pytest.mark.parametrize("file", ["alignment.csv", "report.html"])
def test_a_table_or_report_of_others_is_not_replaced(speech, how, tmp_path, file):
    where = Where(out=tmp_path)
    (tmp_path / file).write_text("mine")
    with pytest.raises(UsageError, match=rf"{file} was not written by zoo align"):
        align_folder(speech, how, where)
    assert (tmp_path / file).read_text() == "mine"


def test_one_bad_recording_among_many_does_not_stop_the_rest(speech, how, tmp_path):
    names = sorted(names_of(speech))
    for n, text in enumerate(["xqzzt 太郎", "42 of 3% @#", " "]):
        (speech / f"{names[n]}.lab").write_text(text, encoding="utf-8")
    (speech / f"{names[3]}.wav").write_bytes(b"RIFF no recording")
    soundfile.write(speech / f"{names[4]}.wav", [[0.1, 0.2]] * 16000, 16000)
    (speech / f"{names[5]}.lab").write_text("a very long text " * 200)
    (speech / "extra.txt").write_text("no recording")
    told = []
    found = align_folder(speech, how, Where(out=tmp_path / "out"), failing=told.append)
    assert sorted(told) == sorted(found.problems)
    bad = [n for n in names if n not in found.files]
    assert set(bad) >= {names[n] for n in (0, 2, 3, 4, 5)}
    for name in bad:
        assert sum(name in problem for problem in found.problems) == 1, name
    assert found.written == len(names) - len(bad)
    assert [p.file.name for p in found.unmatched] == ["extra.txt"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<li>") == len(found.problems)


def test_recordings_below_a_score_get_no_file(speech, how, tmp_path):
    out = tmp_path / "out"
    rows = align_folder(speech, how, Where(out=out)).rows
    least = rows[2].score
    low = {row.name for row in rows[:2]}
    found = align_folder(speech, how, Where(out=out, least=least))
    assert (found.written, found.kept) == (0, len(rows) - 2)
    assert {row.name for row in found.suspicious} == low
    assert not any((out / f"{name}.TextGrid").exists() for name in low)
    fresh = tmp_path / "fresh"
    align_folder(speech, how, Where(out=fresh, least=least))
    assert contents(fresh) == contents(out)
    # They have been aligned: nothing is heard again.
    begin = {f: f.stat().st_mtime_ns for f in out.rglob("*.TextGrid")}
    assert align_folder(speech, how, Where(out=out)).written == 2
    assert all(f.stat().st_mtime_ns == then for f, then in begin.items())


@pytest.mark.parametrize("suffix", [".json", ".ctm", ".phn", ".csv", ".txt"])
def test_other_formats_hold_the_same(speech, how, aligned, tmp_path, suffix):
    found = align_folder(speech, how, Where(out=tmp_path / "out", suffix=suffix))
    for name, file in found.files.items():
        transcript = Transcript.load(tmp_path / "out" / file, sample_rate=16000)
        expected = Transcript.load(aligned[0] / f"{name}.TextGrid")
        assert [i.label for i in transcript.tiers["phones"]] == [
            i.label for i in expected.tiers["phones"]
        ]
        if suffix == ".json":
            assert list(transcript.tiers) == ["words", "phones"]
            assert transcript.score == next(r.score for r in found.rows if r.name == name)


def test_phones_may_be_given_in_place_of_words(speech, spoken, aligned, tmp_path):
    for name in names_of(speech):
        phones = Transcript.load(aligned[0] / f"{name}.TextGrid").tiers["phones"]
        said = " ".join(i.label for i in phones if i.label != "sil")
        (speech / f"{name}.lab").write_text(said)
    found = align_folder(
        speech, How(model=spoken / "run", phones=True), Where(out=tmp_path / "out")
    )
    assert found.problems == []
    for name in found.files:
        transcript = Transcript.load(tmp_path / "out" / f"{name}.TextGrid")
        assert list(transcript.tiers) == ["phones"]
        said = [i.label for i in transcript.intervals if i.label != "sil"]
        assert said == (speech / f"{name}.lab").read_text().split()
    assert all(row["words"] == "" for row in table(tmp_path / "out"))


def test_sentences_of_long_recordings_stay_in_their_times(speech, how, tmp_path):
    samples, texts, rows, start = [], [], [], 0.0
    for audio in sorted(speech.rglob("*.wav"))[:3]:
        samples += [*soundfile.read(audio)[0], *[0.0] * 16000]
        length = soundfile.info(audio).duration
        texts.append(audio.with_suffix(".lab").read_text())
        rows.append((start, round(start + length, 4), texts[-1]))
        start = len(samples) / 16000
    long = tmp_path / "long"
    long.mkdir()
    soundfile.write(long / "all.wav", samples, 16000)
    (long / "all.TextGrid").write_text(long_textgrid({"anna": rows}, len(samples) / 16000))
    found = align_folder(long, how, Where(out=tmp_path / "out"))
    assert found.problems == []
    words = Transcript.load(tmp_path / "out" / "all.TextGrid").tiers["words"]
    for begin, end, text in rows:
        inside = [w.label for w in words if begin - 0.01 <= w.start and w.end <= end + 0.01]
        assert inside == [word.strip(".,?!").lower() for word in text.split()]
    # Where the transcripts lie is no place for alignments.
    refused = align_folder(long, how, Where(out=long, overwrite=True))
    assert refused.problems == [
        f"{long / 'all.TextGrid'} is the transcript of all itself; choose another folder for --out."
    ]
    assert "anna" in (long / "all.TextGrid").read_text()


@pytest.mark.parametrize("below", [".", "aligned"])
def test_alignments_may_lie_with_the_recordings(speech, how, tmp_path, below):
    where = Where(out=speech / below)
    first = align_folder(speech, how, where)
    assert (first.problems, first.unmatched) == ([], [])
    again = align_folder(speech, how, where)
    assert (again.kept, again.problems, again.unmatched) == (first.written, [], [])


def test_two_processes_find_the_same(speech, how, aligned, tmp_path):
    align_folder(speech, how, Where(out=tmp_path / "out"), jobs=2)
    for file, data in contents(aligned[0]).items():
        if file.endswith(".TextGrid"):
            assert (tmp_path / "out" / file).read_bytes() == data


def test_a_model_that_does_not_transcribe_is_refused_at_once(speech, run, tmp_path):
    with pytest.raises(UsageError, match="classifies segments; use zoo predict"):
        align_folder(speech, How(model=run), Where(out=tmp_path / "out"))
    with pytest.raises(UsageError, match="nowhere"):
        align_folder(speech, How(model=tmp_path / "nowhere"), Where(out=tmp_path / "out"))


def test_a_full_disk_ends_the_command_and_the_next_resumes(speech, how, tmp_path, monkeypatch):
    where, files = Where(out=tmp_path / "out"), []

    def full(path, target):
        if len(files) == 3:
            raise OSError(28, "No space left on device")
        files.append(target)
        return replace(path, target)

    replace = os.replace
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match="the disk is full"):
        align_folder(speech, how, where)
    monkeypatch.undo()
    resumed = align_folder(speech, how, where)
    assert resumed.kept >= 1
    align_folder(speech, how, Where(out=tmp_path / "other"))
    assert contents(where.out) == contents(tmp_path / "other")


class TestJournal:
    def test_a_line_that_a_kill_cut_short_is_left_out(self, speech, how, tmp_path):
        where = Where(out=tmp_path / "out")
        align_folder(speech, how, where)
        before = contents(where.out)
        path = where.out / "alignment.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        for number, cut in ((0, 1), (4, 60), (5, 20), (len(lines) - 1, 30)):
            # The rest, and the files that it speaks of, did not come to be.
            for line in map(json.loads, lines[number:]):
                if "file" in line:
                    (where.out / line["file"]).unlink(missing_ok=True)
            path.write_bytes(b"".join(lines[:number]) + lines[number][:cut])
            (where.out / ".77.tmp.a.TextGrid").write_text("half")
            found = align_folder(speech, how, where)
            assert found.problems == []
            assert contents(where.out) == before
            assert all(map(json.loads, path.read_bytes().splitlines()))

    def test_later_lines_replace_earlier_ones(self, speech, how, tmp_path):
        where = Where(out=tmp_path / "out", overwrite=True)
        align_folder(speech, how, where)
        path = where.out / "alignment.jsonl"
        size = path.stat().st_size
        for _ in range(3):
            align_folder(speech, how, where)
        assert path.stat().st_size < 2.5 * size
        with Journal(where.out) as journal:
            assert len(journal.unchanged()) == len(names_of(speech)) + 2

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"a": 1}\n', "is not what zoo align writes; choose another folder"),
            ("[1]\n", "is not what zoo align writes; choose another folder"),
            ('{"file": 1\n{"file": 2}\n', "is damaged; remove it"),
        ],
    )
    def test_a_file_that_is_none_is_refused(self, tmp_path, text, message):
        (tmp_path / "alignment.jsonl").write_text(text)
        with pytest.raises(UsageError, match=message):
            Journal(tmp_path)


def test_a_folder_of_thousands_is_looked_through_soon(spoken, how, tmp_path):
    """Nothing is heard again, and no file read but to see that it is as it was written."""
    source = next((spoken / "speech").rglob("*.wav"))
    speech = tmp_path / "speech"
    speech.mkdir()
    shutil.copy(source, speech / "first.wav")
    shutil.copy(source.with_suffix(".lab"), speech / "first.lab")
    where = Where(out=tmp_path / "out")
    (row,) = align_folder(speech, how, where).rows
    for number in range(2000):
        os.link(speech / "first.wav", speech / f"{number}.wav")
        os.link(speech / "first.lab", speech / f"{number}.lab")
    with Journal(where.out) as journal:
        (line,) = (x for x in journal.path.read_text().splitlines() if '"recording"' in x)
        transcript = journal.transcript("first")
        for number in range(2000):
            journal.add(row._replace(name=str(number)), json.loads(line)["inputs"], transcript)
    written = align_folder(speech, how, where)
    assert (written.written, written.kept) == (2000, 1)
    begin = time.perf_counter()
    assert align_folder(speech, how, where).kept == 2001
    assert time.perf_counter() - begin < 10
