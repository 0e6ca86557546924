"""Transcripts and their files."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid

import zoo.files
from zoo.data.corpora.intervals import is_name
from zoo.data.corpora.tables import read_audacity, read_ctm, read_table
from zoo.data.corpora.textgrid import read_textgrid
from zoo.data.corpora.timit import read_phn
from zoo.decoding import Interval, Transcript
from zoo.errors import RunError, UsageError

RATE = 16000
SUFFIXES = (".TextGrid", ".json", ".csv", ".ctm", ".txt", ".phn")
WITH_SCORES = (".json", ".csv", ".ctm")
PLAIN = (".ctm", ".phn")

awkward = st.sampled_from(['"', 'a"b', '""', "'", ",", ";;", "\\", "#", "<exists>", "1.5", "!"])
letters = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "M")), min_size=1)
labels = st.one_of(
    st.sampled_from(["sil", "aa", "tʃ", "ɪ̃ː", "əʊ̯", "你好", "さ", "한", "a b"]), awkward, letters
).filter(is_name)


@st.composite
def tiers(draw, label=labels):
    """Intervals at any time, some of them apart, with or without scores."""
    times = st.floats(0, 7200, allow_subnormal=False).map(lambda t: t if t > 1e-4 else 0.0)
    bounds = sorted(draw(st.sets(times, min_size=2, max_size=9)))
    scored = draw(st.booleans())
    found = []
    for start, end in itertools.pairwise(bounds):
        if not found or draw(st.integers(0, 3)):
            score = draw(st.floats(0, 1, allow_subnormal=False)) if scored else None
            score = 0.0 if score is not None and score < 1e-30 else score
            found.append(Interval(start, end, draw(label), score))
    return tuple(found)


@st.composite
def transcripts(draw, label=labels):
    rows = draw(tiers(label))
    more = draw(st.floats(0, 100))
    name = draw(st.sampled_from(["a", "dr1/fcjf0/sx37", "你好", 'say"so"']))
    return Transcript({"phones": rows}, rows[-1].end + more, RATE, name)


def without_scores(rows):
    return tuple(row._replace(score=None) for row in rows)


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".phn"])
@given(transcripts())
@settings(max_examples=40, deadline=None)
def test_comes_back_exactly(tmp_path_factory, suffix, transcript):
    path = tmp_path_factory.mktemp("t") / f"recording{suffix}"
    if suffix in PLAIN and any(" " in row.label for row in transcript.intervals):
        with pytest.raises(UsageError, match=f"has a space, which {suffix} cannot hold"):
            transcript.save(path)
        assert not list(path.parent.iterdir())
        return
    assert transcript.save(path) == path
    loaded = Transcript.load(path, sample_rate=RATE)
    scored = suffix in WITH_SCORES
    rows = transcript.intervals
    assert loaded.intervals == (rows if scored else without_scores(rows))
    if suffix in (".TextGrid", ".json"):
        assert loaded.duration == transcript.duration
    else:
        assert loaded.duration == rows[-1].end
    assert loaded.name == (transcript.name if scored else "recording")
    assert list(path.parent.iterdir()) == [path]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_phn_comes_back_to_the_sample(tmp_path_factory, data):
    bounds = sorted(data.draw(st.sets(st.integers(0, 10**6), min_size=2, max_size=9)))
    plain = labels.filter(lambda text: " " not in text)
    rate = data.draw(st.sampled_from([8000, 16000, 22050, 44100]))
    rows = [(a / rate, b / rate, data.draw(plain)) for a, b in itertools.pairwise(bounds)]
    path = tmp_path_factory.mktemp("t") / "a.phn"
    transcript = Transcript({"phones": rows}, bounds[-1] / rate, rate, "a")
    transcript.save(path)
    written = [line.split(" ")[:2] for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert written == [[str(a), str(b)] for a, b in itertools.pairwise(bounds)]
    assert Transcript.load(path, sample_rate=rate) == transcript


TWO_TIERS = Transcript(
    {
        "phones": [(0.1, 0.25, "h#", 0.5), (0.25, 0.4, "ɪ", 1), (0.5, 0.7, 'q"q', 0.25)],
        "words": [(0.25, 0.7, 'say "so"')],
    },
    1.5,
    name="speaker/one",
)


@pytest.mark.parametrize("suffix", [".TextGrid", ".json"])
def test_several_tiers(tmp_path, suffix):
    path = TWO_TIERS.save(tmp_path / f"a{suffix}")
    loaded = Transcript.load(path)
    assert list(loaded.tiers) == ["phones", "words"]
    assert loaded.tiers["words"] == TWO_TIERS.tiers["words"]
    assert loaded.duration == 1.5
    empty = Transcript({"phones": [], "words": []}, 2.5)
    assert Transcript.load(empty.save(path)).tiers == {"phones": (), "words": ()}


def test_formats_of_one_tier_hold_the_first_or_the_one_asked_for(tmp_path):
    path = TWO_TIERS.save(tmp_path / "a.csv", tier="words")
    assert [row.label for row in Transcript.load(path).intervals] == ['say "so"']
    with pytest.raises(UsageError, match=r"no tier 'word'. Did you mean 'words'\?"):
        TWO_TIERS.save(path, tier="word")


@given(tiers(labels), tiers(labels))
@settings(max_examples=40, deadline=None)
def test_praatio_reads_the_same(tmp_path_factory, phones, words):
    duration = max(phones[-1].end, words[-1].end) + 1
    path = tmp_path_factory.mktemp("t") / "a.TextGrid"
    Transcript({"phones": phones, "words": words}, duration).save(path)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    assert grid.tierNames == ("phones", "words")
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, duration)
    for name, rows in (("phones", phones), ("words", words)):
        entries = grid.getTier(name).entries
        # Praat's own rule: from beginning to end without a gap.
        assert (entries[0].start, entries[-1].end) == (0, duration)
        assert all(a.end == b.start for a, b in itertools.pairwise(entries))
        spoken = [(e.start, e.end, e.label) for e in entries if e.label]
        assert spoken == [row[:3] for row in rows]


def test_a_textgrid_as_praat_writes_it(tmp_path):
    path = TWO_TIERS.save(tmp_path / "a.TextGrid", tier="words")
    assert path.read_bytes().decode("utf-8") == (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = 1.5 \n'
        "tiers? <exists> \nsize = 2 \nitem []: \n    item [1]:\n"
        '        class = "IntervalTier" \n        name = "words" \n        xmin = 0 \n'
        "        xmax = 1.5 \n        intervals: size = 3 \n        intervals [1]:\n"
        '            xmin = 0.0 \n            xmax = 0.25 \n            text = "" \n'
        "        intervals [2]:\n            xmin = 0.25 \n            xmax = 0.7 \n"
        '            text = "say ""so""" \n        intervals [3]:\n            xmin = 0.7 \n'
        '            xmax = 1.5 \n            text = "" \n'
    ) + "".join(path.read_bytes().decode("utf-8").partition("    item [2]:")[1:])


