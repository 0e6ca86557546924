"""Segments as CTM, CSV, TSV and JSON lines."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import write_csv, write_jsonl
from zoo.data.corpora.intervals import is_name
from zoo.data.corpora.tables import read_ctm, read_table
from zoo.errors import UsageError

names = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12
).filter(lambda text: text.isprintable() and text == text.strip())
words = names.filter(lambda text: len(text.split()) == 1 and not text.startswith(";;"))
milliseconds = st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)).map(
    lambda pair: (pair[0] / 1000, (pair[0] + pair[1]) / 1000)
)


@given(st.lists(st.tuples(words, milliseconds, words), min_size=1, max_size=10), st.booleans())
def test_a_ctm_file_is_read_back(tmp_path_factory, rows, confidence):
    path = tmp_path_factory.mktemp("ctm") / "a.ctm"
    text = ";; a comment\n"
    for name, (start, end), label in rows:
        text += f"{name} 1 {start} {round(end - start, 3)} {label}{' 0.98' * confidence}\n"
    path.write_text(text, encoding="utf-8")
    found = [
        (r.audio, float(r.span.start), float(r.span.end), r.span.label) for r in read_ctm(path)
    ]
    assert found == [(name, start, end, label) for name, (start, end), label in rows]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "audio": names,
                "start,end": milliseconds,
                "label": names,
                "speaker": names,
                "split": st.sampled_from(["train", "test", "dev"]),
                "remark": st.text(st.characters(codec="utf-8"), max_size=5),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=50)
def test_a_table_is_read_back(tmp_path_factory, kind, records):
    path = tmp_path_factory.mktemp("table") / f"a.{kind}"
    for record in records:
        record["start"], record["end"] = record.pop("start,end")
        if kind != "jsonl":
            record["remark"] = record["remark"].replace("\0", "")
    if kind == "jsonl":
        write_jsonl(path, records)
    else:
        write_csv(path, records, "\t" if kind == "tsv" else ",")
    found = [
        {
            "audio": r.audio,
            "start": float(r.span.start),
            "end": float(r.span.end),
            "label": r.span.label,
            "speaker": r.speaker,
            "split": r.split,
        }
        for r in read_table(path)
    ]
    for record in records:
        del record["remark"]
    assert found == records


def test_a_start_and_a_duration_end_where_the_next_segment_starts(tmp_path):
    path = tmp_path / "a.ctm"
    path.write_text("x 1 0.1 0.2 a\nx 1 0.3 0.1 b\n")
    first, second = read_ctm(path)
    assert first.span.end == second.span.start


def refusal(reader, path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        reader(path)
    return str(refused.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x 1 0.5 a", ", line 2: expected `recording channel start duration label [confidence]`"),
        ("x 1 0 0.5 two words", ", line 2: expected `recording channel start duration"),
        ("x 1 zero 0.5 a", ", line 2: expected `recording channel"),
        ("x 1 0 inf a", ", line 2: expected `recording channel"),
        ("x 1 0 0 a", ", line 2: the segment ends at 0 s, not after its start 0 s."),
        ("x 1 -1 2 a", ", line 2: the segment starts at -1 s, before the recording."),
        ("x 1 3000 2000 a", ", line 2: the segment ends at 5000 s; the limit is 3600 s."),
        ("x 2 1 2 a", ", line 2: 'x' has the channels 1 and 2; make a mono recording of each."),
    ],
)
def test_wrong_ctm_lines_are_refused(tmp_path, line, message):
    assert refusal(read_ctm, tmp_path / "a.ctm", f"x 1 0 0.5 a\n{line}\n").startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("audio,start,end\n", ", line 1: expected the columns audio, start, end, label (and"),
        ("audio,start,end,label,label\n", ", line 1: expected the columns audio, start"),
        ("audio,start,end,label,speakers\n", ", line 1: unknown column 'speakers'. Did you mean"),
        ("audio,start,end,label\na,0,1\n", ", line 2: expected 4 columns as in the first line"),
        ("audio,start,end,label\na,0,1,x,y\n", ", line 2: expected 4 columns as in the first"),
        ("audio,start,end,label\na,0,one,x\n", ", line 2: end is 'one'; a time in seconds was"),
        ("audio,start,end,label\na,0,1,\n", ", line 2: label is ''; printable text was expected."),
        ("audio,start,end,label\na,1,1,x\n", ", line 2: the segment ends at 1 s, not after its"),
        ("audio,start,end,label,split\na,0,1,x,eval\n", ", line 2: split is 'eval'; train, test"),
        (
            'audio,start,end,label\na,0,1,"x\n',
            ", line 2: is not a valid table (unexpected end of data).",
        ),
        ("\n", " is empty."),
    ],
)
def test_wrong_tables_are_refused(tmp_path, text, message):
    assert refusal(read_table, tmp_path / "a.csv", text).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", ", line 1: expected a JSON object with audio, start, end, label, found '{'."),
        ("[" * 10**5, ", line 1: expected a JSON object"),
        ('["audio"]', ", line 1: expected a JSON object"),
        ('{"audio": "a", "start": 0, "end": 1}', ", line 1: expected a JSON object with audio"),
        ('{"audio": "a", "start": NaN, "end": 1, "label": "x"}', ", line 1: start is 'NaN'; a"),
        ('{"audio": "a", "start": 0, "end": 1, "label": null}', ", line 1: label is 'None'"),
        ('{"audio": "a", "start": true, "end": 1, "label": "x"}', ", line 1: start is 'True'"),
        ('{"audio": "a", "start": 0, "end": 1, "label": "\\ud800"}', ", line 1: label is '\\ud800"),
        ('{"audio": "a", "start": 0, "end": 1, "label": "x", "spliit": 1}', ", line 1: unknown co"),
    ],
)
def test_wrong_json_lines_are_refused(tmp_path, line, message):
    assert refusal(read_table, tmp_path / "a.jsonl", line).startswith(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
rows_of_anything = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=100).map(lambda b: b.decode("latin-1")),
    st.lists(st.text(',"\t\n 01.e-abx;{}[]:', max_size=30), max_size=6).map("\n".join),
    st.dictionaries(
        st.sampled_from(["audio", "start", "end", "label", "speaker", "split"]), json_values
    ).map(json.dumps),
)


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("ctm", "x 1 0 1 a\n"),
        ("csv", "audio,start,end,label\nx,0,1,a\n"),
        ("jsonl", '{"audio": "x", "start": 0, "end": 1, "label": "a"}\n'),
    ],
)
@given(rows_of_anything, st.sampled_from(["utf-8", "latin-1", "utf-16"]))
@settings(max_examples=100)
def test_anything_is_read_or_refused(tmp_path_factory, kind, head, text, encoding):
    path = tmp_path_factory.mktemp("fuzz") / f"a.{kind}"
    path.write_bytes((head + text).encode(encoding, "replace"))
    try:
        rows = (read_ctm if kind == "ctm" else read_table)(path)
    except UsageError as refused:
        assert str(refused).startswith(str(path))
        return
    assert rows[0].audio == "x"
    assert all(0 <= r.span.start < r.span.end <= 3600 for r in rows)
    assert all(is_name(r.span.label) and is_name(r.audio) for r in rows)
