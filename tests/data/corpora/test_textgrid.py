"""Praat's TextGrids."""

import itertools
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import long_textgrid, short_textgrid
from zoo.data.corpora.intervals import is_name
from zoo.data.corpora.textgrid import phone_tiers, read_textgrid
from zoo.errors import UsageError

labels = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12
).filter(lambda text: text.isprintable() and text == text.strip())


@st.composite
def rows(draw):
    """Labelled intervals in milliseconds' steps, with gaps."""
    bounds = sorted(draw(st.sets(st.integers(0, 5000), min_size=2, max_size=12)))
    pairs = [pair for pair in itertools.pairwise(bounds) if draw(st.booleans())]
    return [(a / 1000, b / 1000, draw(labels)) for a, b in pairs or [(0, 10)]]


def as_rows(spans):
    return [(float(s.start), float(s.end), s.label) for s in spans]


@pytest.mark.parametrize("write", [long_textgrid, short_textgrid])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@given(st.dictionaries(labels, rows(), min_size=1, max_size=3), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=20)
def test_what_is_written_is_read_back(tmp_path_factory, write, encoding, tiers, newline):
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    path.write_bytes(write(tiers, 6).replace("\n", newline).encode(encoding))
    for name, expected in tiers.items():
        assert as_rows(read_textgrid(path, name)) == expected
    if not phone_tiers(list(tiers)):
        assert as_rows(read_textgrid(path)) == next(iter(tiers.values()))


def test_a_file_as_praat_writes_it(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = 0.9 \n'
        "tiers? <exists> \nsize = 2 \nitem []: \n    item [1]:\n"
        '        class = "TextTier" \n        name = "bell" \n        xmin = 0 \n'
        "        xmax = 0.9 \n        points: size = 1 \n        points [1]:\n"
        '            number = 0.5 \n            mark = "ding" \n'
        '    item [2]:\n        class = "IntervalTier" \n        name = "words" \n'
        "        xmin = 0 \n        xmax = 0.9 \n        intervals: size = 2 \n"
        "        intervals [1]:\n            xmin = 0 \n            xmax = 0.30000000000000004 \n"
        '            text = "say ""a""" \n        intervals [2]:\n'
        '            xmin = 0.30000000000000004 \n            xmax = 0.9 \n            text = "" \n'
    )
    (span,) = read_textgrid(path)
    assert (span.line, span.label) == (25, 'say "a"')
    assert (span.start, span.end) == (0, Decimal("0.30000000000000004"))


GOOD = short_textgrid({"phones": [(0, 0.5, "a"), (0.5, 1.25, "b")]}, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ooTextFile", "something", ", line 1: expected 'ooTextFile', found 'something'"),
        ("TextGrid", "PitchTier", ", line 2: expected 'TextGrid', found 'PitchTier'"),
        ("0\n2\n<", "1\n2\n<", ", line 4: the TextGrid starts at 1 s; its recording starts"),
        ('"IntervalTier"', '"Interval"', ", line 8: expected 'IntervalTier' or 'TextTier', found"),
        ("\n3\n", "\n4\n", ", line 21: the file ends where a time in seconds was expected"),
        ("\n3\n", "\n2\n", ", line 19: '1.25' follows the last tier that the header announces"),
        ("0.5\n1.25", "0.4\n1.25", ", line 16: the segment starts at 0.4 s and overlaps the one"),
        ("0.5\n1.25", "1.5\n1.25", ", line 16: the segment ends at 1.25 s, not after its start"),
        ("0.5\n1.25", "-.5\n1.25", ", line 16: the segment starts at -0.5 s, before the"),
        ("1.25", "nan", ", line 18: expected an interval's end, found 'b'"),
        ("1.25", "1e999", ", line 17: expected an interval's end, found '1e999'"),
        ('"b"', '"b', ", line 18: a quotation mark is never closed"),
        ('"b"', '"b\nc"', ", line 16: 'b\\nc' is not a label"),
        (GOOD, "ooBinaryFile\x08TextGrid", " is a binary TextGrid"),
        (GOOD, " \n", " is empty"),
    ],
)
def test_wrong_files_are_refused_with_their_line(tmp_path, old, new, message):
    path = tmp_path / "a.TextGrid"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        read_textgrid(path)
    assert str(refused.value).startswith(f"{path}{message}")