def test_the_readers_of_corpora_read_every_format(tmp_path):
    rows = [(0, 0.25, "sil", 0.5), (0.25, 0.5, "aa", 0.75)]
    transcript = Transcript({"phones": rows}, 0.5, name="one")
    paths = {suffix: transcript.save(tmp_path / f"a{suffix}") for suffix in SUFFIXES}
    expected = [row[:3] for row in rows]
    as_rows = [
        read_textgrid(paths[".TextGrid"], "phones"),
        [row.span for row in read_ctm(paths[".ctm"])],
        [row.span for row in read_table(paths[".csv"])],
        read_audacity(paths[".txt"]),
    ]
    for spans in as_rows:
        assert [(float(s.start), float(s.end), s.label) for s in spans] == expected
    assert read_phn(paths[".phn"], 8000) == [(0, 4000, "sil"), (4000, 8000, "aa")]
    assert paths[".txt"].read_text() == "0.0\t0.25\tsil\n0.25\t0.5\taa\n"
    assert paths[".ctm"].read_text() == "one 1 0.0 0.25 sil 0.5\none 1 0.25 0.25 aa 0.75\n"
    assert json.loads(paths[".json"].read_text())["sample_rate"] == 16000


def test_audacitys_own_labels(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("0.100000\t0.250000\tsay so\n\\\t100.0\t2000.0\n0.3\t0.4\t\n0.5\t0.75\tɪ\n")
    loaded = Transcript.load(path)
    assert loaded.intervals == (Interval(0.1, 0.25, "say so"), Interval(0.5, 0.75, "ɪ"))
    path.write_text("0.1\t0.2\n0.5,0.75,a\n")
    with pytest.raises(UsageError, match="line 2: expected `start<TAB>end<TAB>label`, found"):
        Transcript.load(path)


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".wav", "", r"has the suffix '\.wav'; transcripts are \.TextGrid, \.ctm, \.phn, \.json"),
        (".json", "[]", "is not a transcript; save one as .json to see the form"),
        (".json", '{"version": 2}', "has version 2; this program reads 1"),
        (
            ".json",
            '{"version": 1, "name": "a", "duration": NaN, "sample_rate": 1, "tiers": {"a": []}}',
            "duration must be seconds above 0; received nan",
        ),
        (".ctm", "a 1 0 1 x\nb 1 0 1 x\n", "names the recordings 'a' and 'b'; one was expected"),
        (".ctm", "a 1 0 1 x\na 1 0.5 1 x\n", "line 2: the segment starts at 0.5 s and overlaps"),
        (".csv", "audio,start,end,label\n", "holds no intervals"),
        (".txt", "\\\t1\t2\n", "holds no intervals"),
        (".phn", "0 10 a b\n", "line 1: expected `start end label`"),
        (".TextGrid", "hello", "line 1: the file ends where the header of a TextGrid"),
    ],
)
def test_files_that_are_something_else(tmp_path, suffix, content, message):
    path = tmp_path / f"a{suffix}"
    path.write_text(content)
    with pytest.raises(UsageError, match=message) as refused:
        Transcript.load(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tiers": {"phones": [(0, 0.5, "")]}}, "interval 0 of the tier 'phones' is labelled ''"),
        ({"tiers": {"phones": [(0, 0.5, "a\tb")]}}, r"is labelled 'a\\tb'; printable text"),
        ({"tiers": {"phones": [(0, 0.5, "a"), (0.4, 0.6, "b")]}}, "interval 1 .* from 0.4 to 0.6"),
        ({"tiers": {"phones": [(0.5, 0.5, "a")]}}, "goes from 0.5 to 0.5 s"),
        ({"tiers": {"phones": [(0, 1.5, "a")]}}, "follow one another from 0.0 to 1 s"),
        ({"tiers": {"phones": [(float("nan"), 1, "a")]}}, "goes from nan to 1 s"),
        ({"tiers": {"phones": [(0, 1, "a", 1.5)]}}, "has the score 1.5; 0 to 1 was expected"),
        ({"tiers": {"": []}}, "'' is not a tier's name"),
        ({"tiers": {}}, "at least one tier"),
        ({"duration": 0}, "duration must be seconds above 0; received 0"),
        ({"sample_rate": 0.5}, "sample_rate must be Hz, a whole number; received 0.5"),
        ({"name": "a\nb"}, "is not a recording's name"),
    ],
)
def test_impossible_transcripts_are_refused(fields, message):
    with pytest.raises(UsageError, match=message):
        Transcript(**{"tiers": {"phones": []}, "duration": 1, **fields})


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    short = Transcript({"phones": [(0.1, 0.10001, "a")]}, 1)
    with pytest.raises(UsageError, match="shorter than a sample at 16000 Hz"):
        short.save(tmp_path / "a.phn")
    with pytest.raises(UsageError, match=r"';;a' would be a comment in \.ctm"):
        Transcript({"phones": [(0, 1, "a")]}, 1, name=";;a").save(tmp_path / "a.ctm")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = TWO_TIERS.save(tmp_path / "a.json")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zoo.files.os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full"):
        TWO_TIERS.save(path, tier="words")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_day_comes_back(tmp_path, suffix):
    rows = [(0.0, 36001.25, "sil"), (36001.25, 86399.5, "aa"), (86399.5, 86400.0, "sil")]
    path = Transcript({"phones": rows}, 86400.0, 8000).save(tmp_path / f"day{suffix}")
    found = Transcript.load(path, sample_rate=8000).intervals
    assert [row[:3] for row in found] == rows