def test_tiers_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(GOOD)
    with pytest.raises(UsageError, match=r"no interval tier 'phone'\. Did you mean 'phones'"):
        read_textgrid(path, "phone")
    path.write_text(short_textgrid({"empty": []}, 2))
    with pytest.raises(UsageError, match="no labelled interval in its tier 'empty'"):
        read_textgrid(path)
    path.write_text(short_textgrid({}, 2))
    with pytest.raises(UsageError, match="has no interval tier"):
        read_textgrid(path)
    path.write_bytes(b"\xff\xff\x00bytes")
    with pytest.raises(UsageError, match="is not text in UTF-8, or UTF-16"):
        read_textgrid(path)


A, B, C = [(0, 0.5, "a")], [(0.5, 1, "b")], [(1, 1.5, "c")]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ({"words": A, "phones": B, "notes": C}, B),
        ({"words": A, "Phones": B}, B),
        ({"words": A, " MAU ": B}, B),
        ({"segments": A, "phonemes": B, "words": C}, B),
        ({"ORT-MAU": A, "KAN-MAU": B}, A),
        ({"words": A, "my phones": B}, A),
        ({"words": A}, A),
        # As Montreal Forced Aligner writes a conversation.
        ({"ann - words": C, "ann - phones": A, "ben - words": C, "ben - phones": B}, A + B),
        ({"ben - words": B, "ben - phones": B, "a - phones - phones": A}, A + B),
        ({"ann - phones": A, "phones": C}, C),
    ],
)
def test_a_tier_of_phones_is_read_unless_another_is_named(tmp_path, tiers, expected):
    path = tmp_path / "a.TextGrid"
    path.write_text(short_textgrid(tiers, 2))
    assert as_rows(read_textgrid(path)) == expected
    for name, rows_of_tier in tiers.items():
        assert as_rows(read_textgrid(path, name)) == rows_of_tier


def test_phones_of_speakers_at_the_same_time_are_refused(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(short_textgrid({"ann - phones": A, "ben - phones": [(0.2, 0.7, "b")]}, 2))
    with pytest.raises(UsageError, match=r"the segment starts at 0\.2 s and overlaps the one"):
        read_textgrid(path)
    assert as_rows(read_textgrid(path, "ben - phones")) == [(0.2, 0.7, "b")]


def test_two_tiers_of_phones_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(short_textgrid({"words": A, "phones": B, "Phones": C}, 2))
    with pytest.raises(UsageError, match="has 2 tiers 'phones'; names must differ"):
        read_textgrid(path)


@st.composite
def damaged(draw):
    """A good file with a few characters cut out, put in or exchanged."""
    text = draw(st.sampled_from([GOOD, long_textgrid({"a": [(0, 0.5, 'x"y')]}, 2)]))
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 8))
        put = draw(st.one_of(st.text(max_size=5), st.sampled_from(['"', "1e308", "<", "-", "!"])))
        text = text[:first] + put + text[first + length :]
    return text


@given(st.one_of(damaged(), st.text(max_size=200)))
@settings(max_examples=300)
def test_anything_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        spans = read_textgrid(path)
    except UsageError as refusal:
        assert str(refusal).startswith(str(path))
        assert "\n" not in str(refusal)
        return
    assert spans
    assert all(0 <= s.start < s.end and is_name(s.label) for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize("text", ['"' * 200_001, '"a' * 100_001, "! " * 10**5, "1 " * 10**5])
def test_hostile_files_end_soon(tmp_path, text):
    path = tmp_path / "a.TextGrid"
    path.write_text(GOOD.replace('"b"', text))
    begin = time.perf_counter()
    with pytest.raises(UsageError):
        read_textgrid(path)
    assert time.perf_counter() - begin < 5
